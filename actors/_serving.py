# Async code that a worker thread wants awaited, and what the thread does meanwhile.
#
#   thread   job.run_async(function): an AsyncCall goes to the task that waits for the job,
#            and the thread serves until that is over
#   task     Job.wait() awaits the call: so the task's cancel scopes and deadlines hold
#   inside   serving_here() is that thread; what is submitted to it runs there, in order
#
# So sync code that is called by async code that is called by sync code runs in the thread of the
# outer sync code, and finds its transaction and its thread-locals. Any depth: a job that runs in a
# serving thread is a Job like another, and may call async code, too.
#
# Invariants, each with a test of that name in tests/actors/test_serving.py:
#   SAME THREAD    whatever is submitted to a serving thread runs in that thread.
#   NO LOSS        what was submitted before the end is done before the end.
#   NO DEADLOCK    a thread waits only for a task that waits for it; if none does, it is told.

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context, ContextVar, copy_context
from queue import SimpleQueue
from threading import Lock
from typing import Any, TypeVar, cast

import trio

from ._exits import leaves
from ._job import Job, JobState, NobodyWaits, current_job, never
from ._lowlevel import LoopThread
from ._thread_hooks import ThreadHooks

T = TypeVar("T")

_NO_HOOKS = ThreadHooks()
_LOOK = object()
_serving: ContextVar[Serving | None] = ContextVar("greenroom_serving", default=None)


def serving_here() -> Serving | None:
    """Return the thread that serves the calling async code, or None. Not a checkpoint."""
    serving = _serving.get()
    # An inner call's variables are carried back to the outer code, this one among them.
    while serving is not None and serving.ended:
        serving = serving.outer
    return serving


class Serving:
    """
    A worker thread that carries out what it is given, in order, until it is told to end.

    Args:
        loop: Where those wait who give it something.
        name: What to call it in listings.
    """

    def __init__(self, loop: LoopThread, name: str) -> None:
        self.name = name
        self.ended = False
        """Whether nothing is taken any more."""
        self.outer: Serving | None = None
        """What serves the code that this one was called by, to be asked once this one has ended."""
        self.loop = loop
        """Where those wait."""
        self._orders: SimpleQueue[Any] = SimpleQueue()  # of jobs, _LOOK, and None at the end
        self._lock = Lock()  # guards `ended`, the states of jobs, and what says who waits
        self._undone = 0  # of the orders
        self._job: Job[Any] | None = None  # the outermost of the thread, once it serves

    def submit(self, work: Callable[[], T], *, label: str) -> Job[T]:
        """
        Have *work* done in the thread, behind what it has to do already. Loop thread only.

        Raises:
            NobodyWaits: The thread serves no more.
        """
        job = Job(self, work, label)
        job.loop = self.loop
        self.take(job)
        return job

    def take(self, job: Job[Any]) -> None:
        """Have *job* done; raises as `submit` does. Any thread, if it has an `on_end`."""
        with self._lock:
            if self.ended:
                raise NobodyWaits(f"the thread {self.name} serves no more: {job!r} was not run")
            self._orders.put(job)
            self._undone += 1
            self._tell()

    def new_job(self, work: Callable[[], T], loop: LoopThread, *, label: str) -> Job[T]:
        """Return a job for `take`. Any thread."""
        job = Job(self, work, label)
        job.loop = loop
        return job

    def serve(self, until: Callable[[], bool] = lambda: False) -> None:
        """
        Do what is given until the end, or until *until* says so. The thread's own.

        *until* is asked behind each job, and when :meth:`look` was called.
        """
        thread_job = current_job()
        if thread_job is not None:
            thread_job = thread_job.outermost or thread_job
        outer = thread_job and thread_job.serving
        with self._lock:
            self._job = thread_job
            if thread_job is not None:
                thread_job.serving = self
                self._tell()
        try:
            self._serve(until)
        finally:
            if thread_job is not None:
                thread_job.serving, thread_job.waiting = outer, None
            with self._lock:
                self._job = None  # a context may hold this one for long, and the job its result

    def _serve(self, until: Callable[[], bool]) -> None:
        while (job := self._orders.get()) is not None:
            if job is not _LOOK:
                self._carry_out(job)
            if until() and self._end_if_nothing_waits():
                return

    def has_work(self) -> bool:
        """Whether it has something to do yet, or is to end. Any thread."""
        return bool(self._undone) or self.ended

    def _tell(self) -> None:
        """Say whether the thread waits. Under the lock."""
        # Not if it is busy with an order that waits for something else, further in.
        if self._job is not None and self._job.serving is self:
            self._job.waiting = None if self.has_work() else never

    def end(self) -> None:
        """Take nothing more; the thread ends behind what it was given. May be called again."""
        with self._lock:
            if not self.ended:
                self.ended = True
                self._orders.put(None)
                self._tell()

    def look(self) -> None:
        """Have the thread ask anew whether this is the end. Any thread, at any moment."""
        self._orders.put(_LOOK)  # no lock: it may be called by a finalizer, in its holder

    def _end_if_nothing_waits(self) -> bool:
        with self._lock:
            if self._orders.empty():
                self.ended = True
            return self.ended and self._orders.empty()

    def _carry_out(self, job: Job[Any]) -> None:
        with self._lock:
            begins = job.state is JobState.QUEUED
            if begins:
                job.state = JobState.RUNNING
        if begins:
            job.outermost = self._job
            waits_again = self.goes_on()
            job.carry_out(_NO_HOOKS)
            if waits_again:
                self.may_park()
            with self._lock:
                job.state = JobState.DONE
            self._notify(job)
        with self._lock:
            self._undone -= 1
            self._tell()  # only now, so that nobody takes the result for time that passes

    def _notify(self, job: Job[Any]) -> None:
        if job.on_end is not None:
            job.notify()
            return
        try:
            self.loop.call_soon(job.notify)
        except trio.RunFinishedError:
            self.end()  # nobody is left who could wait

    # What a job asks of those who carry it out.

    def withdraw(self, job: Job[Any]) -> bool:
        """Mark *job* as withdrawn if the thread has not begun it."""
        with self._lock:
            if job.state is not JobState.QUEUED:
                return False
            job.state = JobState.WITHDRAWN
            return True

    def abandon(self, job: Job[Any]) -> None:
        """Mark *job* as abandoned."""
        job.abandoned = True

    def park(self, job: Job[Any]) -> bool:
        """Say no: the thread has given its place away when it began to serve, or keeps it."""
        self.may_park()
        return False

    def unpark(self, job: Job[Any], *, freed: bool) -> None:
        """Tell the hooks that *job* goes on."""
        self.goes_on()

    def may_park(self) -> bool:
        """Tell the hooks of the thread that what it does now is about to wait."""
        return self._job is not None and self._job.places.may_park()

    def goes_on(self) -> bool:
        """Tell them that it goes on."""
        return self._job is not None and self._job.places.goes_on()


class AsyncCall(Serving):
    """
    One call of async code by a thread, which serves until the call has ended.

    Whoever has it awaits :meth:`carry_out`, once, or calls :meth:`refuse`.

    Args:
        loop: The loop of the task that is to await it.
        function: What to call and await.
        context: Where it runs; a copy of the caller's if there is none.
        name: What to call it in listings.
    """

    def __init__(
        self,
        loop: LoopThread,
        function: Callable[[], Awaitable[Any]],
        context: Context | None,
        name: str,
    ) -> None:
        super().__init__(loop, name)
        self._function = function
        context = copy_context() if context is None else context
        # Not one that has ended: each would hold the one before it, without end.
        self.outer = context.run(serving_here)
        context.run(_serving.set, self)
        self._context: Context | None = context  # until the end: its variables refer to this
        self._value: Any = None
        self._error: BaseException | None = None

    @property
    def function(self) -> Callable[[], Awaitable[Any]]:
        """What is to be called and awaited; until it is."""
        return self._function

    async def carry_out(self) -> None:
        """
        Await the async code; its outcome goes to the thread. A checkpoint if the code is one.

        Raises:
            trio.Cancelled: The calling task was cancelled. The thread gets NobodyWaits.
        """
        function, context = self._function, self._context
        del self._function
        self._context = None
        assert context is not None, "it was refused"
        try:
            self._value = await in_context(context, function)
        except BaseException as error:  # noqa: ASYNC103, BLE001 - to the thread, or raised
            others = _without_cancelled(error)
            if others is error:
                self._error = error
                del others  # as below
                return  # noqa: ASYNC104 - no Cancelled: the thread raises it
            self._error = others or NobodyWaits("the task that ran async code was cancelled")
            cancelled = next(each for each in leaves(error) if isinstance(each, _OURS))
            try:
                raise cancelled from None  # noqa: ASYNC104 - the one that was caught
            finally:
                del cancelled, others  # its traceback holds this frame
        finally:
            self.end()

    def refuse(self, why: str) -> None:
        """End the call without having run it: the thread gets NobodyWaits. Any thread."""
        self._error = NobodyWaits(why)
        self._context = None
        self.end()

    def wait_in_thread(self) -> Any:
        """Serve until the call has ended; return or raise its outcome. The calling thread's."""
        self.serve()
        value, self._value = self._value, None  # variables may refer to this for long
        if self._error is None:
            return value
        try:
            raise self._error
        finally:
            self._error = None  # its traceback holds this frame


_OURS = (trio.Cancelled, GeneratorExit)


def _without_cancelled(error: BaseException) -> BaseException | None:
    if isinstance(error, BaseExceptionGroup):
        return cast("BaseExceptionGroup[BaseException]", error).split(_OURS)[1]
    return None if isinstance(error, _OURS) else error


async def in_context(context: Context, function: Callable[[], Awaitable[T]]) -> T:
    """Call *function* in *context* and await there what it returns. A checkpoint if that is one."""

    async def call() -> T:
        return await function()

    return await _driven(context, call())


@types.coroutine
def _driven(context: Context, code: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    step: Callable[..., Any] = code.send
    argument: Any = None
    try:
        while True:
            yielded = context.run(step, argument)
            try:
                argument = yield yielded
                step = code.send
            except GeneratorExit:
                raise
            except BaseException as error:  # noqa: BLE001, ASYNC103 - goes on inside
                step, argument = code.throw, error
    except StopIteration as stop:
        return stop.value
    finally:
        context.run(code.close)
        del step, argument
