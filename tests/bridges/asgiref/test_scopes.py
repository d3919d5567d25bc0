# Who shares a thread that a hop has left inside a transaction, or in the midst of a generator.

import gc
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import pytest
import trio
from asgiref.sync import ThreadSensitiveContext, async_to_sync, sync_to_async
from hop_state import SECONDS, all_at_rest, begin, end, hops, keep_busy, thread
from trio.testing import MockClock, wait_all_tasks_blocked

from greenroom.actors import Job, PoolClosed
from greenroom.bridges.asgiref import current_hops, hop_scope, on_trio, open_hops
from greenroom.bridges.asgiref._scopes import _scope
from greenroom.bridges.asgiref._work import Kept
from greenroom.bridges.testing import virtual_clock
from greenroom.bridges.testing._inline import InlinePool


def beside_none(function: Callable[[], Awaitable[Any]]) -> Awaitable[Any]:
    return function()


def beside_trio(function: Callable[[], Awaitable[Any]]) -> Awaitable[Any]:
    return current_hops().side_loop.run(function)


either_loop = pytest.mark.parametrize("run", [beside_none, beside_trio])


async def test_pinned() -> None:
    """
    PINNED: from the hop that begins a transaction to the one that ends it, one thread serves.
    """
    async with hops(3) as here, trio.open_nursery() as nursery:
        first = await sync_to_async(begin)()
        block = threading.Event()
        nursery.start_soon(sync_to_async(block.wait), SECONDS)  # it gets the same thread: it waits
        assert here.pool.statistics().running == 1
        block.set()
        assert {await sync_to_async(thread)() for _ in range(5)} == {first}
        assert await sync_to_async(end)() == first


async def test_released_with_the_scope() -> None:
    """
    RELEASED: a scope that ends inside a transaction gives its thread back.
    """
    async with hops(1):
        with hop_scope():
            await sync_to_async(begin)()
        assert await sync_to_async(end)() == "orm-1"


async def test_released_with_the_task() -> None:
    """
    RELEASED: so does a task, where no scope was opened.
    """
    async with hops(1):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sync_to_async(begin))
        assert await sync_to_async(end)() == "orm-1"


async def test_a_task_that_outlives_its_scope() -> None:
    """
    PINNED: a view's end takes no thread from a task that goes on; that task's own end does.
    """
    names, begun, over, go = set[str](), trio.Event(), trio.Event(), threading.Event()

    async def task() -> None:
        generator = count(names)
        await sync_to_async(take)(generator, 3)
        begun.set()
        await over.wait()
        await sync_to_async(take)(generator, 3)

    async with hops(2) as here:
        with trio.fail_after(SECONDS):
            async with trio.open_nursery() as nursery:
                with hop_scope():
                    nursery.start_soon(task)
                    await begun.wait()
                for _ in range(2):  # so that no thread is left if that one is given back
                    keep_busy(here, go)
                over.set()
        assert names == {"orm-1"}
        go.set()
        await all_at_rest(here)


async def test_two_tasks_of_a_scope_that_begin_at_once() -> None:
    """
    PINNED, RELEASED: two tasks of one scope have a thread each, and both come back.
    """
    together, names = threading.Barrier(2, timeout=SECONDS), list[tuple[str, str]]()

    def begin_together() -> str:
        together.wait()
        return begin()

    async def task() -> None:
        names.append((await sync_to_async(begin_together)(), await sync_to_async(thread)()))

    async with hops(2) as here:
        with hop_scope():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(task)
                nursery.start_soon(task)
        await all_at_rest(here)
    assert sorted(names) == [("orm-1", "orm-1"), ("orm-2", "orm-2")]


async def test_a_task_begins_for_itself() -> None:
    """
    PINNED: in a transaction that a task has begun there is nothing of what started it.
    """
    names, begun, over = list[str](), trio.Event(), trio.Event()

    async def task() -> None:
        names.append(await sync_to_async(begin)())
        begun.set()
        await over.wait()
        names.append(await sync_to_async(end)())

    async with hops(2):
        with hop_scope():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(task)
                await begun.wait()
                names.append(await sync_to_async(thread)())
                over.set()
    assert names == ["orm-1", "orm-2", "orm-1"]


async def test_an_error_inside_a_transaction() -> None:
    """
    A hop that raises and leaves its thread in a transaction raises, and keeps the thread.
    """

    def bad() -> None:
        begin()
        raise LookupError("bad")

    async with hops(2) as here:
        with pytest.raises(LookupError, match="bad"):
            await sync_to_async(bad)()
        assert here.pool.statistics().running == 1
        assert await sync_to_async(end)() == "orm-1"


@either_loop
async def test_a_thread_that_was_kept_until_now(run: Callable[..., Any]) -> None:
    """
    A hop that finds that the transaction has ended in that very moment goes to the pool.
    """

    async def code() -> str:
        await sync_to_async(begin)()
        scope = _scope.get()
        assert scope is not None
        kept = scope.thread()
        assert kept is not None
        take = kept.take

        def late(job: Job[Any]) -> None:
            kept.end()
            take(job)

        kept.take = late  # type: ignore[method-assign]
        return await sync_to_async(end)()

    async with hops(1):
        assert await run(code) == "orm-1"


@pytest.fixture
def clock() -> MockClock:
    """
    A clock that stands still, for patience that is to end at once.
    """
    return MockClock()


async def jump(clock: MockClock) -> None:
    await wait_all_tasks_blocked()
    clock.jump(6)


async def test_a_hop_that_was_given_up(clock: MockClock) -> None:
    """
    RELEASED: a hop that was abandoned keeps no thread, whatever it leaves behind.
    """
    began, go = threading.Event(), threading.Event()

    def slow() -> None:
        began.set()
        go.wait(SECONDS)
        begin()

    async with hops(1) as here, trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as inner:
                inner.start_soon(sync_to_async(slow))
                while not began.is_set():
                    await trio.lowlevel.checkpoint()
                nursery.start_soon(jump, clock)
                scope.cancel()
        assert len(here.pool.statistics().abandoned) == 1
        clock.rate = 1
        go.set()
        await all_at_rest(here)


async def test_an_executor_that_goes_on(clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    """
    A hop on an executor of its owner's that outlives its cancellation is in the log.
    """
    began, go = threading.Event(), threading.Event()

    def slow() -> None:
        began.set()
        go.wait(SECONDS)

    with ThreadPoolExecutor(1) as executor:
        work = sync_to_async(slow, thread_sensitive=False, executor=executor)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(work)
            while not began.is_set():
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
            with trio.CancelScope(shield=True):
                await jump(clock)
        go.set()
    assert "slow goes on in an executor of its own, though it was cancelled" in caplog.text


async def test_what_is_not_thread_sensitive() -> None:
    """
    It gets a thread of its own, unless it had to wait for one: whoever holds one must not wait.
    """

    async def inner() -> str:
        return await sync_to_async(thread, thread_sensitive=False)()

    def outer() -> tuple[str, str]:
        return thread(), async_to_sync(on_trio(inner))()

    async with hops(2):
        mine, others = await sync_to_async(outer)()
        assert mine != others
        mine = await sync_to_async(begin)()
        assert await sync_to_async(thread, thread_sensitive=False)() != mine
        assert await sync_to_async(end)() == mine
    async with hops(1):
        mine = await sync_to_async(begin)()
        assert await sync_to_async(thread, thread_sensitive=False)() == mine
        assert await sync_to_async(end)() == mine


@either_loop
async def test_a_thread_sensitive_context(run: Callable[..., Any]) -> None:
    """
    asgiref's ThreadSensitiveContext has one thread for all of it, and gives it back.
    """

    async def code() -> list[str]:
        names = [await sync_to_async(thread)()]
        async with ThreadSensitiveContext():
            names.append(await sync_to_async(thread)())
            keep_busy(here, go)  # that thread, if it has nothing to do
            names += [await sync_to_async(thread)() for _ in range(3)]
            async with ThreadSensitiveContext():
                names.append(await sync_to_async(thread)())
        return names

    go = threading.Event()
    async with hops(3) as here:
        names = await run(code)
        assert len(set(names[1:])) == 1
        go.set()
        await all_at_rest(here)


@pytest.fixture
def virtual() -> MockClock:
    """
    A clock that knows of threads.
    """
    return virtual_clock()


async def test_no_time_passes_until_its_thread_begins(
    virtual: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The clock stands still though a thread comes late to what it was given before it serves.
    """

    def late(self: Kept, *args: Any) -> None:
        time.sleep(0.02)  # much more than a clock takes to see that all is quiet
        serve(self, *args)

    serve = Kept.serve
    monkeypatch.setattr(Kept, "serve", late)
    async with hops(1), ThreadSensitiveContext():
        with trio.fail_after(10):  # for the clock to jump to
            await sync_to_async(int)()
        assert trio.current_time() == 0


async def test_tasks_of_a_thread_sensitive_context() -> None:
    """
    Tasks that are started inside it share its thread, also if they are the first to need one.
    """
    names = list[str]()

    async def task() -> None:
        names.append(await sync_to_async(thread)())

    async with hops(3) as here, ThreadSensitiveContext():
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(task)
        assert len(names) == 5
        assert len(set(names)) == 1
        assert here.pool.statistics().threads == 1


async def test_a_thread_sensitive_context_without_a_thread() -> None:
    """
    No hop waits for a thread that the pool has refused.
    """
    async with hops(1) as here, ThreadSensitiveContext():
        await here.pool.aclose(timeout=SECONDS)
        for _ in range(2):
            with trio.fail_after(SECONDS), pytest.raises(PoolClosed):
                await sync_to_async(thread)()


# Generators.


def count(names: set[str]) -> Generator[int, None, None]:
    for number in range(10):
        names.add(thread())
        yield number


def take(generator: Generator[int, None, None], number: int) -> list[int]:
    return list(islice(generator, number))


@either_loop
async def test_a_generator_is_read_in_one_thread(run: Callable[..., Any]) -> None:
    """
    PINNED: from a hop that leaves a generator in its midst to the one that ends it, as well.
    """
    names, go = set[str](), threading.Event()

    async def read() -> list[int]:
        generator = count(names)
        got = await sync_to_async(take)(generator, 3)
        keep_busy(here, go)  # that thread, if it has nothing to do
        for _ in range(3):
            got += await sync_to_async(take)(generator, 3)
        return got

    async with hops(3) as here:
        assert await run(read) == [*range(10)]
        assert len(names) == 1
        go.set()
        await all_at_rest(here)


async def test_a_generator_gives_its_place_away() -> None:
    """
    Between two chunks others have the place of its thread, since it locks nobody out.
    """
    others, go = list[str](), trio.Event()

    async def other() -> None:
        await go.wait()
        others.append(await sync_to_async(thread)())

    async with hops(1, spare=1) as here:
        with trio.fail_after(SECONDS):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(other)
                generator = count(set())
                await sync_to_async(take)(generator, 3)
                go.set()
        assert others == ["orm-2"]
        assert await sync_to_async(take)(generator, 30) == [*range(3, 10)]
        await all_at_rest(here)


async def test_a_generator_that_is_forgotten() -> None:
    """
    RELEASED: who breaks off a loop gives the thread back, though the scope goes on.
    """
    async with hops(1) as here:
        generator = count(set())
        await sync_to_async(take)(generator, 3)
        assert here.pool.statistics().running == 1
        del generator
        gc.collect()
        await all_at_rest(here)


async def test_inline() -> None:
    """
    Where all is done in one thread a generator is read, and a transaction over hops refused.
    """
    async with open_hops(InlinePool, threads=1, spare=0, listed=[], timeout=5):
        generator = count(set())
        assert await sync_to_async(take)(generator, 3) == [0, 1, 2]
        assert await sync_to_async(take)(generator, 9) == [*range(3, 10)]
        with pytest.raises(RuntimeError, match="a transaction over several hops needs a thread"):
            await sync_to_async(begin)()
        end()
