# Parking and waking, and what the loop looks like from other threads.

import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from greenroom.actors._lowlevel import (
    LoopThread,
    Parker,
    StepEnd,
    TaskStack,
    checkpoint,
    inside_trio,
)


async def test_cancel_and_wake_in_one_tick() -> None:
    """
    A parked task that is cancelled and woken in the same tick is rescheduled once.
    """
    parker, scope = Parker(), trio.CancelScope()
    async with trio.open_nursery() as nursery:

        async def park() -> None:
            with scope:
                await parker.park()

        nursery.start_soon(park)
        await wait_all_tasks_blocked()
        scope.cancel()
        parker.wake()

    assert scope.cancelled_caught
    assert not parker.parked


async def test_wake_and_cancel_in_one_tick() -> None:
    """
    The other order is no different: what was woken is not woken again by the cancellation.
    """
    parker, woken = Parker(), []
    async with trio.open_nursery() as nursery:

        async def park() -> None:
            await parker.park()
            woken.append(True)

        nursery.start_soon(park)
        await wait_all_tasks_blocked()
        parker.wake()
        nursery.cancel_scope.cancel()

    assert woken == [True]


async def test_no_memory() -> None:
    """
    A wake without a parked task does nothing: the next park waits.
    """
    parker = Parker()
    parker.wake()
    with trio.move_on_after(0) as scope:
        await parker.park()

    assert scope.cancelled_caught


async def test_a_second_task_cannot_park() -> None:
    """
    Two tasks at one parker are a mistake, and said to be one.
    """
    parker = Parker()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(parker.park)
        await wait_all_tasks_blocked()
        assert parker.parked
        with pytest.raises(trio.BusyResourceError, match="another task"):
            await parker.park()
        parker.wake()

    assert not parker.parked


async def test_loop_is_here_on_its_own_thread_only() -> None:
    """
    is_here() is True on the loop's thread and False in any other.
    """
    loop = LoopThread.current()

    assert loop.is_here()
    assert not await trio.to_thread.run_sync(loop.is_here)


def test_there_is_no_loop_outside_trio() -> None:
    """
    LoopThread.current() and inside_trio() know when no loop runs.
    """
    assert not inside_trio()
    with pytest.raises(RuntimeError):
        LoopThread.current()


async def test_call_soon_keeps_the_order_of_calls() -> None:
    """
    What a thread asks the loop to run is run in the order it was asked.
    """
    loop, order, done = LoopThread.current(), list[int](), trio.Event()

    def ask() -> None:
        for number in range(50):
            loop.call_soon(order.append, number)
        loop.call_soon(done.set)

    await trio.to_thread.run_sync(ask)
    await done.wait()

    assert inside_trio()
    assert order == list(range(50))


async def test_checkpoint_is_one() -> None:
    """
    checkpoint() gives way to a cancellation.
    """
    with trio.CancelScope() as scope:
        scope.cancel()
        await checkpoint()

    assert scope.cancelled_caught


async def test_a_task_stack_shows_where_the_task_waits() -> None:
    """
    The stack of a task names the function it waits in, with its line.
    """
    stacks: list[TaskStack] = []

    async def stubborn() -> None:
        stacks.append(TaskStack())
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(stubborn)
        await wait_all_tasks_blocked()
        text = stacks[0].format()
        nursery.cancel_scope.cancel()

    assert "in stubborn" in text
    assert __file__ in text
    assert text.index("in stubborn") < text.index("in sleep_forever")


def test_the_loop_may_have_ended() -> None:
    """
    call_soon() after the end of the loop raises RunFinishedError.
    """

    async def main() -> LoopThread:
        await trio.lowlevel.checkpoint()
        return LoopThread.current()

    loop = trio.run(main)

    with pytest.raises(trio.RunFinishedError):
        loop.call_soon(threading.Event().set)


async def test_the_end_of_a_step_outlives_an_error(caplog: pytest.LogCaptureFixture) -> None:
    """
    A function that raises at the end of a step is logged, and the ones behind it are called.
    """
    step_end, called = StepEnd.current(), list[int]()

    def fail() -> None:
        raise RuntimeError("boom")

    step_end.call(fail)
    step_end.call(lambda: called.append(1))
    await trio.sleep(0)
    step_end.call(lambda: called.append(2))
    await trio.sleep(0)

    assert called == [1, 2]
    assert "boom" in caplog.text


def test_what_is_no_exception_at_a_steps_end_ends_the_run() -> None:
    """
    A SystemExit at the end of a step ends the run of trio with it, instead of this hook alone.
    """

    def leave() -> None:
        raise SystemExit(3)

    async def main() -> None:
        StepEnd.current().call(leave)
        await trio.sleep(10)

    with pytest.raises(trio.TrioInternalError) as raised:
        trio.run(main)
    cause = raised.value.__cause__
    assert isinstance(cause, BaseExceptionGroup)
    assert cause.subgroup(SystemExit) is not None


async def test_the_running_task_is_seen_from_another_thread() -> None:
    """
    trio keeps the task that runs where a thread finds it; between two steps there is none.
    """
    loop, task = LoopThread.current(), trio.lowlevel.current_task()
    seen: list[object] = []
    looking = threading.Thread(target=lambda: seen.append(loop.running_task()))
    looking.start()
    looking.join(60)

    assert loop.running_task() is task
    assert seen == [task]

    def between() -> object:
        # The step that has begun this thread may not be over yet.
        give_up = time.monotonic() + 60
        while (found := loop.running_task()) is not None and time.monotonic() < give_up:
            time.sleep(0.001)
        return found

    assert await trio.to_thread.run_sync(between) is None


class Wrapped:
    """Awaits a coroutine of its own, as hypercorn's connections do."""

    def __await__(self) -> Any:
        return self._inside().__await__()

    async def _inside(self) -> None:
        async for _ in self._numbers():
            pass

    async def _numbers(self) -> AsyncIterator[int]:
        await trio.sleep_forever()
        yield 1


async def test_where_a_task_waits() -> None:
    """
    The stack of a task goes on through objects with an ``__await__`` of their own, and through
    async generators, to what it waits for.
    """
    stacks: list[TaskStack] = []

    async def outside() -> None:
        stacks.append(TaskStack())
        await Wrapped()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(outside)
        await wait_all_tasks_blocked()
        names = [function for _, _, function, _ in stacks[0].calls()]
        assert names[:4] == ["outside", "_inside", "_numbers", "sleep_forever"]
        assert " in _numbers" in stacks[0].format()
        nursery.cancel_scope.cancel()
    assert stacks[0].calls() == []
