"""The way of an incarnation's `def` handlers into a worker thread, and back."""

# One job an actor: whoever waits here is the actor's own task, so `def` and
# `async def` handlers of one actor never overlap. Where several messages wait, they
# go together (see _batch.py for what keeps that exact).

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Any

import trio

from ._batch import Batch
from ._exits import Verdict, judge
from ._job import Job, JobState

if TYPE_CHECKING:
    from ._ports import Host


class Hop:
    """Runs steps of the incarnation *epoch* of *host* on the pool, one job at a time."""

    __slots__ = ("_batch", "_epoch", "_host", "_job", "_until", "never_begun", "pausing")

    def __init__(self, host: Host, epoch: int) -> None:
        self._host = host
        self._epoch = epoch
        self._batch: Batch | None = None
        self._job: Job[Any] | None = None
        self.never_begun = False
        """Whether the last job was cancelled while it waited for a thread."""
        self.pausing = False
        """Whether the job that runs is to begin no further step, for what goes before it."""
        self._until = inf  # when a job that was told to stop is abandoned

    @property
    def in_run(self) -> bool:
        """Whether the job that runs has taken several messages out of the mailbox."""
        return self._batch is not None and self._batch.several

    @property
    def held(self) -> int:
        """How many messages the job that runs has taken out of the mailbox and not begun."""
        return 0 if self._batch is None else self._batch.waiting

    @property
    def thread(self) -> str | None:
        """The name of the thread that works, "" while none has it yet; None if none is needed."""
        return None if self._job is None else self._job.thread_name

    @property
    def job(self) -> Job[Any] | None:
        """The job that works, or waits for a thread; None if none is needed."""
        return self._job

    def tell(self) -> None:
        """Tell the job that runs, if one does, to stop: its next ``self.*`` is Stale."""
        if self._batch is not None:
            self._batch.tell()
            self._until = min(self._until, trio.current_time() + self._host.shutdown_seconds)

    def batch(self, steps: list[Callable[[], Any]]) -> Batch:
        """Make a batch; no step after the first begins while something urgent waits."""
        host = self._host
        return Batch(
            host.path,
            self._epoch,
            steps,
            seconds=host.batch_seconds,
            pause=lambda: host.mailbox.control or self.pausing,
        )

    async def run(self, batch: Batch, name: str) -> None:
        """
        Run *batch* in a thread; raise what its last step raised. A checkpoint if it has to wait.

        Cancelled, it is withdrawn if it waits; else told, and waited for until
        ``shutdown_seconds`` after it was told first, then abandoned: its thread's place
        in the pool stays taken until it ends, and all that it does is inert. What its
        last step raised while it was waited for is reported; a fatal error is raised all
        the same.
        """
        host = self._host
        job = host.pool.submit(batch.work, label=f"{host.path}#{self._epoch} {name}")
        self._batch, self._job = batch, job
        self._until, self.never_begun, self.pausing = inf, False, False
        try:
            if job.state is not JobState.DONE:  # often it is: its thread has had its turn
                await job.wait()
        except trio.Cancelled:
            self.never_begun = job.withdraw()
            if not self.never_begun:
                self.tell()
                job.refuse_calls(f"{host.path} was told to stop")
                with trio.CancelScope(deadline=self._until, shield=True):
                    await job.wait()
                if job.state is not JobState.DONE:
                    job.abandon()
                    host.note("thread.abandoned", epoch=self._epoch, job=job.label)
                elif job.error is not None:
                    verdict = judge(job.error)
                    if verdict is Verdict.FATAL:
                        job.result()  # raises: that end is not softened by another
                    elif verdict is not Verdict.STALE:
                        host.report(job.error, name)
            raise
        finally:
            self._batch = self._job = None
        job.result()
