# What a test and its application hand each other, each on a loop of its own.

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import trio

from ....actors._lowlevel import inside_trio
from ...engines._waiting import Waiter, new_waiter
from .._rest import Rest

_MOST = 100_000
_SECONDS_TO_REST = 0.5


class Mail:
    """
    Messages in order, and whether there will be more. Every method from any thread.

    Args:
        rest: Who waits for a message also waits for this, for half a second: for the
            handler that has put it to end.
    """

    def __init__(self, rest: Rest | None = None) -> None:
        self._rest = rest
        self._lock = threading.Lock()
        self._messages: deque[Any] = deque()
        self._waiting: list[Waiter] = []
        self.closed = False
        """Whether nothing more will come."""

    def put(self, message: Any) -> None:
        """Append *message*."""
        with self._lock:
            if len(self._messages) >= _MOST:
                raise RuntimeError(f"{_MOST} messages wait, and nobody has taken any")
            self._messages.append(message)
            self._wake()

    def close(self) -> None:
        """Take note that nothing more will come."""
        with self._lock:
            self.closed = True
            self._wake()

    def empty(self) -> bool:
        """Whether no message waits."""
        return not self._messages

    def qsize(self) -> int:
        """How many messages wait."""
        return len(self._messages)

    def get_nowait(self) -> Any:
        """
        Take the next message.

        Raises:
            asyncio.QueueEmpty: There is none.
        """
        with self._lock:
            if not self._messages:
                raise asyncio.QueueEmpty
            return self._messages.popleft()

    async def get(self) -> Any:
        """Wait for the next message and take it. Closed and empty it waits for ever."""
        while True:
            await self.wait(even_closed=False)
            try:
                return self.get_nowait()
            except asyncio.QueueEmpty:
                continue  # another has taken it

    async def wait(self, *, even_closed: bool = True) -> None:
        """Wait until there is a message, or, *even_closed*, nothing more will come."""
        while True:
            with self._lock:
                if self._messages or (self.closed and even_closed):
                    break
                waiter = new_waiter()
                self._waiting.append(waiter)
            try:
                await waiter.wait()
            finally:
                with self._lock:
                    if waiter in self._waiting:
                        self._waiting.remove(waiter)
        if self._rest is not None:
            await within(_SECONDS_TO_REST, self._rest.wait)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.wake()


async def within(seconds: float, wait: Callable[[], Awaitable[None]]) -> bool:
    """Await *wait*, *seconds* at most, on whichever loop; whether it was over by then."""
    if inside_trio():
        with trio.move_on_after(seconds) as scope:
            await wait()
        return not scope.cancelled_caught
    try:
        async with asyncio.timeout(seconds):
            await wait()
    except TimeoutError:
        return False
    return True


async def pause(seconds: float) -> None:
    """Sleep on whichever loop."""
    if inside_trio():
        await trio.sleep(seconds)
    else:
        await asyncio.sleep(seconds)
