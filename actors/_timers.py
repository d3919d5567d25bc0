"""Timers of an incarnation: what is due when. Pure: `now` is an argument."""

# One heap and one task for all timers of an incarnation (trio has no call_later;
# a task for each would cost 5 KiB). A timer belongs to its incarnation: its tick
# carries it, and a tick whose timer was cancelled or whose incarnation is over is
# dropped when it is taken, so that a restarted key never sees an old tick (Pekko).

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterator
from itertools import chain, count
from math import inf
from typing import ClassVar

_SWEPT = 64  # so many timers wait before it is looked for cancelled ones


class Timer:
    """
    One pending message: once after *seconds*, or every *seconds*.

    At most one of its ticks waits in the mailbox, so a slow actor is not flooded:
    ticks that fall due meanwhile are left out.
    """

    __slots__ = (
        "cancelled", "carried", "interval", "key", "message", "owner", "spent", "waiting",
    )  # fmt: skip

    what: ClassVar[str] = "timer"
    carried: object
    """What was current where it was set; set only in a tree that is traced."""

    def __init__(
        self, owner: object, message: object, key: Hashable, interval: float | None
    ) -> None:
        self.owner = owner
        self.message = message
        self.key = key
        self.interval = interval
        self.cancelled = False
        self.spent = False  # due for the last time
        self.waiting = False

    @property
    def over(self) -> bool:
        """Whether nothing can come of it any more."""
        return self.cancelled or (self.spent and not self.waiting)

    def cancel(self) -> None:
        """End it, also a tick that waits in the mailbox already. Any thread."""
        self.cancelled = True

    def taken(self) -> None:
        """Take note that its tick has left the mailbox; the runtime's business."""
        self.waiting = False

    def put_aside(self) -> None:
        """Take note that its tick waits again, so that no other does; the runtime's business."""
        self.waiting = True

    def __repr__(self) -> str:
        every = f" every {self.interval:g} s" if self.interval is not None else ""
        return f"<Timer {self.key!r}{every}{' cancelled' if self.cancelled else ''}>"


class TimerQueue:
    """
    The timers of one incarnation by due time; a key names at most one.

    It names it until its last tick has been taken, so that a tick can be cancelled too.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._keyed: dict[Hashable, Timer] = {}
        self._order = count()
        self._sweep_at = _SWEPT

    def add(self, timer: Timer, due: float) -> None:
        """Add *timer*; one with the same key is cancelled and replaced."""
        if len(self._heap) >= self._sweep_at or len(self._keyed) >= self._sweep_at:
            self._sweep()
        if timer.key is not None:
            old = self._keyed.get(timer.key)
            if old is not None and old is not timer:
                old.cancel()
            self._keyed[timer.key] = timer
        heapq.heappush(self._heap, (due, next(self._order), timer))

    def cancel(self, key: Hashable) -> bool:
        """Cancel the timer named *key*, also its waiting tick; False when there is none."""
        timer = self._keyed.pop(key, None)
        if timer is None or timer.over:
            return False
        timer.cancel()
        return True

    def named(self, key: Hashable) -> Timer | None:
        """Return the timer last named *key*, if it is remembered. Any thread."""
        return self._keyed.get(key)

    def next_due(self) -> float | None:
        """When the next living timer is due; None without one."""
        while self._heap and self._heap[0][2].cancelled:
            self._forget(heapq.heappop(self._heap)[2])
        return self._heap[0][0] if self._heap else None

    def due(self, now: float) -> Iterator[Timer]:
        """Yield the timers due at *now*, earliest first; repeating ones are set again."""
        again: list[tuple[float, int, Timer]] = []
        while True:
            first = self.next_due()
            if first is None or first > now:
                break
            _, _, timer = heapq.heappop(self._heap)
            if timer.interval is None:
                timer.spent = True
            else:
                # From the time it was due, not from now: no drift; but a late one
                # does not have to catch up on every tick it missed.
                following = first + timer.interval
                if following <= now:
                    following = now + timer.interval
                again.append((following, next(self._order), timer))
            yield timer
        # Only now, or an interval too small for the clock would never let go.
        for entry in again:
            heapq.heappush(self._heap, entry)

    def pending(self, most: int) -> list[tuple[float, Timer]]:
        """Return when which timers are due, *most* of them, the earliest first."""
        # A last tick that waits in the mailbox has left the heap; its name stays until it is taken.
        ticks = [(-inf, 0, each) for each in self._keyed.values() if each.spent and not each.over]
        living = (entry for entry in self._heap if not entry[2].cancelled)
        first = heapq.nsmallest(most, chain(ticks, living), key=lambda entry: entry[:2])
        return [(due, timer) for due, _, timer in first]

    def _forget(self, timer: Timer) -> None:
        if timer.key is not None and self._keyed.get(timer.key) is timer:
            del self._keyed[timer.key]

    def _sweep(self) -> None:
        # Cancelled timers would stay until they are due: one for each message where
        # an actor puts off its idle timeout of an hour with each message.
        # And so would the keys of those that are over.
        self._keyed = {key: timer for key, timer in self._keyed.items() if not timer.over}
        self._heap = [entry for entry in self._heap if not entry[2].cancelled]
        heapq.heapify(self._heap)
        self._sweep_at = max(_SWEPT, 2 * len(self._heap), 2 * len(self._keyed))
