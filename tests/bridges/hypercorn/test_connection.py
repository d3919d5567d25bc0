# HTTP/1.1 on a connection of ours, over real sockets.

import logging
from typing import Any

import pytest
import trio
from hypercorn.config import Config
from trio.testing import MockClock, wait_all_tasks_blocked

from greenroom.bridges.hypercorn import Limits

from ._serving import connected

GET = b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n"


async def answer(send: Any, body: bytes, status: int = 200) -> None:
    """Answer with *body*."""
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [length]})
    await send({"type": "http.response.body", "body": body})


async def names(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the path and the body."""
    body = b""
    while True:
        event = await receive()
        body += event.get("body", b"")
        if not event.get("more_body"):
            break
    await answer(send, scope["path"].encode() + b" " + body)


async def test_in_order() -> None:
    """
    Pipelined requests are answered one after the other, on one connection.
    """
    async with connected(names) as peer:
        await peer.send(GET % b"a" + GET % b"b" + GET % b"c")
        data = await peer.until(b"/c ")

    assert data.count(b"HTTP/1.1 200") == 3
    assert data.index(b"/a ") < data.index(b"/b ") < data.index(b"/c ")


async def test_a_body_that_nobody_read_is_no_next_request() -> None:
    """
    What the application leaves of a body is thrown away, and the next request is answered.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, scope["path"].encode())

    async with connected(app) as peer:
        await peer.send(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 18\r\n\r\n")
        await peer.until(b"/a")
        await peer.send(b"GET /evil HTTP/1.1" + GET % b"b")
        data = await peer.until(b"/b")

    assert b"evil" not in data


async def test_an_unread_body_that_is_large_ends_the_connection() -> None:
    """
    Beyond the limit the rest of an unread body is not waited for.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, b"enough")

    async with connected(app, Limits(unread_body_bytes=1000)) as peer:
        await peer.send(
            b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n" + b"x" * 2000
        )
        assert (await peer.rest()).endswith(b"enough")


async def test_no_100_continue_behind_the_answer() -> None:
    """
    An application that answers first and asks for the body then gets it, without an interim answer.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        length = (b"content-length", b"2")
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        body = (await receive())["body"]
        await send({"type": "http.response.body", "body": body})

    async with connected(app) as peer:
        await peer.send(
            b"POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        )
        await wait_all_tasks_blocked()
        await peer.send(b"ab")
        data = await peer.until(b"ab")

    assert data.startswith(b"HTTP/1.1 200")
    assert data.count(b"HTTP/1.1") == 1


async def test_100_continue_is_sent_when_the_body_is_asked_for() -> None:
    """
    A client that waits for leave gets it when the application reads, not before.
    """
    async with connected(names) as peer:
        await peer.send(
            b"POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        )
        assert b"100 Continue" in await peer.until(b"\r\n\r\n")
        await peer.send(b"hi")
        assert (await peer.until(b"hi")).startswith(b"HTTP/1.1 200")


async def test_alone(caplog: pytest.LogCaptureFixture) -> None:
    """
    An application that raises costs its request: 500, one log entry, and the server goes on.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise BaseException("boom")

    with caplog.at_level(logging.ERROR, "hypercorn.error"):
        async with connected(app) as peer:
            await peer.send(GET % b"a")
            assert (await peer.rest()).startswith(b"HTTP/1.1 500")

    assert "boom" in caplog.text


async def test_a_response_that_breaks_off_does_not_look_whole() -> None:
    """
    An application that raises in mid-body leaves a chunked response without its last chunk.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ValueError("boom")

    async with connected(app) as peer:
        await peer.send(GET % b"a")
        data = await peer.rest()

    assert b"half" in data
    assert b"0\r\n\r\n" not in data


async def test_bad_requests_are_answered_and_end_the_connection() -> None:
    """
    Both lengths are refused with 400, and what follows is not read as a request.
    """
    async with connected(names) as peer:
        await peer.send(
            b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET % b"smuggled"
        )
        data = await peer.rest()

    assert data.startswith(b"HTTP/1.1 400")
    assert data.count(b"HTTP/1.1") == 1


async def test_bounded_head(mock_clock: MockClock) -> None:
    """
    A head that does not come to its end within its time is answered with 408.
    """
    async with connected(names) as peer:
        await peer.send(b"GET / HTTP/1.1\r\nHost")
        await wait_all_tasks_blocked(0.05)
        mock_clock.jump(11)
        assert (await peer.rest()).startswith(b"HTTP/1.1 408")


async def test_bounded_body(mock_clock: MockClock) -> None:
    """
    A body of which nothing comes within its time is given up; the client gets 408.
    """
    async with connected(names) as peer:
        await peer.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
        await wait_all_tasks_blocked(0.05)
        mock_clock.jump(31)
        await wait_all_tasks_blocked(0.05)
        mock_clock.jump(31)  # the application has got a disconnect and answers all the same
        data = await peer.rest()

    assert data.startswith(b"HTTP/1.1 ")


async def test_bounded_silence(mock_clock: MockClock) -> None:
    """
    A connection on which nothing comes is closed without a word.
    """
    async with connected(names) as peer:
        await wait_all_tasks_blocked(0.05)
        mock_clock.jump(6)
        assert await peer.rest() == b""


async def test_idle_connections_end_with_their_worker() -> None:
    """
    When the worker takes no more connections, one that waits for a request ends at once.
    """
    async with connected(names) as peer:
        await peer.send(GET % b"a")
        await peer.until(b"/a ")
        await wait_all_tasks_blocked(0.05)
        await peer.context.terminated.set()
        assert await peer.rest() == b""


async def test_the_peers_end_is_told_while_a_request_runs() -> None:
    """
    An application that waits in receive() hears that its client has gone.
    """
    told: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        told.append((await receive())["type"])

    async with connected(app) as peer:
        await peer.send(GET % b"a")
        await wait_all_tasks_blocked(0.05)

    assert told == ["http.disconnect"]


async def test_a_send_to_nobody_raises_behind_a_checkpoint() -> None:
    """
    A producer whose client has gone gets an error, not an endless busy loop.
    """
    sent = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"x" * 60000, "more_body": True})
            sent += 1

    async with connected(app) as peer:
        await peer.send(GET % b"a")
        await peer.until(b"xxx")
        await trio.aclose_forcefully(peer.stream)
        with trio.fail_after(60):
            await peer.over.wait()

    assert sent


async def test_a_peer_that_does_not_read_is_given_up(mock_clock: MockClock) -> None:
    """
    A response of which the peer takes nothing within its time is reset.
    """
    ended = trio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while True:
                await send({"type": "http.response.body", "body": b"x" * 60000, "more_body": True})
        except ConnectionError:
            ended.set()

    async with connected(app) as peer:
        await peer.send(GET % b"a")
        await wait_all_tasks_blocked(0.2)
        mock_clock.jump(31)
        with trio.fail_after(60):
            await ended.wait()


async def test_only_named_hosts_are_served() -> None:
    """
    hypercorn's `server_names` holds here, too: another host gets 404.
    """
    config = Config()
    config.server_names = ["chat.example"]
    async with connected(names, config=config) as peer:
        await peer.send(GET % b"a")
        assert (await peer.rest()).startswith(b"HTTP/1.1 404")


async def test_requests_sent_ahead_leave_others_their_turn() -> None:
    """
    Between two pipelined requests every other task has a turn.
    """
    turns: list[str] = []
    began = trio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        turns.append("request")
        began.set()
        await answer(send, scope["path"].encode())

    async def neighbour() -> None:
        await began.wait()
        for _ in range(15):
            turns.append("neighbour")
            await trio.sleep(0)

    async with connected(app) as peer, trio.open_nursery() as nursery:
        nursery.start_soon(neighbour)
        await peer.send(b"".join(GET % b"%d" % number for number in range(20)))
        await peer.until(b"/19")

    last = len(turns) - turns[::-1].index("neighbour")
    assert turns[last:].count("request") > 0  # the neighbour's were over before the requests


async def test_a_body_that_breaks_off_is_the_clients_fault() -> None:
    """
    A client that ends its half in mid-body gets 400 if the application answers nothing.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    async with connected(app) as peer:
        await peer.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
        await peer.stream.send_eof()
        assert (await peer.rest()).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("wrong", [0, -1, float("inf")])
def test_limits_are_numbers(wrong: float) -> None:
    """
    A limit that is none is refused when it is made, not by each connection.
    """
    with pytest.raises(ValueError, match="head_seconds must be a positive, finite number"):
        Limits(head_seconds=wrong)
