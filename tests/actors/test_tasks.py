# Background tasks of an incarnation: they begin with it, end with it, and fail it.

import functools
from typing import Any

import pytest
import trio
from helpers import happened, running, settle, task_names
from trio.testing import MockClock

from greenroom.actors import Actor, Disconnected, Stale, WebsocketConsumer, handles
from greenroom.bridges.testing import virtual_clock


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


class Working(WebsocketConsumer):
    def connect(self, message):
        self.accept()
        self.start_soon(self.work, "from connect")

    async def work(self, what):
        await self.send(text=what)
        await trio.sleep_forever()

    async def receive(self, text):
        self.start_soon(functools.partial(self.work), text)


async def test_tasks_run_beside_the_handlers() -> None:
    """
    start_soon() works in def and async def handlers, takes partials, and is seen in the tree.
    """
    async with running(working=Working) as server, server.websocket("/working") as ws:
        assert await ws.receive() == "from connect"
        ws.send_text("from receive")
        assert await ws.receive() == "from receive"

        name = Working.work.__qualname__
        assert ws.slot.facts["tasks"] == [name, name]
        assert task_names().count(f"{ws.slot.path}#1 {name}") == 2
    assert [name for name in task_names() if "#" in name] == []


async def test_tasks_end_with_the_incarnation_and_before_the_next() -> None:
    """
    A crash cancels the tasks and waits for them before the next incarnation begins.
    """
    log: list[str] = []

    class Chat(WebsocketConsumer):
        async def started(self):
            log.append(f"started {self.epoch}")
            self.start_soon(self.work)

        async def work(self):
            epoch = self.epoch
            try:
                await trio.sleep_forever()
            finally:
                with trio.CancelScope(shield=True):
                    for _ in range(20):
                        await trio.lowlevel.checkpoint()
                log.append(f"work {epoch} ended")

    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        await settle(lambda: ws.slot.facts.get("tasks"))
        ws.crash()
        await ws.wait_restarted(2)

        assert log == ["started 1", "work 1 ended", "started 2"]


async def test_tasks_end_before_disconnect() -> None:
    """
    At the end of the slot its tasks have ended when disconnect() runs.
    """
    log: list[str] = []

    class Chat(WebsocketConsumer):
        async def started(self):
            self.start_soon(self.work)

        async def work(self):
            try:
                await trio.sleep_forever()
            finally:
                log.append("work ended")

        async def disconnect(self, message):
            log.append("disconnect")

    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        await settle(lambda: ws.slot.facts.get("tasks"))

    assert log == ["work ended", "disconnect"]


@pytest.mark.parametrize("error", [Disconnected("/c/1", 1001), Stale("/c/1", 1)])
async def test_a_task_may_end_by_what_is_no_failure(error: Exception) -> None:
    """
    Disconnected or Stale that leaves a task ends that task and nothing else.
    """

    class Chat(WebsocketConsumer):
        async def receive(self, text):
            self.start_soon(self.work)

        async def work(self):
            raise error

    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        ws.send_text("go")
        await settle(lambda: ws.slot.facts["handled"] == 1)
        await settle(lambda: "tasks" not in ws.slot.facts)

        assert (ws.slot.epoch, ws.slot.state) == (1, "running")
        assert happened(server, "slot.crashed") == []


async def test_a_group_that_a_task_raises_is_one_crash() -> None:
    """
    A task that used a nursery crashes its incarnation with the group, once.
    """

    class Chat(WebsocketConsumer):
        async def receive(self, text):
            self.start_soon(self.work)

        async def work(self):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.fail, "one")
                nursery.start_soon(self.fail, "two")

        async def fail(self, what):
            raise ValueError(what)

    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        ws.send_text("go")
        await ws.wait_restarted(2)

        (crash,) = ws.slot.crashes
        assert crash.exception == "ExceptionGroup"
        assert crash.message == f"task {Chat.work.__qualname__}"
        assert "ValueError: one" in crash.traceback


async def test_only_async_functions_are_started() -> None:
    """
    A coroutine, or a plain function, is refused with the call that was meant.
    """
    refused: list[str] = []

    class Wrong(Actor):
        async def started(self):
            coroutine = self.work()
            for wrong in (coroutine, self.plain, None):
                try:
                    self.start_soon(wrong)  # type: ignore[arg-type]
                except TypeError as error:
                    refused.append(str(error))
            coroutine.close()

        async def work(self): ...

        def plain(self): ...

    async with running(Wrong):
        pass

    assert len(refused) == 3
    assert "start_soon takes an async function and its arguments" in refused[0]
    assert "Got: <coroutine" in refused[0]


async def test_a_running_handler_is_cancelled_when_a_task_fails(clock: MockClock) -> None:
    """
    The handler that runs when a task fails is cancelled, and its message is consumed.
    """
    log: list[str] = []

    class Chat(WebsocketConsumer):
        async def receive(self, text):
            log.append(text)
            if text == "hang":
                self.start_soon(self.fail)
                try:
                    await trio.sleep_forever()
                finally:
                    log.append("cancelled")

        async def fail(self):
            raise ValueError

    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        ws.send_text("hang")
        ws.send_text("next")
        await ws.wait_restarted(2)
        await settle(lambda: "next" in log)

    assert log == ["hang", "cancelled", "next"]


async def test_tasks_of_a_resident_end_at_shutdown() -> None:
    """
    A resident's tasks and timers end with the tree, and leave nothing behind.
    """

    class Ticker(Actor):
        def started(self):
            self.start_soon(trio.sleep_forever)
            self.send_every(60, {"type": "tick"})

        @handles("tick")
        def tick(self, message): ...

    async with running(Ticker):
        await settle(lambda: sum("/residents/ticker#1" in name for name in task_names()) == 2)
    assert not any("/residents" in name for name in task_names())


@pytest.mark.parametrize("sync", [False, True])
async def test_what_waits_behind_a_failed_task_is_for_the_next_incarnation(sync: bool) -> None:
    """
    A task that fails in the very turn in which a handler ends costs no message behind it.
    """

    class Failing(Actor):
        @handles("first")
        async def first(self, message):
            target: Any = self.ref._target
            target.inject_crash(ValueError("as if by a task"))  # and no checkpoint after it

        @handles("async")
        async def on_async(self, message):
            await trio.lowlevel.checkpoint()
            log.append(f"async {self.epoch}")

        @handles("sync")
        def on_sync(self, message):
            log.append(f"sync {self.epoch}")

        @handles("last")
        async def last(self, message):
            log.append(f"last {self.epoch}")

    log: list[str] = []
    second = "sync" if sync else "async"
    async with running(Failing) as server:
        ref = server.root.find("/residents/failing")
        for kind in ("first", second, "last"):
            ref.cast({"type": kind})
        await settle(lambda: "last 2" in log)

    assert log == [f"{second} 2", "last 2"]


async def test_an_error_behind_that_of_a_task_is_told_too() -> None:
    """
    What a handler raises as a failed task cancels it is on record beside the task's error.
    """

    class Chat(WebsocketConsumer):
        async def receive(self, text):
            self.start_soon(self.fail)
            try:
                await trio.sleep_forever()
            finally:
                raise KeyError("clean-up")

        async def fail(self):
            raise ValueError("task")

    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        ws.send_text("x")
        restarted = await ws.wait_restarted(2)

    assert sorted(crash.exception for crash in restarted.crashes) == ["KeyError", "ValueError"]
