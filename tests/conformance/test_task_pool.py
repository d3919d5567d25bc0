# Pools of tasks: reference scenarios 68 and 80.

import pytest
import trio
from helpers import happened, running
from trio.testing import MockClock

from greenroom.actors import Actor, handles
from greenroom.supervisor import (
    ChildNotFound,
    TaskDone,
    TaskFailed,
    TaskPoolSpec,
    TaskTimeout,
    TooManyChildren,
)

PATH = "/residents/t"


async def test_68_one_more_than_there_may_be(clock: MockClock) -> None:
    """
    In a pool of one the second task is refused at once; when the first is done there is room.
    """
    async with running(TaskPoolSpec(name="t", max_tasks=1)) as server:
        pool = server.root.task_pool(PATH)
        pool.start(trio.sleep, 5)
        began = trio.current_time()
        with pytest.raises(TooManyChildren):
            pool.start(trio.sleep, 5)
        with pytest.raises(TooManyChildren):
            await pool.run(trio.sleep, 5)
        assert trio.current_time() == began
        await trio.sleep(6)
        await pool.run(trio.sleep, 5)


async def test_68_tasks_without_time_to_stop(clock: MockClock) -> None:
    """
    With `shutdown_seconds=0` tasks are cancelled at once when their pool stops.
    """
    cancelled: list[str] = []

    async def work(name: str) -> None:
        try:
            await trio.sleep_forever()
        finally:
            cancelled.append(name)

    async with running(TaskPoolSpec(name="t", shutdown_seconds=0)) as server:
        pool = server.root.task_pool(PATH)
        for name in "abc":
            pool.start(work, name)
        await trio.sleep(1)
        began = trio.current_time()
        await server.root.supervisor("/residents").stop_child("t")
        assert trio.current_time() == began
        assert sorted(cancelled) == ["a", "b", "c"]
        assert happened(server, "slot.unkillable") == happened(server, "slot.crashed") == []


async def test_68_a_task_is_stopped_once(clock: MockClock) -> None:
    """
    Stopping a task by its name works once; then there is no such child.
    """
    async with running(TaskPoolSpec(name="t")) as server:
        supervisor = server.root.supervisor(PATH)
        server.root.task_pool(PATH).start(trio.sleep_forever, name="nap")
        await trio.sleep(1)
        await supervisor.stop_child("nap")
        with pytest.raises(ChildNotFound):
            await supervisor.stop_child("nap")


class Asker(Actor):
    """Waits for a task, but not for long."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    @handles("ask")
    async def on_ask(self, message):
        try:
            await message["pool"].run(slow, timeout=1)
        except TaskTimeout as error:
            self.heard.append(type(error))

    @handles("heard")
    async def on_heard(self, message):
        return self.heard

    @handles(TaskDone, TaskFailed)
    async def on_end(self, message):
        self.heard.append(message)


async def slow() -> str:
    with trio.CancelScope(shield=True):
        await trio.sleep(3)
    return "late"


async def test_80_a_late_result_reaches_nobody(clock: MockClock) -> None:
    """
    What a task returns behind its caller's timeout comes to nobody, not as a message either.
    """
    async with running(TaskPoolSpec(name="t"), Asker) as server:
        asker = server.root.find("/residents/asker")
        asker.cast({"type": "ask", "pool": server.root.task_pool(PATH)})
        await trio.sleep(2)
        assert server.root.supervisor(PATH).counts().active == 1
        await trio.sleep(2)
        assert server.root.supervisor(PATH).counts().specs == 0
        assert await asker.call({"type": "heard"}) == [TaskTimeout]
        assert happened(server, "message.dead_letter") == []
