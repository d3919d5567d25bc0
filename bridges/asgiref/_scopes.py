# Whose hops share a thread that is kept: a handler's run, an async view, else a task.
#
# As long as none is kept any thread will do: a thread for each scope would be as many threads, or
# waits, as there are sockets. Who needs one all the same has ThreadSensitiveContext.
#
#   handler   from its begin to its end; the next message has a new one
#   view      what `hop_scope()` encloses, also for an async stream
#   task      a background task, or one that a handler or a view has started: its own, unless
#             it was started in a scope, which it then shares. If that ends before the task, as
#             behind asyncio.create_task(), the thread that the task has had kept ends with the task

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from functools import partial
from typing import Any, TypeAlias

from ...actors import Job, NobodyWaits, ThreadPool
from ...actors._lowlevel import LoopThread, inside_trio, this_task
from ...actors._serving import Serving, serving_here
from ...actors._workers import Workers
from ._sensitive import thread_of_context
from ._work import Kept, Work

_WhenEnds: TypeAlias = Callable[[Callable[[], object]], object]


class _Scope:
    """Whose hops share a thread while it is kept."""

    closed = False
    kept: Kept | None = None

    def __init__(self) -> None:
        self._owner: object = _running_task()
        self._keeper: object = None  # the task that `kept` is for
        self._others: set[object] = set()  # tasks that go on and have had a thread kept

    def thread(self) -> Kept | None:
        """Return the thread that is kept."""
        if self.kept is not None and self.kept.ended:
            self.kept = None
        return self.kept

    def close(self) -> None:
        """Give it back, behind what it was given; keep none any more."""
        self.closed, self._owner = True, None
        if self.kept is not None and self._keeper not in self._others:
            self.kept.end()

    def keep(self, thread: Kept, when_task_ends: _WhenEnds) -> None:
        """Keep *thread* until the end, and that of the running task if it is another's."""
        self.kept, self._keeper = thread, _running_task()
        if self._keeper is not self._owner and self._keeper not in self._others:
            self._others.add(self._keeper)
            when_task_ends(partial(self._other_ended, self._keeper))

    def _other_ended(self, task: object) -> None:
        self._others.discard(task)
        if self.closed and self.kept is not None and self._keeper is task:
            self.kept.end()


def _running_task() -> object:
    return this_task() if inside_trio() else asyncio.current_task()


_scope: ContextVar[_Scope | None] = ContextVar("greenroom_hop_scope", default=None)


@contextmanager
def hop_scope() -> Generator[None, None, None]:
    """Keep no thread beyond this block that a hop inside it has left in a transaction."""
    scope = _Scope()
    token = _scope.set(scope)
    try:
        yield
    finally:
        scope.close()
        if (other := _scope.get()) is not None:  # made inside, since this one was taken
            other.close()
        _scope.reset(token)


def assigned(
    new_work: Callable[[], Work],
    thread: Serving | None,
    to_thread: Callable[[Serving, Work], Job[Any]],
    to_pool: Callable[[Work], Job[Any]],
) -> tuple[Work, Job[Any]]:
    """
    Give new work to *thread*, else to the pool, and return it with its job.

    Raises:
        NobodyWaits: The sync code that has called this code waits no more.
    """
    if thread is not None:
        work = new_work()
        work.thread = thread
        try:
            return work, to_thread(thread, work)
        except NobodyWaits:
            if not isinstance(thread, Kept):
                raise
            # What it was kept for was over just now: any thread will do.
    work = new_work()
    return work, to_pool(work)


def current_scope() -> object:
    """Return the scope of the running code, for :func:`take_scope_along`."""
    return _scope.get()


def take_scope_along(context: Context, before: object) -> None:
    """
    Tell *context*, which is about to be restored here, of a scope that was begun meanwhile.

    Else that would be forgotten, with its thread, for the one that was there *before*.
    """
    scope = _scope.get()
    if scope is not before:
        context.run(_scope.set, scope)


def keep(thread: Kept, when_it_ends: _WhenEnds) -> None:
    """Keep *thread* for this scope; made now, for the running code, if there is none."""
    scope = _scope.get()
    # Two tasks that share a scope may each begin a transaction at the same moment.
    if scope is None or scope.closed or scope.thread() is not None:
        scope = _Scope()
        _scope.set(scope)
        when_it_ends(scope.close)
    scope.keep(thread, when_it_ends)


def thread_of_scope(pool: Workers, loop: LoopThread, *, sensitive: bool = True) -> Serving | None:
    """
    Return the thread that must do what is next, or None: any of *pool*. See _hops.py.

    What is not thread-*sensitive* gets any, unless it would have to wait for one: whoever holds
    a thread must not wait for another.
    """
    thread = serving_here()
    if not isinstance(pool, ThreadPool):
        return thread  # in one thread there is none, but by other means
    if thread is None:
        thread = thread_of_context(pool, loop) if sensitive else None
    if thread is None and (scope := _scope.get()) is not None:
        thread = scope.thread()
    if thread is not None and thread.loop is not loop:  # it called trio.run(), and waits for that
        return None
    return thread if sensitive or not pool.has_room else None
