# Every way in which a slot ends: `disconnect` runs once, with the right code, and what
# belonged to the slot ends with it.

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from helpers import happened, running, settle, task_names, watch

from greenroom.actors import Disconnected, WebsocketConsumer, handles
from greenroom.bridges.testing import (
    HandshakeRefused,
    ServerDriver,
    WebsocketDriver,
    virtual_clock,
)
from greenroom.supervisor import Options


@pytest.fixture
def clock() -> trio.testing.MockClock:
    return virtual_clock()


class Sync(WebsocketConsumer):
    """Does what it is told, and writes down each `disconnect` in `ends`."""

    ends: list[tuple[int, str]]
    instances: list[Any]

    def connect(self, message):
        self.accept()
        self.join("room")

    def receive(self, text):
        if text == "close":
            self.close(4001, "enough")
        elif text == "stop":
            self.stop()
        elif text == "escape":
            raise Disconnected(self.path, 1001)
        elif text == "boom":
            raise ValueError("boom")
        self.send(text=text)

    def disconnect(self, code, reason):
        self.instances.append(self)
        self.ends.append((code, reason))


class Async(Sync):
    async def connect(self, message):
        super().connect(message)

    async def receive(self, text):
        super().receive(text)

    async def disconnect(self, code, reason):
        super().disconnect(code, reason)


class Mixed(Sync):
    async def receive(self, text):
        super().receive(text)


@pytest.fixture(params=[Sync, Async, Mixed])
def chat(request: pytest.FixtureRequest) -> type[Sync]:
    return type("Chat", (request.param,), {"ends": [], "instances": []})


End = Callable[[ServerDriver, WebsocketDriver], Awaitable[None] | None]


def say(*texts: str) -> End:
    def tell(server: ServerDriver, ws: WebsocketDriver) -> None:
        for text in texts:
            ws.send_text(text)

    return tell


ENDS: dict[str, tuple[End, tuple[int, str], str]] = {
    "peer closes": (lambda s, ws: ws.disconnect(1001, "bye"), (1001, "bye"), "peer"),
    "peer closes without a reason": (lambda s, ws: ws.disconnect(1000), (1000, ""), "peer"),
    "own close": (say("close"), (4001, "enough"), "stopped"),
    "own stop": (say("stop"), (1000, "by itself"), "stopped"),
    "escaped Disconnected": (say("escape"), (1001, ""), "peer"),
    "crashes beyond the budget": (say(*["boom"] * 4), (1011, "crashed"), "crashed"),
    "stopped by reference": (
        lambda s, ws: s.root.find(ws.slot.path).stop("begone"), (1000, "begone"), "stopped",
    ),
    "shutdown": (lambda s, ws: s.root.stop(), (1012, "shutdown"), "stopped"),
}  # fmt: skip


@pytest.mark.parametrize("how", ENDS)
async def test_one_end(chat: type[Sync], how: str, clock: trio.testing.MockClock) -> None:
    """
    However the socket ends, `disconnect` runs once, and the groups and the reference end.
    """
    end, expected, kind = ENDS[how]
    async with running(chat=chat) as server:
        ended = watch(server, "slot.ended")
        async with server.websocket("/chat") as ws:
            ref = server.root.find(ws.slot.path)
            end(server, ws)
            event = await ended.until()
            await settle(lambda: not ref.alive)

        await ws.application_done.wait()
        assert chat.ends == [expected]
        assert event.facts["how"] == kind
        assert server.root.groups.names() == {}
        assert ref.cast({"type": "late"}) is False
        assert [name for name in task_names() if name.startswith("/connections")] == []

    assert chat.ends == [expected]
    assert len(happened(server, "slot.ended")) == 1


async def test_one_end_when_the_task_is_cancelled(chat: type[Sync]) -> None:
    """
    A cancelled connection's coroutine asks its slot to stop: `disconnect`, 1012, then it goes on.
    """
    async with running(chat=chat) as server:
        scope = trio.CancelScope()

        async def cancellable(*call: Any) -> None:
            with scope:
                await server._application(*call)

        driver = ServerDriver(cancellable, server._nursery)
        driver.state = server.state
        async with server.websocket("/chat") as neighbour, driver.websocket("/chat") as ws:
            scope.cancel()
            closed = await ws.closed()
            neighbour.send_text("still here")
            assert await neighbour.receive() == "still here"

    assert (closed.code, closed.reason) == (1012, "server shutdown")
    assert chat.ends == [(1012, "server shutdown"), (1000, "")]
    assert scope.cancelled_caught


async def test_disconnect_runs_on_the_living_instance(chat: type[Sync]) -> None:
    """
    After a peer's close, `disconnect` sees the attributes of the incarnation that served.
    """
    async with running(chat=chat) as server:
        async with server.websocket("/chat") as ws:
            instance = ws._slot._life.instance  # type: ignore[union-attr]

    assert chat.instances == [instance]


async def test_disconnect_after_the_budget_runs_on_a_filled_instance() -> None:
    """
    With the budget spent there is no instance: a new one is filled as for a restart.
    """
    seen: list[object] = []

    class Chat(WebsocketConsumer):
        keep = ["count"]
        max_restarts = 0

        async def connect(self, message):
            self.count, self.name = 0, "Bob"
            self.accept()

        async def receive(self, text):
            self.count += 1
            if text == "boom":
                self.name = "half done"
                raise ValueError

        async def disconnect(self, message, code):
            seen.append((self.count, self.name, code, message))

    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        ws.send_text("fine")
        ws.send_text("boom")
        await ws.closed()
        await ws.application_done.wait()

    message = {"type": "websocket.disconnect", "code": 1011, "reason": "crashed"}
    assert seen == [(1, "Bob", 1011, message)]


async def test_stop_during_backoff(chat: type[Sync], clock: trio.testing.MockClock) -> None:
    """
    A stop, or the peer's close, cuts the pause before a restart short; `disconnect` runs once.
    """
    options = Options(backoff_min_seconds=30, backoff_max_seconds=30)
    async with running(chat=chat, options=options) as server:
        async with server.websocket("/chat") as ws:
            backing_off = watch(server, "slot.backing_off")
            ws.crash()
            await ws.wait_restarted()
            ws.crash()
            await backing_off.until()
            began = trio.current_time()
            server.root.find(ws.slot.path).stop("enough")
            closed = await ws.closed()

        assert closed.code == 1000
        assert trio.current_time() - began < 1
        assert chat.ends == [(1000, "enough")]
        assert len(happened(server, "slot.restarted")) == 1


async def test_connect_that_raises(chat: type[Sync]) -> None:
    """
    connect() raising is a denial with 500 before accept, and 1011 after; never a restart.
    """

    class Early(chat):  # type: ignore[valid-type,misc]
        def connect(self, message):
            raise ValueError("no")

    class Late(chat):  # type: ignore[valid-type,misc]
        async def connect(self, message):
            self.accept()
            raise ValueError("no")

    async with running(early=Early, late=Late) as server:
        with pytest.raises(HandshakeRefused) as refused:
            async with server.websocket("/early"):
                pass
        async with server.websocket("/late") as ws:
            assert (await ws.closed()).code == 1011

        assert refused.value.status == 500
        assert b"failed to open" in refused.value.body
        assert b"no" not in refused.value.body
        await settle(lambda: len(chat.ends) == 2)
        assert len(happened(server, "slot.crashed")) == 2
        assert happened(server, "slot.restarted") == []
    assert chat.ends == [(1011, "crashed")] * 2


async def test_started_that_raises(chat: type[Sync]) -> None:
    """
    started() raising the first time fails the opening; connect() was not begun, so no `disconnect`.
    """

    class Chat(chat):  # type: ignore[valid-type,misc]
        def started(self):
            raise ValueError("no")

    async with running(chat=Chat) as server:
        with pytest.raises(HandshakeRefused) as refused:
            async with server.websocket("/chat"):
                pass
        await settle(lambda: not server.root.connections.open)

    assert refused.value.status == 500
    assert chat.ends == []


async def test_waiting_frames_are_handled_before_the_peers_end(chat: type[Sync]) -> None:
    """
    What the peer sent before it closed is handled, in order, before `disconnect`.
    """
    handled: list[str] = []

    class Chat(chat):  # type: ignore[valid-type,misc]
        def receive(self, text):
            handled.append(text)

        def disconnect(self, code):
            handled.append(f"end {code}")

    async with running(chat=Chat) as server:
        async with server.websocket("/chat") as ws:
            for number in range(5):
                ws.send_text(str(number))
            ws.disconnect(1001)

    assert handled == ["0", "1", "2", "3", "4", "end 1001"]


async def test_a_requested_stop_leaves_waiting_frames_unhandled() -> None:
    """
    Frames behind a requested stop become dead letters.
    """
    go, handled = trio.Event(), list[str]()

    class Chat(WebsocketConsumer):
        async def receive(self, text):
            handled.append(text)
            await go.wait()

        @handles("note")
        async def on_note(self, message):
            handled.append("note")

    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        for text in ("1", "2", "3"):
            ws.send_text(text)
        await settle(lambda: handled and ws.slot.mailbox == (2, 256))
        ref = server.root.find(ws.slot.path)
        ref.cast({"type": "note"})
        ref.stop("enough")
        go.set()
        await ws.closed()

        letters = happened(server, "message.dead_letter")
        assert [letter.facts["reason"] for letter in letters] == [
            "the actor has ended (enough)"
        ] * 3
    assert handled == ["1"]


async def test_disconnected_out_of_a_nursery() -> None:
    """
    A group of Disconnected is what one is: waiting frames are handled, then the peer's end.
    """
    handled: list[str] = []
    ends: list[tuple[int, str]] = []
    gone = trio.Event()

    class Chat(WebsocketConsumer):
        async def receive(self, text):
            handled.append(text)
            if text == "wait":
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self.answer)

        async def answer(self):
            await gone.wait()
            await self.send(text="too late")

        async def disconnect(self, code, reason):
            ends.append((code, reason))

    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        ws.send_text("wait")
        ws.send_text("behind")
        ws.disconnect(4001, "bye")
        await trio.testing.wait_all_tasks_blocked()
        gone.set()
        await ws.application_done.wait()

    assert handled == ["wait", "behind"]
    assert ends == [(4001, "bye")]
