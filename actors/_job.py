# One piece of work on its way through a pool: queued, given to a thread, done.
#
# A job knows no thread and no loop. Who moves it on is the crew (_crew.py); who tells the
# tasks that wait for it is the pool (_threads.py). A job changes its state under the crew's
# lock; what it holds while it runs is touched by its own thread alone.

from __future__ import annotations

import enum
import os
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from contextvars import Context, ContextVar, copy_context
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import trio

from ._lowlevel import LoopThread, Parker, checkpoint
from ._thread_hooks import ThreadHooks, guarded, nothing

if TYPE_CHECKING:
    from ._serving import AsyncCall

T = TypeVar("T")
V = TypeVar("V")

_here = threading.local()


def never() -> bool:
    """Say no."""
    return False


class JobState(enum.Enum):
    """How far a job has come. It never goes back."""

    QUEUED = "queued"
    """No thread has it yet."""
    RUNNING = "running"
    """A thread has it; it can no longer be withdrawn."""
    DONE = "done"
    """It returned or raised."""
    WITHDRAWN = "withdrawn"
    """It was taken back before a thread had it; it never runs."""


class NobodyWaits(BaseException):
    """
    The task that was to await async code for a worker thread was cancelled, or is gone.

    Raised in the thread, out of `Job.run_async`. Like Cancelled it is no Exception: let it
    escape, nobody waits for what the thread does.
    """


class Places(Protocol):
    """What a job asks of the crew that carries it out."""

    def withdraw(self, job: Job[Any]) -> bool: ...
    def abandon(self, job: Job[Any]) -> None: ...
    def park(self, job: Job[Any]) -> bool: ...
    def unpark(self, job: Job[Any], *, freed: bool) -> None: ...
    def may_park(self) -> bool: ...
    def goes_on(self) -> bool: ...


def _forget_job() -> None:
    _here.job = None


if hasattr(os, "register_at_fork"):  # not on Windows
    # A child that a job forks (multiprocessing does) has no loop that could do anything for it.
    os.register_at_fork(after_in_child=_forget_job)


def current_job() -> Job[Any] | None:
    """Return the job that runs in the calling thread, or None. Not a checkpoint."""
    return getattr(_here, "job", None)


class Job(Generic[T]):
    """
    A piece of work given to a `ThreadPool`, as `ThreadPool.submit` returns it.

    All methods belong to the loop's thread, except `parked`, `run_async` and `let_go`, which
    belong to the thread that runs the job.
    """

    # Defaults of the class, not set in __init__: a job is made for every hop.
    state: JobState = JobState.QUEUED
    error: BaseException | None = None
    """What the work raised."""
    abandoned: bool = False
    """Whether `abandon` was called while it ran."""
    thread_name: str = ""
    """The thread that has or had it; empty while it is queued."""
    since: float = 0.0
    """When it was queued, then when that thread was given it, on the clock of `time.monotonic`."""

    _value: T
    loop: LoopThread
    """Where its tasks wait."""
    on_call: Callable[[AsyncCall], object] | None = None
    """
    Who takes a call of `run_async`, on the loop's thread, if not a task in `wait`.

    It sees to it that the call's `carry_out` is awaited, or calls its `refuse`.
    """

    on_end: Callable[[], object] | None = None
    """Called when it has ended or let go, for who can't `wait`; in any thread, maybe twice."""

    serves: bool = True
    """Whether its thread may serve others, inside the job or behind :meth:`let_go`."""

    waiting: Callable[[], object] | None = None
    """
    Of a thread that waits, with or without its place: tells, in any thread, whether what it waits
    for is there, though it may not have gone on yet. None of one that works.
    """
    serving: object = None
    """Which of those that the thread serves by the code of the moment, the innermost."""
    outermost: Job[Any] | None = None
    """The job that this one is done in the midst of, in the same thread; None if there is none."""

    _waiters: tuple[Parker, ...] = ()
    _parked = 0
    _free = False  # whether its place was given away
    _let_go = False
    _call: AsyncCall | None = None  # not taken yet
    _refusing = False

    def __init__(self, places: Places, work: Callable[[], T], label: str) -> None:
        self.label = label
        """What to call it in listings and in logs."""
        self.places = places
        """Who carries it out."""
        self._work = work
        self._context = copy_context()

    def __repr__(self) -> str:
        abandoned = ", abandoned" if self.abandoned else ""
        return f"<Job {self.label!r} {self.state.value}{abandoned}>"

    @property
    def waits(self) -> bool:
        """Whether its thread waits for something else. Any thread."""
        return self.waiting is not None

    @property
    def rests(self) -> bool:
        """Whether its thread waits, and what it waits for has not come. Any thread. For clocks."""
        over = self.waiting
        return over is not None and not over()

    def withdraw(self) -> bool:
        """
        Take the job back if no thread has it yet. Not a checkpoint.

        Returns:
            Whether it had not begun; then it never runs, and whoever waits for it is woken.
        """
        if not self.places.withdraw(self):
            return False
        del self._work, self._context
        self.notify()
        return True

    async def wait(self) -> None:
        """
        Wait until the job is DONE, WITHDRAWN, or has let go. Always a checkpoint.

        Meanwhile what its thread calls by `run_async` is awaited here. Cancellation leaves the
        job as it was, but for such a call. Several tasks may wait for one job.
        """
        if self._ended() or self._let_go:
            await checkpoint()
            return
        parker = Parker()
        self._waiters += (parker,)
        try:
            while not (self._ended() or self._let_go):
                if self._call is not None:
                    call, self._call = self._call, None
                    await call.carry_out()
                else:
                    await parker.park()
        finally:
            alone = len(self._waiters) == 1
            self._waiters = () if alone else tuple(w for w in self._waiters if w is not parker)

    def refuse_calls(self, why: str) -> None:
        """Have `run_async` raise NobodyWaits from now on. Not a checkpoint."""
        self._refusing = True
        if self._call is not None:
            call, self._call = self._call, None
            call.refuse(why)

    def result(self) -> T:
        """
        Return what the work returned, or raise what it raised. Not a checkpoint.

        Raises:
            RuntimeError: the job is not DONE.
            PoolClosed: the pool closed before a thread had the job; it never ran.
            BaseException: whatever the work raised, SystemExit and KeyboardInterrupt included.
        """
        if self.error is None or not self._ended():
            if self.state is not JobState.DONE:
                raise RuntimeError(f"job {self.label!r} has no result: it is {self.state.value}")
            return self._value
        try:
            raise self.error
        finally:
            del self  # the traceback holds this frame, and this frame would hold the error

    def abandon(self) -> None:
        """
        Say that nobody waits for the job any more. Not a checkpoint.

        A job still queued is withdrawn. One that runs cannot be stopped: it is listed in
        `PoolStatistics.abandoned` and keeps its place until it returns.
        """
        if not self.withdraw():
            self.places.abandon(self)
            self.refuse_calls(f"nobody waits for {self.label} any more")

    @contextmanager
    def parked(self, over: Callable[[], object] | None = None) -> Generator[None, None, None]:
        """
        Give the job's place away while its thread waits for something else.

        To be entered in the job's own thread; may be nested. Meanwhile another thread may
        run in its stead, unless `ThreadHooks.may_park` is against it, or as many are parked as
        the pool has threads to spare: then the job keeps its place. On leaving, the job goes on
        at once, even if that makes one more than `size`: to wait for a place here could mean
        waiting for a job that waits for this one.

        Args:
            over: Tells, in any thread and at once, whether that has come: for a clock in a test,
                which may not pass then, though the machine has not let the thread go on yet.
                None where it can't be known from outside.

        Raises:
            RuntimeError: the calling thread does not run this job.
        """
        if current_job() is not self:
            raise RuntimeError(f"{self!r} can be parked only by the thread that runs it")
        thread_job = self.outermost or self
        with self._without_place():
            thread_job.waiting = over or never
            try:
                yield
            finally:
                thread_job.waiting = None

    def run_async(
        self, function: Callable[[], Awaitable[T]], *, context: Context | None = None
    ) -> T:
        """
        Have *function* called and awaited by the task that waits for this job, and wait for it.

        The thread serves meanwhile (`serving_here`), and gives its place away if it may.

        Args:
            function: Called without arguments on the loop's thread.
            context: Where it runs; a copy of this thread's if there is none.

        Raises:
            NobodyWaits: No task waits any more, or it was cancelled meanwhile.
            RuntimeError: The calling thread does not run this job.
            BaseException: Whatever *function* raises.
        """
        from ._serving import AsyncCall

        if current_job() is not self:
            raise RuntimeError(f"{self!r} can call async code only in the thread that runs it")
        call = AsyncCall(self.loop, function, context, threading.current_thread().name)
        # That it waits it says itself, and only once the loop has been told: for a clock in a test
        # there must be no moment between.
        with self._without_place():
            try:
                self.loop.call_soon(self._called, call)
            except trio.RunFinishedError:
                call.refuse("the run of trio is over")
            return call.wait_in_thread()

    def let_go(self) -> None:
        """Have those who `wait` go on, though the job goes on, too. In its own thread."""
        self._let_go = True
        with suppress(trio.RunFinishedError):  # else nobody is left who could wait
            self.loop.call_soon(self.notify)

    @contextmanager
    def _without_place(self) -> Generator[None, None, None]:
        if self._parked == 0:
            self._free = self.places.park(self)
        self._parked += 1
        try:
            yield
        finally:
            self._parked -= 1
            if self._parked == 0:
                self.places.unpark(self, freed=self._free)

    # For the pool.

    def carry_out(self, hooks: ThreadHooks) -> None:
        """Run the work between its hooks, in its context and in this thread; never raises."""
        self._context.run(self._carry_out, hooks)
        del self._context
        del self  # as below: what the work raised reaches the frames that called it

    def notify(self) -> None:
        """Wake the tasks that wait for the job. In the loop's thread."""
        for parker in self._waiters:
            parker.wake()
        if self.on_end is not None:
            self.on_end()

    def seconds_running(self) -> float:
        """Say for how many seconds a thread has had the job. From any thread."""
        return time.monotonic() - self.since

    def value_of(self, variable: ContextVar[V]) -> V | None:
        """Return what *variable* is in the context of the job; None if nothing. Any thread."""
        context = getattr(self, "_context", None)  # it has none any more at its end
        return None if context is None else context.get(variable)

    def _called(self, call: AsyncCall) -> None:
        if self._refusing:
            call.refuse(f"nobody waits for {self.label} any more")
        elif self.on_call is not None:
            self.on_call(call)
        else:
            self._call = call
            self.notify()

    def _ended(self) -> bool:
        return self.state is JobState.DONE or self.state is JobState.WITHDRAWN

    def _carry_out(self, hooks: ThreadHooks) -> None:
        outer = current_job()
        _here.job = self
        if hooks.before_job is not nothing:
            guarded("before_job", hooks.before_job)
        error = trace = None
        try:
            self._value = self._work()
        except BaseException as raised:  # noqa: BLE001, ASYNC103 - carried to result()
            trace = raised.__traceback__
            # Not its own method, which a class may have made into something else.
            error = BaseException.with_traceback(raised, trace.tb_next if trace else None)
        if hooks.after_job is not nothing:
            guarded("after_job", hooks.after_job, error)
        _here.job = outer
        self.error = error
        del self._work
        del self, outer, error, trace  # the error's traceback reaches this frame: no cycle
