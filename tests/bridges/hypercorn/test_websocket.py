# A WebSocket on a connection of ours, over real sockets: applications in plain ASGI, and
# consumers, which write to its transport themselves.

import logging
from collections.abc import Sequence
from typing import Any, cast

import pytest
import trio
from client_frames import BINARY, CLOSE, TEXT, frame
from helpers import happened, running
from trio.testing import MockClock, wait_all_tasks_blocked

from greenroom.actors import WebsocketConsumer
from greenroom.bridges.asgi._direct import DirectConnection
from greenroom.supervisor import Options
from greenroom.supervisor._slot import Slot

from ._serving import UPGRADE, Greedy, connected, turns_while

PING_OPCODE = 9
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
    CODES: the peer's reach the consumer as they are; a violation is answered with its own.
    """
    async with running(**{"": echo}) as server:
        async with connected(server._application, state=server.state) as peer:
            await peer.open()
            await peer.send(frame(CLOSE, (4001).to_bytes(2, "big") + b"bye"))
            assert await peer.rest() == b"\x88\x05" + (4001).to_bytes(2, "big") + b"bye"
        async with connected(server._application, state=server.state) as peer:
            await peer.open()
            await peer.send(frame(TEXT, b"\xff"))
            assert (await peer.rest())[2:4] == (1007).to_bytes(2, "big")
        async with connected(server._application, state=server.state) as peer:
            await peer.open()
            await peer.send(frame(CLOSE))
            assert await peer.rest() == b"\x88\x02" + (1000).to_bytes(2, "big")
        assert [code for code, _ in echo.ends] == [4001, 1007, 1005]
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
    echo: type[Echo], monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    """
    When the slot itself fails, its socket gets 1011, not silence.
    """

    async def fail(_slot: Slot, _nursery: trio.Nursery) -> None:
        await trio.sleep(0)
        cast("Any", _slot).connection.accept(None, ())
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


async def test_fair() -> None:
    """
    Of many messages that came at once some are handed over, and others have a turn before the rest.
    """
    greedy = Greedy(2000)
    async with connected(greedy) as peer:
        await peer.open()
        await peer.send(frame(TEXT, b"x") * 2000)
        await peer.rest()
    # Twice at most: trio runs the tasks of one turn in any order.
    assert greedy.most_in_a_turn() <= 2 * 272


async def test_a_fault_in_reading_ends_one_socket(
    echo: type[Echo], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """
    An error of ours while a message is read is logged and ends that socket, and no other.
    """
    fails = True

    def take(self: DirectConnection, messages: Sequence[str | bytes]) -> bool:
        if fails:
            raise RuntimeError("boom")
        return take_it(self, messages)

    take_it = DirectConnection.take
    monkeypatch.setattr(DirectConnection, "take", take)
    async with running(**{"": echo}) as server:
        application, state = server._application, server.state
        async with connected(application, state=state) as peer:
            await peer.open()
            await peer.send(frame(TEXT, b"one"))
            with pytest.raises(trio.BrokenResourceError):
                await peer.rest()
        fails = False
        async with connected(application, state=state) as peer:
            await peer.open()
            await peer.send(frame(TEXT, b"two"))
            assert b"two" in await peer.until(b"two")
    assert echo.ends[0] == (1006, "a fault in Greenroom itself")
    assert "boom" in caplog.text


async def test_a_cancelled_worker_asks_its_consumers_to_stop(echo: type[Echo]) -> None:
    """
    A consumer whose server is cancelled has its `disconnect`, though its task is shielded.
    """
    async with running(**{"": echo}) as server:
        with trio.CancelScope() as worker:
            async with connected(server._application, state=server.state) as peer:
                await peer.open()
                await wait_all_tasks_blocked()
                worker.cancel()
                with trio.CancelScope(shield=True):  # or the peer goes in the same moment
                    await wait_all_tasks_blocked()
        assert echo.ends == [(1012, "server shutdown")]


async def test_early_and_much(mock_clock: MockClock) -> None:
    """
    EARLY: of much that came before the handshake was answered nothing waits for other traffic.
    """
    accept = trio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await accept.wait()
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] != "websocket.disconnect":
            await send({"type": "websocket.send", "text": event["text"]})

    async with connected(app) as peer:
        await peer.send(UPGRADE + frame(PING_OPCODE) * 600 + frame(TEXT, b"hello"))
        await wait_all_tasks_blocked()
        accept.set()
        data = await peer.until(b"hello")
    assert data.count(b"\x8a\x00") == 600


async def test_a_close_that_crosses_ours() -> None:
    """
    CODES: a close of ours that waits for the socket goes out, though the peer's crosses it.
    """

    class Talkative(WebsocketConsumer):
        async def receive(self, text: str) -> None:
            for _ in range(8):
                self.send(bytes=b"x" * 100_000)
            await self.close(4001, "enough")

    async with running(**{"": Talkative}) as server:
        async with connected(server._application, state=server.state) as peer:
            await peer.open()
            await peer.send(frame(TEXT, b"go"))
            await wait_all_tasks_blocked()
            await peer.send(frame(CLOSE, (1001).to_bytes(2, "big")))
            await wait_all_tasks_blocked()
            data = await peer.rest()
    assert data.count(b"x") == 800_000
    assert data.endswith(b"\x88\x08" + (4001).to_bytes(2, "big") + b"enough")


async def test_alive_behind_a_stalled_loop(echo: type[Echo], mock_clock: MockClock) -> None:
    """
    ALIVE: a pong that came while the loop was blocked counts, whoever looks at the clock first.
    """
    async with (
        running(**{"": echo}) as server,
        connected(server._application, state=server.state) as peer,
    ):
        await peer.open()
        await wait_all_tasks_blocked(0.05)
        mock_clock.jump(21)
        assert await peer.until(PING) == PING
        # Not a checkpoint in between: the loop finds the pong and the deadline together.
        peer.stream.socket._sock.send(frame(0xA))  # type: ignore[attr-defined]
        mock_clock.jump(21)
        await wait_all_tasks_blocked(0.05)
        await peer.send(frame(TEXT, b"still here"))
        assert b"still here" in await peer.until(b"still here")


@pytest.mark.parametrize("wrong", [{"code": 99}, {"reason": 5}])
async def test_a_close_that_cannot_be_sent_leaves_1011(wrong: dict[str, object]) -> None:
    """
    An application whose close is refused has closed nothing: its socket gets 1011.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", **wrong})

    async with connected(app) as peer:
        await peer.send(UPGRADE)
        assert (await peer.rest()).endswith(CLOSED_1011)


async def test_a_denial_that_cannot_be_sent_is_a_500() -> None:
    """
    An application whose refusal has a header that can't be sent has refused nothing: 500.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        headers = [(b"x", b"a\nb")]
        start = {"type": "websocket.http.response.start", "status": 401, "headers": headers}
        await send(start)
        await send({"type": "websocket.http.response.body", "body": b""})

    async with connected(app) as peer:
        await peer.send(UPGRADE)
        assert (await peer.rest()).startswith(b"HTTP/1.1 500")


async def test_plain_asgi_is_given_both_keys() -> None:
    """
    A message has both keys, as hypercorn has it, of which one is None.
    """
    events: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        events.extend([await receive() for _ in range(2)])

    async with connected(app) as peer:
        await peer.send(UPGRADE + frame(TEXT, b"") + frame(BINARY, b""))
        await peer.rest()
    assert [(event["text"], event["bytes"]) for event in events] == [("", None), (None, b"")]


async def test_plain_asgi_lets_others_run() -> None:
    """
    FAIR: an echo in plain ASGI that has thousands of messages to read lets others run.
    """
    turns = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal turns
        await receive()
        await send({"type": "websocket.accept"})

        async def read() -> None:
            while not (await receive())["text"].endswith("last"):
                pass

        turns = await turns_while(read)

    async with connected(app) as peer:
        await peer.send(UPGRADE + frame(TEXT, b"x") * 5000 + frame(TEXT, b"last"))
        await peer.rest()
    assert turns >= 50
