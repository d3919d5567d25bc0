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

from ...actors import Job, ThreadPool
from ...actors._lowlevel import start_system_task
from ...actors._serving import AsyncCall, Serving
from ...actors._threads import tell_late
from ._scopes import assigned, keep, thread_of_scope
from ._side_loop import SideLoop
from ._work import Generators, Work

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
    sensitive: bool = True,
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

    def given(thread: Serving | ThreadPool, work: Work) -> Job[T]:
        job = thread.new_job(work, side_loop.trio, label=label)
        job.on_end, job.on_call = ended, calls.take
        if isinstance(thread, ThreadPool):
            thread.submit_from_thread(job)
        else:
            thread.take(job)
        return job

    work, job = assigned(
        partial(Work, call, sys.exc_info()[1], generator),
        thread_of_scope(pool, side_loop.trio, sensitive=sensitive),
        given,
        partial(given, pool),
    )
    try:
        try:
            await _until(done, side_loop, calls, job.withdraw)
        except asyncio.CancelledError:
            tell_late(job, job.error)
            work.give_up()
            raise
        if work.kept is None:
            return job.result()
        task = asyncio.current_task()
        assert task is not None
        keep(work.kept, lambda close: task.add_done_callback(lambda _: close()))
        return work.early_result()
    finally:
        del job, work


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
