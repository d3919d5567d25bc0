# The threads of a pool, and who of them gets which job.
#
# Why not trio.to_thread: its threads come and go, so what one holds (a database connection) is left
# behind when it dies; it names the thread twice a job and wakes the loop once a result. These live
# until the pool closes.
#
# One FIFO queue, and idle threads on a stack: the thread that rested last is the next to be given
# work, so that the others can stay idle and let go of what they hold. A job is handed straight to
# its thread. A queue.Queue could neither say who is idle nor tell one surplus thread to leave.
#
# Words. A *place* is the right to run; there are `size` of them. A job holds one from the moment a
# thread is given it until that thread is done with it, except while it is parked, of whom there are
# `spare` at most. Threads beyond one for each place and each parked job are *surplus*: they rest
# like others, to stand in for the next that parks, and leave when they have had nothing to do for
# `idle_seconds`. So jobs that park one after the other cost one thread, not one each.
#
# Invariants, each with a test of that name in tests/actors/test_threads*.py:
#   FIFO       jobs begin in the order they were submitted.
#   PLACES     no more than `size` jobs run, but for those that came back from parked().
#   SPARE      there are never more than `size + spare` threads, those that leave included: until
#              its `on_exit` hook has ended a thread may have a connection.
#   NO LOSS    whatever jobs, hooks and loop do, each job ends DONE or WITHDRAWN and its thread goes
#              on to the next. One lock guards all of it; no foreign code runs while it is held.
#   ONCE       a job withdrawn never begins; a job begun can no longer be withdrawn.

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from ._job import Job, JobState
from ._thread_hooks import ThreadHooks, guarded, log

# What a thread is told to do next, besides a job.
REST = "rest"
LEAVE = "leave"

_A_DAY = 86400.0  # seconds


class Census(NamedTuple):
    """A crew at one moment."""

    threads: int
    """Threads that live."""
    queued: int
    """Jobs that no thread has yet."""
    waiting: float
    """For how many seconds the first of those has waited; 0 if there is none."""
    parked: int
    """Jobs that hold no place, of those in *jobs*."""
    jobs: tuple[Job[Any], ...]
    """Jobs that a thread has, the oldest first."""


class Crew:
    """
    Threads that carry out jobs in the order they were submitted. Knows no trio.

    Args:
        name: First part of the threads' names.
        size: Number of places: how many jobs run at once.
        spare: How many jobs may be parked at once.
        hooks: Called in the threads.
        idle_seconds: How long a thread rests before its `on_idle` hook runs.
        ended: Told of each job in `done`, in the thread that has put it there; must not raise.
        left: Told when a thread has left a closing crew, in that thread; must not raise.
    """

    def __init__(
        self,
        name: str,
        size: int,
        hooks: ThreadHooks,
        idle_seconds: float,
        *,
        spare: int,
        ended: Callable[[Job[Any]], None],
        left: Callable[[], None],
    ) -> None:
        self.name, self.size, self.hooks, self.idle_seconds = name, size, hooks, idle_seconds
        self.spare = spare
        self.closing = False
        self.done: deque[Job[Any]] = deque()
        """Jobs that are DONE and for the pool to tell of."""
        self.telling = 0  # threads that have left, and are about to tell of it; for clocks
        self._ended, self._left = ended, left
        self._lock = threading.Lock()
        self._queue: deque[Job[Any]] = deque()
        self._withdrawn = 0  # of those in the queue
        self._idle: list[_Worker] = []
        self._staying = 0  # threads that have not been told to leave
        self._alive = 0  # threads whose `on_exit` hook has not ended
        self._started = 0
        self._running: dict[Job[Any], _Worker] = {}  # who has it; the oldest first
        self._parked = 0  # of those running

    @property
    def idle(self) -> bool:
        """Whether no thread has a job. From any thread, so of the moment only."""
        return not self._running

    @property
    def has_room(self) -> bool:
        """Whether a place is free, and nobody waits for one."""
        with self._lock:
            return not self._queue and len(self._running) - self._parked < self.size

    @property
    def empty(self) -> bool:
        """Whether no thread lives."""
        return self._alive == 0

    def submit(self, job: Job[Any]) -> None:
        """
        Add *job* to the queue, or give it to a thread at once.

        Raises:
            RuntimeError: The system refused the first thread. The job was not taken.
        """
        job.since = time.monotonic()
        with self._lock:
            self._queue.append(job)
            refused = self._hand_out()
            if refused is not None and self._staying == 0:  # nobody would ever come for it
                self._queue.remove(job)
                try:
                    raise refused
                finally:
                    del refused  # its traceback holds this frame
        self._tell("cannot grow past %d threads", refused)

    def withdraw(self, job: Job[Any]) -> bool:
        """Mark *job* as withdrawn if no thread has it; it leaves the queue with others."""
        with self._lock:
            if job.state is not JobState.QUEUED:
                return False
            job.state = JobState.WITHDRAWN
            self._withdrawn += 1
            # Not one by one, which would cost the whole queue each time; nor in their turn
            # alone, since behind threads that are stuck there would be ever more of them.
            if self._withdrawn * 2 > len(self._queue):
                self._queue = deque(each for each in self._queue if each.state is JobState.QUEUED)
                self._withdrawn = 0
            return True

    def abandon(self, job: Job[Any]) -> None:
        """Mark *job* as abandoned if a thread has it: it is marked before it is done, or never."""
        with self._lock:
            if job.state is JobState.RUNNING:
                job.abandoned = True

    def park(self, job: Job[Any]) -> bool:
        """Free the place of *job*, in its thread; False if it has to keep it."""
        if not self.may_park():
            return False
        with self._lock:
            if self._parked >= self.spare:
                return False
            self._parked += 1
            refused = self._hand_out()
        self._tell("cannot stand in for a parked job at %d threads", refused)
        return True

    def unpark(self, job: Job[Any], *, freed: bool) -> None:
        """Take a place for *job*, in its thread, if it has *freed* one, whether or not one is."""
        if freed:
            with self._lock:
                self._parked -= 1
                # The one that has rested longest; the others look for themselves, in `rested`.
                if self._idle and self._idle[0].rested and self._surplus():
                    self._dismiss(self._idle.pop(0))
        self.goes_on()

    def goes_on(self) -> bool:
        """Tell the hook that a parked job's thread goes on; whether it gives up something then."""
        return guarded("goes_on", self.hooks.goes_on) is True

    def may_park(self) -> bool:
        """Ask the hook whether the calling thread's job may give its place away."""
        try:
            return self.hooks.may_park()
        except BaseException as error:  # noqa: BLE001, ASYNC103 - so it keeps its place
            log(logging.ERROR, "hook may_park raised in pool %s", self.name, error=error)
            return False  # noqa: ASYNC104 - in a worker thread there is no Cancelled

    def close(self) -> None:
        """Let each thread leave as soon as the queue holds nothing for it."""
        with self._lock:
            self.closing = True
            while self._idle:
                self._dismiss(self._idle.pop())

    def waiting(self) -> list[Job[Any]]:
        """Return the jobs that no thread has yet, in order."""
        with self._lock:
            return [job for job in self._queue if job.state is JobState.QUEUED]

    def census(self) -> Census:
        """Count what there is, all at one moment."""
        with self._lock:
            first = next((job for job in self._queue if job.state is JobState.QUEUED), None)
            return Census(
                threads=self._alive,
                queued=len(self._queue) - self._withdrawn,
                waiting=time.monotonic() - first.since if first is not None else 0.0,
                parked=self._parked,
                jobs=tuple(self._running),
            )

    def holders(self) -> list[tuple[Job[Any], int]]:
        """Return the jobs that a thread has, the oldest first, each with its thread's ident."""
        with self._lock:
            return [(job, worker.ident) for job, worker in self._running.items()]

    # What threads ask between two jobs.

    def finished(self, worker: _Worker, job: Job[Any]) -> Job[Any] | str:
        """Record that *job* is done; return what *worker* does next."""
        with self._lock:
            del self._running[job]
            job.state = JobState.DONE
            if job.on_end is None:
                self.done.append(job)  # in here, so that it is never neither running nor done
            order = self._next(worker)
        # Only now, so that a task that hears of it finds the thread at rest, not busy.
        self._ended(job)
        return order

    def rested(self, worker: _Worker) -> str | None:
        """Take *worker* out of the idle ones; None if it was given something meanwhile."""
        with self._lock:
            if worker not in self._idle:
                return None
            self._idle.remove(worker)
            return self._leaves() if self._surplus() else REST

    def rest_on(self, worker: _Worker) -> Job[Any] | str:
        """Return what *worker* does behind its `on_idle` hook."""
        with self._lock:
            if (job := self._first()) is not None:
                self._begin(job, worker)
                return job
            if self.closing or self._surplus():
                return self._leaves()
            worker.rested = True
            self._idle.insert(0, worker)  # below those that still have what a job has opened
            return REST

    def leave(self) -> None:
        """Record that the calling thread is at its end."""
        with self._lock:
            self._alive, self.telling = self._alive - 1, self.telling + 1
            refused = self._hand_out()  # what could not have another thread until now
            closing = self.closing
        try:
            self._tell("cannot grow past %d threads", refused)
            if closing:
                self._left()
        finally:
            with self._lock:
                self.telling -= 1

    def _tell(self, what: str, refused: RuntimeError | None) -> None:
        if refused is not None:
            log(logging.ERROR, f"pool %s {what}", self.name, self._staying, error=refused)

    # Under the lock from here on.

    def _surplus(self) -> bool:
        return self._staying - self._parked > self.size

    def _first(self) -> Job[Any] | None:
        queue = self._queue
        while queue and queue[0].state is JobState.WITHDRAWN:
            queue.popleft()
            self._withdrawn -= 1
        if queue and len(self._running) - self._parked < self.size:
            return queue[0]
        return None

    def _begin(self, job: Job[Any], worker: _Worker) -> None:
        self._queue.popleft()
        self._running[job] = worker
        job.state = JobState.RUNNING
        job.thread_name = worker.name
        job.since = time.monotonic()

    def _next(self, worker: _Worker) -> Job[Any] | str:
        if (job := self._first()) is not None:
            self._begin(job, worker)
            return job
        if self.closing:
            return self._leaves()
        worker.rested = False
        self._idle.append(worker)
        return REST

    def _hand_out(self) -> RuntimeError | None:
        """Give jobs to idle threads, or to new ones; return why the system refused one."""
        while (job := self._first()) is not None:
            if self._idle:
                worker = self._idle.pop()
            elif self._may_grow():
                worker = _Worker(self, f"{self.name}-{self._started + 1}")
                try:
                    worker.start()
                except RuntimeError as refused:
                    return refused
                self._started += 1
                self._staying += 1
                self._alive += 1
            else:
                return None  # every thread is busy, or about to ask for the next job, or leaving
            self._begin(job, worker)
            worker.give(job)
        return None

    def _may_grow(self) -> bool:
        fewer_than_places = self._staying - self._parked < self.size
        return fewer_than_places and self._alive < self.size + self.spare

    def _leaves(self) -> str:
        self._staying -= 1
        return LEAVE

    def _dismiss(self, worker: _Worker) -> None:
        self._staying -= 1
        worker.give(LEAVE)


class _Worker:
    """One thread: it carries out what it is given until it is told to leave."""

    __slots__ = ("_bell", "_crew", "_order", "ident", "name", "rested")

    def __init__(self, crew: Crew, name: str) -> None:
        self._crew, self.name = crew, name
        self.ident = 0  # as threading.get_ident gives it
        self.rested = False  # for so long that it has called on_idle; the crew's
        self._order: Job[Any] | str = LEAVE
        # Held from the start: releasing it rings, acquiring it waits. Half an Event's price.
        self._bell = threading.Lock()
        self._bell.acquire()

    def start(self) -> None:
        """Start the thread; it waits to be given something. RuntimeError if there is none."""
        # Daemon: a job that never returns must not keep the process from ending.
        thread = threading.Thread(target=self._main, name=self.name, daemon=True)
        thread.start()
        self.ident = thread.ident or 0

    def give(self, order: Job[Any] | str) -> None:
        """Tell the idle thread what to do. Once, until it is idle again."""
        self._order = order
        self._bell.release()

    def _main(self) -> None:
        # The first order is given right after the start, under the same lock.
        self._bell.acquire()
        order = self._taken()
        while order is not LEAVE:
            if isinstance(order, Job):
                order.carry_out(self._crew.hooks)
                order = self._crew.finished(self, order)
            else:
                order = self._rest()
        guarded("on_exit", self._crew.hooks.on_exit)
        self._crew.leave()

    def _rest(self) -> Job[Any] | str:
        crew = self._crew
        if self._bell.acquire(timeout=crew.idle_seconds):
            return self._taken()
        order: Job[Any] | str | None = crew.rested(self)
        while order is REST:
            seconds = guarded("on_idle", crew.hooks.on_idle)
            order = crew.rest_on(self)
            # As a rule no time limit: it ends with the next job, or when the pool closes.
            if order is REST and self._bell.acquire(timeout=self._limit(seconds)):
                return self._taken()
            if order is REST:
                order = crew.rested(self)
        if order is not None:
            return order
        self._bell.acquire()  # it was given something in this very moment
        return self._taken()

    def _taken(self) -> Job[Any] | str:
        order, self._order = self._order, LEAVE  # a thread at rest holds no job
        return order

    def _limit(self, seconds: object) -> float:
        if not isinstance(seconds, (int, float)):
            return -1.0  # none
        return min(max(seconds, self._crew.idle_seconds), _A_DAY)
