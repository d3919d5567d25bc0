# Who is present in one topic, and what those who watch it have been told.
#
# Pure: `now` is an argument. What is told is the difference to what was told last, so whatever
# came and went in between is not told at all. Who begins to watch in between has seen some of it,
# so that of those keys the outcome is told in any case.
#
# Invariants, each with a test of that name in tests/supervisor/test_presence_topic.py:
#   NO FLICKER    a key whose last presence goes with grace, and comes again within it, was never
#                 away.
#   CONVERGES     who applies all diffs to what was listed when he began sees what is listed.
#   IDLE          without anybody present or lingering it holds nothing and is due never.

import math
from collections.abc import Mapping
from typing import Any

from ..actors._presence import Listed, Presence, PresenceDiff


class PresenceTopic:
    """
    One topic, as this process sees it: who is present, in all processes.

    Args:
        name: The topic's.
        grace: Seconds for which a key is shown yet that has gone with grace.
    """

    def __init__(self, name: str, grace: float) -> None:
        self.name, self._grace = name, grace
        self._present: dict[str, dict[str, Presence]] = {}
        self._lingering: dict[str, _Lingering] = {}
        self._told: Listed = {}
        self._stirred: dict[str, None] = {}  # keys that may differ from what was told
        self._seen: Listed = {}  # of those, what somebody has been shown that was not told

    def __repr__(self) -> str:
        return f"<PresenceTopic {self.name} {len(self._present)} keys>"

    @property
    def keys(self) -> int:
        """How many keys are listed."""
        return len(self._present) + len(self._lingering)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is there, and nothing left to be told."""
        return not (self._present or self._lingering or self._told)

    def put(self, presence: Presence) -> None:
        """Have *presence* be there, in the place of what was there of its reference."""
        self._present.setdefault(presence.key, {})[presence.ref] = presence
        self._lingering.pop(presence.key, None)
        self._stirred[presence.key] = None

    def drop(self, presence: Presence, *, at_once: bool) -> None:
        """Have *presence* be there no more; as its key's last it lingers, unless *at_once*."""
        key = presence.key
        there = self._present.get(key)
        if there is None or there.pop(presence.ref, None) is None:
            return
        self._stirred[key] = None
        if not there:
            del self._present[key]
            if not at_once and self._grace:
                self._lingering[key] = _Lingering((presence,))

    def listed(self) -> Listed:
        """Return who is there, by key, in the order in which they came."""
        here = {key: tuple(there.values()) for key, there in self._present.items()}
        return here | {key: each.presences for key, each in self._lingering.items()}

    def shown(self) -> Listed:
        """Return what is listed, to somebody who will be told all changes from now on."""
        listed = self.listed()
        for key in self._stirred:
            seen = listed.get(key, ())
            if _metas(seen) != _metas(self._told.get(key, ())):  # else he knows what all know
                self._seen[key] = seen or self._seen.get(key, ())
        return listed

    def expire(self, now: float) -> float:
        """
        Let go whose grace is over at *now*; return when that of another is, or infinity.

        What has come to linger does so from the first *now* on that it sees.
        """
        over = [key for key, each in self._lingering.items() if each.is_over(now, self._grace)]
        for key in over:
            del self._lingering[key]
            self._stirred[key] = None
        return min((each.until for each in self._lingering.values()), default=math.inf)

    def changes(self) -> PresenceDiff | None:
        """Return what differs from what was told last, and take it for told."""
        joined: Listed = {}
        left: Listed = {}
        changed: Listed = {}
        for key in self._stirred:
            was, present = self._told.get(key), self._now(key)
            if present is None:
                self._told.pop(key, None)
                if gone := was or self._seen.get(key):
                    left[key] = gone
                continue
            self._told[key] = present
            if was is None:
                joined[key] = present
            elif key in self._seen or _metas(was) != _metas(present):
                changed[key] = present
        self._seen.clear()
        self._stirred.clear()
        if not (joined or left or changed):
            return None
        return PresenceDiff(self.name, joined, left, changed)

    def _now(self, key: str) -> tuple[Presence, ...] | None:
        there = self._present.get(key)
        if there is not None:
            return tuple(there.values())
        lingering = self._lingering.get(key)
        return None if lingering is None else lingering.presences


def _metas(presences: tuple[Presence, ...]) -> list[Mapping[str, Any]]:
    return [each.meta for each in presences]


class _Lingering:
    """What was there last of a key that may come again."""

    __slots__ = ("presences", "until")

    def __init__(self, presences: tuple[Presence, ...]) -> None:
        self.presences = presences
        self.until = math.inf  # until a clock has seen it

    def is_over(self, now: float, grace: float) -> bool:
        """Whether it is gone at *now*; it lingers for *grace* from the first time it is asked."""
        self.until = min(self.until, now + grace)
        return self.until <= now
