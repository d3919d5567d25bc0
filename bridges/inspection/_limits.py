# How many questions one tree answers at a time, whoever asks.
#
# Those that wait for something to happen (`events` with `wait`) have places of their own: a few
# pages that follow the events must not keep an operator from asking what is wrong.

from collections.abc import Mapping

import trio

AT_ONCE = 8
"""Questions that are answered at a time; others wait."""
WAITING = 32
"""Questions that may wait for something to happen; more are refused."""
CALLS = 64
"""Questions of threads of the same process that may be under way; more are refused."""
ANSWER_SECONDS = 40.0
"""How long an answer may take to be found."""


class Limits:
    """What one tree has under way. Loop thread only."""

    def __init__(self) -> None:
        self._working = trio.CapacityLimiter(AT_ONCE)
        self._waiting = trio.CapacityLimiter(WAITING)
        self._calls = 0

    def of(self, question: Mapping[str, object]) -> trio.CapacityLimiter | None:
        """Return what *question* needs a place of; None if it is to be refused."""
        if not question.get("wait"):
            return self._working
        return self._waiting if self._waiting.available_tokens > 0 else None

    def take_call(self) -> bool:
        """Take a place for a call of another thread; say whether there was one."""
        if self._calls >= CALLS:
            return False
        self._calls += 1
        return True

    def give_call_back(self) -> None:
        """Give it back."""
        self._calls -= 1
