# A pool without threads: what carries out `def` handlers where the clock is virtual.
#
# A clock that jumps by itself sees only tasks: while one waits for a thread it would jump
# over the deadline of the very handler. Here a job runs in the task that waits for it, at
# its first turn, so that no time passes. Everything else is a pool's: a job begins or is
# withdrawn, what it raises is carried to whoever waits, its context is a copy.
#
# Nothing else runs meanwhile, so what would wait in a thread can't wait here. It is
# refused (see ActorRef), at the latest when it would give its place in the pool away.

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from ...actors import Job, JobState, PoolClosed, PoolStatistics, ThreadHooks
from ...actors._errors import inline_handler
from ...actors._lowlevel import LoopThread, checkpoint

T = TypeVar("T")


class InlineJob(Job[T]):
    """A piece of work that whoever waits for it carries out."""

    serves = False  # there is no thread that could

    def __init__(self, pool: InlinePool, work: Callable[[], T], label: str) -> None:
        super().__init__(pool, work, label)
        self._pool = pool

    async def wait(self) -> None:
        """Carry the work out, unless that was done already or it was withdrawn. A checkpoint."""
        await checkpoint()  # where a thread would be waited for; cancelled, it has not begun
        if self.state is JobState.QUEUED:
            self._pool.carry_out(self)


class InlinePool:
    """
    Runs the work of `def` handlers on the loop's thread; what :class:`ThreadPool` is elsewhere.

    Args:
        name: What to call it in the tree.
        size: Without a meaning here: one job runs at a time.
        hooks: What to do around each job. Those for threads that rest or leave don't run.
        spare: Without a meaning here.
    """

    def __init__(self, name: str, size: int, *, hooks: ThreadHooks, spare: int = 0) -> None:
        self.name, self.size = name, size
        self._hooks = hooks
        self._queued = 0
        self._running = 0
        self._closed = False

    def submit(self, work: Callable[[], T], *, label: str) -> Job[T]:
        """
        Return *work* as a job, which runs when it is waited for. Not a checkpoint.

        Raises:
            PoolClosed: The pool is closed.
        """
        if self._closed:
            raise PoolClosed(self.name, label)
        self._queued += 1
        job = InlineJob(self, work, label)
        job.loop = LoopThread.current()
        return job

    def who_is_busy(self) -> str:
        """Say why a job has not begun."""
        return "`def` handlers run inline, and its turn had not come"

    def oldest_jobs(self, most: int = 5) -> list[str]:
        """Name nothing: whoever asks would have to run while a job does."""
        return []

    def holders(self) -> list[tuple[Job[Any], int]]:
        """Name nobody, as `oldest_jobs` does."""
        return []

    def statistics(self) -> PoolStatistics:
        """Return a snapshot of the pool. Not a checkpoint."""
        return PoolStatistics(
            name=self.name,
            size=self.size,
            threads=0,
            running=self._running,
            queued=self._queued,
            waiting_seconds=0.0,  # without threads nobody waits for one
            parked=0,
            abandoned=(),
        )

    async def aclose(self, *, timeout: float) -> None:
        """Refuse new work. Always a checkpoint; what is queued still runs."""
        self._closed = True
        await checkpoint()

    # For its jobs.

    def carry_out(self, job: InlineJob[Any]) -> None:
        """Run *job* in this task."""
        self._queued -= 1
        self._running += 1
        job.state = JobState.RUNNING
        job.thread_name, job.since = threading.current_thread().name, time.monotonic()
        job.carry_out(self._hooks)
        job.state = JobState.DONE
        self._running -= 1

    def withdraw(self, job: Job[Any]) -> bool:
        """Mark *job* as withdrawn if it has not begun."""
        if job.state is not JobState.QUEUED:
            return False
        job.state = JobState.WITHDRAWN
        self._queued -= 1
        return True

    def abandon(self, job: Job[Any]) -> None:
        """Do nothing: a job that has begun has ended before anybody could abandon it."""

    def park(self, job: Job[Any]) -> bool:
        """
        Refuse to wait.

        Raises:
            WrongSide: Always.
        """
        raise inline_handler("a wait")

    def unpark(self, job: Job[Any], *, freed: bool) -> None:
        """Do nothing: no job was ever parked."""

    def may_park(self) -> bool:
        """Say no."""
        return False

    def goes_on(self) -> bool:
        """Do nothing."""
        return False
