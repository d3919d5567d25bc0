# What comes late: threads, tasks and calls of an incarnation that is over or told to stop.

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import trio
from helpers import happened, running, settle, watch

from greenroom.actors import (
    Actor,
    ActorStopped,
    CallFailed,
    Disconnected,
    Stale,
    WebsocketConsumer,
    handles,
)
from greenroom.bridges.testing import ServerDriver, WebsocketDriver
from greenroom.supervisor import Options


class Gate:
    """Where a handler's thread waits until the test lets it go on."""

    def __init__(self) -> None:
        self.reached, self.go = threading.Event(), threading.Event()

    def wait(self) -> None:
        self.reached.set()
        assert self.go.wait(30)


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.go.set()


def blocking(gate: Gate, seconds: float = 0.01) -> type[WebsocketConsumer]:
    class Chat(WebsocketConsumer):
        shutdown_seconds = seconds
        keep = ["done"]
        errors: list[BaseException] = []
        ends: list[int] = []
        sync_runs: list[str] = []

        def receive(self, text):
            self.sync_runs.append(text)
            if text != "block":
                self.send(text=f"{self.epoch}: {text}")
                return
            gate.wait()
            for act in (
                lambda: self.send(text="late"),
                lambda: self.cast(self.ref, {"type": "late"}),
                lambda: self.join("late"),
                lambda: self.group_send("room", text="late"),
                lambda: self.start_soon(trio.sleep_forever),
                lambda: self.send_after(0, {"type": "late"}),
                lambda: self.close(),
            ):
                try:
                    act()
                except Stale as error:
                    self.errors.append(error)

        def connect(self, message):
            self.accept()
            self.join("room")

        @handles("late")
        def on_late(self, message):
            self.sync_runs.append("late message")

        def disconnect(self, code):
            self.ends.append(code)

    return Chat


async def blocked(gate: Gate, ws: WebsocketDriver) -> None:
    ws.send_text("block")
    await settle(gate.reached.is_set)


async def no_thread(server: ServerDriver) -> None:
    await settle(lambda: server.root.pool.statistics().running == 0)


async def test_inert(gate: Gate) -> None:
    """
    A late thread of the old epoch reaches nobody, each attempt is counted; the next one serves.
    """
    chat = blocking(gate)
    async with running(chat=chat) as server, server.websocket("/chat") as ws:
        abandoned = watch(server, "thread.abandoned")
        await blocked(gate, ws)
        ws.crash()
        await abandoned.until()
        await ws.wait_restarted(2)
        ws.send_text("hi")
        assert await ws.receive() == "2: hi"
        # Its place is taken until it ends.
        await settle(lambda: server.root.pool.statistics().running == 1)
        statistics = server.root.pool.statistics()
        assert [job.label for job in statistics.abandoned] == [f"{ws.slot.path}#1 receive"]

        gate.go.set()
        await no_thread(server)
        assert len(chat.errors) == 7  # type: ignore[attr-defined]
        stale = happened(server, "work.stale")
        assert [event.epoch for event in stale] == [1] * 7
        assert ws.slot.groups == ("room",)
        ws.send_text("still open")
        assert await ws.receive() == "2: still open"
        assert chat.sync_runs == ["block", "hi", "still open"]  # type: ignore[attr-defined]


async def test_an_abandoned_thread_leaves_the_state_alone(gate: Gate) -> None:
    """
    A snapshot() that ends after its incarnation does not reach the incarnations behind it.
    """

    class Counter(Actor):
        shutdown_seconds = 0
        count = 0

        def snapshot(self):
            count = self.count
            if count == 666:
                gate.wait()
            return count

        def restored(self, state):
            self.count = state

        @handles("set")
        def on_set(self, message):
            self.count = message["count"]

        @handles("get")
        async def on_get(self, message):
            return self.count

    async with running(Counter) as server:
        ref = server.root.find("/residents/counter")
        target: Any = ref._target
        await ref.call({"type": "set", "count": 1})
        ref.cast({"type": "set", "count": 666})
        await settle(gate.reached.is_set)
        target.inject_crash(ValueError())
        assert await ref.call({"type": "get"}) == 1
        await ref.call({"type": "set", "count": 2})
        gate.go.set()
        await no_thread(server)
        target.inject_crash(ValueError())

        assert await ref.call({"type": "get"}) == 2


async def test_the_next_incarnation_waits_for_a_thread_that_returns(gate: Gate) -> None:
    """
    While the old thread may still return, nothing of the next incarnation runs.
    """
    chat = blocking(gate, seconds=10)
    async with running(chat=chat) as server, server.websocket("/chat") as ws:
        await blocked(gate, ws)
        ws.crash()
        ws.send_text("hi")
        for _ in range(100):
            await trio.lowlevel.checkpoint()
        assert ws.slot.epoch == 1
        gate.go.set()

        assert await ws.receive() == "2: hi"
        assert happened(server, "thread.abandoned") == []
        assert [str(event.facts["what"]) for event in happened(server, "work.stale")] != []


async def test_a_stop_tells_the_thread(gate: Gate) -> None:
    """
    A requested stop makes the thread's next act Stale; it is no crash, and disconnect runs after.
    """
    chat = blocking(gate, seconds=10)

    def receive(self, text):
        gate.wait()
        self.send(text="late")  # Stale escapes

    chat = type("Escaping", (chat,), {"receive": receive})
    async with running(chat=chat) as server, server.websocket("/chat") as ws:
        await blocked(gate, ws)
        server.root.find(ws.slot.path).stop("enough")
        await trio.lowlevel.checkpoint()
        assert chat.ends == []  # type: ignore[attr-defined]
        gate.go.set()
        assert (await ws.closed()).code == 1000
        await ws.application_done.wait()

        assert chat.ends == [1000]  # type: ignore[attr-defined]
        assert happened(server, "slot.crashed") == []
        assert len(happened(server, "work.stale")) == 1


async def test_a_stop_abandons_a_thread_that_does_not_return(gate: Gate) -> None:
    """
    After shutdown_seconds disconnect runs beside the abandoned thread, which is listed.
    """
    chat = blocking(gate)
    async with running(chat=chat) as server, server.websocket("/chat") as ws:
        await blocked(gate, ws)
        server.root.find(ws.slot.path).stop("enough")
        assert (await ws.closed()).code == 1000
        assert chat.ends == [1000]  # type: ignore[attr-defined]
        assert len(happened(server, "thread.abandoned")) == 1
        gate.go.set()
        await no_thread(server)


async def test_messages_behind_a_blocked_one_go_to_the_next_incarnation(gate: Gate) -> None:
    """
    What was taken for the thread and not begun is handled by the next incarnation, in order.
    """
    chat = blocking(gate)
    async with running(chat=chat) as server, server.websocket("/chat") as ws:
        ws.send_text("block")
        for number in range(5):
            ws.send_text(str(number))
        await settle(gate.reached.is_set)
        ws.crash()

        assert [await ws.receive() for _ in range(5)] == [f"2: {n}" for n in range(5)]
        assert chat.sync_runs == ["block", "0", "1", "2", "3", "4"]  # type: ignore[attr-defined]


async def test_a_queued_job_is_withdrawn_and_its_message_kept(gate: Gate) -> None:
    """
    A crash while the handler's job waits for a thread costs the message nothing.
    """

    class Chat(WebsocketConsumer):
        def receive(self, text):
            if text == "block":
                gate.wait()
            self.send(text=f"{self.epoch}: {text}")

    async with running(chat=Chat, options=Options(consumer_threads=1)) as server:
        async with server.websocket("/chat") as first, server.websocket("/chat") as second:
            await blocked(gate, first)
            second.send_text("hi")
            await settle(lambda: second.slot.facts.get("handling") == "text frame of 2")
            second.crash()
            await second.wait_restarted(2)
            gate.go.set()

            assert await second.receive() == "2: hi"
            assert await first.receive() == "1: block"


async def test_a_call_told_to_stop_before_it_began_fails(gate: Gate) -> None:
    """
    A call whose job still waits for a thread when its actor stops gets ActorStopped, not None.
    """

    class Chat(WebsocketConsumer):
        def receive(self, text):
            gate.wait()

        @handles("ask")
        def on_ask(self, message):
            return "answer"

    async with running(chat=Chat, options=Options(consumer_threads=1)) as server:
        async with server.websocket("/chat") as first, server.websocket("/chat") as second:
            await blocked(gate, first)
            ref = server.root.find(second.slot.path)
            answers: list[object] = []

            async def ask() -> None:
                try:
                    answers.append(await ref.call({"type": "ask"}))
                except ActorStopped as error:
                    answers.append(error.reason)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask)
                await settle(lambda: second.slot.facts.get("handling") == "call 'ask'")
                ref.stop("enough")
                gate.go.set()

    assert answers == ["enough"]


@pytest.mark.parametrize("how", ["disconnect", "cancel"])
async def test_a_call_whose_connection_ends_fails_at_once(how: str) -> None:
    """
    A call is answered with an error when its handler ends by Disconnected or is cancelled.
    """

    class Chat(WebsocketConsumer):
        cancel_on_disconnect = True

        @handles("ask")
        async def on_ask(self, message):
            if how == "disconnect":
                raise Disconnected(self.path, 1001)
            await trio.sleep_forever()

    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        ref = server.root.find(ws.slot.path)
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                with pytest.raises((ActorStopped, CallFailed)):
                    await ref.call({"type": "ask"}, timeout=1000)

            nursery.start_soon(ask)
            if how == "cancel":
                await settle(lambda: ws.slot.facts.get("handling") == "call 'ask'")
                ws.disconnect()


async def test_a_task_that_fails_as_it_is_ended_is_reported() -> None:
    """
    A task that raises in its clean-up, after its incarnation has crashed, is not forgotten.
    """

    class Chat(WebsocketConsumer):
        async def receive(self, text):
            self.start_soon(self.rude)
            await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()
            raise ValueError("first")

        async def rude(self):
            try:
                await trio.sleep_forever()
            finally:
                raise KeyError("second")

    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        ws.send_text("go")
        await ws.wait_restarted(2)

        crashes = [(c.exception, c.message) for c in ws.slot.crashes]
        assert sorted(crashes) == [
            ("KeyError", f"task {Chat.rude.__qualname__}"), ("ValueError", "text frame of 2"),
        ]  # fmt: skip
        assert ws.slot.epoch == 2


async def test_a_task_that_will_not_end_is_unkillable() -> None:
    """
    A task that ignores its cancellation is reported with its stack, and the restart goes on.
    """
    release = trio.Event()

    class Chat(WebsocketConsumer):
        shutdown_seconds = 0.01

        async def started(self):
            if self.epoch == 1:
                self.start_soon(self.stubborn)

        async def stubborn(self):
            with trio.CancelScope(shield=True):
                await release.wait()

        async def receive(self, text):
            await self.send(text=f"{self.epoch}: {text}")

    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        await settle(lambda: ws.slot.facts.get("tasks"))
        ws.crash()
        await ws.wait_restarted(2)
        ws.send_text("hi")
        assert await ws.receive() == "2: hi"

        (event,) = happened(server, "slot.unkillable")
        assert event.epoch == 1
        assert event.facts["task"] == Chat.stubborn.__qualname__
        assert "in stubborn" in str(event.facts["stack"])
        release.set()
