# A job's thread has async code awaited by the task that waits for the job, and serves meanwhile.

import gc
import threading
import weakref
from contextlib import suppress
from contextvars import Context, ContextVar, copy_context
from functools import partial
from typing import Any

import pytest
import trio
from helpers import settle
from serving_bench import LONG, ask, here, pool_of
from trio.testing import wait_all_tasks_blocked

from greenroom.actors import NobodyWaits, ThreadHooks, current_job
from greenroom.actors._serving import serving_here

seen: ContextVar[str] = ContextVar("seen", default="nothing")


async def test_the_waiting_task_awaits_it() -> None:
    """
    What a thread calls runs in the task that waits for its job, and gives its value back.
    """
    async with pool_of(1) as pool:
        task = trio.lowlevel.current_task()

        async def which() -> bool:
            await trio.lowlevel.checkpoint()
            return trio.lowlevel.current_task() is task

        assert await pool.run(lambda: ask(which), label="asks") is True


async def test_same_thread() -> None:
    """
    SAME THREAD: sync, async, sync, async, sync, three deep, ends in the first thread.
    """
    async with pool_of(1) as pool:

        def innermost() -> threading.Thread:
            return threading.current_thread()

        async def deep() -> threading.Thread:
            return await here(innermost)

        def middle() -> tuple[threading.Thread, threading.Thread]:
            return threading.current_thread(), ask(deep)

        async def shallow() -> Any:
            return await here(middle)

        def outermost() -> Any:
            return threading.current_thread(), *ask(shallow)

        threads = await pool.run(outermost, label="outermost")
        assert len(set(threads)) == 1
        assert threads[0].name == "served-1"


async def test_no_loss() -> None:
    """
    NO LOSS: what a child task has submitted before the end is done before the end.
    """
    async with pool_of(1) as pool:
        done: list[int] = []

        async def many() -> None:
            async with trio.open_nursery() as nursery:
                for number in range(10):
                    nursery.start_soon(here, lambda number=number: done.append(number))

        await pool.run(lambda: ask(many), label="many")
        assert sorted(done) == list(range(10))


@pytest.mark.parametrize(
    "error", [ValueError("x"), StopIteration("x"), SystemExit(3), KeyboardInterrupt()], ids=repr
)
async def test_errors_reach_the_thread(error: BaseException) -> None:
    """
    What the async code raises is raised in the thread; StopIteration as asyncio has it.
    """
    caught: list[BaseException] = []

    async def bad() -> None:
        raise error

    def work() -> None:
        try:
            ask(bad)
        except BaseException as raised:
            caught.append(raised)

    async with pool_of(1) as pool:
        await pool.run(work, label="work")
    if isinstance(error, StopIteration):
        assert isinstance(caught[0], RuntimeError)
    else:
        assert caught == [error]


async def test_a_cancelled_task_tells_its_thread() -> None:
    """
    NO DEADLOCK: the task's deadline ends the async code, and the thread gets NobodyWaits.
    """
    caught: list[BaseException] = []

    def work() -> None:
        for _ in range(2):  # the second is refused at once
            try:
                ask(trio.sleep_forever)
            except BaseException as raised:
                caught.append(raised)

    async with pool_of(1) as pool:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(lambda: pool.run(work, label="work"))
                while pool.statistics().parked == 0:
                    await trio.lowlevel.checkpoint()
                scope.cancel()
        assert [type(each) for each in caught] == [NobodyWaits, NobodyWaits]


async def test_an_abandoned_job_is_refused() -> None:
    """
    NO DEADLOCK: if nobody waits for the job any more, its thread is told.
    """
    go, caught = threading.Event(), list[BaseException]()

    def work() -> None:
        go.wait(LONG)
        try:
            ask(trio.sleep_forever)
        except BaseException as raised:
            caught.append(raised)

    async with pool_of(1) as pool:
        job = pool.submit(work, label="work")
        job.abandon()
        go.set()
        await job.wait()
        assert isinstance(caught[0], NobodyWaits)


async def test_a_nursery_with_a_cancelled_and_a_failed_child() -> None:
    """
    Of a group the task keeps the Cancelled, and the thread gets the rest.
    """
    caught: list[BaseException] = []

    async def fails_when_cancelled() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise LookupError("in the way out")

    async def both() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fails_when_cancelled)
            nursery.start_soon(trio.sleep_forever)
            await wait_all_tasks_blocked()
            scope.cancel()
            await trio.sleep_forever()

    def work() -> None:
        try:
            ask(both)
        except BaseException as raised:
            caught.append(raised)

    async with pool_of(1) as pool:
        with trio.CancelScope() as scope:
            await pool.run(work, label="work")
        assert scope.cancelled_caught
        assert isinstance(caught[0], ExceptionGroup)
        assert isinstance(caught[0].exceptions[0], LookupError)


async def test_variables_of_the_thread() -> None:
    """
    The async code sees the thread's context variables, and leaves the task's as they are.
    """

    async def look() -> str:
        value = seen.get()
        seen.set("async")
        await trio.lowlevel.checkpoint()
        return value

    def work() -> str:
        seen.set("thread")
        return ask(look)

    async with pool_of(1) as pool:
        assert await pool.run(work, label="work") == "thread"
        assert seen.get() == "nothing"


async def test_its_place_is_free_meanwhile() -> None:
    """
    While a thread waits for async code another job runs, though the pool has one place.
    """
    async with pool_of(1) as pool:

        async def another() -> str:
            return await pool.run(lambda: threading.current_thread().name, label="another")

        assert await pool.run(lambda: ask(another), label="first") == "served-2"


async def test_spare() -> None:
    """
    SPARE: parks beyond the threads to spare keep their places, so threads are bounded.
    """
    asking, release = list[int](), trio.Event()

    async def waits() -> None:
        asking.append(1)
        await release.wait()

    async with pool_of(1, spare=1) as pool, trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(lambda: pool.run(lambda: ask(waits), label="waits"))
        await settle(lambda: len(asking) == 2)  # the second one has kept its place
        await wait_all_tasks_blocked(0.05)
        now = pool.statistics()
        assert (now.threads, now.parked, now.running, now.queued) == (2, 1, 1, 3)
        release.set()


@pytest.mark.parametrize("answer", [False, LookupError("hook")], ids=repr)
async def test_a_hook_may_forbid_to_park(answer: Any) -> None:
    """
    A job whose pool's may_park says no, or raises, keeps its place while it waits.
    """

    def may_park() -> bool:
        if isinstance(answer, Exception):
            raise answer
        return answer

    async with pool_of(1, hooks=ThreadHooks(may_park=may_park)) as pool:

        async def look() -> int:
            return pool.statistics().parked

        assert await pool.run(lambda: ask(look), label="work") == 0


async def test_a_taker() -> None:
    """
    on_call takes the calls of a job for which no task waits in wait().
    """
    async with pool_of(1) as pool, trio.open_nursery() as nursery:
        done = trio.Event()

        async def answer() -> str:
            done.set()
            return "answer"

        job = pool.submit(lambda: ask(answer), label="work")
        job.on_call = lambda call: nursery.start_soon(call.carry_out)
        await done.wait()
        await job.wait()
        assert job.result() == "answer"


async def test_only_the_jobs_own_thread() -> None:
    """
    run_async() refuses a thread that does not run the job.
    """
    async with pool_of(1) as pool:
        job = pool.submit(lambda: None, label="work")
        with pytest.raises(RuntimeError, match="only in the thread that runs it"):
            job.run_async(trio.sleep_forever)
        await job.wait()


async def test_a_job_that_lets_go() -> None:
    """
    A job that lets go wakes who waits for it, and goes on.
    """
    go = threading.Event()

    def work() -> None:
        job = current_job()
        assert job is not None
        job.let_go()
        go.wait(LONG)

    async with pool_of(1) as pool:
        job = pool.submit(work, label="work")
        await job.wait()
        assert pool.statistics().running == 1
        go.set()


async def test_the_outer_thread_serves_again_behind_an_inner_call() -> None:
    """
    Async code still has its thread when an inner call has left its context variables behind.
    """
    async with pool_of(2) as pool:

        async def inner() -> None:
            await here(threading.get_ident)

        def middle() -> Context:
            job, context = current_job(), copy_context()
            assert job is not None
            job.run_async(inner, context=context)
            return context

        async def outer() -> tuple[int, int]:
            first = await here(threading.get_ident)
            left_behind = await here(middle)
            serving = left_behind.run(serving_here)
            assert serving is serving_here()
            return first, await here(threading.get_ident)

        first, last = await pool.run(lambda: ask(outer), label="asks")

    assert first == last


@pytest.mark.parametrize("how", ["returns", "raises", "is cancelled"])
async def test_nothing_of_a_call_stays(how: str) -> None:
    """
    What async code was called with, and returned, is gone when the call is over, not when garbage
    is collected; also if it was cancelled.
    """

    class Argument:
        pass

    gone: list[weakref.ref[Argument]] = []

    async def echo(argument: Argument) -> Argument:
        if how == "is cancelled":
            scope.cancel()
        await trio.lowlevel.checkpoint()
        if how == "raises":
            raise LookupError(argument)
        return argument

    def work() -> None:
        argument = Argument()
        gone.append(weakref.ref(argument))
        with suppress(NobodyWaits, LookupError):
            ask(partial(echo, argument))

    gc.disable()
    try:
        async with pool_of(1) as pool:
            with trio.CancelScope() as scope:
                await pool.run(work, label="asks")
    finally:
        gc.enable()

    assert [each() for each in gone] == [None]
