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
#   BOUNDED  at most max_restarts + 1 moments are kept, whatever happens.

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
        self._moments: tuple[float, ...] = ()  # short; and an empty one takes nothing

    def __repr__(self) -> str:
        limit = "any number" if self.max_restarts is None else self.max_restarts
        return f"<RestartWindow {limit} in {self.max_seconds:g} s, {len(self._moments)} remembered>"

    def admit(self, now: float) -> bool:
        """
        Record a restart at *now* and say whether the budget covers it.

        A refused one is recorded too.

        Args:
            now: Seconds on the slot's clock, never less than in the call before.
        """
        self._moments = (*self._moments, now)[-self._kept :]
        return self.max_restarts is None or self.count(now) <= self.max_restarts

    def count(self, now: float) -> int:
        """
        Count the recorded restarts that lie in the window at *now*.

        Stops counting at *max_restarts* + 1, or at 100 where there is no limit.
        """
        self._moments = self._lately(now)
        return len(self._moments)

    def left(self, now: float) -> int | None:
        """
        Say how many restarts would be admitted at *now*; None means any number. Any thread.
        """
        if self.max_restarts is None:
            return None
        return max(0, self.max_restarts - len(self._lately(now)))

    def reset(self) -> None:
        """
        Forget every restart, as after parking or by an operator's hand.
        """
        self._moments = ()

    def _lately(self, now: float) -> tuple[float, ...]:
        return tuple(moment for moment in self._moments if moment > now - self.max_seconds)
