# How HTTP connections end, seen from both sides: what the application is told, and what the peer
# still gets.

import logging
import socket
from typing import Any

import pytest
import trio
from helpers import running
from hypercorn.config import Config
from trio.testing import MockClock, wait_all_tasks_blocked

from greenroom.actors._lowlevel import wait_readable
from greenroom.bridges.hypercorn import Limits

from ._serving import connected, turns_while

LINES = {
    "keep-alive": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "close": b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "HTTP/1.0": b"GET / HTTP/1.0\r\nHost: x\r\n\r\n",
}
START = {"type": "http.response.start", "status": 200, "headers": []}


async def answer(send: Any, body: bytes = b"ok") -> None:
    """Send a whole response."""
    await send(START)
    await send({"type": "http.response.body", "body": body})


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
async def test_the_peers_end_is_told_whatever_comes_behind(line: bytes) -> None:
    """
    An application that waits for the client's end hears of it, also on its last request.
    """
    seen = trio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        seen.set()

    async with connected(app) as peer:
        await peer.send(line)
        await wait_all_tasks_blocked()
        await peer.stream.aclose()
        with trio.fail_after(30):
            await seen.wait()


@pytest.mark.parametrize("headers", [b"Connection: close\r\n", b"", b"Expect: 100-continue\r\n"])
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
async def test_a_body_that_nobody_read_costs_nobody_the_answer(
    version: bytes, headers: bytes
) -> None:
    """
    Who is still sending when he is answered gets the whole answer and then the end, not a reset.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, b"x" * 100_000)

    async with connected(app, Limits(unread_body_bytes=1000)) as peer:
        head = b"POST / HTTP/%s\r\nHost: x\r\n%sContent-Length: 200000\r\n\r\n"
        await peer.send(head % (version, headers) + b"a" * 60_000)
        await peer.until(b"x" * 1000)
        await peer.send(b"a" * 140_000)
        assert (await peer.rest()).endswith(b"x" * 1000)  # a reset would raise


async def test_a_request_in_the_turn_of_the_workers_end_is_served(
    autojump_clock: trio.abc.Clock,
) -> None:
    """
    A request that has come when the worker takes no more is answered, and not cut or timed out.
    """
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["path"])
        await trio.sleep(0.01)
        await answer(send)

    bell, ringer = socket.socketpair()
    async with connected(app) as peer:
        await peer.send(LINES["keep-alive"])
        await peer.until(b"ok")

        async def end() -> None:
            await wait_readable(bell)
            await peer.context.terminated.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(end)
            await wait_all_tasks_blocked()
            # Both are found in one turn, in whatever order.
            peer.stream.socket._sock.send(LINES["keep-alive"])  # type: ignore[attr-defined]
            ringer.send(b"!")
        rest = await peer.rest()
    bell.close()
    ringer.close()

    assert len(seen) == 2
    assert rest.startswith(b"HTTP/1.1 200")


async def test_receiving_behind_the_end_lets_others_run() -> None:
    """
    An application that goes on asking behind the end of its client keeps nobody waiting.
    """
    turns = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal turns

        async def ask() -> None:
            for _ in range(100):
                await receive()

        while (await receive())["type"] != "http.disconnect":
            pass
        turns = await turns_while(ask)

    async with connected(app) as peer:
        await peer.send(LINES["keep-alive"])
        await wait_all_tasks_blocked()
        await peer.stream.aclose()
        await peer.over.wait()
    assert turns >= 50


@pytest.mark.parametrize("method", [b"HEAD", b"GET"])
async def test_a_stream_lets_others_run(method: bytes) -> None:
    """
    Who sends part after part has others run in between, whether or not the parts go anywhere.
    """
    turns = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal turns
        await send(START)

        async def stream() -> None:
            for _ in range(1000):
                await send({"type": "http.response.body", "body": b"x", "more_body": True})

        turns = await turns_while(stream)
        await send({"type": "http.response.body"})

    async with connected(app) as peer:
        await peer.send(method + LINES["close"][3:])
        await peer.rest()
    assert turns >= 10


async def test_two_tasks_may_receive() -> None:
    """
    Of two tasks of an application that receive, each gets what comes in its turn.
    """
    events: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def listen() -> None:
            events.append(await receive())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen)
            nursery.start_soon(listen)
        await answer(send)

    async with connected(app) as peer:
        await peer.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n")
        for piece in (b"abc", b"def"):
            await wait_all_tasks_blocked()
            await peer.send(piece)
        await peer.until(b"ok")
    assert [event["body"] for event in events] == [b"abc", b"def"]


async def test_who_listens_while_he_answers_does_not_fail() -> None:
    """
    A task of the application may wait for the client's end while another answers early.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def listen() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen)
            await wait_all_tasks_blocked()
            await answer(send)
            nursery.cancel_scope.cancel()

    async with (
        running(http=app) as server,
        connected(server._application, state=server.state) as peer,
    ):
        await peer.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        assert (await peer.until(b"ok")).startswith(b"HTTP/1.1 200")
        await peer.send(b"defghij" + LINES["close"])
        await peer.rest()
        failed = [event for event in server.root.events.recent(100) if "crash" in event.kind]
    assert not failed


@pytest.mark.parametrize("behind_the_tree", [False, True])
async def test_a_peer_that_has_left_a_nursery_is_nobodys_fault(
    behind_the_tree: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """
    That the client has left is no error of the application's, also when its nursery wraps it.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def stream() -> None:
            while True:
                await send({"type": "http.response.body", "body": b"x" * 8000, "more_body": True})
                await trio.sleep(0)

        await send(START)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream)

    with caplog.at_level(logging.ERROR):
        async with running(http=app) as server:
            target = server._application if behind_the_tree else app
            async with connected(target, state=server.state, config=Config()) as peer:
                await peer.send(LINES["keep-alive"])
                await peer.stream.receive_some()
                await peer.stream.aclose()
                await peer.over.wait()
    assert not caplog.records


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
async def test_a_client_that_pauses_gets_the_end(line: bytes, mock_clock: MockClock) -> None:
    """
    A client that takes its time over the end of a response gets all of it, as long as it reads on.
    """
    done = trio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        wire = send.__self__._wire
        wire._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)
        await send(START)
        for more in (True,) * 20 + (False,):
            body = b"x" * 16_384
            await send({"type": "http.response.body", "body": body, "more_body": more})
        assert wire.size  # it is what this test is about
        done.set()

    async with connected(app) as peer:
        peer.stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        await peer.send(line)
        got = 0
        while not done.is_set():
            got += (await peer.stream.receive_some()).count(b"x")
        for _ in range(3):
            mock_clock.jump(20)  # more than keep-alive and lingering, less than write_seconds
            await wait_all_tasks_blocked()
            got += (await peer.stream.receive_some()).count(b"x")
            await wait_all_tasks_blocked()
        while got < 21 * 16_384:
            got += (await peer.stream.receive_some()).count(b"x")
