# Presence: who is there, in which topic, in all processes.
#
# Each process says what is its own (_presence_exchange.py), and every process sees all: so a list
# is at hand without asking anybody. Who watches is told by _presence_teller.py.
# Over 400 lines because all that one lock guards stands here.
#
# Invariants, each with a test of that name in tests/supervisor/test_presences.py, the first in
# test_slot_presence.py:
#   THE SLOTS    a presence stands through restarts of its actor, and goes with its slot.
#   AT ONCE      what was tracked is listed in this process when track() returns.
#   FOLLOWED     who watches can keep the list of the topic by what he is told.
#   NOTHING      without presences there is no subscription, no message and no timer.

import logging
import math
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from threading import RLock
from time import time
from typing import Any

import trio

from ..actors._lowlevel import LoopThread, Parker
from ..actors._presence import Listed, Presence, same_metas
from ..actors._presence_errors import NotPresent, TooManyPresences
from ._engine import Engine
from ._events import EventStream
from ._groups import Member, refuse_bad_group
from ._presence_exchange import Exchange, State
from ._presence_replica import Entry, Step
from ._presence_room import PresenceTally, Room
from ._presence_teller import Teller
from ._presence_wire import Kind, News, checked_meta, packed

TOPIC = "presence"
"""Of the engine, for all presences."""
logger = logging.getLogger("greenroom")


class Presences:
    """
    The presences that this process knows of: its own, and through an engine those of others.

    All methods may be called from any thread and none is a checkpoint, but for ``run()``. Behind
    the end of ``run()`` there is nobody, and who comes is not noted.

    Args:
        engine: What carries them between processes.
        events: Where it is told that a process is silent.
        loop: Where ``run()`` runs.
        grace: Seconds for which a key is listed yet whose last actor has ended.
    """

    def __init__(self, engine: Engine, events: EventStream, loop: LoopThread, grace: float) -> None:
        self._engine, self._loop, self._grace = engine, loop, grace
        self._id = uuid.uuid4().hex[:16]
        self._lock = RLock()
        self._begun = self._left = self._closed = False
        self._refused = 0  # by the engine
        self._number = 0  # of references
        self._version = 0  # of changes
        self._rooms: dict[str, Room] = {}
        self._own: dict[str, Entry] = {}
        self._of: dict[Member, dict[tuple[str, str], str]] = {}
        self._watched: dict[Member, dict[str, None]] = {}
        self._teller = Teller(self._rooms, self._lock)
        # On the loop only:
        self._parker = Parker()
        self._exchange = Exchange(self, self._id, events)

    def __repr__(self) -> str:
        return (
            f"<Presences {self.count} here, {len(self._rooms)} topics,"
            f" {len(self._exchange.others)} other processes>"
        )

    @property
    def count(self) -> int:
        """How many presences are of this process."""
        return len(self._own)

    @property
    def topic_count(self) -> int:
        """In how many topics somebody is present, or watches, as far as is known here."""
        return len(self._rooms)

    # -- what actors do ------------------------------------------------------------------------

    def track(
        self, topic: str, key: str, member: Member, meta: Mapping[str, Any] | None, limit: int
    ) -> None:
        """
        Make *member* present in *topic* as *key*, saying *meta*; if it is, have it say that now.

        Raises:
            TooManyPresences: It is present *limit* times.
            TypeError, ValueError: A name is none, or *meta* can't be carried.
        """
        _refuse_bad_names(topic, key)
        said = checked_meta(meta)
        with self._lock:
            mine = self._of.get(member, {})
            if (topic, key) in mine:
                self._say_anew(topic, mine[topic, key], said)
                return
            if len(mine) >= limit:
                raise TooManyPresences(member.path, topic, key, limit)
            if self._closed:
                return
            self._begin()
            self._number += 1
            ref = f"{self._id}:{self._number}"
            self._put(topic, Presence(key, said, time(), member.path, ref))
            self._of.setdefault(member, mine)[topic, key] = ref

    def update(self, topic: str, key: str, member: Member, meta: Mapping[str, Any] | None) -> None:
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
            self._say_anew(topic, ref, said)

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
                self._rooms[topic].forget(member)
                self._stir(topic)

    def watch(self, topic: str, member: Member, limit: int) -> Listed:
        """
        Return who is present in *topic*, and tell *member* of each change from now on.

        By a :class:`PresenceDiff` in its mailbox. Who watches already is told the whole, too,
        behind what is in his mailbox.

        Raises:
            TooManyPresences: It watches *limit* topics.
            TypeError, ValueError: *topic* is no topic's name.
        """
        _refuse_bad_names(topic, "any")
        with self._lock:
            watched = self._watched.get(member, {})
            if topic not in watched and len(watched) >= limit:
                raise TooManyPresences(member.path, topic, "", limit)
            if self._closed:
                return {}
            self._begin()
            room = self._room(topic)
            if member in room.watchers:  # what is in its mailbox yet is older than what it gets
                room.behind[member] = None
                room.behind_until = -math.inf
                self._stir(topic)
            room.watchers[member] = None
            self._watched.setdefault(member, watched)[topic] = None
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
                self._rooms[topic].forget(member)
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
            return None if room is None else room.tally

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

    def watched_by(self, member: Member) -> tuple[str, ...]:
        """Return the topics that *member* watches, in the order in which it began to."""
        with self._lock:
            return tuple(self._watched.get(member, ()))

    # -- for the exchange with other processes ---------------------------------------------------

    def say(self, kind: Kind, to: str = "") -> None:
        """Say to the others at which change this process is, and ask *to*, or all, or nobody."""
        with self._lock:
            self._publish(News(kind, self._id, self._version, to=to))

    def begin_state(self) -> State:
        """Begin to say all that is of this process, by its first part. Changes may follow it."""
        with self._lock:
            state = State(self._id, self._version, list(self._own.values()))
            self.say_part(state)
            return state

    def say_part(self, state: State) -> None:
        """Say the next part of *state*."""
        with self._lock:
            self._publish(state.next())

    def lag_bytes(self) -> int:
        """Return how much of what was said has not left this process yet."""
        return self._engine.statistics().lag_bytes

    def carry_out(self, step: Step) -> None:
        """Have what another process has said be listed."""
        with self._lock:
            for topic, presence in step.put:
                self._room(topic).topic.put(presence)
                self._stir(topic)
            for topic, presence in step.drop:
                room = self._rooms.get(topic)
                if room is not None:
                    room.topic.drop(presence, at_once=step.at_once)
                    self._stir(topic)

    # -- under the lock ------------------------------------------------------------------------

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            self._engine.subscribe(TOPIC)
            self.say("ask")
            self._wake()

    def _publish(self, news: News) -> None:
        """Say *news*. Who misses it for the engine's refusal sees by the next that he has."""
        if self._left:
            return
        try:
            self._engine.publish(TOPIC, packed(news))
        except TypeError:
            self._refused += 1
            if self._refused == 1:
                logger.exception("the engine refuses what is to be said of presences")

    def _room(self, topic: str) -> Room:
        room = self._rooms.get(topic)
        if room is None:
            room = self._rooms[topic] = Room(topic, self._grace)
        return room

    def _say_anew(self, topic: str, ref: str, said: Mapping[str, Any]) -> None:
        was = self._rooms[topic].here[ref]
        new = replace(was, meta=said)
        if not same_metas((was,), (new,)):
            self._put(topic, new)

    def _put(self, topic: str, presence: Presence) -> None:
        # The engine first, so that its refusal of a meta comes before any effect.
        change = News("changed", self._id, self._version + 1, put=[Entry(topic, presence)])
        if not self._left:
            self._engine.publish(TOPIC, packed(change))
        self._version += 1
        room = self._room(topic)
        room.here[presence.ref] = presence
        self._own[presence.ref] = Entry(topic, presence)
        room.topic.put(presence)
        self._stir(topic)

    def _drop(self, topic: str, ref: str, *, at_once: bool) -> None:
        self._version += 1
        self._publish(News("changed", self._id, self._version, drop=[ref], at_once=at_once))
        room = self._rooms[topic]
        del self._own[ref]
        room.topic.drop(room.here.pop(ref), at_once=at_once)
        self._stir(topic)

    def _stir(self, topic: str) -> None:
        self._teller.stir(topic)
        self._wake()

    def _wake(self) -> None:
        if self._loop.is_here():
            self._parker.wake()
        else:
            with suppress(trio.RunFinishedError):  # nobody is there to be told
                self._loop.call_soon(self._parker.wake, idempotent=True)

    # -- on the loop ----------------------------------------------------------------------------

    def deliver(self, payload: object) -> None:
        """Take what another process has said; called for the engine. Never raises."""
        self._exchange.deliver(payload)
        self._parker.wake()

    def gap(self) -> None:
        """Have what may have been missed be mended; called for the engine. Never raises."""
        if self._begun:
            self._exchange.ask_all()
            self._parker.wake()

    async def run(self) -> None:
        """
        Tell of changes, until cancelled. Always a checkpoint.

        A cancellation leaves untold what was to be told, and nobody present.
        """
        try:
            await self._keep_up()
        finally:
            self._close()

    async def _keep_up(self) -> None:
        while True:
            now = trio.current_time()
            if self._begun:
                self._exchange.begin(now)
            await self._teller.tell(now)
            self._exchange.keep_up(now)
            # No checkpoint from here to the park: who stirs something wakes only who is parked.
            with trio.move_on_at(min(self._teller.due, self._exchange.due)):
                await self._parker.park()

    def _close(self) -> None:
        with self._lock:
            self._left = self._closed = True
            for each in (self._of, self._watched, self._own, self._rooms):
                each.clear()

    def leave(self) -> None:
        """
        Say that this process goes, with all that is present in it. Again it is no different.

        From then on nothing is said to other processes: they keep what is here for the grace.
        """
        with self._lock:
            if self._begun and not self._left:
                self.say("gone")
            self._left = True


def _refuse_bad_names(topic: object, key: object) -> None:
    refuse_bad_group(topic, "the name of a presence's topic")
    refuse_bad_group(key, "the key of a presence")
