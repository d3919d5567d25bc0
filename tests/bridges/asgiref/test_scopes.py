# Who shares a thread that a hop has left inside a transaction, or in the midst of a generator.

import gc
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager
from functools import partial
from itertools import islice
from typing import Any

import pytest
import trio
from asgiref.sync import async_to_sync, sync_to_async
from hop_state import begin, end, thread

from greenroom.actors import Actor, CallFailed, Job, ThreadPool, current_job, handles
from greenroom.actors._lowlevel import inside_trio
from greenroom.bridges.asgi import Application
from greenroom.bridges.asgiref import Hops, current_hops, hop_scope, on_asyncio, open_hops
from greenroom.bridges.asgiref._scopes import thread_of_scope
from greenroom.bridges.asgiref._work import Kept
from greenroom.bridges.testing import ServerDriver, serve
from greenroom.bridges.testing._inline import InlinePool
from greenroom.supervisor import ChildSpec

SECONDS = 20
"""After which a test has failed that would wait for ever."""


def hops(threads: int, spare: int = 0) -> Any:
    return open_hops(ThreadPool, threads=threads, spare=spare, listed=[], timeout=5)


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


async def test_two_tasks_of_a_scope_that_begin_at_once() -> None:
    """
    RELEASED: two tasks of one scope have a thread each, and both come back.
    """
    together, names = threading.Barrier(2, timeout=SECONDS), list[str]()

    def begin_together() -> None:
        together.wait()
        names.append(begin())

    async with hops(2) as here:
        with hop_scope():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(sync_to_async(begin_together))
                nursery.start_soon(sync_to_async(begin_together))
        await all_at_rest(here)
    assert sorted(names) == ["orm-1", "orm-2"]


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
        kept = thread_of_scope()
        assert isinstance(kept, Kept)
        take = kept.take

        def late(job: Job[Any]) -> None:
            kept.end()
            take(job)

        kept.take = late  # type: ignore[method-assign]
        return await sync_to_async(end)()

    async with hops(1):
        assert await run(code) == "orm-1"


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

    def keep_a_thread_busy() -> None:
        job = pool.new_job(lambda: go.wait(SECONDS), here.side_loop.trio, label="busy")
        job.on_end = lambda: None
        pool.submit_from_thread(job)

    async def read() -> list[int]:
        generator = count(names)
        got = await sync_to_async(take)(generator, 3)
        keep_a_thread_busy()  # that thread, if it has nothing to do
        for _ in range(3):
            got += await sync_to_async(take)(generator, 3)
        return got

    async with hops(3) as here:
        pool = here.pool
        assert isinstance(pool, ThreadPool)
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


# Actors: a handler's run is a scope.


class Clerk(Actor):
    """Begins what it does not end."""

    restart = "permanent"
    idle_seconds = 0

    def __init__(self, where: str) -> None:
        self.where = where

    async def _begin(self, where: str) -> None:
        if where == self.where:
            self.where = ""
            await sync_to_async(begin)()

    async def started(self) -> None:
        await self._begin("started")

    async def after_start(self) -> None:
        await self._begin("after_start")

    async def idle(self) -> None:
        await self._begin("idle")

    async def stopped(self, reason: str) -> None:
        await self._begin("stopped")

    @handles("begin")
    async def on_begin(self, message: dict[str, Any]) -> None:
        await self._begin("handler")
        await self._begin("crash")
        if message.get("crash"):
            raise LookupError("as asked")

    @handles("both")
    async def on_both(self, message: dict[str, Any]) -> list[str]:
        """Begin, wait until the others have begun, and end."""
        names = [await sync_to_async(begin)()]
        await message["begun"]()
        names.append(await sync_to_async(thread)())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._child, names)
        names.append(await sync_to_async(end)())
        return names

    async def _child(self, names: list[str]) -> None:
        names.append(await sync_to_async(thread)())

    @handles("task")
    async def on_task(self, message: dict[str, Any]) -> list[str]:
        names = [await sync_to_async(begin)()]
        ended = trio.Event()
        self.start_soon(self._task, names, ended)
        await ended.wait()
        names.append(await sync_to_async(end)())
        return names

    async def _task(self, names: list[str], ended: trio.Event) -> None:
        names.append(await sync_to_async(thread)())
        ended.set()

    @handles("ping")
    async def on_ping(self, message: dict[str, Any]) -> str:
        return "pong"


@asynccontextmanager
async def clerks(**where: str) -> AsyncGenerator[ServerDriver, None]:
    children = [
        ChildSpec(actor=Clerk, name=name, kwargs={"where": each}) for name, each in where.items()
    ]
    async with serve(Application(children=children)) as server:
        yield server


@pytest.mark.parametrize("where", ["started", "after_start", "idle", "handler", "crash"])
async def test_a_handler_is_a_scope(where: str) -> None:
    """
    RELEASED: what a handler or a hook leaves behind is over with it, crashed or not.
    """
    async with hops(1) as here, clerks(a=where) as server:
        ref = server.root.find("/residents/a")
        if where == "crash":
            with pytest.raises(CallFailed):
                await ref.call({"type": "begin", "crash": True})
        else:
            await ref.call({"type": "begin"})
        await all_at_rest(here)
        assert await ref.call({"type": "ping"}) == "pong"


async def test_the_last_handler_is_a_scope() -> None:
    """
    RELEASED: so is what `stopped` leaves behind.
    """
    async with hops(1) as here:
        async with clerks(a="stopped"):
            pass
        await all_at_rest(here)


async def test_actors_share_no_transaction() -> None:
    """
    PINNED: each handler has its own thread from begin to end; its child tasks share it.
    """
    begun, both = list[str](), trio.Event()

    async def until_both() -> None:
        begun.append("one")
        if len(begun) == 2:
            both.set()
        await both.wait()

    found: dict[str, list[str]] = {}

    async def call(name: str) -> None:
        message = {"type": "both", "begun": until_both}
        found[name] = await server.root.find(f"/residents/{name}").call(message)

    async with hops(2), clerks(a="", b="") as server, trio.open_nursery() as nursery:
        nursery.start_soon(call, "a")
        nursery.start_soon(call, "b")
    assert {name: len(set(names)) for name, names in found.items()} == {"a": 1, "b": 1}
    assert found["a"] != found["b"]
    assert [len(names) for names in found.values()] == [4, 4]


async def test_a_background_task_is_apart() -> None:
    """
    A task that a handler starts with `start_soon` is not inside the handler's transaction.
    """
    async with hops(2), clerks(a="") as server:
        before, task, after = await server.root.find("/residents/a").call({"type": "task"})
    assert before == after != task


class Caller(Actor):
    """Has its async methods called by a `def` handler, in each way that there is."""

    async def where(self) -> str:
        return "trio" if inside_trio() else "elsewhere"

    @async_to_sync
    async def decorated(self) -> str:
        return await self.where()

    @on_asyncio
    async def marked(self) -> str:
        return await self.where()

    @handles("call")
    def on_call(self, message: dict[str, Any]) -> list[str]:
        own: list[Callable[[], str]] = [
            async_to_sync(self.where),
            async_to_sync(partial(self.where)),
            partial(async_to_sync(type(self).where), self),
            self.decorated,
            async_to_sync(self.marked),
        ]
        return [call() for call in own]


async def test_an_actors_own_methods_run_on_trio() -> None:
    """
    What a `def` handler calls by async_to_sync() runs there without a mark, if it is a method.
    """
    async with serve(Application(children=[ChildSpec(actor=Caller, name="a")])) as server:
        found = await server.root.find("/residents/a").call({"type": "call"})
    assert found == ["trio"] * 4 + ["elsewhere"]


async def test_hops_tell_whose_they_are() -> None:
    """
    The listings of the pool name the actor that waits for a hop.
    """
    labels = list[str]()

    class Teller(Actor):
        @handles("tell")
        async def on_tell(self, message: dict[str, Any]) -> None:
            await sync_to_async(self._tell)()

        def _tell(self) -> None:
            job = current_job()
            assert job is not None
            labels.append(job.label)

    async with serve(Application(children=[ChildSpec(actor=Teller, name="a")])) as server:
        await server.root.find("/residents/a").call({"type": "tell"})
    [label] = labels
    assert label.startswith("/residents/a ")
    assert label.endswith("Teller._tell")


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


async def all_at_rest(here: Hops) -> None:
    """Wait until no thread has anything to do."""
    with trio.fail_after(SECONDS):
        while (now := here.pool.statistics()).running or now.parked:
            await trio.lowlevel.checkpoint()
