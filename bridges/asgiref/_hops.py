# How async code on trio has sync work done in a thread.
#
#   (a) in the thread that serves this async code, if there is one: sync code called it
#   (b) in the thread that an earlier hop of this scope (_scopes.py) has left inside a transaction,
#       or in the midst of a generator
#   (c) in the pool "orm"; the thread that rested last is taken first
#
# Why (b): people open `atomic()` in one hop and leave it in another, and Django reads a query for
# `async for` by a hop a chunk. How the thread is kept stands in _work.py.
#
# Invariants, each with a test of that name in tests/bridges/asgiref/test_hops.py or
# test_scopes.py:
#   PINNED     from a hop that ends inside a transaction to the one that ends it, all hops of
#              the scope run in one thread; so with a generator.
#   RELEASED   the scope's end gives the thread back, whatever it holds.

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from math import inf
from types import GeneratorType
from typing import Any, TypeVar

import trio

from ...actors import ThreadPool
from ...actors._lowlevel import call_when_task_ends, one_of_this_run, start_system_task
from ...actors._run_end import call_when_handler_ends
from ...actors._threads import part_with
from ...actors._workers import Workers
from ._hop_settings import hop_settings
from ._scopes import assigned, keep, thread_of_scope
from ._side_loop import SideLoop
from ._work import Work

T = TypeVar("T")

_GRACE = 5.0  # seconds


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
    """What the blocks of open_hops() have opened in a run of trio, the newest last; see below."""

    def __init__(self) -> None:
        self.opened: list[Hops] = []  # not left in the order in which they were entered
        self.lone: Hops | None = None  # where there is no block


def current_hops() -> Hops:
    """
    Return those of the running loop; made now, for as long as it runs, if there are none.

    Raises:
        RuntimeError: Not called inside trio.
    """
    run = one_of_this_run(_OfThisRun)
    if run.opened:
        return run.opened[-1]
    if run.lone is None:
        settings = hop_settings()
        run.lone = open_pool(ThreadPool, settings.threads(), settings.spare())
        start_system_task(_close_at_the_end, "greenroom, threads for sync code")
    return run.lone


def open_pool(workers: Callable[..., Workers], threads: int, spare: int) -> Hops:
    """Return a new pool "orm", made by *workers*, and a side loop."""
    return Hops(workers("orm", threads, hooks=hop_settings().hooks(), spare=spare))


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
    run, hops = one_of_this_run(_OfThisRun), open_pool(workers, threads, spare)
    run.opened.append(hops)
    listed.append(hops.pool)
    try:
        yield hops
    finally:
        run.opened.remove(hops)
        with trio.CancelScope(shield=True):
            await hops.aclose(timeout)


async def _close_at_the_end() -> None:
    try:
        await trio.sleep_forever()
    finally:
        hops, one_of_this_run(_OfThisRun).lone = one_of_this_run(_OfThisRun).lone, None
        if hops is not None:
            with trio.CancelScope(shield=True):
                await hops.aclose(_GRACE)


async def hop(
    call: Callable[[], T],
    *,
    label: str,
    generator: GeneratorType[Any, Any, Any] | None = None,
    sensitive: bool = True,
) -> T:
    """
    Have *call*, which brings its own context, run in a thread; see the header. A checkpoint.

    Cancelled while it waits for a thread, it never runs; while it runs, it is waited for for five
    seconds and then abandoned.

    Args:
        call: Called without arguments.
        label: What to call it in listings and in logs.
        generator: What it reads from, if that has to be read in one thread.
        sensitive: Whether it has to run in the thread of this scope, if there is one.

    Raises:
        BaseException: Whatever *call* raises.
    """
    if trio.current_effective_deadline() == -inf:
        await trio.sleep(0)  # raises Cancelled
    hops = current_hops()
    thread = thread_of_scope(hops.pool, hops.side_loop.trio, sensitive=sensitive)
    work, job = assigned(
        partial(Work, call, sys.exc_info()[1], generator),
        thread,
        lambda thread, work: thread.submit(work, label=label),
        lambda work: hops.pool.submit(work, label=label),
    )
    try:
        try:
            await job.wait()
        except trio.Cancelled:
            await part_with(job, _GRACE)  # noqa: ASYNC102 - has both inside
            work.give_up()
            raise
        if work.kept is None:
            return job.result()
        keep(work.kept, _when_it_ends)
        return work.early_result()
    finally:
        del job, work


def _when_it_ends(function: Callable[[], object]) -> None:
    if not call_when_handler_ends(function):
        call_when_task_ends(function)
