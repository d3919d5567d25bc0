# Long-polling under the real `hypercorn -k trio`: with httpx, and with a raw socket for what no
# well-behaved client does.

import json
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from e2e._server import WAIT_SECONDS, Server


@pytest.fixture(scope="module")
def shared() -> Iterator[Server]:
    """One server for the file."""
    with Server("polling:application") as server:
        yield server


@pytest.fixture
def server(shared: Server) -> Server:
    """The server, with nothing open."""
    shared.settle()
    return shared


class Client:
    """One session, over connections that httpx keeps alive."""

    def __init__(self, server: Server, path: str) -> None:
        url = f"http://{server.host}:{server.port}/{path}"
        self.http = httpx.Client(timeout=WAIT_SECONDS)
        self.url = url
        answer = self.http.post(url)
        assert answer.status_code == 201, answer.text
        self.token: str = answer.json()["token"]
        self.http.headers["greenroom-token"] = self.token

    def poll(self, after: int = 0) -> httpx.Response:
        """Ask for messages."""
        return self.http.get(self.url, params={"after": after})

    def post(self, *messages: tuple[int, str]) -> httpx.Response:
        """Send messages with their numbers."""
        content = {"messages": [{"seq": number, "text": text} for number, text in messages]}
        return self.http.post(self.url, json=content)


@pytest.fixture
def steady(server: Server) -> Iterator[Client]:
    """A session that lives as long as the test."""
    client = Client(server, "steady")
    with closing(client.http):
        yield client
        client.http.delete(client.url)


def test_messages_go_both_ways(steady: Client) -> None:
    """
    What is posted is answered in the next poll, once it is acknowledged not again.
    """
    assert steady.post((1, "a"), (2, "ä")).json() == {"received": 2}
    assert steady.post((2, "ä")).json() == {"received": 2}
    seen: dict[int, str] = {}
    while len(seen) < 2:
        content = steady.poll(max(seen, default=0)).json()
        seen |= {each["seq"]: each["text"] for each in content["messages"]}
    assert seen == {1: "1: a", 2: "1: ä"}


def test_a_crash_leaves_the_session(steady: Client) -> None:
    """
    The next incarnation answers in the same session.
    """
    steady.post((1, "boom"), (2, "still there"))
    (message,) = steady.poll().json()["messages"]
    assert message == {"seq": 1, "text": "2: still there"}


def test_nothing_to_say_is_204_and_silence_is_the_end(server: Server) -> None:
    """
    A poll is answered empty; without polls the session expires, and 410 says so.
    """
    ends = server.count("end 1006")
    client = Client(server, "quick")
    with closing(client.http):
        answer = client.poll()
        assert (answer.status_code, answer.content) == (204, b"")
        server.until_count("end 1006", ends + 1)
        answer = client.poll()
        assert answer.status_code == 410
        assert answer.json()["reason"] == "expired: no poll for 3 s"


def raw(
    server: Server, client: Client, method: str, *lines: str, body: bytes = b""
) -> socket.socket:
    """Send a request by hand and return its socket."""
    found = socket.create_connection((server.host, server.port), timeout=WAIT_SECONDS)
    head = [f"{method} /{client.url.rpartition('/')[2]} HTTP/1.1", "host: localhost", *lines]
    head.append(f"greenroom-token: {client.token}")
    found.sendall("\r\n".join([*head, "", ""]).encode() + body)
    return found


def session(server: Server, client: Client) -> dict[str, Any]:
    """The one slot of *client*'s route."""
    return server.slot(client.url.rpartition("/")[2])


def test_a_client_that_leaves_its_poll_loses_nothing(server: Server, steady: Client) -> None:
    """
    A socket that is reset while the poll waits: what is said then comes with the next one.
    """
    with closing(raw(server, steady, "GET")):
        server.until("the poll waits", lambda: session(server, steady)["facts"]["polling"])
    server.until("it has left", lambda: not session(server, steady)["facts"]["polling"])
    steady.post((1, "a"))
    (message,) = steady.poll().json()["messages"]
    assert message == {"seq": 1, "text": "1: a"}


def test_a_slow_body_is_408_and_changes_nothing(server: Server, steady: Client) -> None:
    """
    A body that stops in the middle is given up within its time; the session goes on.
    """
    with closing(raw(server, steady, "POST", "content-length: 100", body=b'{"mess')) as slow:
        head = slow.recv(65536)
    assert head.startswith(b"HTTP/1.1 408 ")
    assert steady.post((1, "a")).json() == {"received": 1}


def test_a_large_body_is_413(server: Server, steady: Client) -> None:
    """
    It is refused for its length, before it has come.
    """
    with closing(
        raw(server, steady, "POST", "content-length: 99999999", body=b"x" * 1000)
    ) as large:
        assert large.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_pages_of_others_open_nothing(server: Server) -> None:
    """
    403 for a foreign origin, 201 for the server's own.
    """
    url = f"http://{server.host}:{server.port}"
    with httpx.Client(timeout=WAIT_SECONDS) as http:
        foreign = http.post(f"{url}/steady", headers={"origin": "https://evil.example"})
        assert (foreign.status_code, foreign.json()["error"]) == (403, "origin")
        own = http.post(f"{url}/steady", headers={"origin": url})
        assert own.status_code == 201
        http.delete(f"{url}/steady", headers={"greenroom-token": own.json()["token"]})


def test_a_stop_answers_waiting_polls(tmp_path: Path) -> None:
    """
    SIGTERM: the poll that waits gets 410 with 1012 and a hint, `disconnect` runs, the server ends.
    """
    log = tmp_path / "log"
    with Server("polling:application", env={"E2E_LOG": str(log)}) as server:
        client = Client(server, "steady")
        with closing(client.http), closing(raw(server, client, "GET")) as waiting:
            server.until("the poll waits", lambda: session(server, client)["facts"]["polling"])
            server.signal(signal.SIGTERM, to="master")
            head, _, body = waiting.recv(65536).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 410 ")
            assert b"retry-after: 1" in head.lower()
            assert json.loads(body or waiting.recv(65536))["code"] == 1012
            assert server.wait_end() in (0, -signal.SIGTERM)
    assert log.read_text().startswith("disconnect 1012")


def test_another_process_says_that_it_is_another(server: Server, steady: Client) -> None:
    """
    A session of one process is 421 in another one, which can't say whether it lives.
    """
    with Server("polling:application") as other:
        url = f"http://{other.host}:{other.port}/steady"
        for method in ("GET", "POST", "DELETE"):
            answer = steady.http.request(method, url)
            assert (answer.status_code, answer.json()["error"]) == (421, "elsewhere")
    assert steady.post((1, "a")).json() == {"received": 1}
