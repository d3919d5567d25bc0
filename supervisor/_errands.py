# What worker threads have done on trio: root.from_thread().
#
# Each errand is a task of the tree, in a shield of its own: who waits for it, or the tree's end,
# ends it. What it raises is its thread's and never gets into the nursery.
#
# Invariants, each with a test of that name in tests/supervisor/test_from_thread.py:
#   OWNED      nothing that a thread has asked for outlives its waiting, or the tree.
#   CARRIED    whatever an errand raises is raised in the thread, SystemExit included.
#   FREE       the thread's place in its pool is free while it waits.

import inspect
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import trio

from ..actors import CallTimeout, WrongSide
from ..actors._batch import wait_in_thread
from ..actors._errors import refuse_unless_seconds
from ._errors import SupervisorStopping

if TYPE_CHECKING:
    from ._root import Root


class _Errand:
    """One function that a thread has run on trio."""

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.told = threading.Event()
        """Wakes its thread: when it is over, and when that one is to stop."""
        self.over = False
        self.scope = trio.CancelScope(shield=True)
        self.result: Any = None
        self.error: BaseException | None = None
        self._function, self._args = function, args

    async def run(self) -> None:
        """Run it; never raises."""
        self.error = SupervisorStopping("/")  # if it is cancelled, and its thread still waits
        try:
            with self.scope:
                if self.scope.cancel_called:  # before its turn: it was not begun
                    return
                result = self._function(*self._args)
                self.result = await result if inspect.isawaitable(result) else result
                self.error = None
        except BaseException as error:  # noqa: BLE001, ASYNC103 - carried to the thread
            self.error = error
        finally:
            self.end()

    def end(self) -> None:
        """Tell its thread that it is over."""
        self.over = True
        self.told.set()


class Errands:
    """The errands of one tree."""

    def __init__(self, root: "Root") -> None:
        self._root = root
        self._running: set[_Errand] = set()
        self._closed = False

    def run(self, function: Callable[..., Any], args: tuple[Any, ...], timeout: float) -> Any:
        """Run ``function(*args)`` on trio and wait for it: see ``root.from_thread``. A thread."""
        if self._root.loop.is_here():
            raise WrongSide("root.from_thread", "on trio", "the function itself")
        refuse_unless_seconds("timeout", timeout)
        if not callable(function):
            if inspect.iscoroutine(function):
                function.close()
            raise TypeError(
                "from_thread takes a function and its arguments, as in"
                f" root.from_thread(root.restart, path). Got: {type(function).__qualname__}"
            )
        errand = _Errand(function, args)
        # In the caller's context: current_root() is there, and who calls whom is known.
        try:
            self._root.loop.call_soon(copy_context().run, self._start, errand)
        except trio.RunFinishedError:
            raise SupervisorStopping("/") from None
        try:
            came = wait_in_thread(errand.told, min(timeout, threading.TIMEOUT_MAX))
        finally:
            if not errand.over:
                with suppress(trio.RunFinishedError):  # which has ended it
                    self._root.loop.call_soon(errand.scope.cancel)
        if not came:
            raise CallTimeout(_name_of(function), timeout)
        if errand.error is None:
            return errand.result
        try:
            raise errand.error
        finally:
            del errand  # the traceback holds this frame, and this frame would hold the error

    def close(self) -> None:
        """End what runs, and refuse what comes: the tree ends. Loop thread only."""
        self._closed = True
        for errand in self._running:
            errand.scope.cancel()

    def _start(self, errand: _Errand) -> None:
        tasks = self._root.tasks
        if self._closed or tasks is None:
            errand.error = SupervisorStopping("/")
            errand.end()
            return
        self._running.add(errand)
        tasks.start_soon(self._run, errand, name="greenroom errand of a thread")

    async def _run(self, errand: _Errand) -> None:
        try:
            await errand.run()
        finally:
            self._running.discard(errand)


def _name_of(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", type(function).__qualname__)
