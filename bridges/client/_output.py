# What waits to be written to one connection: bounded in bytes, filled from any thread.
#
# Invariants, each with a test of that name in tests/bridges/client/test_output.py:
#   ORDER     frames leave in the order of send(), whichever threads called it.
#   ROOM      who asks for room is told when less than the high water waits, or when the
#             output is over; never left waiting.
#   BOUNDED   no more than the limit and one frame wait; past it the output is over.
#
# Two marks, as on the server's side: above the high water senders are asked to wait; the
# limit is for those who do not.

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

import trio

from ...actors._lowlevel import LoopThread, Parker
from ...actors._mailbox import wake_from_thread
from ...actors.consumers import Frame


class Output:
    """
    The frames that wait to be written to one connection.

    Args:
        loop: Where the writer runs.
        high_water_bytes: From here on senders should wait.
        limit_bytes: A frame more than this, and the output is over.
    """

    def __init__(self, loop: LoopThread, *, high_water_bytes: int, limit_bytes: int) -> None:
        self._loop = loop
        self._high_water, self._limit = high_water_bytes, limit_bytes
        self._lock = threading.Lock()
        self._frames: deque[Frame] = deque()
        self._waiters: list[Callable[[], object]] = []
        self._writer = Parker()
        self._alarm = Parker()
        self._open = False
        self.size = 0
        """Bytes that wait, those being written included."""
        self.overrun = False
        """Whether it is over because more than the limit waited."""
        self.finishing = False
        """Whether nothing will be added and the writer should end when all is written."""

    def __repr__(self) -> str:
        state = "open" if self._open else "closed"
        return f"<Output {state}, {len(self._frames)} frames, {self.size} bytes>"

    @property
    def open(self) -> bool:
        """Whether frames are taken."""
        return self._open

    @property
    def full(self) -> bool:
        """Whether a sender should wait for room."""
        return self._open and self.size >= self._high_water

    def begin(self) -> None:
        """Take frames from now on. Loop thread only."""
        self._open = True

    def send(self, frame: Frame) -> bool:
        """Append *frame*; False where none is taken. Any thread, never blocks."""
        with self._lock:
            if self._open and self.size > self._limit:
                self._open, self.overrun = False, True
            if self._open:
                self._frames.append(frame)
                self.size += frame.size
            taken, overrun = self._open, self.overrun
        parker = self._alarm if overrun else self._writer
        if self._loop.is_here():
            parker.wake()
        else:
            wake_from_thread(self._loop, parker)
        return taken

    async def take(self) -> Frame | None:
        """
        Wait for the next frame to write; None when there will be none. The writer only.

        A checkpoint if it waits. A cancellation leaves the frames.
        """
        while True:
            if self._frames:
                return self._frames.popleft()
            if self.finishing:
                return None
            await self._writer.park()

    def written(self, frame: Frame) -> None:
        """Take note that *frame* is out, and tell who waits for room. Loop thread only."""
        with self._lock:
            self.size -= frame.size
        if not self.full:
            self._tell()

    def finish(self) -> None:
        """Take no more frames; the writer ends when it has written all. Loop thread only."""
        with self._lock:
            self._open = False
            self.finishing = True
        self._tell()
        self._writer.wake()

    def end(self) -> None:
        """Take no more frames and forget those that wait. Loop thread only."""
        with self._lock:
            self._open = False
            self._frames.clear()
            self.size = 0
        self._tell()

    async def wait_overrun(self) -> None:
        """Wait until more than the limit waits. One task only; a checkpoint if it waits."""
        while not self.overrun:
            await self._alarm.park()

    async def wait_room(self) -> None:
        """Wait until there is room, or the output is over. Always a checkpoint."""
        room = trio.Event()
        self.on_room(room.set)
        await room.wait()

    def on_room(self, wake: Callable[[], object]) -> None:
        """Call *wake* once, on the loop's thread or at once in this one."""
        with self._lock:
            if self.full:
                self._waiters.append(wake)
                return
        wake()

    def _tell(self) -> None:
        with self._lock:
            waiters, self._waiters = self._waiters, []
        for wake in waiters:
            wake()
