# One WebSocket over plain ASGI: reading ahead, writing to slow peers, ends of all kinds.

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
import trio
from helpers import happened, running, settle, task_names, watch
from trio.testing import MockClock

from greenroom.actors import Disconnected, WebsocketConsumer, handles
from greenroom.bridges.testing import HandshakeRefused, ServerDriver, virtual_clock
from greenroom.supervisor import Options


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


class Peer:
    """A raw ASGI peer: counts what is received from it, and may stop reading."""

    def __init__(self, server: ServerDriver, path: str = "/chat") -> None:
        self.inbox: deque[dict[str, Any]] = deque([{"type": "websocket.connect"}])
        self.sent: list[dict[str, Any]] = []
        self.reads = trio.Event()
        self.reads.set()
        self.news = trio.Event()
        self.received = 0
        self.done = trio.Event()
        self.scope = {
            "type": "websocket", "path": path, "headers": [], "state": server.state.copy(),
        }  # fmt: skip
        self.cancel_scope = trio.CancelScope()
        self.send_error: BaseException | None = None
        self._application = server._application
        server.start_soon(self._run)

    def put(self, *texts: str) -> None:
        self.inbox.extend({"type": "websocket.receive", "text": text} for text in texts)
        self.news.set()

    def end(self, code: int | None = 1001) -> None:
        event: dict[str, Any] = {"type": "websocket.disconnect"}
        self.inbox.append(event | ({} if code is None else {"code": code}))
        self.news.set()

    def types(self) -> list[str]:
        return [event["type"].removeprefix("websocket.") for event in self.sent]

    async def _run(self) -> None:
        try:
            with self.cancel_scope:
                await self._application(self.scope, self._receive, self._send)
        finally:
            self.done.set()

    async def _receive(self) -> dict[str, Any]:
        while not self.inbox:
            self.news = trio.Event()
            await self.news.wait()
        await trio.lowlevel.checkpoint()
        event = self.inbox.popleft()
        if "error" in event:
            raise event["error"]
        self.received += event["type"] == "websocket.receive"
        return event

    async def _send(self, event: dict[str, Any]) -> None:
        await trio.lowlevel.checkpoint()
        if self.send_error is not None:
            raise self.send_error
        self.sent.append(event)
        if event["type"] != "websocket.accept":
            await self.reads.wait()


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


async def test_what_was_sent_before_a_crash_goes_out() -> None:
    """
    What a handler sent before it raised is delivered, in order with what comes after.
    """

    class Crashing(WebsocketConsumer):
        async def receive(self, text):
            self.send(text=f"before {text}")
            if text == "boom":
                raise ValueError

    async with running(chat=Crashing) as server, server.websocket("/chat") as ws:
        for text in ("1", "boom", "2"):
            ws.send_text(text)
        assert [await ws.receive() for _ in range(3)] == ["before 1", "before boom", "before 2"]


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

        told = [e for e in happened(server, "connection.closed") if "error" in e.facts]
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


@pytest.mark.parametrize("handler", ["async", "sync"])
async def test_subprotocol_and_headers(handler: str) -> None:
    """
    accept() takes a subprotocol that was offered and headers as text or bytes.
    """

    class Async(WebsocketConsumer):
        async def connect(self, message):
            assert message == {"type": "websocket.connect"}
            await self.accept("v2", [("X-One", "1"), (b"X-Two", b"2")])

    class Sync(WebsocketConsumer):
        def connect(self, message):
            self.accept("v2", [("X-One", "1"), (b"X-Two", b"2")])

    served = Sync if handler == "sync" else Async
    async with running(chat=served) as server:
        async with server.websocket("/chat", subprotocols=["v1", "v2"]) as ws:
            assert ws.subprotocol == "v2"
            assert ws.response_headers == [(b"x-one", b"1"), (b"x-two", b"2")]
        with pytest.raises(HandshakeRefused) as refused:
            async with server.websocket("/chat", subprotocols=["v1"]):
                pass
        assert refused.value.status == 500


MISUSES: dict[str, tuple[Callable[[Any], object], str]] = {
    "send nothing": (lambda c: c.send(), "exactly one of text=... and bytes=.... Got: neither"),
    "send both": (lambda c: c.send(text="x", bytes=b"x"), "Got: both"),
    "send bytes as text": (lambda c: c.send(b"x"), "text must be a str. Got: bytes"),
    "send text as bytes": (lambda c: c.send(bytes="x"), "bytes must be bytes-like. Got: str"),
    "send a surrogate": (lambda c: c.send(text="\ud800"), "surrogates not allowed"),
    "close with 1006": (lambda c: c.close(1006), "close code must be 1000 to 1003.*Got: 1006"),
    "close with 2000": (lambda c: c.close(2000), "Got: 2000"),
    "close with words": (lambda c: c.close(1000, "ü" * 62), "at most 123 bytes.*Got: 124"),
    "accept twice": (lambda c: c.accept(), "called before"),
    "join nothing": (lambda c: c.join(""), "1 to 200 characters"),
    "group nothing": (lambda c: c.group_send("room"), "exactly one of message"),
}


@pytest.mark.parametrize("what", MISUSES)
async def test_misuse_says_what_is_wrong(what: str) -> None:
    """
    A wrong call raises at once, in the handler, with what was expected.
    """
    act, expected = MISUSES[what]

    class Wrong(WebsocketConsumer):
        async def receive(self, text):
            with pytest.raises((TypeError, ValueError, RuntimeError), match=expected):
                act(self)
            await self.send(text="refused")

    async with running(chat=Wrong) as server, server.websocket("/chat") as ws:
        ws.send_text("x")
        assert await ws.receive() == "refused"


async def test_threads_and_trio_send_in_one_order() -> None:
    """
    A thread of the user's own may send too: it acts for the incarnation it belongs to.
    """
    threads: list[threading.Thread] = []

    class Own(WebsocketConsumer):
        def receive(self, text):
            thread = threading.Thread(target=self.send, args=(f"own {text}",))
            thread.start()
            thread.join()
            threads.append(thread)
            self.send(text=text)

    async with running(chat=Own) as server, server.websocket("/chat") as ws:
        ws.send_text("a")
        ws.send_text("b")
        assert [await ws.receive() for _ in range(4)] == ["own a", "a", "own b", "b"]
