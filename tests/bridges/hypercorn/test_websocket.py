# A WebSocket on a connection of ours, over real sockets: applications in plain ASGI, and
# consumers, which write to its transport themselves.

import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
import trio
from client_frames import BINARY, CLOSE, TEXT, frame
from helpers import happened, running
from trio.testing import MockClock, wait_all_tasks_blocked

from greenroom.actors import WebsocketConsumer
from greenroom.bridges.hypercorn import Limits
from greenroom.bridges.hypercorn._websocket import WebsocketTransport
from greenroom.bridges.hypercorn._wire import Wire
from greenroom.bridges.websocket._handshake import Handshake
from greenroom.supervisor import Options
from greenroom.supervisor._slot import Slot

from ._serving import UPGRADE, connected

PING, CLOSED_1011 = b"\x89\x00", b"\x88\x02\x03\xf3"


class Echo(WebsocketConsumer):
    """Sends back what comes, and notes how it ends."""

    ends: list[tuple[int, str]]

    async def receive(self, text: str) -> None:
        await self.send(text=text)

    async def disconnect(self, code: int, reason: str) -> None:
        self.ends.append((code, reason))


@pytest.fixture
def echo() -> type[Echo]:
    return type("Echo", (Echo,), {"ends": []})


async def test_codes(echo: type[Echo]) -> None:
    """
    The peer's code and reason reach the consumer as they are; a violation is answered with its own.
    """
    async with running(**{"": echo}) as server:
        async with connected(server._application, state=server.state) as peer:
            await peer.open()
            await peer.send(frame(CLOSE, (4001).to_bytes(2, "big") + b"bye"))
            assert await peer.rest() == b"\x88\x02" + (4001).to_bytes(2, "big")
        async with connected(server._application, state=server.state) as peer:
            await peer.open()
            await peer.send(frame(TEXT, b"\xff"))
            assert (await peer.rest())[2:4] == (1007).to_bytes(2, "big")
        assert [code for code, _ in echo.ends] == [4001, 1007]
        assert echo.ends[0] == (4001, "bye")
        assert len(happened(server, "connection.violation")) == 1


async def test_early(echo: type[Echo]) -> None:
    """
    What the peer sends before the handshake is answered is handled behind it.
    """
    async with (
        running(**{"": echo}) as server,
        connected(server._application, state=server.state) as peer,
    ):
        await peer.send(UPGRADE + frame(TEXT, b"early"))
        assert b"early" in await peer.until(b"early")


async def test_alive(echo: type[Echo], mock_clock: MockClock) -> None:
    """
    A peer that answers no ping is given up, with 1006.
    """
    async with running(**{"": echo}) as server:
        async with connected(server._application, state=server.state) as peer:
            await peer.open()
            await wait_all_tasks_blocked(0.05)
            mock_clock.jump(21)
            assert await peer.until(PING) == PING
            mock_clock.jump(21)
            with trio.fail_after(60):
                await peer.over.wait()
        assert echo.ends[0][0] == 1006


async def test_a_slow_handshake_is_no_silence(mock_clock: MockClock) -> None:
    """
    While the application takes its time to accept, nobody counts as dead.
    """
    accept = trio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await accept.wait()
        await send({"type": "websocket.accept"})
        event = await receive()
        await send({"type": "websocket.send", "text": event["text"]})

    async with connected(app) as peer:
        await peer.send(UPGRADE)
        for _ in range(3):
            await wait_all_tasks_blocked(0.05)
            mock_clock.jump(30)
        accept.set()
        await peer.until(b"\r\n\r\n")
        await peer.send(frame(TEXT, b"hello"))
        assert b"hello" in await peer.until(b"hello")


async def test_a_fault_of_ours_closes_the_socket(
    echo: type[Echo], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    When the slot itself fails, its socket gets 1011, not silence.
    """

    async def fail(_slot: Slot, _nursery: trio.Nursery) -> None:
        await trio.sleep(0)
        cast("Any", _slot)._connection.accept(None, ())
        raise RuntimeError("boom")

    async with running(**{"": echo}) as server:
        monkeypatch.setattr(Slot, "run", fail)
        async with connected(server._application, state=server.state) as peer:
            await peer.send(UPGRADE)
            assert (await peer.rest()).endswith(CLOSED_1011)


async def test_an_application_that_returns_leaves_1011() -> None:
    """
    A socket that its application has left open closes with 1011, as hypercorn closes it.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})

    async with connected(app) as peer:
        await peer.send(UPGRADE)
        assert (await peer.rest()).endswith(CLOSED_1011)


async def test_a_peer_that_has_gone_is_nobodys_fault(caplog: pytest.LogCaptureFixture) -> None:
    """
    What our send raises for want of a peer is not logged when the application lets it out.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        assert (await receive())["type"] == "websocket.disconnect"
        await send({"type": "websocket.send", "text": "too late"})

    with caplog.at_level(logging.ERROR):
        async with connected(app) as peer:
            await peer.open()

    assert not caplog.records


async def test_a_broken_off_message_is_larger_than_the_limit(echo: type[Echo]) -> None:
    """
    A message above the limit closes with 1009 by its head; its bytes are not waited for.
    """
    async with running(options=Options(message_bytes=100), **{"": echo}) as server:
        async with connected(server._application, state=server.state) as peer:
            await peer.open()
            await peer.send(frame(BINARY, b"x" * 101)[:10])
            assert (await peer.rest())[2:4] == (1009).to_bytes(2, "big")


async def test_a_blocked_writer_is_spawned_once_though_all_is_cancelled() -> None:
    """
    Under a cancellation what a deaf peer is due waits in one task, not in one after the other.
    """
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    spawned: list[object] = []

    class Connection:
        limits = Limits()
        wire = Wire(ours)

        def rest(self) -> bytes:
            return b""

    handshake = Handshake(key=b"dGhlIHNhbXBsZSBub25jZQ==", subprotocols=(), extensions=())
    transport = WebsocketTransport(cast("Any", Connection()), handshake)
    async with trio.open_nursery() as nursery:

        def spawn(function: Callable[[], Awaitable[object]]) -> None:
            spawned.append(function)
            nursery.start_soon(function)

        transport.take_over(lambda: None, spawn)
        Connection.wire.write(b"x" * 4_000_000)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            for _ in range(20):
                await trio.sleep(0)
            assert await transport.finish(0.01) is False
    theirs.close()
    ours.close()

    assert len(spawned) == 1
