# sync_to_async and async_to_sync on trio: which thread, which task, which loop.

import asyncio
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import ContextVar, copy_context
from functools import partial
from inspect import signature
from typing import Any

import pytest
import trio
from asgiref.local import Local
from asgiref.sync import async_to_sync, sync_to_async
from hop_state import begin, thread
from trio.testing import wait_all_tasks_blocked

from greenroom.actors import NobodyWaits, ThreadPool
from greenroom.bridges.asgiref import (
    current_hops,
    on_asyncio,
    on_trio,
    open_hops,
)

seen: ContextVar[str] = ContextVar("seen", default="nothing")
local = Local()


async def test_a_hop() -> None:
    """
    Sync code runs in the pool "orm", thread-sensitive or not, and its value comes back.
    """
    assert (await sync_to_async(thread)()).startswith("orm-")
    assert (await sync_to_async(thread, thread_sensitive=False)()).startswith("orm-")
    assert await sync_to_async(lambda a, *, b: (a, b))(1, b=2) == (1, 2)


async def test_own_executor() -> None:
    """
    Who gives an executor gets its threads.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="mine") as executor:
        work = sync_to_async(thread, thread_sensitive=False, executor=executor)
        assert (await work()).startswith("mine")


@pytest.mark.parametrize(
    "error",
    [ValueError("x"), SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()],
    ids=repr,
)
async def test_errors(error: BaseException) -> None:
    """
    What sync code raises is raised where it is awaited.
    """

    def bad() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        await sync_to_async(bad)()
    assert caught.value is error


async def test_stop_iteration() -> None:
    """
    StopIteration becomes a RuntimeError, since no coroutine can raise it.
    """
    with pytest.raises(RuntimeError, match="StopIteration"):
        await sync_to_async(next)(iter([]))


async def test_handled_error_is_seen() -> None:
    """
    sys.exc_info() in the thread is that of the task.
    """
    error = ValueError("handled")
    try:
        raise error
    except ValueError:
        assert await sync_to_async(lambda: sys.exc_info()[1])() is error


async def test_variables() -> None:
    """
    Context variables and asgiref's Locals go into the thread and come back changed.
    """
    seen.set("task")
    local.value = "task"

    def work() -> tuple[str, str]:
        found = seen.get(), local.value
        seen.set("thread")
        local.value = "thread"
        return found

    assert await sync_to_async(work)() == ("task", "task")
    assert (seen.get(), local.value) == ("thread", "thread")


@pytest.mark.skipif(
    "context" not in signature(sync_to_async).parameters, reason="an older asgiref has none"
)
async def test_a_context_that_several_are_given() -> None:
    """
    Hops that are given one context enter it in turns.
    """
    together = threading.Barrier(2)

    def work() -> None:
        with suppress(threading.BrokenBarrierError):
            together.wait(0.05)  # for the other, which can't come
        seen.set(f"{seen.get()}1")

    seen.set("")
    context = copy_context()
    async with (
        open_hops(ThreadPool, threads=2, spare=0, listed=[], timeout=5),
        trio.open_nursery() as nursery,
    ):
        for _ in range(2):
            nursery.start_soon(sync_to_async(work, context=context))
    assert (seen.get(), context[seen]) == ("", "11")


@pytest.mark.parametrize("mark", [on_trio, on_asyncio])
async def test_variables_of_async_code(mark: Callable[[Any], Any]) -> None:
    """
    Async code that a thread calls sees its variables and Locals, and its changes come back.
    """

    @mark
    async def inside() -> tuple[str, str]:
        found = seen.get(), local.value
        seen.set("async")
        local.value = "async"
        await sync_to_async(lambda: None)()
        return found

    def work() -> Any:
        seen.set("thread")
        local.value = "thread"
        return async_to_sync(inside)(), seen.get(), local.value

    found = await sync_to_async(work)()
    assert found == (("thread", "thread"), "async", "async")
    assert (seen.get(), local.value) == ("async", "async")


@pytest.mark.parametrize("outer", [on_trio, on_asyncio])
@pytest.mark.parametrize("inner", [on_trio, on_asyncio])
async def test_three_deep_in_a_pool_of_one(
    outer: Callable[[Any], Any], inner: Callable[[Any], Any]
) -> None:
    """
    Sync, async, sync, async, sync end in one thread, on either loop, though the pool has one.
    """

    @inner
    async def innermost() -> str:
        return await sync_to_async(thread)()

    @outer
    async def middle() -> Any:
        return await sync_to_async(lambda: (thread(), async_to_sync(innermost)()))()

    def outermost() -> Any:
        return thread(), *async_to_sync(middle)()

    async with open_hops(ThreadPool, threads=1, spare=0, listed=[], timeout=5):
        assert await sync_to_async(outermost)() == ("orm-1",) * 3


async def test_the_flavour_decides_the_loop() -> None:
    """
    Marked code runs on the loop that it is marked for, unmarked code on the default's.
    """

    async def which() -> str:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return "trio"
        return "asyncio"

    async def plain() -> str:
        return await which()

    def work() -> list[str]:
        return [
            async_to_sync(on_trio(which))(),
            async_to_sync(on_asyncio(which))(),
            async_to_sync(plain)(),
        ]

    assert await sync_to_async(work)() == ["trio", "asyncio", "asyncio"]


async def test_refused_on_trios_thread() -> None:
    """
    async_to_sync() in a trio task is refused, with what to write.
    """

    async def code() -> None:
        pass

    with pytest.raises(RuntimeError, match="await .*code"):
        async_to_sync(code)()


@pytest.mark.parametrize("mark", [on_trio, on_asyncio])
async def test_a_deadline_ends_async_code_of_a_thread(mark: Callable[[Any], Any]) -> None:
    """
    The cancel scope around a hop ends what its thread has awaited, on either loop.
    """
    ended: list[str] = []
    began = threading.Event()

    @mark
    async def forever() -> None:
        began.set()
        try:
            if mark is on_trio:
                await trio.sleep_forever()
            else:
                await asyncio.sleep(1e6)
        finally:
            ended.append("async")

    def work() -> None:
        try:
            async_to_sync(forever)()
        except NobodyWaits:
            ended.append("thread")
            raise

    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sync_to_async(work))
            while not began.is_set():
                await trio.lowlevel.checkpoint()
            scope.cancel()
    assert ended == ["async", "thread"]
    assert current_hops().pool.statistics().abandoned == ()


async def test_a_queued_hop_is_withdrawn() -> None:
    """
    A hop that is cancelled before a thread has it never runs.
    """
    go, ran = threading.Event(), list[str]()
    async with (
        open_hops(ThreadPool, threads=1, spare=0, listed=[], timeout=5),
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(sync_to_async(go.wait), 20)
        await wait_all_tasks_blocked()
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as inner:
                inner.start_soon(sync_to_async(ran.append), "ran")
                await wait_all_tasks_blocked()
                scope.cancel()
        go.set()
    assert ran == []


@pytest.mark.parametrize("where", ["pool", "transaction", "executor", "asyncio"])
async def test_an_error_behind_a_cancellation(where: str, caplog: pytest.LogCaptureFixture) -> None:
    """
    What a hop raises whose caller was cancelled meanwhile is in the log.
    """
    began, go = threading.Event(), threading.Event()

    async def cancelled_here(call: Callable[[], Any]) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call)
            while not began.is_set():
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
            go.set()

    async def cancelled_there(call: Callable[[], Any]) -> None:
        task = asyncio.create_task(call())
        while not began.is_set():  # noqa: ASYNC110 - a thread sets it
            await asyncio.sleep(0)
        task.cancel()
        go.set()
        with suppress(asyncio.CancelledError):
            await task

    def work() -> None:
        began.set()
        go.wait(20)
        if where == "transaction":
            begin()
        raise LookupError("too late")

    with ThreadPoolExecutor(1) as executor:
        own: dict[str, Any] = {"thread_sensitive": False, "executor": executor}
        call = sync_to_async(work, **own) if where == "executor" else sync_to_async(work)
        async with open_hops(ThreadPool, threads=1, spare=0, listed=[], timeout=5) as here:
            if where == "asyncio":
                await here.side_loop.run(partial(cancelled_there, call))
            else:
                await cancelled_here(call)
    assert "raised after its caller was cancelled" in caplog.text
    assert "LookupError: too late" in caplog.text


def test_asyncio_beside_trio() -> None:
    """
    An asyncio program in another thread has asgiref's own threads, and is not disturbed.
    """

    async def program() -> tuple[str, str]:
        async def inner() -> str:
            return await sync_to_async(thread)()

        return await sync_to_async(thread)(), await sync_to_async(async_to_sync(inner))()

    async def main() -> Any:
        found: list[Any] = []
        other = threading.Thread(target=lambda: found.append(asyncio.run(program())))
        other.start()
        mine = await sync_to_async(thread)()
        while other.is_alive():
            await sync_to_async(lambda: None)()
        return mine, found[0]

    mine, theirs = trio.run(main)
    assert mine.startswith("orm-")
    assert not any(name.startswith("orm-") for name in theirs)


@pytest.mark.parametrize("mark", [on_trio, on_asyncio])
async def test_a_run_of_trio_in_a_thread(mark: Callable[[Any], Any]) -> None:
    """
    Sync code may call trio.run(), as a management command does; that has threads of its own.
    """

    def command() -> tuple[str, str]:
        return thread(), trio.run(sync_to_async(thread))

    @mark
    async def code() -> tuple[str, str]:
        return await sync_to_async(command)()

    with trio.fail_after(20):
        mine, inner = await sync_to_async(async_to_sync(code))()
    assert mine.startswith("orm-")
    assert inner.startswith("orm-")


def test_trio_in_a_script() -> None:
    """
    trio.run() in a plain program, such as a management command, has its pool; it ends with it.
    """

    async def main() -> Any:
        await sync_to_async(thread)()
        return current_hops().pool

    pools: Any = [trio.run(main) for _ in range(2)]
    assert pools[0] is not pools[1]
    assert all("closed" in repr(pool) for pool in pools)
    assert all(pool.statistics().threads == 0 for pool in pools)
