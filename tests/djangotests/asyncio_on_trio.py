# What Django's tests take from asyncio themselves, for a test that runs on trio.
#
# Some wait with asyncio.sleep(), or for an asyncio.Event. That is the test's own, not Django's,
# so in the modules named in child.py the name `asyncio` stands for this.

import asyncio
from collections.abc import Callable
from types import ModuleType
from typing import Any

import trio

from greenroom.actors._lowlevel import LoopThread, inside_trio


class Event:
    """asyncio.Event, for tasks of trio."""

    def __init__(self) -> None:
        self._event = trio.Event()

    def is_set(self) -> bool:
        """Whether it has been set and not cleared since."""
        return self._event.is_set()

    def set(self) -> None:
        """Wake all that wait."""
        self._event.set()

    def clear(self) -> None:
        """Have the next waits wait for the next set()."""
        self._event = trio.Event()

    async def wait(self) -> None:
        """Wait for set()."""
        await self._event.wait()


class Loop:
    """Of an asyncio loop what the tests call from other threads."""

    def __init__(self) -> None:
        self._loop = LoopThread.current()

    def call_soon_threadsafe(self, function: Callable[..., object], *args: Any) -> None:
        """Have *function* called on the loop's thread."""
        self._loop.call_soon(function, *args)


class AsyncioOnTrio(ModuleType):
    """The module asyncio; a few names stand for trio's in a trio task."""

    Event = Event
    TimeoutError = TimeoutError
    CancelledError = (asyncio.CancelledError, trio.Cancelled)

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    @staticmethod
    def sleep(seconds: float, result: Any = None) -> Any:
        """Sleep on the loop that runs the caller."""
        if inside_trio():
            return trio.sleep(seconds)  # noqa: ASYNC105 - whoever calls this awaits it
        return asyncio.sleep(seconds, result)

    @staticmethod
    def get_event_loop() -> Any:
        """Return the loop that runs the caller."""
        return Loop() if inside_trio() else asyncio.get_event_loop()
