# Who is present in one topic, and what those who watch it have been told.
#
# Pure: `now` is an argument. What is told is the difference to what was told last, so whatever
# came and went in between is not told at all. Who begins to watch in between has seen some of it,
# so that of those keys the outcome is told in any case. No step takes longer the more keys there
# are, but for those that return the list.
#
# Invariants, each with a test of that name in tests/supervisor/test_presence_topic.py:
#   NO FLICKER    a key whose last presence goes with grace, and comes again within it, was never
#                 away.
#   CONVERGES     who applies all diffs to what was listed when he began has the keys and the metas
#                 that are listed.
#   IDLE          without anybody present or lingering it holds nothing and is due never.

import math
from collections import OrderedDict
from itertools import islice

from ..actors._presence import Listed, Presence, PresenceDiff, same_metas

ALL = 2**31
_MANY = 200


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
        self._lingering: OrderedDict[str, float] = OrderedDict()  # until when, the first first
        self._unseen: dict[str, None] = {}  # what is to linger, once a clock has seen it
        self._listed: Listed = {}
        self._unlisted: dict[str, None] = {}  # keys whose entry in the list is out of date
        self._told: Listed = {}
        self._stirred: dict[str, None] = {}  # keys that may differ from what was told
        self._seen: Listed = {}  # of those, what somebody has been shown that was not told

    def __repr__(self) -> str:
        return f"<PresenceTopic {self.name} {self.keys} keys>"

    @property
    def keys(self) -> int:
        """How many keys are listed."""
        return len(self._listed)

    @property
    def is_stirred(self) -> bool:
        """Whether there may be something to be told."""
        return bool(self._stirred)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is there, and nothing left to be told."""
        return not (self._listed or self._told or self._stirred)

    def put(self, presence: Presence) -> None:
        """Have *presence* be there, in the place of what was there of its reference."""
        key = presence.key
        self._present.setdefault(key, {})[presence.ref] = presence
        self._lingering.pop(key, None)
        self._unseen.pop(key, None)
        self._listed.setdefault(key, ())  # its place in the list
        self._unlisted[key] = None
        self._stirred[key] = None

    def drop(self, presence: Presence, *, at_once: bool) -> None:
        """
        Have *presence* be there no more; as its key's last it lingers, unless *at_once*.

        Of what is there with its reference, but was put later, nothing is dropped.
        """
        key = presence.key
        there = self._present.get(key)
        if there is None or there.get(presence.ref) is not presence:
            return
        del there[presence.ref]
        self._stirred[key] = None
        if there:
            self._unlisted[key] = None
            return
        del self._present[key]
        self._unlisted.pop(key, None)
        if at_once or not self._grace:
            del self._listed[key]
        else:
            self._listed[key] = (presence,)
            self._unseen[key] = None

    def listed(self) -> Listed:
        """Return who is there, by key, in the order in which the keys came."""
        for key in self._unlisted:
            self._listed[key] = tuple(self._present[key].values())
        self._unlisted.clear()
        return dict(self._listed)

    def shown(self) -> Listed:
        """Return what is listed, to somebody who will be told all changes from now on."""
        listed = self.listed()
        many = len(self._stirred) > _MANY
        for key in self._stirred:
            seen = listed.get(key, ())
            # Who knows what all know needs nothing; to compare many takes longer than to tell them.
            if many or not same_metas(seen, self._told.get(key, ())):
                self._seen[key] = seen or self._seen.get(key, ())
        return listed

    def told(self) -> Listed:
        """Return what is known to who was told everything until now."""
        return dict(self._told)

    def expire(self, now: float, most: int = ALL) -> float:
        """
        Let go whose grace is over at *now*, of *most* keys; return when to be called next.

        What has come to linger does so from the first *now* on that it sees.
        """
        for key in list(islice(self._unseen, most)):
            del self._unseen[key]
            self._lingering[key] = now + self._grace
        for _ in range(min(most, len(self._lingering))):
            key, until = next(iter(self._lingering.items()))
            if until > now:
                break
            del self._lingering[key]
            del self._listed[key]
            self._stirred[key] = None
        if self._unseen:
            return now
        return next(iter(self._lingering.values()), math.inf)

    def changes(self, most: int = ALL) -> PresenceDiff | None:
        """Return what differs from what was told last, of *most* keys, and take it for told."""
        diff = PresenceDiff(self.name)
        for key in list(islice(self._stirred, most)):
            del self._stirred[key]
            was, seen, present = self._told.get(key), self._seen.pop(key, None), self._now(key)
            if present is None:
                self._told.pop(key, None)
                if gone := was or seen:
                    diff.left[key] = gone
                continue
            self._told[key] = present
            if was is None:
                diff.joined[key] = present
            elif seen is not None or not same_metas(was, present):
                diff.changed[key] = present
        return diff if diff.joined or diff.left or diff.changed else None

    def _now(self, key: str) -> tuple[Presence, ...] | None:
        if key in self._unlisted:
            del self._unlisted[key]
            self._listed[key] = tuple(self._present[key].values())
        return self._listed.get(key)
