# How many restarts are too many. Pure: no trio, no clock; now is an argument.
#
# The window slides, as OTP's does: at every moment the restarts of the last
# max_seconds count. (Pekko's limit is a bucket that empties at once, so that twice
# the limit passes around its edge.) It is half open, (now - max_seconds, now]: a
# restart exactly max_seconds ago has left it. OTP counts whole seconds and keeps
# the edge; with floats nobody can tell, but tests on a virtual clock can.
#
# The default is Elixir's 3 in 5 s, not OTP's 1 nor Gleam's 2: one poisoned message
# and the client's two retries are forgiven, a consumer that fails on every message
# is not. Two things differ from all of them. The budget belongs to one slot, so
# four crashes of four clients close nothing; and the caller hands in a clock that
# stands still while the slot backs off, since otherwise a pause longer than the
# window would refill the budget and a broken child would be restarted for ever.
#
# Invariants, each with a test of that name in tests/supervisor/test_intensity.py:
#   EXACT    admit() is False exactly when more than max_restarts lie in the window.
#   BOUNDED  at most 2 * max_restarts + 2 moments are kept, whatever happens.
#   CHEAP    a restart costs about the same whatever the limit: the moments are in order, so
#            those in the window are found by bisection, and the others dropped many at a time.

from bisect import bisect_right
from collections.abc import Sequence

from ._options import refuse_unless_seconds, refuse_unless_whole

# Without a limit nothing is decided, but people still want to see the count.
_KEPT_WITHOUT_LIMIT = 100


class RestartWindow:
    """
    The restart budget of one slot.

    Not thread-safe but for :meth:`left`, and no method is a checkpoint.

    Args:
        max_restarts: Restarts forgiven within the window. 0 forgives none, None
            forgives all.
        max_seconds: Length of the window in seconds.

    Raises:
        TypeError: an argument is no number.
        ValueError: *max_restarts* is negative, or *max_seconds* not a finite number
            above 0.
    """

    __slots__ = ("_kept", "_moments", "max_restarts", "max_seconds")

    def __init__(self, max_restarts: int | None, max_seconds: float) -> None:
        if max_restarts is not None:
            refuse_unless_whole("max_restarts", max_restarts, 0)
        refuse_unless_seconds("max_seconds", max_seconds, zero=False)
        self.max_restarts = max_restarts
        self.max_seconds = max_seconds
        self._kept = _KEPT_WITHOUT_LIMIT if max_restarts is None else max_restarts + 1
        self._moments: list[float] | tuple[()] = ()  # in order; and an empty one takes nothing

    def __repr__(self) -> str:
        limit = "any number" if self.max_restarts is None else self.max_restarts
        remembered = min(len(self._moments), self._kept)
        return f"<RestartWindow {limit} in {self.max_seconds:g} s, {remembered} remembered>"

    def admit(self, now: float) -> bool:
        """
        Record a restart at *now* and say whether the budget covers it.

        A refused one is recorded too.

        Args:
            now: Seconds on the slot's clock, never less than in the call before.
        """
        self._moments = self._moments or []
        self._moments.append(now)
        lately = self.count(now)
        return self.max_restarts is None or lately <= self.max_restarts

    def count(self, now: float) -> int:
        """
        Count the recorded restarts that lie in the window at *now*.

        Stops counting at *max_restarts* + 1, or at 100 where there is no limit.
        """
        moments = self._moments
        old = self._old(moments, now)
        if 2 * old > len(moments):  # not each time, which would copy all that stay
            self._moments = moments[old:] or ()
        return len(moments) - old

    def left(self, now: float) -> int | None:
        """
        Say how many restarts would be admitted at *now*; None means any number. Any thread.
        """
        if self.max_restarts is None:
            return None
        moments = self._moments  # a list that only grows: other ones take its place
        return max(0, self.max_restarts - (len(moments) - self._old(moments, now)))

    def reset(self) -> None:
        """
        Forget every restart, as after parking or by an operator's hand.
        """
        self._moments = ()

    def _old(self, moments: Sequence[float], now: float) -> int:
        """Return how many of *moments*, the first ones, do not count any more."""
        return max(bisect_right(moments, now - self.max_seconds), len(moments) - self._kept)
