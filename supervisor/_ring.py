# The latest events, and those of one place among them. Pure; its user has the lock.
#
# A crash looks up what happened to its own place: among thousands of others that must not cost
# a look at each of theirs. So the ring is kept twice, once by path, in the same order.

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._events import Event


class Ring:
    """The last *capacity* events."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._all: deque[Event] = deque()
        self._by_path: dict[str, list[Event]] = {}
        self.forgotten = 0
        """The number of the last event that has left it; 0 if none has."""

    def __len__(self) -> int:
        return len(self._all)

    def append(self, event: "Event") -> None:
        """Add *event*; where the ring is full the oldest leaves it."""
        if len(self._all) == self._capacity:
            oldest = self._all.popleft()
            path, self.forgotten = oldest.path, oldest.number
            same = self._by_path[path]
            del same[0]  # in the same order: the oldest of all is the oldest of its path
            if not same:
                del self._by_path[path]
        self._all.append(event)
        self._by_path.setdefault(event.path, []).append(event)

    def newest_first(self, path: str | None = None) -> "Iterator[Event]":
        """Go through them, or those of *path*; the ring must not change meanwhile."""
        return reversed(self._all if path is None else self._by_path.get(path, ()))
