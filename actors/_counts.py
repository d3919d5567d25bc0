"""A mailbox in numbers: what has come and was taken, and how long the oldest has waited."""

# Frames are counted by the loop's thread alone, and for good: what waits of them is the difference,
# and what has come in all is known as well, which costs nothing more. Of the rest only what was
# taken is; it is counted under the mailbox's lock.

from __future__ import annotations

from collections import deque
from collections.abc import Sized
from time import perf_counter

from ._messages import Call, Cast, InFrame, Item
from ._waits import Waits


class Counts:
    """The part of a mailbox that counts."""

    __slots__ = (
        "_bytes_taken", "_frame_bytes", "_frames", "_frames_taken", "_made", "_messages",
        "_others_taken", "_waits", "idle",
    )  # fmt: skip

    def __init__(self) -> None:
        self._made: deque[Item] | None = None  # until something comes: most sockets are idle
        self._messages: int = 0
        self._others_taken: int = 0
        self._frames: int = 0
        self._frame_bytes: int = 0
        self._frames_taken: int = 0
        self._bytes_taken: int = 0
        self._waits: Waits | None = None  # until something has to wait
        self.idle = False
        """Whether its actor does nothing but wait for what comes. Set by the actor's task."""

    @property
    def queued(self) -> int:
        """How many items wait in the FIFO, frames and ticks included."""
        return len(self._made or ())

    @property
    def messages(self) -> int:
        """How many waiting items count against the capacity."""
        return self._messages

    @property
    def frames_in(self) -> int:
        """How many frames have come so far. Any thread."""
        return self._frames

    @property
    def bytes_in(self) -> int:
        """How many bytes they had. Any thread."""
        return self._frame_bytes

    def waited(self, busy_since: float) -> float | None:
        """
        Return for how many seconds, at least, what is next has waited; None if nothing does.

        Args:
            busy_since: When the actor began what it does now, on the clock of `perf_counter`:
                what nothing is known of was there before that.
        """
        if not self._made:
            return None
        known = self._waits.since(self._taken) if self._waits is not None else None
        return max(0.0, perf_counter() - (busy_since if known is None else known))

    def note_waits(self, now: float) -> None:
        """Take note of what waits at *now*, on the clock of `perf_counter`. Loop thread only."""
        if self._made:
            self._mark_waits(self._made, now)

    def _mark_waits(self, what: Sized, now: float) -> None:
        if self._waits is None:
            self._waits = Waits()
        self._waits.mark(self._taken + len(what), self._taken, now)

    @property
    def _taken(self) -> int:
        return self._frames_taken + self._others_taken

    def _count(self, item: Item) -> None:
        """Count what was taken, and is put back."""
        if type(item) is InFrame:
            self._frames_taken -= 1
            self._bytes_taken -= item.size
            return
        self._others_taken -= 1
        if type(item) is Cast or type(item) is Call:
            self._messages += 1

    def _uncount(self, item: Item) -> None:
        """Count what is taken."""
        if type(item) is InFrame:
            self._frames_taken += 1
            self._bytes_taken += item.size
            return
        self._others_taken += 1
        if type(item) is Cast or type(item) is Call:
            self._messages -= 1
