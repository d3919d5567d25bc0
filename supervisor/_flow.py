# What goes through the actors of one tree, by class: messages handled, and what waits.
#
# An actor counts for itself what it has handled. To count by class as well would cost each message
# a little; so it is added up when somebody asks, and when an actor ends. Who asks goes through so
# many actors and no more: in a large tree the next question goes on where this one has ended, so
# that each actor's share comes in late, but never twice, and no sum ever falls.
#
# Invariants, each with a test of that name in tests/supervisor/test_flow.py:
#   EXACT    once a round is over, what was handled is what all actors there ever were have handled.
#   RISING   however actors come and go between two looks, no sum falls.
#   BOUNDED  a look is at so many and no more.

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING

from ..actors._ref import target_of
from ._witness import Witness

if TYPE_CHECKING:
    from ..actors import ActorRef


class Flow:
    """
    What goes through the actors; ``root.meter.flow``. Loop thread only, no method is a checkpoint.

    Args:
        refs: All that lives, by path.
    """

    def __init__(self, refs: "Mapping[str, ActorRef]") -> None:
        self._refs = refs
        self._handled: dict[str, int] = {}
        self._rest: Iterator[str] | None = None  # of the round that is under way
        self._next = _Round()
        self._last = _Round()

    def look(self, most: int) -> bool:
        """Go on with the round, or begin one: look at *most*; say whether it is over."""
        if self._rest is None:
            self._rest, self._next = iter(list(self._refs)), _Round()
        paths = list(islice(self._rest, most))
        for path in paths:
            ref = self._refs.get(path)
            place: object = None if ref is None else target_of(ref)
            if isinstance(place, Witness):
                self._take(place)
        if len(paths) == most:
            return False
        self._rest = None
        self._last = self._next
        return True

    def fold(self, slot: Witness) -> None:
        """Count what *slot* has handled since it was looked at."""
        new = slot.handled - slot.folded
        if new > 0:
            slot.folded += new
            name = slot.counted_as
            self._handled[name] = self._handled.get(name, 0) + new

    def handled(self) -> Mapping[str, int]:
        """Return how many messages were handled so far, by class."""
        return self._handled

    def waiting(self) -> Mapping[str, int]:
        """Return how many items waited in mailboxes in the last whole round, by class."""
        return self._last.waiting

    def oldest(self) -> Mapping[str, float]:
        """Return for how many seconds the first of those had waited, at least, by class."""
        return self._last.oldest

    def unsent(self) -> Mapping[str, int]:
        """Return how many bytes peers had not taken in the last whole round, by class."""
        return self._last.unsent

    def _take(self, slot: Witness) -> None:
        self.fold(slot)
        name, queued, seen = slot.counted_as, slot.queued, self._next
        seen.waiting[name] = seen.waiting.get(name, 0) + queued
        age = slot.waited() if queued else None
        seen.oldest[name] = max(seen.oldest.get(name, 0.0), age or 0.0)
        if slot.connection is not None:
            size = slot.connection.traffic().get("output_bytes")
            seen.unsent[name] = seen.unsent.get(name, 0) + (size if isinstance(size, int) else 0)


class _Round:
    """What was seen in one round, by class."""

    def __init__(self) -> None:
        self.waiting: dict[str, int] = {}
        self.oldest: dict[str, float] = {}
        self.unsent: dict[str, int] = {}
