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

    def start(self, function: Callable[[], Awaitable[object]], name: str) -> LoopThread:
        """Run *function*, which must not raise, as a task there. Returns the loop."""
        with self._lock:
            if self._loop is None:
                self._loop = self._begun()
            self._users += 1
            loop = self._loop
            loop.call_soon(start_system_task, lambda: self._run(function), name)
        return loop

    def _begun(self) -> LoopThread:
        begun: list[LoopThread] = []
        there = threading.Event()

        async def main() -> None:
            begun.append(LoopThread.current())
            self._last = last = trio.Event()
            there.set()
            await last.wait()

        # Daemon: a test that leaves its application running must not keep the process.
        threading.Thread(
            target=trio.run, args=(main,), name="greenroom-communicators", daemon=True
        ).start()
        there.wait()
        return begun[0]

    async def _run(self, function: Callable[[], Awaitable[object]]) -> None:
        try:
            await function()
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    assert self._last is not None
                    self._last.set()
                    self._loop = None


_in_thread = _InThread()


def run_on_trio(function: Callable[[], Awaitable[object]], name: str) -> LoopThread:
    """
    Run *function*, which must not raise, as a task on trio; return its loop. Not a checkpoint.

    Raises:
        RuntimeError: The caller runs on no event loop.
    """
    require_loop()
    if inside_trio():
        start_system_task(function, name)
        return LoopThread.current()
    return _in_thread.start(function, name)


def require_loop() -> None:
    """Raise RuntimeError if the caller runs on no event loop."""
    if inside_trio():
        return
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(NO_LOOP) from None
