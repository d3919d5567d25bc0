# The same hop for a task of the side loop: straight to the thread, and straight back.
#
# By way of trio it would cost two wake-ups more. Only async code that the thread calls takes that
# way: it is awaited by a system task of trio, which this hop's cancellation cancels.

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

import trio

from ...actors import Job, NobodyWaits, ThreadPool
from ...actors._lowlevel import start_system_task
from ...actors._serving import AsyncCall, Serving
from ._scopes import keep, thread_of_scope
from ._side_loop import SideLoop
from ._work import Generators, Kept, Work, WorkHere

T = TypeVar("T")


class _Calls:
    """Async code that the thread of a hop calls. In trio's thread."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._scope = trio.CancelScope()

    def take(self, call: AsyncCall) -> None:
        start_system_task(partial(self._await, call), f"async code of {self._label}")

    async def _await(self, call: AsyncCall) -> None:
        with self._scope:
            await call.carry_out()
        if not self._scope.cancel_called:
            self._scope = trio.CancelScope()  # for the next; there is one at a time

    def cancel(self) -> None:
        self._scope.cancel()


async def hop_of_asyncio(
    side_loop: SideLoop,
    pool: ThreadPool,
    call: Callable[[], T],
    *,
    label: str,
    generator: Generators | None = None,
) -> T:
    """
    Have *call* run in a thread, as `hop` does on trio.

    Cancelled while it waits for a thread, it never runs; while it runs, it is waited for.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle() -> None:
        if not done.done():
            done.set_result(None)

    def ended() -> None:
        with suppress(RuntimeError):  # the loop is closed, and nobody waits
            loop.call_soon_threadsafe(settle)

    calls = _Calls(label)
    work, job = _submitted(side_loop, pool, call, label, generator, ended, calls.take)
    try:
        await _until(done, side_loop, calls, job.withdraw)
        if work.kept is None:
            return job.result()
        task = asyncio.current_task()
        assert task is not None
        keep(work.kept, lambda close: task.add_done_callback(lambda _: close()))
        return work.early_result()
    finally:
        del job, work, calls


def _submitted(
    side_loop: SideLoop,
    pool: ThreadPool,
    call: Callable[[], T],
    label: str,
    generator: Generators | None,
    ended: Callable[[], object],
    take: Callable[[AsyncCall], object],
) -> tuple[Work, Job[T]]:
    def new_job(of: Serving | ThreadPool, work: Callable[[], T]) -> Job[T]:
        job = of.new_job(work, side_loop.trio, label=label)
        job.on_end, job.on_call = ended, take
        return job

    handled = sys.exc_info()[1]
    try:
        thread = thread_of_scope()
        if thread is not None:
            work = WorkHere(call, handled, generator, thread)
            job = new_job(thread, work)
            try:
                thread.take(job)
            except NobodyWaits:
                if not isinstance(thread, Kept):
                    raise
                # What it was kept for was over just now: any thread will do.
            else:
                return work, job
        work = Work(call, handled, generator)
        job = new_job(pool, work)
        pool.submit_from_thread(job)
        return work, job
    finally:
        del handled


async def _until(
    done: asyncio.Future[None], side_loop: SideLoop, calls: _Calls, withdraw: Callable[[], bool]
) -> None:
    cancelled: asyncio.CancelledError | None = None
    while not done.done():
        try:
            await asyncio.shield(done)
        except asyncio.CancelledError as error:  # noqa: ASYNC103 - raised below
            cancelled = error
            if withdraw():
                break  # noqa: ASYNC104
            with suppress(trio.RunFinishedError):  # then nothing is awaited there
                side_loop.trio.call_soon(calls.cancel)
    if cancelled is not None:
        try:
            raise cancelled
        finally:
            del cancelled
