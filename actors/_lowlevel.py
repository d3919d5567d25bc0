"""The only module that touches ``trio.lowlevel``."""

# Over 400 lines because it is the only door to it, and what stands here is small and apart.
#
# Invariants, each with a test of that name in tests/actors/test_lowlevel.py:
#   CANCEL AND WAKE   a task that is cancelled and woken in one tick is rescheduled
#                     once. A second reschedule would end the whole worker, so
#                     abort clears the flag that wake looks at.
#   NO MEMORY         a wake without a parked task does nothing: the waiter looks
#                     at its queue before it parks, with no checkpoint between.
#
# Turned down: trio.Event (a new object for each wait), trio memory channels (a
# task switch and 20 us for each message there and back, and they can't be read
# back after a crash).

from __future__ import annotations

import gc
import logging
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from types import FrameType
from typing import Any, TypeVar, cast

import trio

logger = logging.getLogger("greenroom.actors")

T = TypeVar("T")


class Parker:
    """One task waits here; anyone on the loop's thread wakes it."""

    __slots__ = ("_task",)

    def __init__(self) -> None:
        self._task: trio.lowlevel.Task | None = None

    @property
    def parked(self) -> bool:
        """Whether a task waits."""
        return self._task is not None

    async def park(self) -> None:
        """
        Wait for the next wake. Always a checkpoint.

        A cancellation leaves nothing behind.

        Raises:
            trio.BusyResourceError: Another task waits here already.
        """
        if self._task is not None:
            raise trio.BusyResourceError("another task is parked here")
        self._task = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._abort)

    def _abort(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED

    def wake(self) -> None:
        """Wake the waiting task, if there is one. Loop thread only, never blocks."""
        task = self._task
        if task is not None:
            self._task = None
            trio.lowlevel.reschedule(task)


class Occasion:
    """What happens once, and is seldom waited for: a `trio.Event` that costs little until then."""

    __slots__ = ("_event", "_is_set")

    def __init__(self) -> None:
        self._is_set = False
        self._event: trio.Event | None = None

    def is_set(self) -> bool:
        """Whether it has happened."""
        return self._is_set

    def set(self) -> None:
        """Let it happen: whoever waits goes on. Loop thread only."""
        self._is_set = True
        if self._event is not None:
            self._event.set()

    async def wait(self) -> None:
        """Wait until it has happened. Always a checkpoint."""
        if self._event is None:
            self._event = trio.Event()
            if self._is_set:
                self._event.set()
        await self._event.wait()


class LoopThread:
    """The thread that runs trio, seen from any thread."""

    __slots__ = ("_running", "_token", "ident")

    def __init__(
        self, token: trio.lowlevel.TrioToken, ident: int, running: Mapping[str, Any]
    ) -> None:
        self._token = token
        self.ident = ident
        """As `threading.get_ident` gives it."""
        self._running = running

    @classmethod
    def current(cls) -> LoopThread:
        """
        Return the loop that runs the caller.

        Raises:
            RuntimeError: Not called from inside ``trio.run``.
        """
        return one_of_this_run(_loop_thread)

    def is_here(self) -> bool:
        """Whether the caller is on the loop's thread."""
        return threading.get_ident() == self.ident

    def running_task(self) -> trio.lowlevel.Task | None:
        """
        Return the task that the loop is in a step of; None between two, or if it can't be told.

        Any thread. From another one than the loop's it may be over before it is looked at.
        """
        return self._running.get("task")

    def call_soon(
        self, function: Callable[..., object], *args: Any, idempotent: bool = False
    ) -> None:
        """
        Have *function* run on the loop's thread soon, in the order of the calls.

        Any thread; never blocks. With *idempotent* equal calls that wait are merged.

        Raises:
            trio.RunFinishedError: The loop has ended.
        """
        self._token.run_sync_soon(function, *args, idempotent=idempotent)


def _loop_thread() -> LoopThread:
    token = trio.lowlevel.current_trio_token()
    return LoopThread(token, threading.get_ident(), _run_context())


def _run_context() -> Mapping[str, Any]:
    # Where trio keeps what this thread runs. trio.lowlevel.current_task() tells it to this thread
    # alone, but a blocked loop can't be asked: its table is for another thread to look into.
    module = sys.modules.get("trio._core._run")
    return vars(getattr(module, "GLOBAL_RUN_CONTEXT", object)) if module else {}


def calls_wait() -> bool:
    """Whether a thread has had something called soon that the running loop has not yet seen."""
    return trio.lowlevel.current_statistics().run_sync_soon_queue_size > 0


def tasks_living() -> int:
    """Return how many tasks the running loop has, its own included. Loop thread only."""
    return trio.lowlevel.current_statistics().tasks_living


def on_real_time() -> bool:
    """Whether the running loop's clock is the real one, and not one for tests."""
    testing = sys.modules.get("trio.testing")  # else nobody can have one
    clock = trio.lowlevel.current_clock()
    return testing is None or not isinstance(clock, testing.MockClock)


def current_clock() -> trio.abc.Clock:
    """Return the running loop's clock."""
    return trio.lowlevel.current_clock()


def clock_here() -> Callable[[], float]:
    """Return what tells the running loop's time, from any thread. Not a checkpoint."""
    return trio.lowlevel.current_clock().current_time


async def checkpoint() -> None:
    """Let other tasks run and look for a cancellation. Always a checkpoint."""
    await trio.lowlevel.checkpoint()


def this_task() -> object:
    """Return the task that calls, to be compared with another."""
    return trio.lowlevel.current_task()


def inside_trio() -> bool:
    """Whether the caller runs on a thread inside ``trio.run``."""
    return trio.lowlevel.in_trio_run()


class TaskStack:
    """The task that makes it, so that its stack can be shown when it will not end."""

    __slots__ = ("_task",)

    def __init__(self) -> None:
        self._task = trio.lowlevel.current_task()

    def format(self) -> str:
        """Return where the task waits, outermost call first, a line each."""
        return _stack(self._task)

    def calls(self) -> list[tuple[str, int, str, str]]:
        """Return where it waits, outermost call first: file, line, function and module of each."""
        return [
            (code.co_filename, line, code.co_name, str(frame.f_globals.get("__name__")))
            for frame, line in _await_frames(self._task)
            if (code := frame.f_code)
        ]


async def wait_readable(file: socket.socket | int) -> None:
    """Wait until *file*, a socket or a descriptor, has something to read. Always a checkpoint."""
    await trio.lowlevel.wait_readable(file)


class Readable:
    """Waits for a descriptor, and says that it can be read before the waiting task runs."""

    __slots__ = ("_file", "_task")

    def __init__(self, file: int) -> None:
        self._file = file
        self._task: trio.lowlevel.Task | None = None

    async def wait(self) -> None:
        """Wait until there is something to read. Always a checkpoint; for one task."""
        self._task = trio.lowlevel.current_task()
        self._task.custom_sleep_data = self  # trio takes it away when it reschedules the task
        await trio.lowlevel.wait_readable(self._file)

    @property
    def woken(self) -> bool:
        """Whether the wait is over, though its task may not have run yet."""
        return self._task is not None and self._task.custom_sleep_data is not self


def close_socket(sock: socket.socket) -> None:
    """Close *sock*; who waits for it gets `trio.ClosedResourceError`. Loop thread only."""
    if sock.fileno() >= 0:
        trio.lowlevel.notify_closing(sock)
        sock.close()


def one_of_this_run(make: Callable[[], T]) -> T:
    """
    Return what *make* has made in this run of trio; call it if it has not yet.

    Raises:
        RuntimeError: Not called from inside ``trio.run``.
    """
    try:
        made = _of_this_run.get()
    except LookupError:
        made = dict[Callable[[], object], object]()
        _of_this_run.set(made)
    if make not in made:
        made[make] = make()
    return cast("T", made[make])


_of_this_run: trio.lowlevel.RunVar[dict[Callable[[], object], object]] = trio.lowlevel.RunVar(
    "greenroom, one of each"
)


def start_system_task(function: Callable[[], Awaitable[object]], name: str) -> None:
    """
    Run *function*, which must not raise, in a task that the run of trio owns.

    For what serves the whole loop: it ends when everything else has ended.
    """
    trio.lowlevel.spawn_system_task(function, name=name)


class _TaskEnds(trio.abc.Instrument):
    """Calls functions when their task ends. Trio asks it of each task while one waits."""

    def __init__(self) -> None:
        self._waiting: dict[trio.lowlevel.Task, list[Callable[[], object]]] = {}

    def add(self, task: trio.lowlevel.Task, function: Callable[[], object]) -> None:
        if not self._waiting:
            trio.lowlevel.add_instrument(self)
        self._waiting.setdefault(task, []).append(function)

    def task_exited(self, task: trio.lowlevel.Task) -> None:
        """Call what waits for *task*; trio's hook."""
        for function in self._waiting.pop(task, ()):
            try:
                function()
            except Exception:  # trio would never call this hook again
                logger.exception("a fault in Greenroom itself, at the end of a task")
        if not self._waiting:
            trio.lowlevel.remove_instrument(self)


def call_when_task_ends(function: Callable[[], object]) -> None:
    """Have *function*, which must not raise, called when the running task has ended."""
    one_of_this_run(_TaskEnds).add(trio.lowlevel.current_task(), function)


def nursery_of_this_task() -> trio.Nursery:
    """
    Return the nursery that the running task was started in.

    Raises:
        RuntimeError: It is the main task.
    """
    nursery = trio.lowlevel.current_task().parent_nursery
    if nursery is None:
        raise RuntimeError("the main task is in no nursery")
    return nursery


class StepEnd(trio.abc.Instrument):
    """
    Calls functions, once each, when the task that runs now suspends or ends.

    One for each run of trio. What several calls of one step put off is done once, and
    nobody else runs before it is done.
    """

    def __init__(self) -> None:
        self._waiting: list[Callable[[], object]] = []

    @classmethod
    def current(cls) -> StepEnd:
        """Return the one of the running loop."""
        return one_of_this_run(_add_step_end)

    def call(self, function: Callable[[], object]) -> None:
        """Have *function*, which must not raise, called at the end of this step. Loop thread."""
        self._waiting.append(function)

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Call what waits; trio's hook."""
        if self._waiting:
            try:
                self.call_all()
            except BaseException as error:  # noqa: ASYNC103, BLE001 - no hook may raise
                _end_the_run(error)

    def call_all(self) -> None:
        """Call what waits now, for who is in no task's step."""
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            for function in waiting:
                try:
                    function()
                except Exception:  # trio would never call this hook again, and nothing be written
                    logger.exception("a fault in Greenroom itself, at the end of a task's step")


def _add_step_end() -> StepEnd:
    step_end = StepEnd()
    trio.lowlevel.add_instrument(step_end)
    return step_end


class EachPass(trio.abc.Instrument):
    """
    Calls a function in each pass of the loop: behind its wait for I/O, before its tasks.

    Whoever is woken there runs in this very pass, not in the next as if a task had woken it.
    """

    def __init__(self, function: Callable[[], object]) -> None:
        self._function = function

    def after_io_wait(self, timeout: float) -> None:
        """Call it; trio's hook."""
        try:
            self._function()
        except BaseException as error:  # noqa: ASYNC103, BLE001 - no hook may raise
            _end_the_run(error)

    def begin(self) -> None:
        """Have it called from now on; what it raises ends the run of trio. In a task."""
        trio.lowlevel.add_instrument(self)

    def end(self) -> None:
        """Have it called no more. In a task."""
        trio.lowlevel.remove_instrument(self)


def _end_the_run(error: BaseException) -> None:
    """Have trio's run end with *error*, as when it leaves a task of trio's own."""
    # A hook that raises is switched off, with a line in the log: the worker would live on, and
    # not one of its sockets be read any more. A SystemExit, say, from a signal's handler.
    trio.lowlevel.current_trio_token().run_sync_soon(_raise, error)


def _raise(error: BaseException) -> None:
    raise error


def task_stacks(most: int = 500) -> str:
    """Return every task of the loop and where it waits, *most* of them. Loop thread only."""
    tasks = list(_tasks(trio.lowlevel.current_root_task()))
    told = [f"{task.name}\n{_stack(task)}" for task in tasks[:most]]
    if len(tasks) > most:
        told.append(f"and {len(tasks) - most} more")
    return "\n".join(told)


def _tasks(task: trio.lowlevel.Task | None) -> Iterator[trio.lowlevel.Task]:
    waiting = [task] if task is not None else []
    while waiting:
        task = waiting.pop()
        yield task
        waiting += [child for nursery in task.child_nurseries for child in nursery.child_tasks]


def _stack(task: trio.lowlevel.Task) -> str:
    return "\n".join(
        f"  {frame.f_code.co_filename}:{line} in {frame.f_code.co_name}"
        for frame, line in _await_frames(task)
    )


_WRAPPERS = frozenset(
    {"coroutine_wrapper", "async_generator_asend", "async_generator_athrow", "anext_awaitable"}
)


def _await_frames(task: trio.lowlevel.Task) -> Iterator[tuple[FrameType, int]]:
    """
    Yield where *task* waits, outermost call first: each frame and its line.

    Trio's own `iter_await_frames` ends at an object with an `__await__` of its own, and hypercorn's
    connections are such objects: what is below them it never shows.
    """
    coro: Any = task.coro
    while coro is not None:
        for kind, waits in (("cr", "cr_await"), ("gi", "gi_yieldfrom"), ("ag", "ag_await")):
            if hasattr(coro, f"{kind}_frame"):
                frame: FrameType | None = getattr(coro, f"{kind}_frame")
                if frame is not None:
                    yield frame, frame.f_lineno
                coro = getattr(coro, waits)
                break
        else:
            # A wrapper says to nobody but the collector what it wraps.
            inside = gc.get_referents(coro) if type(coro).__name__ in _WRAPPERS else ()
            coro = next((each for each in inside if _is_coroutine(each)), None)


def _is_coroutine(thing: object) -> bool:
    return any(hasattr(thing, name) for name in ("cr_frame", "gi_frame", "ag_frame"))
