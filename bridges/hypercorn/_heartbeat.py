# When a silent peer is pinged, and when it is given up. Pure: `now` is an argument.
#
# Anything that arrives counts as a sign of life, not only a pong: a peer that sends is
# there. Nothing is set for each message; whoever waits looks here when a time has come that it
# was told.

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

    __slots__ = ("_interval", "_pinged", "heard", "timeout")

    def __init__(self, interval: float, timeout: float, now: float) -> None:
        self._interval = interval or inf
        self.timeout = timeout
        self._pinged: float | None = None
        self.heard = now
        """When the peer gave the last sign of life."""

    def next_look(self, now: float) -> float:
        """
        When to call :meth:`beat` again after *now*.

        Nothing tells when the answer to a ping comes. Who looked only at the end of the timeout
        would send the next ping as late as that, however short the interval.
        """
        return min(self.deadline(), now + self._interval)

    def deadline(self) -> float:
        """When something is due, if the peer says nothing until then."""
        if self._pinged is not None and self._pinged >= self.heard:
            return self._pinged + self.timeout
        return self.heard + self._interval

    def beat(self, now: float) -> Beat:
        """Return what is due at *now*; PING counts as done."""
        if now < self.deadline():
            return Beat.WAIT
        if self._pinged is not None and self._pinged >= self.heard:
            return Beat.DEAD
        self._pinged = now
        return Beat.PING
