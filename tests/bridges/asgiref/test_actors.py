# A handler's run is a scope of hops; and what belongs to an actor in asgiref's functions.

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import trio
from asgiref.sync import async_to_sync, sync_to_async
from hop_state import all_at_rest, begin, end, hops, thread

from greenroom.actors import Actor, CallFailed, current_job, handles
from greenroom.actors._lowlevel import inside_trio
from greenroom.bridges.asgi import Application
from greenroom.bridges.asgiref import on_asyncio
from greenroom.bridges.testing import ServerDriver, serve
from greenroom.supervisor import ChildSpec


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

    @handles("whole")
    async def on_whole(self, message: dict[str, Any]) -> list[str]:
        return [await sync_to_async(work)() for work in (begin, thread, end)]

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


async def test_each_handler_has_one_thread() -> None:
    """
    PINNED: not the first message alone, but each has one thread for the whole of its transaction.
    """
    async with hops(2), clerks(a="") as server:
        for _ in range(3):
            names = await server.root.find("/residents/a").call({"type": "whole"})
            assert len(set(names)) == 1


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
