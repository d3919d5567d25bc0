# Telling who watches what has changed: on the loop, by one task for all topics.
#
# At once where a topic was quiet, otherwise TELL_SECONDS after the last time, all that has come
# together since. A room of a thousand that fills within a second so costs each of them ten
# messages, and not a thousand. Whose mailbox was full gets the whole list a little later, in the
# place of what he has missed.
#
# Invariants, each with a test of that name in tests/supervisor/test_presences.py:
#   TURNS     between so many keys, or so many messages, others on the loop have a turn.
#   BEHIND    who could not be told something is told the whole, once there is room.

import math
from contextlib import AbstractContextManager
from itertools import islice
from typing import Any, NamedTuple

from ..actors._lowlevel import checkpoint
from ..actors._presence import PresenceDiff
from ._agenda import Agenda
from ._groups import Member
from ._presence_room import Room

TELL_SECONDS = 0.1
BEHIND_SECONDS = 1.0
AT_ONCE = 200
"""Topics and keys, or messages, between two checkpoints."""


class _News(NamedTuple):
    """What is to be told of a room, and whom."""

    room: Room
    members: tuple[Member, ...]
    diff: PresenceDiff


class Teller:
    """
    Tells of what has changed in *rooms*.

    Args:
        rooms: All of them, by topic; those that nobody needs any more are taken out.
        lock: Guards them, and all here but the sending.
    """

    def __init__(self, rooms: dict[str, Room], lock: AbstractContextManager[Any]) -> None:
        self._rooms, self._lock = rooms, lock
        self._stirred: dict[str, None] = {}
        self._agenda = Agenda()

    def __repr__(self) -> str:
        return f"<Teller {len(self._stirred)} topics stirred, {len(self._agenda)} due>"

    def stir(self, topic: str) -> None:
        """Have *topic* be looked at. Under the lock; any thread."""
        self._stirred[topic] = None

    @property
    def due(self) -> float:
        """When :meth:`tell` is to be called next. On the loop."""
        with self._lock:
            return -math.inf if self._stirred else self._agenda.next()

    async def tell(self, now: float) -> None:
        """
        Tell what is to be told at *now*, of some topics. On the loop.

        A checkpoint after many messages only. A cancellation leaves the rest untold.
        """
        sent = 0
        for room, members, diff in self._news(now):
            for member in members:
                if member.deliver_message(_copy(diff)):
                    self._note_behind(room, member, now)
                sent += 1 + len(diff.joined) // AT_ONCE
                if sent >= AT_ONCE:
                    sent = 0
                    await checkpoint()

    def _news(self, now: float) -> list[_News]:
        news: list[_News] = []
        with self._lock:
            for topic in list(islice(self._stirred, AT_ONCE)):
                del self._stirred[topic]
                room = self._rooms.get(topic)
                if room is not None:
                    self._agenda.put(topic, max(now, room.rests_until))
            most = AT_ONCE
            while most > 0 and (topics := self._agenda.take(now, 1)):
                room = self._rooms.get(topics[0])
                if room is not None:
                    most -= 1 + self._settle(room, now, most, news)
        return news

    def _settle(self, room: Room, now: float, most: int, news: list[_News]) -> int:
        """Add what is to be told of *room* to *news*; return of how many keys, or *most*."""
        topic = room.topic
        room.rests_until = now + TELL_SECONDS
        due, diff = topic.expire(now, most), topic.changes(most)
        if diff is not None and len(room.watchers) > len(room.behind):
            up_to_date = tuple(each for each in room.watchers if each not in room.behind)
            news.append(_News(room, up_to_date, diff))
        if topic.is_stirred or due <= now:
            self._agenda.put(topic.name, now)
            return most
        if room.behind and room.behind_until <= now:  # what they get is all that was told by now
            whole = PresenceDiff(topic.name, joined=topic.told(), whole=True)
            news.append(_News(room, tuple(room.behind), whole))
            room.behind.clear()
        elif room.behind:
            due = min(due, room.behind_until)
        if due < math.inf:  # graces that end one by one are told together
            self._agenda.put(topic.name, max(due, room.rests_until))
        elif room.is_idle:
            del self._rooms[topic.name]
        return 0 if diff is None else len(diff.joined) + len(diff.left) + len(diff.changed)

    def _note_behind(self, room: Room, member: Member, now: float) -> None:
        with self._lock:
            if member in room.watchers:
                room.behind[member] = None
                room.behind_until = now + BEHIND_SECONDS
                self._agenda.put(room.topic.name, room.behind_until)


def _copy(diff: PresenceDiff) -> PresenceDiff:
    """Return *diff* for one more actor: what one does with its own is not another's business."""
    joined, left, changed = dict(diff.joined), dict(diff.left), dict(diff.changed)
    return PresenceDiff(diff.topic, joined, left, changed, diff.whole)
