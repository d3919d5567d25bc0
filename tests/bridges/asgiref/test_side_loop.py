# asyncio beside trio, in a thread of its own.

import asyncio
import threading
from contextvars import ContextVar
from typing import Any

import pytest
import trio
from asgiref.sync import sync_to_async

from greenroom.bridges import asgiref
from greenroom.bridges.asgiref import current_hops

seen: ContextVar[str] = ContextVar("seen", default="nothing")


async def test_outcome() -> None:
    """
    OUTCOME: values and errors come back, SystemExit included, and the loop goes on.
    """
    side_loop = current_hops().side_loop

    async def give(value: Any) -> Any:
        await asyncio.sleep(0)
        if isinstance(value, BaseException):
            raise value
        return value

    loops = {await side_loop.run(running_loop) for _ in range(3)}
    assert len(loops) == 1
    for error in (ValueError("x"), SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()):
        with pytest.raises(type(error)):
            await side_loop.run(lambda error=error: give(error))
    assert await side_loop.run(lambda: give(1)) == 1


async def running_loop() -> Any:
    return asyncio.get_running_loop()


async def test_cancelled() -> None:
    """
    CANCELLED: trio's cancellation cancels the asyncio task, and is over when that has ended.
    """
    side_loop, ended = current_hops().side_loop, list[str]()
    began = threading.Event()

    async def forever() -> None:
        began.set()
        try:
            await asyncio.sleep(1e6)
        finally:
            await asyncio.sleep(0)
            ended.append("ended")

    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(side_loop.run, forever)
            while not began.is_set():
                await trio.lowlevel.checkpoint()
            assert side_loop.labels() == ["test_cancelled.<locals>.forever"]
            scope.cancel()
    assert ended == ["ended"]
    assert side_loop.labels() == []


async def test_a_cancelled_task_of_asyncio() -> None:
    """
    CANCELLED: an asyncio task that waits for trio cancels what it waits for.
    """
    side_loop, ended = current_hops().side_loop, list[str]()
    began = threading.Event()

    async def of_trio() -> None:
        began.set()
        try:
            await trio.sleep_forever()
        finally:
            ended.append("trio")

    async def of_asyncio() -> None:
        task = asyncio.create_task(side_loop.on_trio(of_trio))
        while not began.is_set():  # noqa: ASYNC110 - set by another thread
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        ended.append("asyncio")

    await side_loop.run(of_asyncio)
    assert ended == ["trio", "asyncio"]


async def test_context() -> None:
    """
    CONTEXT: variables go over and come back, both ways.
    """
    side_loop = current_hops().side_loop

    async def of_trio() -> None:
        assert seen.get() == "asyncio"
        seen.set("trio")

    async def of_asyncio() -> None:
        assert seen.get() == "task"
        seen.set("asyncio")
        await side_loop.on_trio(of_trio)
        assert seen.get() == "trio"
        seen.set("at last")

    seen.set("task")
    await side_loop.run(of_asyncio)
    assert seen.get() == "at last"


async def test_sync_code_of_its_tasks() -> None:
    """
    Sync code that asyncio tasks have done runs in the pool "orm", many at a time.
    """

    async def tasks() -> list[str]:
        work = sync_to_async(lambda: threading.current_thread().name)
        return await asyncio.gather(*(work() for _ in range(20)))

    assert all(name.startswith("orm-") for name in await current_hops().side_loop.run(tasks))


async def test_a_cancelled_hop_of_asyncio() -> None:
    """
    An asyncio task that is cancelled in a hop waits for the thread, then ends cancelled.
    """
    began, go, done = threading.Event(), threading.Event(), list[str]()

    def work() -> None:
        began.set()
        go.wait(20)
        done.append("work")

    async def tasks() -> None:
        task = asyncio.create_task(sync_to_async(work)())
        while not began.is_set():  # noqa: ASYNC110 - set by another thread
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    await current_hops().side_loop.run(tasks)
    assert done == ["work"]


async def test_closed_before_it_has_run() -> None:
    """
    A loop whose end comes before its thread's first step ends like any other.
    """
    side_loop, loop = asgiref.SideLoop(), asyncio.new_event_loop()
    side_loop._closing = True
    loop.call_soon(loop.stop)
    await trio.to_thread.run_sync(side_loop._main, loop)
    assert loop.is_closed()


async def test_closed() -> None:
    """
    Its end cancels its tasks; after that it takes nothing.
    """
    side_loop, ended = asgiref.SideLoop(), list[str]()

    async def leave_a_task() -> None:
        async def task() -> None:
            try:
                await asyncio.sleep(1e6)
            finally:
                ended.append("task")

        tasks.append(asyncio.create_task(task()))
        await asyncio.sleep(0)

    tasks: list[Any] = []
    await side_loop.run(leave_a_task)
    await side_loop.aclose(5)
    assert ended == ["task"]
    assert "closed" in repr(side_loop)
    with pytest.raises(RuntimeError, match="closed"):
        await side_loop.run(leave_a_task)
