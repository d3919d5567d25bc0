# How async code on trio has sync work done in a thread.
#
#   (a) in the thread that serves this async code, if there is one: sync code called it
#   (b) in the thread that an earlier hop of this scope has left inside a transaction
#   (c) in the pool "orm"; the thread that rested last is taken first
#
# A thread that a hop leaves inside a transaction is kept for the scope: its job lets go of its
# task and serves the scope's further hops until the transaction is over. People open `atomic()`
# in one hop and leave it in another. A scope is what `hop_scope()` encloses, else the task.
#
# Invariants, each with a test of that name in tests/bridges/asgiref/test_hops.py:
#   PINNED     from a hop that ends inside a transaction to the one that ends it, all hops of
#              the scope run in one thread.
#   RELEASED   the scope's end gives the thread back, whatever it holds.

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from math import inf
from typing import Any, TypeVar

import trio

from ...actors import ThreadHooks, ThreadPool, current_job
from ...actors._lowlevel import (
    call_when_task_ends,
    one_of_this_run,
    start_system_task,
)
from ...actors._serving import Serving, serving_here
from ...actors._threads import part_with
from ...actors._workers import Workers
from ._side_loop import SideLoop

T = TypeVar("T")

_GRACE = 5.0  # seconds


def _threads() -> int:
    """Say 8."""
    return 8


def _spare() -> int:
    """Say 32."""
    return 32


def _never() -> bool:
    """Say no."""
    return False


@dataclass(frozen=True)
class HopSettings:
    """What to make a pool of, where no application has made one, and how to tell what it holds."""

    threads: Callable[[], int] = _threads
    """How many jobs run at once."""
    spare: Callable[[], int] = _spare
    """How many more threads there may be while jobs are parked."""
    hooks: Callable[[], ThreadHooks] = ThreadHooks
    """What the threads do around their jobs."""
    in_transaction: Callable[[], bool] = _never
    """Whether the calling thread holds something that only it can end."""


class _Configured:
    settings = HopSettings()


def configure_hops(settings: HopSettings) -> HopSettings:
    """Have hops use *settings* from now on; return what they used before."""
    before, _Configured.settings = _Configured.settings, settings
    return before


class Hops:
    """
    The pool "orm" and the side loop of one run of trio.

    Args:
        pool: Carries out sync work.
    """

    def __init__(self, pool: Workers) -> None:
        self.pool = pool
        self.side_loop = SideLoop()
        self.side_loop.pool = pool

    async def aclose(self, timeout: float) -> None:
        """End both, within *timeout* seconds each. A checkpoint."""
        await self.side_loop.aclose(timeout)
        await self.pool.aclose(timeout=timeout)


class _OfThisRun:
    hops: Hops | None = None


def current_hops() -> Hops:
    """
    Return those of the running loop; made now, for as long as it runs, if there are none.

    Raises:
        RuntimeError: Not called inside trio.
    """
    run = one_of_this_run(_OfThisRun)
    if run.hops is None:
        settings = _Configured.settings
        run.hops = open_pool(ThreadPool, settings.threads(), settings.spare())
        start_system_task(_close_at_the_end, "greenroom, threads for sync code")
    return run.hops


def open_pool(workers: Callable[..., Workers], threads: int, spare: int) -> Hops:
    """Return a new pool "orm", made by *workers*, and a side loop."""
    return Hops(workers("orm", threads, hooks=_Configured.settings.hooks(), spare=spare))


@asynccontextmanager
async def open_hops(
    workers: Callable[..., Workers],
    *,
    threads: int,
    spare: int,
    listed: list[Workers],
    timeout: float,
) -> AsyncGenerator[Hops, None]:
    """
    Make those of the running loop, to be used in the block; at its end they are closed.

    Args:
        workers: Makes the pool.
        threads: How many jobs run in it at once.
        spare: How many more threads it may have while jobs are parked.
        listed: Where to add it, for the tree.
        timeout: How many seconds the end may take, for each of both.
    """
    run = one_of_this_run(_OfThisRun)
    before, run.hops = run.hops, open_pool(workers, threads, spare)
    listed.append(run.hops.pool)
    hops = run.hops
    try:
        yield hops
    finally:
        run.hops = before
        with trio.CancelScope(shield=True):
            await hops.aclose(timeout)


async def _close_at_the_end() -> None:
    try:
        await trio.sleep_forever()
    finally:
        hops, one_of_this_run(_OfThisRun).hops = one_of_this_run(_OfThisRun).hops, None
        if hops is not None:
            with trio.CancelScope(shield=True):
                await hops.aclose(_GRACE)


class _Scope:
    """Whose hops share a thread while it is inside a transaction."""

    closed = False
    pinned: Serving | None = None

    def thread(self) -> Serving | None:
        if self.pinned is not None and self.pinned.ended:
            self.pinned = None
        return self.pinned

    def close(self) -> None:
        self.closed = True
        if self.pinned is not None:
            self.pinned.end()


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
        _scope.reset(token)


def pin(thread: Serving, when_task_ends: Callable[[Callable[[], object]], object]) -> None:
    """Keep *thread* for this scope; made now, for the running task, if there is none."""
    scope = _scope.get()
    if scope is None or scope.closed:
        scope = _Scope()
        _scope.set(scope)
        when_task_ends(scope.close)
    scope.pinned = thread


def thread_of_scope() -> Serving | None:
    """Return the thread that must do what is next, or None: any of the pool. See the header."""
    thread = serving_here()
    if thread is None and (scope := _scope.get()) is not None:
        thread = scope.thread()
    return thread


class Work:
    """Sync work on its way: what to call, and how it ended if its thread goes on with others."""

    __slots__ = ("call", "error", "exc_info", "pinned", "value")

    def __init__(self, call: Callable[[], Any], error: BaseException | None) -> None:
        self.call, self.exc_info = call, error
        self.value: Any = None
        self.error: BaseException | None = None
        self.pinned: Serving | None = None

    def __call__(self) -> Any:
        return self._called()

    def early_result(self) -> Any:
        """Return or raise what came of it, of a thread that goes on."""
        if self.error is None:
            return self.value
        raise self.error

    def _called(self) -> Any:
        handled = self.exc_info
        if handled is None:
            return self.call()
        try:
            raise handled  # so that sys.exc_info() tells there what it tells here
        except BaseException:  # noqa: BLE001, ASYNC103 - in a thread, and handled already
            return self.call()  # noqa: ASYNC104
        finally:
            del handled


class Pinning(Work):
    """The same, in a thread that is kept if the work leaves it inside a transaction."""

    __slots__ = ()

    def __call__(self) -> Any:
        in_transaction = _Configured.settings.in_transaction
        error: BaseException | None = None
        value: Any = None
        try:
            value = self._called()
        except BaseException as raised:  # noqa: ASYNC103 - the task raises it
            if not in_transaction():
                raise
            error = raised
        if in_transaction():
            job = current_job()
            assert job is not None
            self.value, self.error = value, error
            self.pinned = Serving(job.loop, job.thread_name)
            del value, error
            job.let_go()
            self.pinned.serve(lambda: not in_transaction())
            return None
        return value


async def hop(call: Callable[[], T], *, label: str) -> T:
    """
    Have *call*, which brings its own context, run in a thread; see the header. A checkpoint.

    Cancelled while it waits for a thread, it never runs; while it runs, it is waited for for five
    seconds and then abandoned.

    Raises:
        BaseException: Whatever *call* raises.
    """
    if trio.current_effective_deadline() == -inf:
        await trio.sleep(0)  # raises Cancelled
    handled = sys.exc_info()[1]
    thread = thread_of_scope()
    if thread is not None:
        work = Work(call, handled)
        job = thread.submit(work, label=label)
    else:
        work = Pinning(call, handled)
        job = current_hops().pool.submit(work, label=label)
    try:
        try:
            await job.wait()
        except trio.Cancelled:
            await part_with(job, _GRACE)  # noqa: ASYNC102 - has both inside
            if work.pinned is not None:
                work.pinned.end()
            raise
        if work.pinned is None:
            return job.result()
        pin(work.pinned, call_when_task_ends)
        return work.early_result()
    finally:
        del job, work, handled
