# Presence: who is there, in which topic, in all processes.
#
# Each process says what is its own (_presence_replica.py), and every process sees all: so a list is
# at hand without asking anybody. What has changed is told on the loop, by one task for all
# topics: at once where a topic was quiet, otherwise TELL_SECONDS after the last time, all that has
# come together since. A room of a thousand that fills within a second so costs each of them ten
# messages, and not a thousand.
#
# Invariants, each with a test of that name in tests/supervisor/test_presences.py:
#   THE SLOT'S   a presence stands through restarts of its actor, and goes with its slot.
#   AT ONCE      what was tracked is listed in this process when track() returns.
#   FOLLOWED     who watches can keep the list of the topic by what he is told.
#   MENDED       two processes that hear each other list the same within a heartbeat, whatever the
#                engine has lost.
#   SILENT       what is said to be in a process that is silent for SILENT_SECONDS is gone.
#   NOTHING      without presences there is no subscription, no message and no timer.

import logging
import math
import uuid
from collections.abc import Mapping
from contextlib import suppress
from itertools import islice
from threading import RLock
from time import time
from typing import Any, NamedTuple

import trio

from ..actors._errors import AlreadyPresent, NotPresent, TooManyPresences
from ..actors._lowlevel import LoopThread, Parker, checkpoint
from ..actors._presence import Listed, Presence, PresenceDiff
from ._agenda import Agenda
from ._engine import Engine
from ._events import EventStream
from ._groups import Member, refuse_bad_group
from ._presence_replica import Entry, Replica, Step
from ._presence_topic import PresenceTopic
from ._presence_wire import News, checked_meta, packed, unpacked

logger = logging.getLogger("greenroom")

TOPIC = "presence"
"""Of the engine, for all presences."""
TELL_SECONDS = 0.1
HEARTBEAT_SECONDS = 5.0
SILENT_SECONDS = 15.0
_ANSWER_SECONDS = 1.0  # between two whole states, however many ask
_PART = 200  # presences in one message
_AT_ONCE = 200  # topics, or messages, between two checkpoints


class PresenceTally(NamedTuple):
    """How much there is of a topic."""

    keys: int
    """How many are listed, of all processes."""
    here: int
    """How many presences are of this process."""
    watchers: int
    """How many actors of this process are told of changes."""


class _Room:
    """What this process knows of one topic."""

    __slots__ = ("here", "rests_until", "topic", "watchers")

    def __init__(self, name: str, grace: float) -> None:
        self.topic = PresenceTopic(name, grace)
        self.watchers: dict[Member, None] = {}
        self.here: dict[str, Presence] = {}
        self.rests_until = -math.inf

    @property
    def is_idle(self) -> bool:
        return not self.watchers and self.topic.is_empty


class Presences:
    """
    The presences that this process knows of: its own, and through an engine those of others.

    All methods may be called from any thread and none is a checkpoint, but for :meth:`run`.

    Args:
        engine: What carries them between processes.
        events: Where it is told that a process is silent.
        loop: Where :meth:`run` runs.
        grace: Seconds for which a key is listed yet whose last actor has ended.
    """

    def __init__(
        self, engine: Engine, events: EventStream, loop: LoopThread, grace: float
    ) -> None:
        self._engine, self._events, self._loop, self._grace = engine, events, loop, grace
        self._id = uuid.uuid4().hex[:16]
        self._lock = RLock()
        self._begun = False
        self._number = 0  # of references
        self._version = 0  # of changes
        self._rooms: dict[str, _Room] = {}
        self._of: dict[Member, dict[tuple[str, str], str]] = {}
        self._watched: dict[Member, dict[str, None]] = {}
        self._stirred: dict[str, None] = {}
        # On the loop only:
        self._parker = Parker()
        self._agenda = Agenda()
        self._others: dict[str, Replica] = {}
        self._beat_at = self._answer_at = math.inf
        self._answered = -math.inf
        self._unreadable = 0

    def __repr__(self) -> str:
        return (
            f"<Presences {self.count} here, {len(self._rooms)} topics,"
            f" {len(self._others)} other processes>"
        )

    @property
    def count(self) -> int:
        """How many presences are of this process."""
        with self._lock:
            return sum(len(keys) for keys in self._of.values())

    # -- what actors do ------------------------------------------------------------------------

    def track(
        self, topic: str, key: str, member: Member, meta: Mapping[str, Any] | None, limit: int
    ) -> None:
        """
        Make *member* present in *topic* as *key*.

        Raises:
            AlreadyPresent: It is.
            TooManyPresences: It is present *limit* times.
            TypeError, ValueError: A name is none, or *meta* can't be carried.
        """
        _refuse_bad_names(topic, key)
        said = checked_meta(meta)
        with self._lock:
            mine = self._of.get(member, {})
            if (topic, key) in mine:
                raise AlreadyPresent(member.path, topic, key)
            if len(mine) >= limit:
                raise TooManyPresences(member.path, topic, key, limit)
            self._begin()
            self._number += 1
            ref = f"{self._id}:{self._number}"
            self._put(topic, Presence(key, said, time(), member.path, ref))
            self._of.setdefault(member, mine)[topic, key] = ref

    def update(
        self, topic: str, key: str, member: Member, meta: Mapping[str, Any] | None
    ) -> None:
        """
        Have *member* say *meta* of itself in *topic* as *key*, in the place of what it said.

        Raises:
            NotPresent: It is not present so.
            TypeError, ValueError: *meta* can't be carried.
        """
        _refuse_bad_names(topic, key)
        said = checked_meta(meta)
        with self._lock:
            ref = self._of.get(member, {}).get((topic, key))
            if ref is None:
                raise NotPresent(member.path, topic, key)
            was = self._rooms[topic].here[ref]
            self._put(topic, Presence(key, said, was.since, was.path, ref))

    def untrack(self, topic: str, key: str | None, member: Member) -> None:
        """
        Make *member* present in *topic* no more, as *key* or at all; at once, without grace.

        Not being present is no error.

        Raises:
            TypeError, ValueError: A name is none.
        """
        _refuse_bad_names(topic, "any" if key is None else key)
        with self._lock:
            mine = self._of.get(member, {})
            for name, each in list(mine):
                if name == topic and key in (None, each):
                    self._drop(topic, mine.pop((name, each)), at_once=True)
            if not mine:
                self._of.pop(member, None)

    def release(self, member: Member) -> None:
        """Take *member* out of everything, as when its slot ends: with grace."""
        if not (self._of or self._watched):  # as where nobody is ever present
            return
        with self._lock:
            for (topic, _), ref in self._of.pop(member, {}).items():
                self._drop(topic, ref, at_once=False)
            for topic in self._watched.pop(member, ()):
                self._rooms[topic].watchers.pop(member, None)
                self._stir(topic)

    def watch(self, topic: str, member: Member) -> Listed:
        """
        Return who is present in *topic*, and tell *member* of each change from now on.

        By a :class:`PresenceDiff` in its mailbox. Watching again is no different.

        Raises:
            TypeError, ValueError: *topic* is no topic's name.
        """
        _refuse_bad_names(topic, "any")
        with self._lock:
            self._begin()
            room = self._room(topic)
            room.watchers[member] = None
            self._watched.setdefault(member, {})[topic] = None
            return room.topic.shown()

    def unwatch(self, topic: str, member: Member) -> None:
        """
        Tell *member* of *topic* no more. What is in its mailbox stays there.

        Raises:
            TypeError, ValueError: *topic* is no topic's name.
        """
        _refuse_bad_names(topic, "any")
        with self._lock:
            watched = self._watched.get(member, {})
            if topic in watched:
                del watched[topic]
                self._rooms[topic].watchers.pop(member, None)
                self._stir(topic)
            if not watched:
                self._watched.pop(member, None)

    # -- who looks -----------------------------------------------------------------------------

    def listed(self, topic: str) -> Listed:
        """
        Return who is present in *topic*, by key, in the order in which they came.

        Of other processes as far as they are known: the first look of a process that has not
        used presence before sees its own, and a moment later all.

        Raises:
            TypeError, ValueError: *topic* is no topic's name.
        """
        _refuse_bad_names(topic, "any")
        with self._lock:
            self._begin()
            room = self._rooms.get(topic)
            return {} if room is None else room.topic.listed()

    def topics(self) -> list[str]:
        """Return all topics in which somebody is present, or watches, in no order."""
        with self._lock:
            return list(self._rooms)

    def tally(self, topic: str) -> PresenceTally | None:
        """Return how much there is of *topic*; None if there is nothing."""
        with self._lock:
            room = self._rooms.get(topic)
            if room is None:
                return None
            return PresenceTally(room.topic.keys, len(room.here), len(room.watchers))

    def here(self, topic: str) -> tuple[Presence, ...]:
        """Return the presences of this process in *topic*, in the order in which they came."""
        with self._lock:
            room = self._rooms.get(topic)
            return () if room is None else tuple(room.here.values())

    def presences_of(self, member: Member) -> tuple[tuple[str, Presence], ...]:
        """Return what *member* is present as, with the topic of each."""
        with self._lock:
            mine = self._of.get(member, {})
            return tuple((topic, self._rooms[topic].here[ref]) for (topic, _), ref in mine.items())

    # -- under the lock ------------------------------------------------------------------------

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            self._engine.subscribe(TOPIC)
            self._say(News("ask", self._id))

    def _say(self, news: News) -> None:
        self._engine.publish(TOPIC, packed(news))

    def _room(self, topic: str) -> _Room:
        room = self._rooms.get(topic)
        if room is None:
            room = self._rooms[topic] = _Room(topic, self._grace)
        return room

    def _put(self, topic: str, presence: Presence) -> None:
        # The engine first, so that its refusal of a meta comes before any effect.
        self._say(News("changed", self._id, self._version + 1, put=[Entry(topic, presence)]))
        self._version += 1
        room = self._room(topic)
        room.here[presence.ref] = presence
        room.topic.put(presence)
        self._stir(topic)

    def _drop(self, topic: str, ref: str, *, at_once: bool) -> None:
        self._version += 1
        self._say(News("changed", self._id, self._version, drop=[ref], at_once=at_once))
        room = self._rooms[topic]
        room.topic.drop(room.here.pop(ref), at_once=at_once)
        self._stir(topic)

    def _carry_out(self, step: Step) -> None:
        for topic, presence in step.put:
            self._room(topic).topic.put(presence)
            self._stir(topic)
        for topic, presence in step.drop:
            room = self._rooms.get(topic)
            if room is not None:
                room.topic.drop(presence, at_once=step.at_once)
                self._stir(topic)

    def _stir(self, topic: str) -> None:
        self._stirred[topic] = None
        if self._loop.is_here():
            self._parker.wake()
        else:
            with suppress(trio.RunFinishedError):  # nobody is there to be told
                self._loop.call_soon(self._parker.wake, idempotent=True)

    # -- on the loop: the engine's sink ---------------------------------------------------------

    def deliver(self, payload: object) -> None:
        """Take what another process has said; called for the engine. Never raises."""
        try:
            news = unpacked(payload)
        except ValueError as error:  # of somebody else, who uses our topic
            self._unreadable += 1
            if self._unreadable == 1:
                logger.warning("what was said of presences can't be read: %s", error)
            return
        if news is None or news.process == self._id:
            return
        now = trio.current_time()
        other = self._others.setdefault(news.process, Replica(now))
        other.heard = now
        self._beat_at = min(self._beat_at, now + HEARTBEAT_SECONDS)
        if news.kind == "ask":
            if news.to in ("", self._id):
                self._answer_at = max(now, self._answered + _ANSWER_SECONDS)
        elif news.kind == "alive":
            other.alive(news.version)
        else:
            self._take(other, news)
        if other.stale:
            self._ask(news.process, other, now)
        self._parker.wake()

    def _take(self, other: Replica, news: News) -> None:
        if news.kind == "changed":
            step = other.changed(news.version, news.put, news.drop, news.at_once)
        else:
            step = other.state(news.version, news.part, news.parts, news.put)
            other.asked = trio.current_time() if other.stale else -math.inf
        with self._lock:
            self._carry_out(step)

    def _ask(self, process: str, other: Replica, now: float) -> None:
        if now >= other.asked + HEARTBEAT_SECONDS:
            other.asked = now
            self._say(News("ask", self._id, to=process))

    def gap(self) -> None:
        """Ask all for what may have been missed; called for the engine. Never raises."""
        if self._begun:
            self._say(News("ask", self._id))
            self._say(News("alive", self._id, self._version))

    # -- on the loop: its task -------------------------------------------------------------------

    async def run(self) -> None:
        """
        Tell of changes, until cancelled. Always a checkpoint.

        A cancellation leaves untold what was to be told, and everything else as it was.
        """
        while True:
            now = trio.current_time()
            for members, diff in self._settle(now):
                await _tell(members, diff)
            self._beat(now)
            if self._answer_at <= now:
                await self._answer(now)
            # No checkpoint from here to the park: who stirs something wakes only who is parked.
            with trio.move_on_at(self._due()):
                await self._parker.park()

    def _due(self) -> float:
        with self._lock:
            if self._stirred:
                return -math.inf
        return min(self._agenda.next(), self._beat_at, self._answer_at)

    def _settle(self, now: float) -> list[tuple[tuple[Member, ...], PresenceDiff]]:
        """Return what is to be told now, of some topics, and whom."""
        news: list[tuple[tuple[Member, ...], PresenceDiff]] = []
        with self._lock:
            for topic in list(islice(self._stirred, _AT_ONCE)):
                del self._stirred[topic]
                room = self._rooms.get(topic)
                if room is not None:
                    self._agenda.put(topic, max(now, room.rests_until))
            for topic in self._agenda.take(now, _AT_ONCE):
                room = self._rooms.get(topic)
                if room is None:
                    continue
                room.rests_until = now + TELL_SECONDS
                due, diff = room.topic.expire(now), room.topic.changes()
                if diff is not None and room.watchers:
                    news.append((tuple(room.watchers), diff))
                if due < math.inf:
                    self._agenda.put(topic, due)
                elif room.is_idle:
                    del self._rooms[topic]
        return news

    def _beat(self, now: float) -> None:
        if now < self._beat_at:
            return
        for process, other in list(self._others.items()):
            if now >= other.heard + SILENT_SECONDS:
                del self._others[process]
                self._forget(process, other)
            elif other.stale:
                self._ask(process, other, now)
        self._beat_at = now + HEARTBEAT_SECONDS if self._others else math.inf
        if self._others:
            with self._lock:
                self._say(News("alive", self._id, self._version))

    def _forget(self, process: str, other: Replica) -> None:
        entries = list(other.entries.values())
        with self._lock:
            self._carry_out(Step(drop=entries, at_once=True))
        if entries:
            self._events.emit("presence.lost", "/", 0, process=process, presences=len(entries))

    async def _answer(self, now: float) -> None:
        """Say all that is of this process, in parts; changes may come in between."""
        self._answer_at, self._answered = math.inf, now
        with self._lock:
            version = self._version
            mine = iter(
                [Entry(name, each) for name, room in self._rooms.items() for each in room.here.values()]
            )
            count = sum(len(room.here) for room in self._rooms.values())
            parts = max(1, math.ceil(count / _PART))
            self._say_part(version, 0, parts, list(islice(mine, _PART)))
        for part in range(1, parts):
            await checkpoint()
            with self._lock:
                self._say_part(version, part, parts, list(islice(mine, _PART)))

    def _say_part(self, version: int, part: int, parts: int, entries: list[Entry]) -> None:
        self._say(News("state", self._id, version, put=entries, part=part, parts=parts))


def _refuse_bad_names(topic: object, key: object) -> None:
    refuse_bad_group(topic, "the name of a presence's topic")
    refuse_bad_group(key, "the key of a presence")


async def _tell(members: tuple[Member, ...], diff: PresenceDiff) -> None:
    """Put *diff* into the mailboxes of *members*. A checkpoint after many; none is held up."""
    for number, member in enumerate(members, 1):
        member.deliver_message(diff)
        if number % _AT_ONCE == 0:
            await checkpoint()
