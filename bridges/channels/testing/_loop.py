# Where an application under test runs: on trio, whatever the test itself runs on.
#
#   a test on trio      in its own loop, in a task that the run of trio owns
#   a test on asyncio   (pytest-asyncio, an `async def` method of Django's TestCase) in a trio loop
#                       in a thread, which all applications under test share; it ends with the last
#
# A test and its application meet in _mail.py, which knows neither.

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress

import trio

from ....actors._lowlevel import LoopThread, inside_trio, start_system_task

NO_LOOP = (
    "a communicator is used in an async test: on trio (pytest-trio), on asyncio (pytest-asyncio),"
    " or in an async method of Django's TestCase."
)


class _InThread:
    """The trio loop for tests that run on asyncio."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: LoopThread | None = None
        self._users = 0
        self._last: trio.Event | None = None
        self._thread: threading.Thread | None = None
        self._cancels: set[Callable[[], object]] = set()

    def start(
        self,
        function: Callable[[], Awaitable[object]],
        name: str,
        cancel: Callable[[], object],
    ) -> LoopThread:
        """Run *function*, which must not raise, as a task there. Returns the loop."""
        with self._lock:
            if self._loop is None:
                self._loop = self._begun()
            self._users += 1
            loop = self._loop
            self._cancels.add(cancel)
            loop.call_soon(start_system_task, lambda: self._run(function, cancel), name)
        return loop

    def end(self, seconds: float) -> None:
        """
        Have all end that a test has left. Blocks.

        Raises:
            RuntimeError: They have not ended within *seconds*.
        """
        with self._lock:
            thread, loop, cancels = self._thread, self._loop, [*self._cancels]
        if loop is None or thread is None:
            return
        with suppress(trio.RunFinishedError):  # the last has ended in this very moment
            for cancel in cancels:
                loop.call_soon(cancel)
        thread.join(seconds)
        if thread.is_alive():
            raise RuntimeError(
                f"an application that a test has left to its communicator did not end within"
                f" {seconds:g} s, though it was cancelled. `await communicator.disconnect()` first."
            )

    def _begun(self) -> LoopThread:
        begun: list[LoopThread] = []
        there = threading.Event()

        async def main() -> None:
            begun.append(LoopThread.current())
            self._last = last = trio.Event()
            there.set()
            await last.wait()

        # Daemon: a test that leaves its application running must not keep the process.
        self._thread = threading.Thread(
            target=trio.run, args=(main,), name="greenroom-communicators", daemon=True
        )
        self._thread.start()
        there.wait()
        return begun[0]

    async def _run(
        self, function: Callable[[], Awaitable[object]], cancel: Callable[[], object]
    ) -> None:
        try:
            await function()
        finally:
            with self._lock:
                self._users -= 1
                self._cancels.discard(cancel)
                if not self._users:
                    assert self._last is not None
                    self._last.set()
                    self._loop = None


_in_thread = _InThread()


def end_what_is_left(seconds: float = 10.0) -> None:
    """
    Have the applications end that a test on asyncio has left running. Blocks.

    Else they would keep the test's database transaction, which the next one does not know.

    Raises:
        RuntimeError: One has not ended within *seconds*.
    """
    _in_thread.end(seconds)


def run_on_trio(
    function: Callable[[], Awaitable[object]], name: str, cancel: Callable[[], object]
) -> LoopThread:
    """
    Run *function*, which must not raise, as a task on trio; return its loop. Not a checkpoint.

    Args:
        function: What to run.
        name: Of the task.
        cancel: Has it end; called in its loop, if its test has left it.

    Raises:
        RuntimeError: The caller runs on no event loop.
    """
    require_loop()
    if inside_trio():
        start_system_task(function, name)
        return LoopThread.current()
    return _in_thread.start(function, name, cancel)


def require_loop() -> None:
    """Raise RuntimeError if the caller runs on no event loop."""
    if inside_trio():
        return
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(NO_LOOP) from None
