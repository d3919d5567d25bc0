# How long to wait before a restart. Pure: no trio, no clock, no random source.
#
# 0, min, 2 min, 4 min ... max seconds. The first restart is immediate, because
# most crashes are one bad message and the peer should not notice. OTP never waits
# at all; a database that is down then spends the whole budget in milliseconds.
#
# Jitter goes both ways and is applied after the cap. Were it cut off at max, half
# of the slots that failed together would come back at exactly the same moment.

import math
from dataclasses import dataclass

from ._options import refuse_unless_seconds


@dataclass(frozen=True, slots=True)
class Backoff:
    """
    Exponential pauses with jitter.

    Args:
        min_seconds: Pause before the second attempt; 0 switches all pauses off.
        max_seconds: Pause at which doubling stops.
        jitter: Share, 0 to 1, by which a pause is lengthened or shortened.

    Raises:
        TypeError: an argument is no number.
        ValueError: one is out of range, or *min_seconds* exceeds *max_seconds*.
    """

    min_seconds: float
    max_seconds: float
    jitter: float

    def __post_init__(self) -> None:
        refuse_unless_seconds("min_seconds", self.min_seconds, zero=True)
        refuse_unless_seconds("max_seconds", self.max_seconds, zero=True)
        refuse_unless_seconds("jitter", self.jitter, zero=True)
        if self.jitter > 1:
            raise ValueError(f"jitter must lie between 0 and 1. Got: {self.jitter!r}")
        if self.min_seconds > self.max_seconds:
            raise ValueError(
                "min_seconds must not exceed max_seconds. Got:"
                f" min_seconds={self.min_seconds!r}, max_seconds={self.max_seconds!r}"
            )

    def delay(self, attempt: int, random: float) -> float:
        """
        Return the seconds to wait before restart number *attempt*.

        Args:
            attempt: 1 for the first restart in a row, which does not wait.
            random: A number from 0 up to but not including 1, which picks the
                place within the jitter; 0.5 is the plain pause.

        Raises:
            ValueError: *attempt* is less than 1.
        """
        if attempt < 1:
            raise ValueError(f"attempt must be at least 1. Got: {attempt!r}")
        if attempt == 1:
            return 0.0
        return self._plain(attempt) * (1 + self.jitter * (2 * random - 1))

    def _plain(self, attempt: int) -> float:
        try:
            return min(math.ldexp(self.min_seconds, attempt - 2), self.max_seconds)
        except OverflowError:  # after some thousand attempts
            return self.max_seconds


def backoff_of(actor: type, usual: Backoff) -> Backoff:
    """
    Return *actor*'s pauses: its own `backoff_*` attributes, for the others those of *usual*.

    Where only one of its limits is its own and contradicts the usual other one, that one
    follows it.
    """
    low: float | None = getattr(actor, "backoff_min_seconds", None)
    high: float | None = getattr(actor, "backoff_max_seconds", None)
    jitter: float = getattr(actor, "backoff_jitter", usual.jitter)
    if low is None and high is None and jitter == usual.jitter:
        return usual
    if low is None:
        low = usual.min_seconds if high is None else min(usual.min_seconds, high)
    if high is None:
        high = max(usual.max_seconds, low)
    return Backoff(low, high, jitter)
