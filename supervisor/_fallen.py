# Connections that have ended and had crashed before: what they said, for whoever looks when they
# are gone, as those are that crash at once whenever they begin.
#
# The last few of each class, so that one that fails in a loop does not push out the others; nothing
# is kept of a connection that has never crashed.
#
# Invariants, each with a test of that name in tests/supervisor/test_fallen.py:
#   BOUNDED  of each class the last few are kept, with the few crashes that a slot keeps.
#   FOUND    by path as long as it is kept, then not.
#   FAILED   what is told of a class is what has ended because of a crash, not what had one once.

from collections import deque
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from ._crashes import Crash
from ._dead_letters import CRASHED
from ._standing import Left

if TYPE_CHECKING:
    from ._place import Place

KEPT = 5
"""Connections of one class."""
CLASSES = 100
"""Classes of which any are kept; the one that was heard of last goes first."""


@dataclass(frozen=True, slots=True)
class Fallen:
    """A connection that has ended."""

    path: str
    actor: str
    epoch: int
    left: Left
    crashes: tuple[Crash, ...]
    """The oldest first; at least one."""

    @property
    def failed(self) -> bool:
        """Whether a crash has ended it."""
        return self.left.reason.startswith(f"{CRASHED}:")


@dataclass(slots=True)
class _Class:
    kept: deque[Fallen]
    failed: int = 0


class Graveyard:
    """The last connections that have ended and had crashed. Loop thread only."""

    def __init__(self) -> None:
        self._classes: dict[str, _Class] = {}

    def bury(self, slot: "Place", crashes: tuple[Crash, ...], left: Left) -> None:
        """Keep what is to be known of *slot*, which has ended."""
        name = slot.actor.__qualname__
        known = self._classes.pop(name, None) or _Class(deque(maxlen=KEPT))
        self._classes[name] = known  # last again
        fallen = Fallen(slot.path, name, slot.epoch, left, crashes)
        known.kept.append(fallen)
        known.failed += fallen.failed
        if len(self._classes) > CLASSES:
            del self._classes[next(iter(self._classes))]

    def find(self, path: str) -> Fallen | None:
        """Return what was at *path*, if it is kept."""
        found = (each for known in self._classes.values() for each in known.kept)
        return next((each for each in found if each.path == path), None)

    def lately(self, since: float, most: int) -> list[dict[str, Any]]:
        """
        Return the last one of each class that a crash has ended, by the class's name.

        Args:
            since: Unix seconds; who ended before is not told.
            most: How many classes at most, those that were heard of last.
        """
        told: list[dict[str, Any]] = []
        for known in reversed(self._classes.values()):
            last = next((each for each in reversed(known.kept) if each.failed), None)
            if last is None or last.left.at < since:
                continue
            crash = last.crashes[-1].brief
            told.append({
                "path": last.path,
                "actor": last.actor,
                "at": last.left.at,
                "exception": crash.exception,
                "text": crash.text,
                "failed": known.failed,
            })  # fmt: skip
            if len(told) == most:
                break
        # Whoever wants to click on one does not like it to move with each crash.
        return sorted(told, key=itemgetter("actor"))
