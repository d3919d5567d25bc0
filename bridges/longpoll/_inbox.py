# Which messages of a client are new: it numbers them, and may send one again when it does not
# know whether it arrived. Pure.
#
# Invariants, tested in tests/properties/test_long_poll_window.py:
#   ONCE      each number is taken once, however often and in however many requests it comes.
#   IN ORDER  numbers are taken as 1, 2, 3 ...; one too far ahead is refused, not put aside.

from enum import Enum


class Arrival(Enum):
    """What a number is."""

    NEXT = "next"
    SEEN = "seen"
    AHEAD = "ahead"


class Inbox:
    """The numbers of one client's messages."""

    __slots__ = ("received",)

    def __init__(self) -> None:
        self.received = 0
        """The number of the last message that was taken."""

    def look(self, number: int) -> Arrival:
        """Say what *number* is, and change nothing."""
        if number <= self.received:
            return Arrival.SEEN
        return Arrival.NEXT if number == self.received + 1 else Arrival.AHEAD

    def take(self, number: int) -> None:
        """Take note that the message *number*, which is the next, was handed on."""
        assert number == self.received + 1, "out of order"
        self.received = number
