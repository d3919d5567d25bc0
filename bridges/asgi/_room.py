# Who waits until there is room in an output: senders, on trio and in threads.

import threading
from collections.abc import Callable

import trio

from ...actors._lowlevel import LoopThread


class Room:
    """The part of an output that senders wait at. Any thread where nothing else is said."""

    __slots__ = ("_lock", "_loop", "_waiters", "stall_seconds")

    def __init__(self, loop: LoopThread, stall_seconds: float) -> None:
        self._loop = loop
        self.stall_seconds = stall_seconds
        """How long a sender waits for room before the peer is given up."""
        # Reentrant: a __del__ that the garbage collector runs in here may send, too.
        self._lock = threading.RLock()
        self._waiters: list[Callable[[], object]] = []

    @property
    def over(self) -> bool:
        """Whether nothing can be sent any more."""
        raise NotImplementedError

    @property
    def full(self) -> bool:
        """Whether more waits than a sender should add to."""
        raise NotImplementedError

    def give_up(self) -> None:
        """Drop the peer, which has made no room, unless it has by now."""
        raise NotImplementedError

    async def wait_room(self) -> None:
        """
        Wait on trio until it is not full, or over. Always a checkpoint.

        A peer that makes no room within `stall_seconds` is given up. A cancellation
        leaves nothing behind.
        """
        room = trio.Event()
        self.on_room(room.set)
        try:
            with trio.move_on_after(self.stall_seconds):
                await room.wait()
            if not room.is_set():
                self.give_up()
        finally:
            with self._lock:  # who has given up must not pile up
                if room.set in self._waiters:
                    self._waiters.remove(room.set)

    def on_room(self, wake: Callable[[], object]) -> None:
        """Call *wake* once, on the loop's thread or at once, when there is room."""
        with self._lock:
            if self.full and not self.over:
                self._waiters.append(wake)
                return
        wake()

    def tell_waiters(self) -> None:
        """Wake whoever waits for room, to look again."""
        with self._lock:
            waiters, self._waiters = self._waiters, []
        if not waiters:
            return
        if self._loop.is_here():
            for wake in waiters:
                wake()
        else:
            for wake in waiters:
                self._loop.call_soon(wake)
