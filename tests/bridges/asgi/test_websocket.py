# One WebSocket over plain ASGI: reading ahead, writing to slow peers, ends of all kinds.


import pytest
import trio
from helpers import happened, running, settle, task_names, watch
from peer import Peer
from trio.testing import MockClock

from greenroom.actors import Disconnected, WebsocketConsumer, handles
from greenroom.bridges.testing import virtual_clock
from greenroom.supervisor import Options


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


class Chat(WebsocketConsumer):
    ends: list[int]

    async def receive(self, text):
        command, _, rest = text.partition(" ")
        if command == "many":
            for _ in range(int(rest)):
                await self.send(text="x" * 100)
        elif command == "flood":
            for _ in range(int(rest)):
                self.send(text="x" * 100)
        elif command == "hang":
            await trio.sleep_forever()
        else:
            await self.send(text=text)

    async def disconnect(self, code):
        self.ends.append(code)


@pytest.fixture
def chat() -> type[Chat]:
    return type("Chat", (Chat,), {"ends": []})


async def test_reading_ahead_stops(chat: type[Chat]) -> None:
    """
    While a handler runs the reader reads 16 messages ahead, then stops; and goes on after.
    """
    go = trio.Event()

    class Slow(chat):  # type: ignore[valid-type,misc]
        async def receive(self, text):
            await go.wait()

    async with running(chat=Slow) as server:
        peer = Peer(server)
        peer.put(*map(str, range(50)))
        await settle(lambda: peer.received == 17)
        for _ in range(50):
            await trio.lowlevel.checkpoint()
        assert peer.received == 17  # one is being handled
        go.set()
        await settle(lambda: peer.received == 50)
        peer.end()
        await peer.done.wait()


async def test_reading_ahead_stops_by_bytes(chat: type[Chat]) -> None:
    """
    The read-ahead is bounded in bytes too.
    """
    options = Options(read_ahead_bytes=1000, shutdown_seconds=0, close_seconds=0)
    async with running(chat=chat, options=options) as server:
        peer = Peer(server)
        peer.put("hang", *["x" * 400] * 10)
        await settle(lambda: peer.received == 4)
        for _ in range(50):
            await trio.lowlevel.checkpoint()
        assert peer.received == 4


async def test_frames_do_not_fill_the_mailbox(chat: type[Chat]) -> None:
    """
    Frames that wait leave the mailbox's capacity to messages.
    """

    class Small(chat):  # type: ignore[valid-type,misc]
        mailbox_capacity = 1
        cancel_on_disconnect = True

        @handles("x")
        async def on_x(self, message): ...

    async with running(chat=Small) as server, server.websocket("/chat") as ws:
        ws.send_text("hang")
        for _ in range(10):
            ws.send_text("more")
        await settle(lambda: ws.slot.mailbox == (10, 1))

        ref = server.root.find(ws.slot.path)
        assert ref.cast({"type": "x"}) is True
        assert ref.cast({"type": "x"}) is False


async def test_a_slow_peer_holds_its_sender_back(chat: type[Chat]) -> None:
    """
    Above the high water `await send()` waits for the peer; nothing is dropped.
    """
    options = Options(output_high_water_bytes=1000, output_limit_bytes=2000)
    async with running(chat=chat, options=options) as server:
        peer = Peer(server)
        peer.reads = trio.Event()
        peer.put("many 100")
        await settle(lambda: peer.types() == ["accept", "send"])
        for _ in range(50):
            await trio.lowlevel.checkpoint()
        facts = server.root.snapshot().find("/connections/chat/1").facts  # type: ignore[union-attr]
        assert facts["output_bytes"] == 1100
        peer.reads.set()
        await settle(lambda: peer.types().count("send") == 100)
        assert happened(server, "output.slow") == []
        peer.end()
        await peer.done.wait()


async def test_a_peer_that_reads_too_slowly_is_dropped(chat: type[Chat], clock: MockClock) -> None:
    """
    Above the limit: 1013 is recorded, one output.slow event, `disconnect` runs, memory is free.
    """
    options = Options(output_high_water_bytes=1000, output_limit_bytes=2000)
    async with running(chat=chat, options=options) as server:
        slow = watch(server, "output.slow")
        peer = Peer(server)
        peer.reads = trio.Event()
        peer.put("x" * 100)
        await settle(lambda: peer.types() == ["accept", "send"])
        peer.put("flood 100")
        event = await slow.until()
        await peer.done.wait()

        assert event.facts == {"bytes": 2000, "code": 1013}
        assert chat.ends == [1013]
        assert peer.types() == ["accept", "send"]  # the close never got through
        (closed,) = happened(server, "connection.closed")
        assert closed.facts["code"] == 1013
        assert happened(server, "slot.crashed") == []


async def test_groups_drop_a_slow_peer_and_nobody_else(chat: type[Chat], clock: MockClock) -> None:
    """
    A member that does not read is dropped by the group's frames; the others get them all.
    """

    class Member(chat):  # type: ignore[valid-type,misc]
        async def connect(self, message):
            await self.accept()
            await self.join("room")

    options = Options(output_high_water_bytes=1000, output_limit_bytes=2000)
    async with running(chat=Member, options=options) as server:
        lazy, eager = Peer(server), Peer(server)
        await settle(lambda: lazy.types() == eager.types() == ["accept"])
        await settle(lambda: server.root.groups.names() == {"room": 2})
        lazy.reads = trio.Event()
        for _ in range(50):
            server.root.groups.send("room", text="x" * 100)
            for _ in range(5):
                await trio.lowlevel.checkpoint()
        await lazy.done.wait()

        assert eager.types().count("send") == 50
        assert server.root.groups.names() == {"room": 1}
        assert Member.ends == [1013]
        eager.end()
        await eager.done.wait()


async def test_a_thread_blocks_on_a_full_output_and_is_freed() -> None:
    """
    A `def` handler's send() waits above the high water, and raises Disconnected at the end.
    """
    log: list[str] = []

    class Sync(WebsocketConsumer):
        def receive(self, text):
            try:
                for number in range(10):
                    self.send(text="x" * 100)
                    log.append(f"sent {number}")
            except Disconnected as error:
                log.append(f"gone {error.code}")
                raise

    options = Options(output_high_water_bytes=250)
    async with running(chat=Sync, options=options) as server:
        peer = Peer(server)
        peer.reads = trio.Event()
        peer.put("go")
        await settle(lambda: len(log) == 2)
        await settle(lambda: server.root.pool.statistics().parked == 1)
        peer.reads.set()
        await settle(lambda: len(log) == 10)
        peer.reads = trio.Event()
        peer.put("go")
        await settle(lambda: server.root.pool.statistics().parked == 1)
        peer.end()
        peer.reads.set()
        await peer.done.wait()

        assert log[-1] == "gone 1001"
        assert happened(server, "slot.crashed") == []


async def test_a_stop_frees_a_thread_that_waits_for_room() -> None:
    """
    A thread that waits for room is freed when its actor is told to stop.
    """

    class Sync(WebsocketConsumer):
        def receive(self, text):
            for _ in range(10):
                self.send(text="x" * 100)

    options = Options(output_high_water_bytes=250, close_seconds=0)
    async with running(chat=Sync, options=options) as server:
        peer = Peer(server)
        peer.reads = trio.Event()
        peer.put("go")
        await settle(lambda: server.root.pool.statistics().parked == 1)
        server.root.find("/connections/chat/1").stop()
        with trio.fail_after(5):
            await settle(lambda: server.root.pool.statistics().running == 0)
            await peer.done.wait()
        assert happened(server, "thread.abandoned") == []


async def test_a_send_after_the_end_raises_disconnected(chat: type[Chat]) -> None:
    """
    From the moment the peer's end is read, a running handler's send raises Disconnected.
    """
    go, raised = trio.Event(), list[Disconnected]()

    class Late(chat):  # type: ignore[valid-type,misc]
        async def receive(self, text):
            await go.wait()
            try:
                await self.send(text="late")
            except Disconnected as error:
                raised.append(error)
                raise

    async with running(chat=Late) as server:
        peer = Peer(server)
        peer.put("x")
        peer.end(3001)
        await settle(lambda: peer.received == 1)
        await settle(lambda: not peer.inbox)
        for _ in range(5):
            await trio.lowlevel.checkpoint()
        go.set()
        await peer.done.wait()

        assert happened(server, "slot.crashed") == []
    assert [error.code for error in raised] == [3001]
    assert Late.ends == [3001]


async def test_an_end_without_a_code(chat: type[Chat]) -> None:
    """
    A disconnect event without a code counts as 1005.
    """
    async with running(chat=chat) as server:
        peer = Peer(server)
        await settle(lambda: peer.types() == ["accept"])
        peer.end(None)
        await peer.done.wait()

    assert chat.ends == [1005]


@pytest.mark.parametrize("side", ["receive", "send"])
async def test_a_server_that_fails_is_a_peer_that_is_gone(chat: type[Chat], side: str) -> None:
    """
    An error of the server's receive or send ends the slot with 1006, and is told once.
    """
    async with running(chat=chat) as server:
        peer = Peer(server)
        await settle(lambda: peer.types() == ["accept"])
        if side == "send":
            peer.send_error = OSError("broken pipe")
            peer.put("hi")
            await settle(lambda: chat.ends)
            peer.end()
        else:
            peer.inbox.append({"type": "x", "error": OSError("broken pipe")})
            peer.news.set()
        await peer.done.wait()

        told = happened(server, "connection.failed")
        assert [e.facts["error"] for e in told] == [f"{side} failed: OSError('broken pipe')"]
    assert chat.ends == [1006]


async def test_cancellation_with_a_peer_that_does_not_read(
    chat: type[Chat], clock: MockClock
) -> None:
    """
    A cancelled connection ends in bounded time, also when its peer takes nothing.
    """
    async with running(chat=chat) as server:
        peer = Peer(server)
        await settle(lambda: peer.types() == ["accept"])
        peer.reads = trio.Event()
        peer.put("hello")
        await settle(lambda: "send" in peer.types())
        peer.cancel_scope.cancel()
        with trio.fail_after(60):
            await peer.done.wait()

        assert chat.ends == [1012]
        assert peer.cancel_scope.cancelled_caught
        assert [name for name in task_names() if name.startswith("/connections")] == []


async def test_a_closing_socket_waits_for_the_peers_half(
    chat: type[Chat], clock: MockClock
) -> None:
    """
    After our close the coroutine goes on until the peer's half came, or close_seconds.
    """
    async with running(chat=chat) as server:
        polite, mute = Peer(server), Peer(server)
        await settle(lambda: polite.types() == mute.types() == ["accept"])
        began = trio.current_time()
        server.root.connections.each(lambda attached: attached.request_stop("enough", 1000))
        await settle(lambda: polite.types() == mute.types() == ["accept", "close"])
        assert not polite.done.is_set()
        polite.put("the close was not seen yet")
        polite.end(1000)
        await polite.done.wait()
        assert trio.current_time() - began < 1
        await mute.done.wait()
        assert round(trio.current_time() - began) == 5

    assert chat.ends == [1000, 1000]


async def test_a_server_may_raise_behind_the_end(chat: type[Chat]) -> None:
    """
    A server whose `receive` raises once it has told of the end: no failure, and the end stands.
    """
    async with running(chat=chat) as server:
        peer = Peer(server)
        await settle(lambda: peer.types() == ["accept"])
        peer.end(4001)
        peer.inbox.append({"error": RuntimeError("nothing comes behind the end")})
        await peer.done.wait()

        assert chat.ends == [4001]
        assert happened(server, "connection.failed") == []
