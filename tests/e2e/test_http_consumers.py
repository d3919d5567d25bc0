# HttpConsumer behind the real trio worker: with Greenroom's connections, with hypercorn's own,
# and over HTTP/2; clients are httpx and raw sockets.

import json
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from e2e._server import WAIT_SECONDS, Server

KINDS = {"ours": {}, "hypercorn": {"E2E_PLAIN": "1"}, "h2": {}}
EACH_KIND = ["ours", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("hypercorn", "h2"))]
SMALL = "output_high_water_bytes=20000 output_limit_bytes=100000 output_stall_seconds=2"


@pytest.fixture(scope="module", params=EACH_KIND)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with Server("streams:application", env=KINDS[request.param]) as server:
        server.fresh = {"kind": request.param}
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    server.settle()  # who was answered in the test before may be in its group yet
    h2 = server.fresh["kind"] == "h2"
    address = f"http://{server.host}:{server.port}"
    with httpx.Client(base_url=address, http1=not h2, http2=h2, timeout=WAIT_SECONDS) as client:
        yield client


def tell(server: Server, group: str, kind: str) -> None:
    status, reached = server.get(f"/tell?group={group}&type={kind}")
    assert (status, reached) == (200, b"1")


def raw(server: Server, request: str, *, receive_buffer: int = 0) -> socket.socket:
    peer = socket.socket()
    if receive_buffer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    peer.settimeout(WAIT_SECONDS)
    peer.connect((server.host, server.port))
    peer.sendall(request.encode())
    return peer


def test_a_body_comes_back(client: httpx.Client) -> None:
    """
    A def handler is given a whole body of any size, and answers with it.
    """
    for body in (b"", b"x", bytes(range(256)) * 8000):
        answer = client.post("/echo", content=body)
        assert (answer.status_code, answer.content) == (200, body)
        assert answer.headers["x-method"] == "POST"
    assert client.get("/echo").status_code == 200


def test_a_body_that_is_too_large(server: Server, client: httpx.Client) -> None:
    """
    A body above body_bytes is a 413, and the next request is served.
    """
    if server.fresh["kind"] == "h2":
        pytest.skip("hypercorn ends the whole connection of who goes on sending a refused body")
    assert client.post("/echo", content=b"x" * 2621441).status_code == 413
    assert client.get("/echo").status_code == 200


def test_head(client: httpx.Client) -> None:
    """
    HEAD gets the head, and the connection goes on.
    """
    answer = client.head("/page")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 100
    with client.stream("HEAD", "/flood") as answer:
        assert (answer.status_code, answer.read()) == (200, b"")
    assert client.get("/page").status_code == 200


def test_an_upload_in_parts(client: httpx.Client) -> None:
    """
    chunk() counts a body of unknown length, part by part.
    """

    def parts() -> Iterator[bytes]:
        for _ in range(50):
            yield b"x" * 30000

    answer = client.post("/upload", content=parts())
    assert answer.json() == {"size": 1500000}


def test_somebody_else_ends_the_response(server: Server, client: httpx.Client) -> None:
    """
    A request is answered by messages, from trio and from a thread, long after its handler.
    """
    before = server.count("later")
    answers: list[httpx.Response] = []
    thread = threading.Thread(target=lambda: answers.append(client.get("/later")))
    thread.start()
    server.until("the handler has returned", lambda: server.count("later") > before)
    tell(server, "later", "begin")
    tell(server, "later", "end")
    thread.join()
    assert (answers[0].status_code, answers[0].text) == (202, "begun,ended")


def test_a_crash_behind_the_head(server: Server, client: httpx.Client) -> None:
    """
    A crash mid-stream is an error of the transfer for the client, and never a whole response.
    """
    before = server.count("later")
    errors: list[Exception] = []

    def ask() -> None:
        try:
            client.get("/later")
        except httpx.HTTPError as error:
            errors.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    server.until("the handler has returned", lambda: server.count("later") > before)
    tell(server, "later", "begin")
    tell(server, "later", "raise")
    thread.join()
    assert isinstance(errors[0], httpx.RemoteProtocolError)


def test_a_client_that_leaves(server: Server, client: httpx.Client) -> None:
    """
    A client that leaves a stream is noticed, `disconnect` runs, and nothing is left.
    """
    left = server.count("flood client left")
    with client.stream("GET", "/flood") as answer:
        assert answer.status_code == 200
        assert next(answer.iter_raw(1000))
    client.close()
    server.until("it was told", lambda: server.count("flood client left") > left)
    server.settle()


def test_a_slow_reader_holds_the_sender_back(server: Server) -> None:
    """
    Who does not read stops the handler at its bounds, and gets all the rest when it reads on.
    """
    request = "GET /flood HTTP/1.1\r\nHost: x\r\n\r\n"
    with raw(server, request, receive_buffer=4096) as peer:
        seen = -1

        def stands() -> bool:
            nonlocal seen
            before, seen = seen, server.count("flooded")
            return before == seen

        server.until("the sender waits", stands)
        more = server.count("flooded")
        for _ in range(2000):
            assert peer.recv(65536)
        server.until("it goes on", lambda: server.count("flooded") > more)


def test_an_upload_is_held_back(server: Server) -> None:
    """
    While chunk() is held up only so much is read; the client's socket fills up.
    """
    before, uploaded = server.count("upload client left"), server.count("uploaded")
    head = f"POST /upload?held HTTP/1.1\r\nHost: x\r\nContent-Length: {1 << 30}\r\n\r\n"
    with raw(server, head) as peer:
        peer.setblocking(False)
        sent = 0
        with pytest.raises(BlockingIOError):
            for _ in range(10000):
                sent += peer.send(b"x" * 65536)
        assert sent < 1 << 26  # what sockets take on the way
        assert server.count("uploaded") == uploaded
        tell(server, "-", "let_go")
        server.until("it goes on", lambda: server.count("uploaded") == uploaded + sent)
    server.until("it was told", lambda: server.count("upload client left") > before)


@pytest.mark.handler
def test_a_body_is_refused_before_it_is_sent(server: Server) -> None:
    """
    With Expect: 100-continue a refusal comes in place of the 100, and no body is asked for.
    """
    if server.fresh["kind"] == "hypercorn":
        pytest.skip("hypercorn's own connection asks for every body at once")
    head = "POST /guarded HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
    with raw(server, head) as peer:
        assert peer.recv(1000).startswith(b"HTTP/1.1 401")


@pytest.mark.handler
def test_a_body_is_refused_by_its_length_before_it_is_sent(server: Server) -> None:
    """
    With Expect: 100-continue a body that is declared too large is not asked for.
    """
    if server.fresh["kind"] == "hypercorn":
        pytest.skip("hypercorn's own connection asks for every body at once")
    head = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n"
    with raw(server, head + "Expect: 100-continue\r\n\r\n") as peer:
        assert peer.recv(1000).startswith(b"HTTP/1.1 413")


def test_it_is_asked_for_a_body(server: Server) -> None:
    """
    With Expect: 100-continue and nobody who refuses, the client is asked to go on.
    """
    head = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    with raw(server, head) as peer:
        assert peer.recv(1000).startswith(b"HTTP/1.1 100")
        peer.sendall(b"hi")
        answer = b""
        while not answer.endswith(b"hi"):
            answer += peer.recv(1000)
        assert answer.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("plain", [False, True])
def test_a_reader_that_stalls_is_dropped(plain: bool) -> None:
    """
    Who reads nothing for output_stall_seconds is dropped: its slot and its socket are gone.
    """
    environment = {"E2E_OPTIONS": SMALL} | ({"E2E_PLAIN": "1"} if plain else {})
    with Server("streams:application", env=environment) as server:
        server.until_fresh(fresh := server.facts())
        request = "GET /flood HTTP/1.1\r\nHost: x\r\n\r\n"
        with raw(server, request, receive_buffer=4096):
            server.until("it is dropped", lambda: server.count("flood reads too slowly"))
            server.settle()
            server.until("its socket is closed", lambda: (
                server.facts()["descriptors"] <= fresh["descriptors"]
            ))  # fmt: skip


def test_a_stream_of_http2_that_stalls_is_dropped() -> None:
    """
    The same over HTTP/2, whose connection other streams share: that one alone is cut.
    """
    with Server("streams:application", env={"E2E_OPTIONS": SMALL}) as server:
        address = f"http://{server.host}:{server.port}"
        with httpx.Client(base_url=address, http1=False, http2=True, timeout=30) as client:
            with client.stream("GET", "/flood"):
                server.until("it is dropped", lambda: server.count("flood reads too slowly"))
                server.settle()
                assert client.post("/echo", content=b"x").content == b"x"


@pytest.mark.parametrize("plain", [False, True])
def test_the_server_is_ended(plain: bool, tmp_path: Path) -> None:
    """
    At SIGTERM an unanswered request gets 503, and `disconnect` is told why.
    """
    log = tmp_path / "log"
    environment = {"E2E_LOG": str(log)} | ({"E2E_PLAIN": "1"} if plain else {})
    with Server("streams:application", env=environment) as server:
        with raw(server, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n") as peer:
            server.until("it is there", lambda: server.count("later"))
            server.signal(signal.SIGTERM)
            answer = b""
            while part := peer.recv(1000):
                answer += part
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 5" in answer
        assert server.wait_end() == 0
    assert log.read_text().split("\n")[0].startswith("later ")
    assert "Traceback" not in server.output, server.explain("a raw traceback")


def test_it_stands_in_the_tree(server: Server, client: httpx.Client) -> None:
    """
    A request in progress is a node below its route, with its facts.
    """
    server.settle()
    with client.stream("GET", "/flood"):
        (slot,) = server.slots("flood")
        assert slot["actor"] == "Flood"
        assert (slot["facts"]["method"], slot["facts"]["status"]) == ("GET", 200)
        assert json.dumps(slot)
    client.close()
    server.settle()
