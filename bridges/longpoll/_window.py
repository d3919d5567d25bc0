# What a session has sent and its client has not acknowledged yet. Pure: no trio, no lock.
#
# Invariants, each tested in tests/properties/test_long_poll_window.py against a model:
#   NUMBERED   messages have the numbers 1, 2, 3 ... in the order they were appended.
#   KEPT       what was appended stays until it is acknowledged, or dropped for the bounds: a
#              client that asks again is given it again.
#   BOUNDED    no more messages, and no more bytes, than was said; one message alone may be larger.
#   NO SILENCE what was dropped is a gap that the next answer names, until it is acknowledged.

from collections import deque
from typing import NamedTuple

from ...actors.consumers import Frame


class Numbered(NamedTuple):
    """One message of the session, and its number."""

    number: int
    frame: Frame


class Unacknowledged(NamedTuple):
    """What a poll is answered with."""

    messages: tuple[Numbered, ...]
    lost: tuple[int, int] | None
    """The first and the last number of what was dropped in front of them, if anything was."""


class BadAcknowledgement(ValueError):
    """A client says that it has seen what was never sent."""


class Window:
    """
    The messages of one session between being sent and being acknowledged.

    Args:
        messages: So many at most.
        size: So many bytes at most.
        drop_oldest: Whether the oldest make room for what is too much.
    """

    __slots__ = ("_acknowledged", "_drop", "_kept", "_last", "_messages", "_size", "bytes", "lost")

    def __init__(self, *, messages: int, size: int, drop_oldest: bool) -> None:
        self._messages, self._size, self._drop = messages, size, drop_oldest
        self._kept: deque[Numbered] = deque()
        self._last = 0
        self._acknowledged = 0
        self.bytes = 0
        self.lost = 0
        """How many messages were dropped."""

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def last(self) -> int:
        """The number of the last message."""
        return self._last

    @property
    def half_full(self) -> bool:
        """Whether a sender should wait; never where the oldest make room."""
        return not self._drop and (
            2 * len(self._kept) > self._messages or 2 * self.bytes > self._size
        )

    def append(self, frame: Frame) -> bool:
        """Add *frame*; False, and nothing is added, where it is too much and nothing is dropped."""
        while self._kept and (
            len(self._kept) >= self._messages or self.bytes + frame.size > self._size
        ):
            if not self._drop:
                return False
            self.bytes -= self._kept.popleft().frame.size
            self.lost += 1
        self._last += 1
        self._kept.append(Numbered(self._last, frame))
        self.bytes += frame.size
        return True

    def acknowledge(self, number: int) -> None:
        """
        Forget what the client has seen: all up to *number*. An older number changes nothing.

        Raises:
            BadAcknowledgement: It was never sent.
        """
        if not 0 <= number <= self._last:
            raise BadAcknowledgement(f"the last message is number {self._last}. Got: {number}")
        self._acknowledged = max(self._acknowledged, number)
        while self._kept and self._kept[0].number <= number:
            self.bytes -= self._kept.popleft().frame.size

    def unacknowledged(self) -> Unacknowledged:
        """Return what the client has not seen yet, and what it never will."""
        first = self._kept[0].number if self._kept else self._last + 1
        expected = self._acknowledged + 1
        lost = (expected, first - 1) if first > expected else None
        return Unacknowledged(tuple(self._kept), lost)

    @property
    def has_news(self) -> bool:
        """Whether a poll is answered at once."""
        return bool(self._kept) or self._last > self._acknowledged

    def clear(self) -> None:
        """Forget all messages, and that they were there."""
        self._kept.clear()
        self.bytes = 0
        self._acknowledged = self._last
