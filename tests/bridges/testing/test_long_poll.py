# The driver of a long-polling session, as its users see it.

import pytest
from trio.testing import MockClock, wait_all_tasks_blocked

from greenroom.actors import LongPollConsumer
from greenroom.bridges.testing import (
    HandshakeRefused,
    NothingCame,
    SocketClosed,
    run_server,
    serve,
    virtual_clock,
)


class Echo(LongPollConsumer):
    on_window_full = "drop_oldest"
    window_messages = 2

    async def connect(self):
        if self.scope["query_string"] == b"no":
            await self.close(4000, "no")
        else:
            await self.accept(headers=[("x-a", "b")])

    async def receive(self, text, bytes):
        if text == "close":
            await self.close(4001, "enough")
        else:
            await self.send(text=text, bytes=bytes)


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


async def test_it_is_driven_as_a_socket_is(clock: MockClock) -> None:
    """
    Texts, bytes, silence, crash and close, with the methods of a WebSocket's driver.
    """
    async with serve(Echo.as_asgi()) as server, server.long_poll("/") as client:
        assert (b"x-a", b"b") in client.response_headers
        client.send_text("a")
        client.send_bytes(b"\x00")
        assert await client.receive() == "a"
        assert await client.receive() == b"\x00"
        await client.receive_nothing()
        client.crash()
        assert (await client.wait_restarted()).epoch == 2
        client.send_text("close")
        with pytest.raises(SocketClosed) as closed:
            await client.receive()
        assert (closed.value.code, closed.value.reason) == (4001, "enough")


async def test_one_that_sleeps_misses_what_the_window_does_not_hold(clock: MockClock) -> None:
    """
    `pause_reading` leaves the poll; behind `resume_reading` come the newest, and the gap.
    """
    async with serve(Echo.as_asgi()) as server, server.long_poll("/") as client:
        client.pause_reading()
        await wait_all_tasks_blocked()
        assert client.slot.facts["polling"] is False
        for number in range(5):
            client.send_text(str(number))
        with pytest.raises(NothingCame):
            await client.receive(1)
        client.resume_reading()
        assert [await client.receive(), await client.receive()] == ["3", "4"]
        assert client.lost == [(1, 3)]
        assert client.seen == 5


async def test_a_refusal_is_an_error_with_its_answer() -> None:
    """
    The status and the body that a client would get.
    """
    async with serve(Echo.as_asgi()) as server:
        with pytest.raises(HandshakeRefused) as refused:
            async with server.long_poll("/?no"):
                pass
        assert refused.value.status == 403
        assert b'"code":4000' in refused.value.body


def test_it_blocks_in_a_plain_function() -> None:
    """
    Without trio and without await, by `run_server`.
    """
    with run_server(Echo.as_asgi()) as server, server.long_poll("/") as client:
        client.send_text("a")
        assert client.receive_text() == "a"
        client.crash()
        assert client.wait_restarted().epoch == 2
        client.send_text("b")
        assert client.receive_text() == "b"
