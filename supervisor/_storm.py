# When many slots crash at once. Pure: no trio, no clock, no random source.
#
# A budget looks at one slot. If a database is down, a thousand consumers crash in the same
# moment, each well within its own budget, and all of them restart at once against the
# database that is just coming back. OTP counts per supervisor and would end them all, the
# innocent too. This breaker ends nobody: it puts restarts off, each by a random share of
# `delay_seconds` ("full jitter": equal shares would only move the crowd), and has new
# connections wait outside until that is over.
#
# It opens at the restart that is one too many within the window, and closes when for
# `delay_seconds` none was: by then every restart that it put off has been made. Restarts
# that are few do not hold it open, or one bad client could keep everybody out.
#
# Invariants, each with a test of that name in tests/supervisor/test_storm.py:
#   EXACT     it opens exactly when more than `restarts` lie within the window.
#   BOUNDED   no restart is put off by more than `delay_seconds`, and it is closed so long
#             after the last one too many; `restarts` + 1 moments are kept.
#   CONSTANT  a crash costs the same work whatever their number.

from collections import deque

from ._options import refuse_unless_seconds, refuse_unless_whole


class StormBreaker:
    """
    Spreads restarts out once they are too many. Not thread-safe; no method is a checkpoint.

    Args:
        restarts: Restarts within *seconds* that are no storm yet; None: there is never one.
        seconds: Length of the sliding window.
        delay_seconds: What a restart is put off by at most.

    Raises:
        TypeError: an argument is no number.
        ValueError: *restarts* is less than 1, or a number of seconds not above 0.
    """

    def __init__(self, restarts: int | None, seconds: float, delay_seconds: float) -> None:
        if restarts is not None:
            refuse_unless_whole("restarts", restarts, 1)
        refuse_unless_seconds("seconds", seconds, zero=False)
        refuse_unless_seconds("delay_seconds", delay_seconds, zero=False)
        self._restarts = restarts
        self._seconds, self._delay_seconds = seconds, delay_seconds
        self._moments: deque[float] = deque(maxlen=restarts + 1 if restarts else 0)
        self.open = False
        """Whether there is a storm."""
        self.until = 0.0
        """When it is over, unless there are too many restarts again before."""
        self.since = 0.0
        """When the storm, or the last one, began."""
        self.restarts = 0
        """Restarts of this storm, or of the last one: those that made it, and those within."""
        self.put_off = 0
        """How many of them were put off."""
        self.storms = 0
        """Storms so far."""

    def __repr__(self) -> str:
        limit = "any number" if self._restarts is None else self._restarts
        state = "open" if self.open else "closed"
        return f"<StormBreaker {state}, {limit} in {self._seconds:g} s, {self.storms} storms>"

    def admit(self, now: float, random: float) -> float:
        """
        Take note of a restart; return the seconds to put it off by, 0 without a storm.

        Args:
            now: Seconds on a clock that does not go back.
            random: A number from 0 up to but not including 1: the share of the delay.
        """
        if self._restarts is None:
            return 0.0
        self.look(now)
        moments = self._moments
        moments.append(now)
        if len(moments) > self._restarts and moments[0] > now - self._seconds:
            if not self.open:
                self.open, self.since = True, now
                self.restarts, self.put_off = self._restarts, 0
                self.storms += 1
            self.until = now + max(self._delay_seconds, self._seconds)
        if not self.open:
            return 0.0
        self.restarts += 1
        self.put_off += 1
        return random * self._delay_seconds

    def look(self, now: float) -> None:
        """End the storm if it is over at *now*."""
        if self.open and now >= self.until:
            self.open = False

    def close(self) -> None:
        """End the storm, whatever the time is."""
        self.open = False
