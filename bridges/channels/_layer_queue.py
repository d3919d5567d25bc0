# The messages that wait on one channel, for readers on any loop and senders in any thread.
#
# It looks like an asyncio.Queue to tests that poke it (qsize, empty, full, maxsize, get_nowait).
#
# Invariants, each with a test of that name in tests/bridges/channels/test_layer_queue.py:
#   NO LOSS  a cancelled get() takes nothing with it, and wakes the next reader in its place.
#   IN TURN  readers that wait are woken in the order in which they came.

import asyncio
from collections import deque
from threading import RLock
from typing import Any

from ..engines._waiting import Waiter, new_waiter


class ChannelQueue:
    """
    At most *maxsize* items.

    Args:
        maxsize: 0 is no limit.
        lock: Guards it; that of the layer, so that a look and a step are one.
    """

    def __init__(self, maxsize: int, lock: Any = None) -> None:
        self.maxsize = maxsize
        self._lock: Any = RLock() if lock is None else lock
        self._queue: deque[Any] = deque()
        self._readers: deque[Waiter] = deque()
        self._inside = 0

    def __repr__(self) -> str:
        return f"<ChannelQueue {len(self._queue)} of {self.maxsize}, {self.readers} waiting>"

    @property
    def readers(self) -> int:
        """How many tasks are in `get`: those that were woken and have not run since, as well."""
        return self._inside

    def qsize(self) -> int:
        """Return how many items there are."""
        return len(self._queue)

    def empty(self) -> bool:
        """Whether there is none."""
        return not self._queue

    def full(self) -> bool:
        """Whether `put_nowait` would raise."""
        return 0 < self.maxsize <= len(self._queue)

    def put_nowait(self, item: Any) -> None:
        """
        Add *item*. Any thread.

        Raises:
            asyncio.QueueFull: There is no room.
        """
        with self._lock:
            if self.full():
                raise asyncio.QueueFull
            self._queue.append(item)
            self._wake_one()

    def put_over(self, item: Any) -> bool:
        """Add *item*; without room the oldest one goes. Returns whether one went. Any thread."""
        with self._lock:
            over = self.full()
            if over:
                self._queue.popleft()
            self._queue.append(item)
            self._wake_one()
            return over

    def clear(self) -> None:
        """Throw all items away. Any thread."""
        with self._lock:
            self._queue.clear()

    def oldest(self) -> Any:
        """Return the item that `get_nowait` would, and leave it. Raises IndexError if none."""
        return self._queue[0]

    def get_nowait(self) -> Any:
        """
        Take the oldest item. Any thread.

        Raises:
            asyncio.QueueEmpty: There is none.
        """
        with self._lock:
            if not self._queue:
                raise asyncio.QueueEmpty
            return self._queue.popleft()

    async def get(self) -> Any:
        """
        Take the oldest item; wait for one if there is none. A checkpoint only then.

        Cancelled, it takes nothing.
        """
        with self._lock:
            self._inside += 1
        try:
            return await self._get()
        finally:
            with self._lock:
                self._inside -= 1

    async def _get(self) -> Any:
        came_too_late = False
        while True:
            with self._lock:
                if self._queue:
                    item = self._queue.popleft()
                    if self._queue:
                        self._wake_one()
                    return item
                waiter = new_waiter()
                if came_too_late:
                    self._readers.appendleft(waiter)
                else:
                    self._readers.append(waiter)
            try:
                await waiter.wait()
            except BaseException:
                with self._lock:
                    if waiter in self._readers:
                        self._readers.remove(waiter)
                    elif self._queue:
                        self._wake_one()
                raise
            came_too_late = True

    def _wake_one(self) -> None:
        if self._readers:
            self._readers.popleft().wake()
