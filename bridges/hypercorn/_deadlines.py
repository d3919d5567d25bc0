# Who is due when, of many that are put off or leave long before they are. Pure.
#
# A heap whose entries hold only if the table says the same; it is made anew when most of them
# do not, so that what has left is not kept in memory until it would have been due.

import heapq
from itertools import count
from math import inf
from typing import Generic, TypeVar

T = TypeVar("T")

_FEW = 64


class Deadlines(Generic[T]):
    """Owners by the time at which each is due; an owner has one such time."""

    def __init__(self) -> None:
        self._times: dict[T, float] = {}
        self._heap: list[tuple[float, int, T]] = []
        self._order = count()

    def set(self, owner: T, when: float) -> None:
        """Have *owner* due at *when*, instead of when it was before; inf for never."""
        if when == inf:
            self.discard(owner)
            return
        self._times[owner] = when
        heapq.heappush(self._heap, (when, next(self._order), owner))
        if len(self._heap) > 2 * len(self._times) + _FEW:
            self._heap = [entry for entry in self._heap if self._times.get(entry[2]) == entry[0]]
            heapq.heapify(self._heap)

    def discard(self, owner: T) -> None:
        """Forget *owner*; nothing if it is not known."""
        self._times.pop(owner, None)

    def next(self) -> float:
        """When the next one is due, or a little earlier; inf if nobody is."""
        return self._heap[0][0] if self._heap else inf

    def take_due(self, now: float, most: int) -> list[T]:
        """Take out up to *most* that are due at *now*, the earliest first."""
        due: list[T] = []
        while self._heap and self._heap[0][0] <= now and len(due) < most:
            when, _, owner = heapq.heappop(self._heap)
            if self._times.get(owner) == when:
                del self._times[owner]
                due.append(owner)
        return due
