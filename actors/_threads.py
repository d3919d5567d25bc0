# Worker threads for blocking handlers: the side of the pool that lives in the loop.
#
# Work goes to the crew (_crew.py), results come back here: a thread appends its finished
# job to one deque and rings for the loop only if nobody has rung yet, so that many results
# cost one wake-up. Ringing is what is dear about a hop: a system call and a turn of the loop.
#
# Invariants, each with a test of that name in tests/actors/test_threads*.py:
#   DELIVERY   a job that ended wakes whoever waits, also when the task begins to wait in
#              the very moment the job ends: waiting and delivery happen in one thread.
#   LATE       a job that ends after its loop did is dropped without a word.
#   EXIT       no thread, and no waiting for one, can keep the process from ending.

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar
from weakref import WeakSet

import trio

from ._crew import Crew
from ._errors import GreenroomError
from ._job import Job, NobodyWaits
from ._lowlevel import LoopThread, Parker, checkpoint
from ._thread_hooks import ThreadHooks, log

T = TypeVar("T")

logger = logging.getLogger("greenroom.threads")

_pools: WeakSet[ThreadPool] = WeakSet()


class PoolClosed(GreenroomError, RuntimeError):
    """The pool *pool* takes no more work: `ThreadPool.aclose` was called."""

    def __init__(self, pool: str, label: str) -> None:
        super().__init__(pool, label)  # everything in args, so pickle works
        self.pool, self.label = pool, label

    def __str__(self) -> str:
        return f"thread pool {self.pool!r} is closed; {self.label!r} was not run"


class AbandonedJob(NamedTuple):
    """A job that nobody waits for and that has not returned."""

    label: str
    thread: str
    """Name of the thread whose place it takes."""
    seconds: float
    """How long it has been running."""


@dataclass(frozen=True)
class PoolStatistics:
    """A `ThreadPool` at one moment."""

    name: str
    size: int
    """How many jobs may run at once."""
    threads: int
    """Threads that live, those included that stand in for parked jobs."""
    running: int
    """Jobs that hold a place, abandoned ones included."""
    queued: int
    """Jobs that wait for a thread."""
    waiting_seconds: float
    """How long the first of those has waited; 0 if there is none."""
    parked: int
    """Jobs that gave their place away while they wait for something else."""
    abandoned: tuple[AbandonedJob, ...]
    """Jobs that nobody waits for, the oldest first."""


class ThreadPool:
    """
    Persistent, named threads that run blocking work for one trio loop.

    Threads are started as they are needed, up to *size*, and live until the pool closes.
    Jobs begin in the order of `submit`, each in a copy of the submitter's context. A pool
    serves one loop at a time.

    Args:
        name: First part of the threads' names.
        size: How many jobs run at once; at least 1.
        hooks: What the threads do around their jobs.
        idle_seconds: How long a thread has nothing to do before its `on_idle` hook runs.
        spare: How many jobs may give their place away at once; there are at most so many
            threads more than *size*.
    """

    def __init__(
        self,
        name: str,
        size: int,
        *,
        hooks: ThreadHooks = ThreadHooks(),  # noqa: B008  # frozen
        idle_seconds: float = 1.0,
        spare: int = 32,
    ) -> None:
        if size < 1:
            raise ValueError(f"a pool needs at least one thread. Got: size={size!r}")
        if not 0 < idle_seconds < math.inf:
            raise ValueError(f"idle_seconds must be above 0. Got: {idle_seconds!r}")
        if spare < 0:
            raise ValueError(f"a pool can't have fewer than 0 threads to spare. Got: {spare!r}")
        self.name, self.size = name, size
        self._crew = Crew(
            name, size, hooks, idle_seconds, spare=spare, ended=self._ended, left=self._ring
        )
        self._loop: LoopThread | None = None
        self._rung = False
        self._closers: list[Parker] = []
        _pools.add(self)

    def __repr__(self) -> str:
        now = self.statistics()
        closed = ", closed" if self._crew.closing else ""
        return (
            f"<ThreadPool {self.name!r} {now.threads} of {now.size} threads, {now.running}"
            f" running, {now.queued} queued, {now.parked} parked,"
            f" {len(now.abandoned)} abandoned{closed}>"
        )

    def who_is_busy(self) -> str:
        """Say who holds the threads, for those who wait for one in vain. Any thread."""
        jobs = self._crew.census().jobs
        oldest = f", the oldest with {jobs[0].label}" if jobs else ""
        return f"all {self.size} threads of the pool {self.name!r} were busy{oldest}"

    def oldest_jobs(self, most: int = 5) -> list[str]:
        """Say what runs longest and for how long, *most* jobs. Any thread."""
        jobs = self._crew.census().jobs[:most]
        return [f"{job.label} for {job.seconds_running():.0f} s" for job in jobs]

    def holders(self) -> list[tuple[Job[Any], int]]:
        """Return the jobs that a thread has, the oldest first, each with its thread's ident."""
        return self._crew.holders()

    def submit(self, work: Callable[[], T], *, label: str) -> Job[T]:
        """
        Queue *work*; never blocks. Not a checkpoint. In the loop's thread only.

        Args:
            work: Called without arguments in a worker thread, in a copy of this context.
            label: What to call the job in listings and in logs.

        Raises:
            PoolClosed: The pool is closing.
            RuntimeError: Not called in the pool's loop, or the system has no thread to give.
        """
        if self._crew.closing:
            raise PoolClosed(self.name, label)
        if self._loop is not None and not self._loop.is_here() and not self._crew.idle:
            raise RuntimeError(f"{label!r} was submitted to pool {self.name!r} outside its loop")
        # Asked each time: a pool may outlive its loop and serve the next one.
        self._loop = loop = LoopThread.current()
        job = Job(self._crew, work, label)
        job.loop = loop
        self._crew.submit(job)
        return job

    def submit_from_thread(self, job: Job[Any]) -> None:
        """
        Queue a job, made by `new_job` in any thread, whose `on_end` says when it is over.

        Raises:
            PoolClosed: The pool is closing.
            RuntimeError: The system has no thread to give.
        """
        if self._crew.closing:
            raise PoolClosed(self.name, job.label)
        self._crew.submit(job)

    def new_job(self, work: Callable[[], T], loop: LoopThread, *, label: str) -> Job[T]:
        """Return a job for `submit_from_thread`, whose calls the tasks of *loop* await."""
        job = Job(self._crew, work, label)
        job.loop = loop
        return job

    async def run(self, work: Callable[[], T], *, label: str, grace_seconds: float = 5.0) -> T:
        """
        Run *work* in a worker thread and return its result. Always a checkpoint.

        If cancelled while the job is queued, it is withdrawn and never runs. If cancelled
        while it runs, waits up to *grace_seconds* for it to return, then abandons it; what
        it raised meanwhile is logged. Cancelled beforehand, nothing is queued.

        Raises:
            PoolClosed: The pool is closing, or closed before a thread had the job.
            BaseException: Whatever *work* raises.
        """
        if trio.current_effective_deadline() == -math.inf:
            await checkpoint()  # raises Cancelled
        job = self.submit(work, label=label)
        try:
            try:
                await job.wait()
            except trio.Cancelled:
                await part_with(job, grace_seconds)  # noqa: ASYNC102 - has both inside
                raise
            return job.result()
        finally:
            del job  # an error's traceback holds this frame, and the job holds the error

    @property
    def has_room(self) -> bool:
        """Whether a job would find a thread at once. From any thread, so of the moment only."""
        return self._crew.has_room

    @property
    def busy(self) -> bool:
        """Whether a thread works, or leaves, or a result is under way, for somebody who waits."""
        threads, queued, _, parked, jobs = self._crew.census()
        if queued and len(jobs) - parked < self.size:
            return True  # a thread is about to take it
        if self._crew.closing and threads > len(jobs):
            return True  # one without a job is about to leave, or in its `on_exit`
        # What is queued behind threads that all wait is not under way.
        works = any(not job.rests and (queued or not job.abandoned) for job in jobs)
        return works or bool(self._crew.done) or self._crew.telling > 0

    def statistics(self) -> PoolStatistics:
        """Return a snapshot of the pool. Not a checkpoint; from any thread."""
        threads, queued, waiting, parked, jobs = self._crew.census()
        return PoolStatistics(
            name=self.name,
            size=self.size,
            threads=threads,
            running=len(jobs) - parked,
            queued=queued,
            waiting_seconds=waiting,
            parked=parked,
            abandoned=tuple(
                AbandonedJob(job.label, job.thread_name, job.seconds_running())
                for job in jobs
                if job.abandoned
            ),
        )

    async def aclose(self, *, timeout: float) -> None:
        """
        Refuse new work and wait for the threads to finish theirs. Always a checkpoint.

        Jobs already queued still run while there is time. After *timeout* seconds those that
        no thread has are withdrawn, and waiting for them ends with `PoolClosed`; those that
        run go on in their daemon threads, which cannot keep the process from ending. Each
        thread runs `on_exit` as it leaves. May be called again; a cancelled call leaves the
        pool closing.

        Args:
            timeout: Seconds to wait; 0 waits for nothing.
        """
        self._loop = LoopThread.current()  # also where all jobs came by submit_from_thread
        self._crew.close()
        parker = Parker()
        self._closers.append(parker)
        try:
            with trio.move_on_after(timeout):
                await checkpoint()
                while not self._crew.empty:
                    await parker.park()
        finally:
            self._closers.remove(parker)
        for job in self._crew.waiting():
            job.error = PoolClosed(self.name, job.label)
            job.withdraw()
        for job in self._crew.census().jobs:
            job.refuse_calls(f"the pool {self.name} is closed")
        if stuck := self._crew.census().jobs:
            logger.warning(
                "pool %s closed after %g s with work still running: %s",
                self.name,
                timeout,
                ", ".join(f"{job.label} in {job.thread_name}" for job in stuck),
            )

    # In the worker threads.

    def _ended(self, job: Job[Any]) -> None:
        if job.abandoned:
            text = "%r, which nobody waited for, ended after %.1f s"
            log(logging.INFO, text, job, job.seconds_running(), error=job.error)
        if job.on_end is not None:
            job.notify()
        else:
            self._ring()

    def _ring(self) -> None:
        # Read after the job was put down: whoever cleared it in between takes the job along.
        # Two threads that ring at once are one delivery, because it is idempotent.
        if self._rung or self._loop is None:
            return
        self._rung = True
        try:
            self._loop.call_soon(self._deliver, idempotent=True)
        except trio.RunFinishedError:
            self._crew.done.clear()  # nobody is left who could wait
            self._rung = False

    # In the loop, as a callback: whatever it raised would end the loop.

    def _deliver(self) -> None:
        self._rung = False
        # As many as there are now: a thread that adds one later has to ring again.
        done = self._crew.done
        for _ in range(len(done)):
            done.popleft().notify()
        if self._crew.empty:
            for parker in self._closers:
                parker.wake()


async def part_with(job: Job[Any], grace_seconds: float) -> None:
    """
    Leave *job*, whose caller was cancelled: withdrawn, else waited for, else abandoned.

    Shielded, and over after *grace_seconds*. What its thread has awaited meanwhile is refused.
    """
    if job.withdraw():
        return
    job.refuse_calls(f"the caller of {job.label} was cancelled")
    with trio.move_on_after(grace_seconds, shield=True):
        await job.wait()
    job.abandon()
    if not job.abandoned:
        tell_late(job, job.error)


def tell_late(what: object, error: BaseException | None) -> None:
    """Log the *error* of *what*, if it has one: its caller was cancelled, so nobody raises it."""
    if error is not None and not isinstance(error, NobodyWaits):
        log(logging.WARNING, "%s raised after its caller was cancelled", what, error=error)


def threads_busy() -> bool:
    """Return whether any pool of this process is `ThreadPool.busy`. Any thread."""
    return any(pool.busy for pool in tuple(_pools))
