# How late the loop answers: the last figure, and the worst within a minute. Pure.

from collections import deque

_SECONDS = 60.0


class Lag:
    """
    Remembers how late the loop was. *now* is an argument, in seconds on one clock.

    Args:
        seconds: For how long a figure may be the worst.
    """

    def __init__(self, seconds: float = _SECONDS) -> None:
        self._seconds = seconds
        self._worst: deque[tuple[float, float]] = deque()  # when, how late; ever smaller
        self.last = 0.0
        """How late it was when it answered last."""

    def add(self, late: float, now: float) -> None:
        """Take note that the loop was *late* seconds late."""
        self.last = late
        while self._worst and self._worst[-1][1] <= late:  # never the worst again
            self._worst.pop()
        self._worst.append((now, late))
        self._forget(now)

    def worst(self, now: float) -> float:
        """Return the largest figure that is young enough; 0 if there is none."""
        self._forget(now)
        return self._worst[0][1] if self._worst else 0.0

    def _forget(self, now: float) -> None:
        while self._worst and self._worst[0][0] <= now - self._seconds:
            self._worst.popleft()
