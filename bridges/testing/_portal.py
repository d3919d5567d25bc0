# trio in a thread of its own, for tests that do not run on trio: plain functions, Django's
# TestCase, asyncio.
#
# Invariants, each with a test of that name in tests/bridges/testing/test_portal.py:
#   ONE TASK     an async context manager is entered and left in one task, whoever asks from
#                where: it may hold a nursery.
#   BOUNDED      a blocking call ends after `patience` seconds of real time, behind a timeout of
#                its own if it has one, and says where the tasks of the loop wait.
#   NO LEAK      leaving the portal ends its loop and its thread; calls under way are cancelled.
#   STILL CLOCK  a virtual clock moves only while the test waits for something, not while it does
#                something else; or a timer of the application would run for years meanwhile.

import concurrent.futures
import threading
import traceback
from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from math import inf
from types import TracebackType
from typing import Any, Generic, TypeVar, cast

import trio
from trio.testing import MockClock

from ...actors._lowlevel import LoopThread, task_stacks
from ._clock import gate
from ._errors import NothingCame, NotStopped, alone

T = TypeVar("T")
Future = concurrent.futures.Future

PATIENCE_SECONDS = 60.0
_LOOK_SECONDS = 5.0
_MACHINERY = ("greenroom.bridges.testing.", "concurrent.futures", "trio.", "asyncio.")


class Portal:
    """
    A loop of trio's in a thread of its own; made by :func:`open_portal`.

    Args:
        clock: The loop's, if it is not to be the real one.
    """

    def __init__(self, clock: MockClock | None = None) -> None:
        self.patience = PATIENCE_SECONDS
        self._clock = clock
        self._waiting = 0  # calls that have begun, and that the test waits for
        self._count = threading.Lock()
        self._started = self._ending = False
        self._loop: LoopThread
        self._nursery: trio.Nursery
        self._stop: trio.Event
        if clock is not None:
            gate(clock, lambda: self._waiting > 0 or self._ending or not self._started)

    # -- the loop's thread -------------------------------------------------------------------

    def run(
        self, manager: Callable[[], AbstractAsyncContextManager[Any]], opened: Future[Any]
    ) -> None:
        """Run the loop until :meth:`end`; what *manager* makes is open meanwhile. Blocks."""
        trio.run(self._main, manager, opened, clock=self._clock)

    async def _main(
        self, manager: Callable[[], AbstractAsyncContextManager[Any]], opened: Future[Any]
    ) -> None:
        self._loop, self._stop = LoopThread.current(), trio.Event()
        async with manager() as value, trio.open_nursery() as self._nursery:
            self._started = True
            opened.set_result(value)
            await self._stop.wait()
            self._nursery.cancel_scope.cancel()

    def end(self) -> None:
        """Have the loop end. Any thread; at once."""
        self._ending = True
        with suppress(trio.RunFinishedError):  # by an error of its own
            self._loop.call_soon(self._stop.set)

    # -- what others ask of it ---------------------------------------------------------------

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """
        Have ``function(*args)`` called on the loop, and what it returns awaited if it can be.

        Any thread; at once. A future that is cancelled cancels the task.
        """
        future: Future[Any] = Future()

        def begin() -> None:
            if self._stop.is_set():
                _fail(future, NotStopped("the server has stopped: nothing can be asked of it"))
            else:
                # Here, on the loop: counted before, it would let a clock jump that is to come
                # behind the call.
                with self._count:
                    self._waiting += 1
                future.add_done_callback(self._done)
                self._nursery.start_soon(self._carry_out, future, function, args)

        try:
            self._loop.call_soon(begin)
        except trio.RunFinishedError:
            _fail(future, NotStopped("the server has stopped: nothing can be asked of it"))
        return future

    def _done(self, _future: Future[Any]) -> None:
        with self._count:
            self._waiting -= 1

    async def _carry_out(
        self, future: Future[Any], function: Callable[..., Any], args: tuple[Any, ...]
    ) -> None:
        __tracebackhide__ = True
        with trio.CancelScope() as scope:
            future.add_done_callback(lambda _: _cancel(future, self._loop, scope))
            try:
                result = function(*args)
                if isinstance(result, Awaitable):
                    result = await cast("Awaitable[Any]", result)
            except trio.Cancelled:
                _fail(future, NotStopped("the server has stopped meanwhile"))
                raise
            except BaseException as error:  # noqa: BLE001 - it is the asker's
                _fail(future, error)
            else:
                if not future.done():
                    future.set_result(result)

    def call(self, function: Callable[..., Any], *args: Any, seconds: float = 0.0) -> Any:
        """
        Return what ``function(*args)`` returns on the loop, awaited if it can be. Blocks.

        Args:
            function: What to call.
            *args: Its arguments.
            seconds: How long it may take by itself, on the loop's clock.

        Raises:
            NothingCame: It did not return within `patience` seconds of real time, and *seconds*
                more unless the clock is virtual.
            BaseException: What it raises.
        """
        __tracebackhide__ = True
        if self._loop.is_here():
            raise RuntimeError("this is the server's own thread: it would wait for itself")
        future = self.submit(function, *args)
        patience = self.patience + (seconds if self._clock is None else 0.0)
        try:
            return future.result(None if patience == inf else patience)
        except concurrent.futures.TimeoutError as error:
            if future.done():  # it was the function that raised one
                raise error.with_traceback(users_part(error.__traceback__)) from error.__cause__
            late = f"{_name(function, args)} did not return within {patience:g} s."
            raise NothingCame(f"{late}\n{self.stacks()}") from None
        except BaseException as error:
            error.with_traceback(users_part(error.__traceback__))
            raise error from error.__cause__  # noqa: ASYNC104 - the same one
        finally:
            future.cancel()

    def start_soon(self, function: Callable[..., Awaitable[object]]) -> None:
        """Run *function* as a task until the portal is left. Loop thread only."""
        self._nursery.start_soon(function)

    def stacks(self) -> str:
        """Say where each task of the loop waits. Any thread; blocks a little."""
        told: Future[str] = Future()
        try:
            self._loop.call_soon(lambda: told.set_result(task_stacks()))
            lines = told.result(_LOOK_SECONDS).splitlines()
            return "\n".join(line for line in lines if "/trio/_core/" not in line)
        except trio.RunFinishedError:
            return "its loop has ended"
        except concurrent.futures.TimeoutError:
            return "its loop stands still"


class Held(Generic[T]):
    """
    An async context manager, entered and left by one task of *portal*'s loop.
    """

    def __init__(self, portal: Portal, manager: AbstractAsyncContextManager[T]) -> None:
        self._portal, self._manager = portal, manager
        self._opened, self._leave, self._left = trio.Event(), trio.Event(), trio.Event()
        self._value: list[T] = []
        self._error: Exception | None = None

    async def open(self) -> T:
        """Enter it, and return its value. Always a checkpoint; cancelled, it is left again."""
        self._portal.start_soon(self._hold)
        try:
            await self._opened.wait()
        except trio.Cancelled:
            self._leave.set()
            raise
        self._raise()
        return self._value[0]

    async def close(self) -> None:
        """Leave it. Always a checkpoint."""
        self._leave.set()
        await self._left.wait()
        self._raise()

    async def _hold(self) -> None:
        try:
            async with self._manager as value:
                self._value.append(value)
                self._opened.set()
                await self._leave.wait()
        except Exception as error:  # noqa: BLE001 - it is raised where it was entered, or left
            self._error = error
        finally:
            self._opened.set()
            self._left.set()

    def _raise(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise alone(error)


@contextmanager
def open_portal(
    manager: Callable[[], AbstractAsyncContextManager[T]], clock: MockClock | None = None
) -> Generator[tuple[Portal, T], None, None]:
    """
    Run trio in a thread of its own, with what *manager* makes open, while the block lasts.

    What the block raises comes out as it is, with a note of what the loop has raised.

    Raises:
        NotStopped: The loop did not end in time: the text says where its tasks wait.
        BaseException: What the loop raises, where the block raises nothing.
    """
    portal, opened = Portal(clock), Future[T]()
    ended: list[BaseException] = []

    def main() -> None:
        try:
            portal.run(manager, opened)
        except BaseException as error:  # noqa: BLE001, ASYNC103 - raised in the other thread
            ended.append(alone(error))
            _fail(opened, ended[0])

    thread = threading.Thread(target=main, name="greenroom test server", daemon=True)
    thread.start()
    value = opened.result()  # as long as the application takes to start
    try:
        yield portal, value
    except BaseException as error:
        for problem in _end(portal, thread, ended):
            if problem is not error:
                told = "".join(traceback.format_exception(problem))
                error.add_note(f"And the server has ended with:\n{told}")
        raise
    for problem in _end(portal, thread, ended):
        raise problem


def _end(
    portal: Portal, thread: threading.Thread, ended: list[BaseException]
) -> list[BaseException]:
    portal.end()
    thread.join(portal.patience)
    if thread.is_alive():
        text = f"the server did not stop within {portal.patience:g} s.\n{portal.stacks()}"
        return [NotStopped(text)]
    return ended


def _fail(future: Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)


def _cancel(future: Future[Any], loop: LoopThread, scope: trio.CancelScope) -> None:
    if future.cancelled():
        with suppress(trio.RunFinishedError):  # it has ended with the loop
            loop.call_soon(scope.cancel)


def _name(function: Callable[..., Any], args: tuple[Any, ...]) -> str:
    name: str = getattr(function, "__qualname__", "") or repr(function)
    return getattr(args[0], "__qualname__", name) if args else name


def users_part(trace: TracebackType | None) -> TracebackType | None:
    """Return *trace* from the first frame on that is not of the machinery here; None if all are."""
    while trace is not None and str(trace.tb_frame.f_globals.get("__name__")).startswith(
        _MACHINERY
    ):
        trace = trace.tb_next
    return trace
