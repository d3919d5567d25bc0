# EventStreamConsumer behind the real trio worker, for a client on a raw connection.

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from e2e._server import WAIT_SECONDS, Server

from greenroom.bridges.testing import StreamEvent
from greenroom.bridges.testing._event_decoder import EventDecoder

KINDS = {"ours": {}, "hypercorn": {"E2E_PLAIN": "1"}, "h2": {}}
EACH_KIND = ["ours", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("hypercorn", "h2"))]
SMALL = "output_high_water_bytes=20000 output_limit_bytes=100000 heartbeat_seconds=0.2"


@pytest.fixture(scope="module", params=EACH_KIND)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with Server("streams:application", env=KINDS[request.param]) as server:
        server.fresh = {"kind": request.param}
        yield server


class Stream:
    """One stream, read with httpx; a context manager."""

    def __init__(self, server: Server, path: str = "/feed", last: str = "") -> None:
        h2 = server.fresh.get("kind") == "h2"
        address = f"http://{server.host}:{server.port}"
        self.client = httpx.Client(base_url=address, http1=not h2, http2=h2, timeout=WAIT_SECONDS)
        headers = {"last-event-id": last} if last else {}
        self.opening = self.client.stream("GET", path, headers=headers)
        self.decoder = EventDecoder(last)
        self.events: list[StreamEvent] = []

    def __enter__(self) -> "Stream":
        self.response = self.opening.__enter__()
        self.parts = self.response.iter_raw()
        return self

    def __exit__(self, *_: object) -> None:
        self.response.close()
        self.client.close()

    def next(self) -> StreamEvent:
        """Wait for the next event; StopIteration at a clean end."""
        while not self.events:
            self.events.extend(self.decoder.feed(next(self.parts)))
        return self.events.pop(0)


def tell(server: Server, kind: str, data: str = "", event: str = "") -> int:
    path = f"/tell?group=feed&type={kind}&data={data}" + (f"&event={event}" if event else "")
    status, reached = server.get(path)
    assert status == 200
    return int(reached)


def until_open(server: Server, count: int) -> None:
    server.until("they have joined", lambda: len(server.slots("feed")) == count)


def test_a_stream_survives_a_crash(server: Server) -> None:
    """
    Events come, a handler crashes, and events come again on the same connection.
    """
    server.settle()
    with Stream(server) as stream:
        assert stream.response.status_code == 200
        assert stream.response.headers["content-type"] == "text/event-stream"
        assert stream.response.headers["x-accel-buffering"] == "no"
        assert tell(server, "event", "one", "kind") == 1
        assert (event := stream.next()).data == "one"
        assert event.event == "kind"
        crashes = server.facts()["events"].get("slot.restarted", 0)
        tell(server, "raise")
        server.until("restarted", lambda: (
            server.facts()["events"].get("slot.restarted", 0) > crashes
        ))  # fmt: skip
        tell(server, "event", "two")
        assert stream.next().data == "two"
        assert stream.decoder.retry == 50
    server.settle()


def test_who_comes_back_gets_what_it_missed(server: Server) -> None:
    """
    With the last id a new connection is sent what was published between, and no more.
    """
    server.settle()
    with Stream(server) as stream:
        tell(server, "event", "first")
        last = stream.next().id
        tell(server, "close")
        with pytest.raises(StopIteration):
            stream.next()
    tell(server, "event", "between")
    with Stream(server, last=last) as stream:
        assert stream.next().data == "between"
        tell(server, "event", "live")
        assert stream.next().data == "live"
    with Stream(server, last="elsewhere-1") as stream:
        found = [stream.next().data]
        while found[-1] != "missed":
            found.append(stream.next().data)
        assert found[-4:] == ["first", "between", "live", "missed"]
    server.settle()


def test_a_client_that_leaves(server: Server) -> None:
    """
    A client that goes is noticed without anything being sent, and leaves nothing.
    """
    server.settle()
    left = server.count("feed client left")
    with Stream(server):
        until_open(server, 1)
    server.until("it was told", lambda: server.count("feed client left") > left)
    server.settle()


@pytest.mark.parametrize("plain", [False, True])
def test_a_slow_reader_is_dropped(plain: bool) -> None:
    """
    Who reads nothing is dropped at the limit, and the others are sent all of it.
    """
    environment = {"E2E_OPTIONS": SMALL} | ({"E2E_PLAIN": "1"} if plain else {})
    with Server("streams:application", env=environment) as server:
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect((server.host, server.port))
        slow.sendall(b"GET /feed HTTP/1.1\r\nHost: x\r\n\r\n")
        with slow, Stream(server) as fast:
            until_open(server, 2)
            count = 0

            def flood() -> bool:
                nonlocal count
                tell(server, "flood", "5")
                for _ in range(5):
                    assert len(fast.next().data) == 10000
                count += 5
                return server.count("feed reads too slowly") == 1

            server.until("it is dropped", flood)
            until_open(server, 1)  # it was told first, and goes then
            while not fast.decoder.comments:  # a comment comes when all is silent
                fast.events.extend(fast.decoder.feed(next(fast.parts)))


@pytest.mark.parametrize("kind", EACH_KIND)
def test_the_server_is_ended(kind: str, tmp_path: Path) -> None:
    """
    At SIGTERM each stream ends whole, is told when to come back, and `disconnect` runs.
    """
    log = tmp_path / "log"
    with Server("streams:application", env={"E2E_LOG": str(log)} | KINDS[kind]) as server:
        server.fresh = {"kind": kind}
        with Stream(server) as one, Stream(server) as two, Stream(server) as three:
            until_open(server, 3)
            server.signal(signal.SIGTERM)
            for stream in (one, two, three):
                # httpx may take the GOAWAY of HTTP/2 for an error, and read no further.
                with pytest.raises(
                    (StopIteration, httpx.HTTPError) if kind == "h2" else StopIteration
                ):
                    stream.next()
            retries = [stream.decoder.retry for stream in (one, two, three)]
        assert server.wait_end() == 0
    assert log.read_text() == "feed shutdown\n" * 3
    if kind != "h2":
        assert len(set(retries)) > 1  # two of five thousand are the same now and then
        assert all(retry is not None and 500 <= retry <= 5500 for retry in retries)
    assert "Traceback" not in server.output, server.explain("a raw traceback")
