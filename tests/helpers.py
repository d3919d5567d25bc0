# What tests of the core share: routes without Django, a look at events and at trio's tasks.

import gc
import os
import sys
from collections.abc import AsyncGenerator, Callable, Iterator, MutableMapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import trio
from trio.lowlevel import Task, current_root_task

from greenroom.bridges.asgi import Application, Match
from greenroom.bridges.testing import ServerDriver, serve
from greenroom.supervisor import Event, EventStream, Options


class Routes:
    """Finds a consumer by the first part of the path: ``{"chat": Chat}`` serves /chat."""

    def __init__(self, routes: dict[str, Any]) -> None:
        self._routes = routes

    def match(self, scope: MutableMapping[str, Any]) -> Match | None:
        """Return the consumer of *scope*, or None."""
        name = scope["path"].split("/")[1]
        found = self._routes.get(name)
        return None if found is None else Match(found, name=name)


@asynccontextmanager
async def running(
    *residents: object, options: Options | None = None, http: Any = None, **consumers: Any
) -> AsyncGenerator[ServerDriver]:
    """Serve *consumers*, each at the path of its keyword, beside *residents*."""
    application = Application(
        http=http, router=Routes(consumers), children=residents, options=options
    )
    async with serve(application) as server:
        yield server


@asynccontextmanager
async def requested(
    *residents: object, options: Options | None = None, http: Any = None, **consumers: Any
) -> AsyncGenerator[ServerDriver]:
    """Serve requests with *consumers*, each at the path of its keyword, beside *residents*."""
    application = Application(
        http=http, http_router=Routes(consumers), children=residents, options=options
    )
    async with serve(application) as server:
        yield server


def happened(server: ServerDriver, kind: str, path: str = "") -> list[Event]:
    """Return the events of *kind* so far, of *path* if it is given."""
    return [each for each in server.root.events.recent(1000, kind) if path in ("", each.path)]


class Watch:
    """Counts events from now on; made before what causes them."""

    def __init__(self, events: EventStream, kind: str, path: str = "") -> None:
        self.seen: list[Event] = []
        self._kind, self._path = kind, path
        self._token = trio.lowlevel.current_trio_token()
        self._news = trio.Event()
        self._stop = events.subscribe(self._look)

    def _look(self, event: Event) -> None:
        if event.kind == self._kind and self._path in ("", event.path):
            self.seen.append(event)
            self._token.run_sync_soon(self._tell)

    def _tell(self) -> None:
        self._news.set()
        self._news = trio.Event()

    async def until(self, count: int = 1, seconds: float = 10) -> Event:
        """Wait for *count* events; return the last of them."""
        with trio.fail_after(seconds):
            while len(self.seen) < count:
                await self._news.wait()
        return self.seen[count - 1]


def watch(server: ServerDriver, kind: str, path: str = "") -> Watch:
    """Watch events of *kind* from now on."""
    return Watch(server.root.events, kind, path)


async def settle(condition: Callable[[], object]) -> None:
    """
    Give other tasks and threads turns until *condition* holds; for what has no event.

    The deadline is for a test that fails: a loaded machine may take long to get there.
    """
    with trio.fail_after(60):
        while not condition():
            os.sched_yield()  # this loop would hold the interpreter's lock against the threads
            await trio.lowlevel.checkpoint()


def task_names() -> list[str]:
    """Name every task that trio runs now."""
    root = current_root_task()
    assert root is not None
    return [task.name for task in _below(root)]


def _below(task: Task) -> Iterator[Task]:
    yield task
    for nursery in task.child_nurseries:
        for child in nursery.child_tasks:
            yield from _below(child)


class Work:
    """How much Python was executed: the same on every machine, whatever its mood."""

    def __init__(self) -> None:
        self.steps = 0

    def step(self, *_: object) -> None:
        """Take note of one."""
        self.steps += 1


@contextmanager
def counted() -> Iterator[Work]:
    """
    Count what is executed within, in all threads: lines and jumps, so each turn of a loop too.

    Python 3.11 can count calls only. What C does within one call, neither can see. No garbage is
    collected within: what other tests have left would have its finalizers counted.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        with _counted() as work:
            yield work
    finally:
        if collects:
            gc.enable()


@contextmanager
def _counted() -> Iterator[Work]:
    work = Work()
    if sys.version_info < (3, 12):
        sys.setprofile(work.step)
        try:
            yield work
        finally:
            sys.setprofile(None)
        return
    monitoring, tool = sys.monitoring, 4
    monitoring.use_tool_id(tool, "greenroom's tests")
    try:
        for event in (monitoring.events.LINE, monitoring.events.JUMP):
            monitoring.register_callback(tool, event, work.step)
        monitoring.set_events(tool, monitoring.events.LINE | monitoring.events.JUMP)
        yield work
    finally:
        monitoring.set_events(tool, 0)
        for event in (monitoring.events.LINE, monitoring.events.JUMP):
            monitoring.register_callback(tool, event, None)
        monitoring.free_tool_id(tool)
