# Whether the client is still there: it is as long as it polls. Pure; `now` is an argument.
#
# Invariants, tested in tests/properties/test_long_poll_presence.py:
#   NEWEST WINS  at most one poll waits; the one before is superseded when the next one begins.
#   PATIENT      a session does not expire while a poll waits, however long that takes.
#   EXPIRES      it does when none has waited for as long as was said, and then for good.

from math import inf


class Presence:
    """
    The polls of one session.

    Args:
        now: When it was opened.
        seconds: How long it lives without a poll.
    """

    __slots__ = ("_seconds", "_since", "current", "polls")

    def __init__(self, now: float, seconds: float) -> None:
        self._seconds = seconds
        self._since = now
        self.current: object | None = None
        """The poll that waits."""
        self.polls = 0
        """How many there were."""

    def begin(self, poll: object) -> object | None:
        """Take note that *poll* waits; return the one that waited, which is superseded."""
        before, self.current = self.current, poll
        self.polls += 1
        return before

    def end(self, poll: object, now: float) -> None:
        """Take note that *poll* does not wait any more; one that is superseded changes nothing."""
        if self.current is poll:
            self.current = None
            self._since = now

    @property
    def expires(self) -> float:
        """When it expires if no poll comes; never while one waits."""
        return inf if self.current is not None else self._since + self._seconds

    def expired(self, now: float) -> bool:
        """Whether it has expired at *now*."""
        return now >= self.expires
