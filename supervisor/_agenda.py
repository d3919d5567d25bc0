# What is due when: names with a time each, the earliest first.

import heapq
import math


class Agenda:
    """Names, each due at one time at most. Pure."""

    def __init__(self) -> None:
        self._times: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._times)

    def __repr__(self) -> str:
        return f"<Agenda {len(self._times)} names>"

    def put(self, name: str, time: float) -> None:
        """Have *name* be due at *time*, or earlier if it is already."""
        was = self._times.get(name)
        if was is None or time < was:
            self._times[name] = time
            heapq.heappush(self._heap, (time, name))
            if len(self._heap) > 2 * len(self._times) + 64:  # mostly of earlier times
                self._heap = [(time, name) for name, time in self._times.items()]
                heapq.heapify(self._heap)

    def next(self) -> float:
        """Return when something is due; infinity if nothing is."""
        while self._heap:
            time, name = self._heap[0]
            if self._times.get(name) == time:
                return time
            heapq.heappop(self._heap)  # it was due earlier, and is over
        return math.inf

    def take(self, now: float, most: int) -> list[str]:
        """Take out what is due at *now*, the earliest first, *most* of it at most."""
        taken: list[str] = []
        while len(taken) < most:
            if self.next() > now:
                break
            name = heapq.heappop(self._heap)[1]
            del self._times[name]
            taken.append(name)
        return taken
