# Django's views under the real `hypercorn -k trio`, asked by the standard library's client.

import hashlib
import http.client
import json
import re
import signal
import socket
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

STAFF = ("staff", "secret-staff")
MEMBER = ("member", "secret-member")


@contextmanager
def connected(server: Any) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        yield connection
    finally:
        connection.close()


def ask(server: Any, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
    with connected(server) as connection:
        connection.request(method, path, body, {n.replace("_", "-"): v for n, v in headers.items()})
        response = connection.getresponse()
        return response.status, response.read()


def multipart(content: bytes) -> bytes:
    return b"".join(
        [
            b'--cut\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n',
            b"Content-Type: application/octet-stream\r\n\r\n",
            content,
            b"\r\n--cut--\r\n",
        ]
    )


class Browser:
    """A client with cookies; staff log in through the admin site's form."""

    def __init__(self, server: Any) -> None:
        self.address = f"http://{server.host}"
        cookies = urllib.request.HTTPCookieProcessor()
        self._opener = urllib.request.build_opener(cookies)

    def get(self, path: str) -> tuple[int, str, str]:
        """Return status, final address and body."""
        return self._open(urllib.request.Request(self.address + path))

    def log_in(self, name: str, password: str) -> None:
        page = self.get("/admin/login/")[2]
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        assert token
        form = {"csrfmiddlewaretoken": token[1], "username": name, "password": password}
        data = urllib.parse.urlencode({**form, "next": "/"}).encode()
        self._open(urllib.request.Request(f"{self.address}/admin/login/", data))

    def sign_in(self, name: str, password: str) -> None:
        data = urllib.parse.urlencode({"username": name, "password": password}).encode()
        status, _, _ = self._open(urllib.request.Request(f"{self.address}/sign-in/", data))
        assert status == 204

    def _open(self, request: urllib.request.Request) -> tuple[int, str, str]:
        try:
            with self._opener.open(request, timeout=30) as response:
                return response.status, response.url, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.url or "", error.read().decode()


def test_a_sync_view_answers(server: Any) -> None:
    """
    A view runs in a thread of the views' pool.
    """
    status, body = ask(server, "GET", "/")

    assert status == 200
    assert body.startswith(b"hello from views-")


def test_an_async_view_answers(server: Any) -> None:
    """
    An async view may use Django's async ORM.
    """
    status, body = ask(server, "GET", "/async/")

    assert (status, set(json.loads(body))) == (200, {"notes"})


def test_the_orm_keeps_what_is_posted(serve: Callable[..., Any]) -> None:
    """
    A form goes into the database and comes out of it.
    """
    with serve() as server:
        form = urllib.parse.urlencode({"text": "buy milk"})
        kind = "application/x-www-form-urlencoded"
        posted = ask(server, "POST", "/notes/", form, content_type=kind)

        assert ask(server, "GET", "/notes/") == posted
    assert json.loads(posted[1]) == {"notes": ["buy milk"]}


def test_head_has_headers_and_no_body(server: Any) -> None:
    """
    HEAD answers without a body, also where GET would stream for ever.
    """
    with connected(server) as connection:
        for path in ("/", "/endless/"):
            connection.request("HEAD", path)
            response = connection.getresponse()
            assert (response.status, response.read()) == (200, b"")


def test_a_stream_arrives_whole(server: Any) -> None:
    """
    Every line of a generator arrives, in order.
    """
    status, body = ask(server, "GET", "/count/?to=5000")

    assert status == 200
    assert body.split() == [str(n).encode() for n in range(5000)]


def test_a_large_body_goes_in_and_out(server: Any) -> None:
    """
    Eight megabytes are streamed in, chunked, and back out.
    """
    pieces = [bytes([n % 251]) * 65536 for n in range(128)]
    with connected(server) as connection:
        connection.request("POST", "/echo/", iter(pieces), encode_chunked=True)
        response = connection.getresponse()
        body = response.read()

    assert response.status == 200
    assert hashlib.sha256(body).digest() == hashlib.sha256(b"".join(pieces)).digest()


@pytest.mark.parametrize("size", [100, 4_000_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_an_upload_is_parsed(server: Any, size: int, chunked: bool) -> None:
    """
    A file is parsed out of a form: small and large, with a length and chunked.
    """
    content = b"u" * size
    body: Any = multipart(content)
    kind = "multipart/form-data; boundary=cut"
    status, answer = ask(
        server, "POST", "/upload/", iter([body]) if chunked else body, content_type=kind
    )

    assert status == 200
    expected = hashlib.sha256(content).hexdigest()
    assert json.loads(answer) == {"name": "a.bin", "size": size, "sha256": expected}


def test_a_body_beyond_djangos_limit_is_refused(server: Any) -> None:
    """
    A form of more than DATA_UPLOAD_MAX_MEMORY_SIZE is refused with 400 or 413.
    """
    form = b"text=" + b"x" * 3_000_000
    kind = "application/x-www-form-urlencoded"

    assert ask(server, "POST", "/notes/", form, content_type=kind)[0] in {400, 413}


def test_a_view_that_raises_is_a_500(server: Any) -> None:
    """
    A view that raises answers 500 and is logged; the next request is served.
    """
    assert ask(server, "GET", "/raises/")[0] == 500
    assert ask(server, "GET", "/")[0] == 200


@pytest.mark.handler
def test_a_response_that_cannot_be_sent_is_a_500(serve: Callable[..., Any]) -> None:
    """
    A view whose response can't be written answers 500, and the server goes on.
    """
    with serve() as server:
        assert ask(server, "GET", "/unwritable/")[0] == 500
        assert ask(server, "GET", "/")[0] == 200


@pytest.mark.plain_asgi
def test_a_response_that_cannot_be_sent_ends_only_its_connection(
    serve: Callable[..., Any],
) -> None:
    """
    A view whose response hypercorn can't write costs one connection, not the server.
    """
    with serve() as server:
        with pytest.raises(http.client.RemoteDisconnected):
            ask(server, "GET", "/unwritable/")
        server.wait_for("a connection ended by an error")

        assert ask(server, "GET", "/")[0] == 200


def test_a_stream_that_raises_is_cut(server: Any) -> None:
    """
    A generator that raises ends its connection before the body's end; others go on.
    """
    with connected(server) as connection:
        connection.request("GET", "/raises-in-stream/")
        response = connection.getresponse()
        with pytest.raises(http.client.IncompleteRead) as cut:
            response.read()

    assert (response.status, cut.value.partial) == (200, b"the beginning\n")
    assert ask(server, "GET", "/")[0] == 200


def test_a_client_that_leaves_closes_the_stream(serve: Callable[..., Any]) -> None:
    """
    When the client of an endless stream leaves, the generator's finally runs.
    """
    with serve() as server:
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(b"GET /endless/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 200")
        server.wait_for("endless stream closed")


def test_slow_readers_do_not_stop_the_others(serve: Callable[..., Any]) -> None:
    """
    Clients that read nothing of their streams leave the threads to everybody else.
    """
    with serve(GREENROOM_TEST_OPTIONS='{"VIEW_THREADS": 2}') as server:
        slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(4)]
        try:
            for client in slow:
                client.sendall(b"GET /endless/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert client.recv(12) == b"HTTP/1.1 200"
            assert ask(server, "GET", "/")[0] == 200
        finally:
            for client in slow:
                client.close()


@pytest.mark.parametrize("half_closed", [False, True])
def test_a_client_that_does_not_read_cannot_hold_up_the_end(
    serve: Callable[..., Any], half_closed: bool
) -> None:
    """
    The server ends at SIGTERM although the write to a client is stalled.
    """
    with serve("mysite.asgi:application", "--graceful-timeout", "0") as server:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", server.port))
            client.sendall(b"GET /endless/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(12) == b"HTTP/1.1 200"
            if half_closed:
                client.shutdown(socket.SHUT_WR)

            server.stop()

        assert "endless stream closed" in server.output


def test_the_tree_is_for_staff(server: Any) -> None:
    """
    Strangers are sent to the login page, members get 403, staff get the tree.
    """
    stranger, member, staff = Browser(server), Browser(server), Browser(server)
    member.sign_in(*MEMBER)
    staff.log_in(*STAFF)

    status, url, _ = stranger.get("/greenroom/tree.json")
    assert status == 200
    assert url.endswith("/admin/login/?next=/greenroom/tree.json")
    assert member.get("/greenroom/tree.json")[0] == 403
    assert staff.get("/greenroom/tree.json")[0] == 200


def test_the_tree_shows_the_request_that_asks(server: Any) -> None:
    """
    The tree has the residents and, as a slot, the very request that asks for it.
    """
    staff = Browser(server)
    staff.log_in(*STAFF)
    tree = json.loads(staff.get("/greenroom/tree.json")[2])

    assert tree["path"] == "/"
    paths = re.findall(r'"path": "([^"]+)"', json.dumps(tree))
    assert "/residents/counter" in paths
    assert any(path.startswith("/connections/http/") for path in paths)


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_the_server_ends_cleanly(serve: Callable[..., Any], sent: signal.Signals) -> None:
    """
    After requests SIGTERM and SIGINT end the server with status 0 and no traceback.
    """
    with serve() as server:
        assert ask(server, "GET", "/")[0] == 200
        assert server.stop(sent) == 0
        assert "Traceback" not in server.output


def test_the_http_application_serves_alone(serve: Callable[..., Any]) -> None:
    """
    django_application() is an ASGI application of its own, with its own lifespan.
    """
    with serve("mysite.http:application") as server:
        assert ask(server, "GET", "/")[0] == 200
        staff = Browser(server)
        staff.log_in(*STAFF)
        status, _, body = staff.get("/greenroom/tree.json")
        assert (status, "No Greenroom runs" in body) == (503, True)
        assert server.stop() == 0


def test_a_server_that_ends_closes_its_streams(serve: Callable[..., Any]) -> None:
    """
    SIGTERM ends an endless stream: its generator is closed, and the server ends with 0.
    """
    with serve("mysite.asgi:application", "--graceful-timeout", "1") as server:
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(b"GET /endless/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 200")
            server.process.terminate()
            while client.recv(65536):
                pass
        assert server.wait_ended() == 0
        assert "endless stream closed" in server.output
        assert "Traceback" not in server.output
