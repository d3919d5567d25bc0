# What this process knows of the presences of another one, kept the same by numbered changes.
#
# Each process says its own changes, numbered without a gap, and every few seconds which number
# it is at. Who has missed one sees that and asks for the whole state, which comes in parts with
# changes in between. So nothing rests on the engine: a lost message is mended within one
# heartbeat, whether or not a gap was told. It is the plain form of Phoenix's Tracker: there each
# node's entries are its own, too, so that no two can contradict each other.
#
# Pure: `now` is an argument; what it returns is for the topics.
#
# Invariants, each with a test of that name in tests/supervisor/test_presence_replica.py:
#   CONVERGES   whatever is lost, after one whole state it holds what the other process holds.
#   NO GHOST    what went while a state was under way does not come back with a later part of it.
#   IN ORDER    a change that is not the next one changes nothing, and marks it stale.

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..actors._presence import Presence


class Entry(NamedTuple):
    """A presence, and the topic that it is in."""

    topic: str
    presence: Presence


class Step(NamedTuple):
    """What is to be done with the topics."""

    put: tuple[Entry, ...] = ()
    drop: tuple[Entry, ...] = ()
    at_once: bool = False


NOTHING = Step()


class Replica:
    """
    The presences of one other process.

    Args:
        now: When it was heard first, on any clock.
    """

    def __init__(self, now: float) -> None:
        self.heard = now
        """When it was heard last."""
        self.stale = True
        """Whether it must be asked for its whole state."""
        self.asked = -math.inf
        """When it was asked, or answered, last."""
        self.entries: dict[str, Entry] = {}
        """What it is known to have, by reference."""
        self._version = -1
        self._coming: _Coming | None = None

    def __repr__(self) -> str:
        state = "stale" if self.stale else f"version {self._version}"
        return f"<Replica {len(self.entries)} presences, {state}>"

    def alive(self, version: int) -> None:
        """Take note that it is at *version*; where each begins, at 0, it has nothing."""
        if version == 0 and self._version < 0:
            self._version, self.stale = 0, False
        if version != self._version and self._coming is None:
            self.stale = True

    def changed(
        self, version: int, put: Sequence[Entry], drop: Sequence[str], at_once: bool
    ) -> Step:
        """Take its change number *version*, unless another was missed before it."""
        coming = self._coming
        if coming is not None:
            if version != coming.version + 1:
                self._coming, self.stale = None, True
                return NOTHING
            coming.version = version
            coming.put.update(entry.presence.ref for entry in put)
            coming.gone.update(drop)
        elif version == self._version + 1 and not self.stale:
            self._version = version
        else:
            self.stale = self.stale or version > self._version
            return NOTHING
        return self._apply(put, drop, at_once)

    def state(self, version: int, part: int, parts: int, entries: Sequence[Entry]) -> Step:
        """Take *part* of the *parts* of its state as it was at *version*."""
        if part == 0:
            if version == self._version and not self.stale:
                return NOTHING  # another had asked
            self._coming, self.stale = _Coming(version), True  # until all of it is here
        coming = self._coming
        if coming is None or (version, part) != (coming.began, coming.parts):
            return NOTHING  # of another state, or behind a part that was lost
        coming.parts += 1
        # What it has changed since is known already, and newer.
        fresh = [
            entry
            for entry in entries
            if entry.presence.ref not in coming.gone and entry.presence.ref not in coming.put
        ]
        step = self._apply(fresh, (), False)
        coming.put.update(entry.presence.ref for entry in fresh)
        if coming.parts < parts:
            return step
        self._version, self._coming, self.stale = coming.version, None, False
        missing = [ref for ref in self.entries if ref not in coming.put]
        return Step(step.put, self._apply((), missing, False).drop)

    def _apply(self, put: Sequence[Entry], drop: Iterable[str], at_once: bool) -> Step:
        gone = [self.entries.pop(ref, None) for ref in drop]
        for entry in put:
            was = self.entries.get(entry.presence.ref)
            if was is not None and _place(was) != _place(entry):
                gone.append(was)
            self.entries[entry.presence.ref] = entry
        return Step(tuple(put), tuple(entry for entry in gone if entry is not None), at_once)


def _place(entry: Entry) -> tuple[str, str]:
    return entry.topic, entry.presence.key


class _Coming:
    """A state of which parts have come."""

    __slots__ = ("began", "gone", "parts", "put", "version")

    def __init__(self, version: int) -> None:
        self.began = self.version = version
        self.parts = 0
        self.put: set[str] = set()
        self.gone: set[str] = set()
