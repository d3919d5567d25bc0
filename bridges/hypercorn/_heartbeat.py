# When a silent peer is pinged, and when it is given up. Pure: `now` is an argument.
#
# Anything that arrives counts as a sign of life, not only a pong: a peer that sends is
# there. Nothing is set for each message; whoever waits looks here when a deadline has come.

from enum import Enum
from math import inf


class Beat(Enum):
    """What to do now."""

    WAIT = "wait"
    PING = "ping"
    DEAD = "dead"


class Heartbeat:
    """
    The heartbeat of one connection.

    Args:
        interval: Seconds of silence after which the peer is pinged; 0 for never.
        timeout: Seconds after a ping without a sign of life, after which it is dead.
        now: The time at the start, in seconds.
    """

    __slots__ = ("_interval", "_pinged", "_timeout", "heard")

    def __init__(self, interval: float, timeout: float, now: float) -> None:
        self._interval = interval or inf
        self._timeout = timeout
        self._pinged: float | None = None
        self.heard = now
        """When the peer gave the last sign of life."""

    def deadline(self) -> float:
        """When to call :meth:`beat` next."""
        if self._pinged is not None and self._pinged >= self.heard:
            return self._pinged + self._timeout
        return self.heard + self._interval

    def beat(self, now: float) -> Beat:
        """Return what is due at *now*; PING counts as done."""
        if now < self.deadline():
            return Beat.WAIT
        if self._pinged is not None and self._pinged >= self.heard:
            return Beat.DEAD
        self._pinged = now
        return Beat.PING
