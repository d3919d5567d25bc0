# Who has a request now: a worker thread, or the asyncio loop.
#
# From an async view on asyncio the request goes straight to that loop and straight back to a
# thread. By way of its task on trio it would take two wake-ups more, and they are what is dear.
#
#   thread    begin()          middleware, up to the view
#   asyncio   the view         sent by that thread
#   thread    go_on()          middleware, back up: submitted by asyncio's thread
#
# The task of the request sees one exchange, as if a sync view ran all the time.

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from ...actors import Job, JobState, ThreadPool
from ...actors._lowlevel import LoopThread
from ..asgiref import SideLoop, current_hops, flavour_of
from ._answer import Answer, Outcome
from ._async import at_home
from ._chain import Call
from ._exchange import Exchange

logger = logging.getLogger("greenroom.django")


def _nothing() -> None:
    """Nobody waits for the job: its exchange tells what there is to tell."""


class Legs:
    """
    The way of one request through threads and the asyncio loop, up to the exchange's end.

    Made on the loop's thread.
    """

    def __init__(self, answer: Answer, exchange: Exchange, pool: ThreadPool, label: str) -> None:
        self._answer, self._exchange, self._pool, self._label = answer, exchange, pool, label
        self._side_loop: SideLoop = current_hops().side_loop
        self._loop: LoopThread = self._side_loop.trio
        self._lock = threading.Lock()  # guards all below
        self._job: Job[None] | None = None
        self._cancel: Callable[[], object] | None = None  # the async view, while it runs
        self._stopped = False

    # In the request's task.

    def start(self, work: Callable[[Exchange], None]) -> None:
        """
        Submit the first leg. Not a checkpoint.

        Raises:
            PoolClosed: The pool is closing.
        """
        with self._lock:  # its thread may have it at asyncio, and back, before this is over
            self._submit(partial(work, self._exchange))

    def _submit(self, work: Callable[[], None]) -> None:
        job = self._pool.new_job(work, self._loop, label=self._label)
        # Before a thread may have it: else it may end as one that somebody waits for.
        job.on_call, job.on_end = self._exchange.take_call, _nothing
        self._pool.submit_from_thread(job)
        self._job = job

    @property
    def withdrawn(self) -> bool:
        """Whether it was taken back before a thread had it, or had it again."""
        return self._job is not None and self._job.state is JobState.WITHDRAWN

    def stop(self) -> bool:
        """
        Have it end as soon as can be. Not a checkpoint.

        Returns:
            Whether it has ended: it waited for a thread. Else the exchange tells of its end.
        """
        with self._lock:
            self._stopped = True
            if self._cancel is not None:
                self._cancel()
                return False
        return self._job is None or self._job.withdraw() or self.withdrawn

    def abandon(self) -> None:
        """Say that nobody waits any more for what `stop` has not ended. Not a checkpoint."""
        if self._job is not None:
            self._job.abandon()

    # In a worker thread.

    def cross(self, call: Call) -> bool:
        """Send *call* to the asyncio loop, if that is where it is to run; say whether it was."""
        if flavour_of(call.function) != "asyncio":
            return False
        function = partial(call.function, *call.args, **call.kwargs)
        with self._lock:
            if self._stopped:
                return False
            self._exchange.leave()
            self._cancel = self._side_loop.send(
                partial(at_home, function),
                context=self._answer.context,
                label=self._label,
                ended=self._landed,
            )
            return self._cancel is not None

    # In the asyncio loop's thread.

    def _landed(self, value: Any, error: BaseException | None) -> None:
        go_on = partial(self._answer.go_on, Outcome(value, error), self._exchange)
        with self._lock:
            self._cancel = None
            if not self._stopped:
                try:
                    self._submit(partial(self._answer.context.run, go_on))
                except RuntimeError as refusal:  # PoolClosed, or no thread to be had
                    self._exchange.finish(refusal)
                return
        try:
            if error is not None and not isinstance(error, asyncio.CancelledError):
                logger.warning("%s raised after it was cancelled", self._label, exc_info=error)
        finally:
            self._exchange.finish(None)
