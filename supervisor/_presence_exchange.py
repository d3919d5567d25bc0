# How the processes keep each other's presences: what is said, asked and answered, and when.
#
# A process says each change of its own when it makes it, and at which it is with every heartbeat:
# seldom while it knows of no other. What it hears of others it keeps in a replica of each. Who
# asks all is told at which change each is; the whole state is said only to who asks for it by name,
# in parts, and no faster than the engine takes them.
#
# On the loop only.
#
# Invariants, each with a test of that name in tests/supervisor/test_presences.py:
#   MENDED       two processes that hear each other list the same within two heartbeats, whatever
#                the engine has lost; within ALONE_SECONDS if neither knew of the other.
#   SILENT       what is said to be in a process that is silent for SILENT_SECONDS is gone.
#   GONE         what is in a process that says it goes has its grace, as all that ends has.

import logging
import math
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Protocol

import trio

from ._events import EventStream
from ._presence_replica import Entry, Replica, Step
from ._presence_wire import Kind, News, unpacked

logger = logging.getLogger("greenroom")

HEARTBEAT_SECONDS = 5.0
SILENT_SECONDS = 15.0
ALONE_SECONDS = 30.0
_ANSWER_SECONDS = 1.0  # between two answers of a kind, and two questions to all
_STATE_SECONDS = 30.0  # for which the engine may take no part of a state
_LAG_SECONDS = 0.05
_MOST_LAG = 262144  # bytes of the engine's, above which the next part waits
PART = 50
"""Presences in one message, and between two checkpoints."""


class State:
    """All presences of a process, as they were at one of its changes, to be said in parts."""

    def __init__(self, process: str, version: int, entries: Sequence[Entry]) -> None:
        self._process, self._version, self._entries = process, version, entries
        self._parts = max(1, math.ceil(len(entries) / PART))
        self._said = 0

    def __repr__(self) -> str:
        return f"<State {self._said} of {self._parts} parts said>"

    @property
    def over(self) -> bool:
        """Whether all of it was said."""
        return self._said == self._parts

    def next(self) -> News:
        """Return the next part."""
        part, self._said = self._said, self._said + 1
        put = self._entries[part * PART : (part + 1) * PART]
        return News("state", self._process, self._version, put=put, part=part, parts=self._parts)


class Own(Protocol):
    """The presences of this process, as the exchange uses them."""

    def say(self, kind: Kind, to: str = "") -> None:
        """Say to the others at which change this process is, and ask *to*, or all, or nobody."""
        ...

    def begin_state(self) -> State:
        """Begin to say all that is of this process, by its first part. Changes may follow it."""
        ...

    def say_part(self, state: State) -> None:
        """Say the next part of *state*."""
        ...

    def lag_bytes(self) -> int:
        """Return how much of what was said has not left this process yet."""
        ...

    def carry_out(self, step: Step) -> None:
        """Have what another process has said be listed."""
        ...


class Exchange:
    """
    What is known of other processes, and what is owed to them.

    Args:
        own: The presences of this process.
        process: The name of this process.
        events: Where it is told that another is silent.
    """

    def __init__(self, own: Own, process: str, events: EventStream) -> None:
        self._own, self._id, self._events = own, process, events
        self.others: dict[str, Replica] = {}
        """The processes that were heard, by name."""
        self._going: deque[tuple[Iterator[Entry], bool]] = deque()  # of who is an other no more
        self._beat_at = self._answer_at = self._ask_at = self._tell_at = math.inf
        self._answered = self._asked = self._told = -math.inf
        self._state: State | None = None
        self._state_until = self._part_at = math.inf
        self._unreadable = 0

    def __repr__(self) -> str:
        return f"<Exchange with {len(self.others)} processes>"

    @property
    def due(self) -> float:
        """When :meth:`keep_up` is to be called next."""
        if self._going:
            return -math.inf
        answer_at = self._answer_at if self._state is None else math.inf  # one behind the other
        return min(self._beat_at, answer_at, self._ask_at, self._tell_at, self._part_at)

    def begin(self, now: float) -> None:
        """Have the first heartbeat be due, if it is not yet."""
        self._beat_at = min(self._beat_at, now + ALONE_SECONDS)

    def deliver(self, payload: object) -> None:
        """Take what another process has said. Never raises."""
        try:
            news = unpacked(payload)
        except ValueError as error:  # of somebody else, who uses our topic
            self._unreadable += 1
            if self._unreadable == 1:
                logger.warning("what was said of presences can't be read: %s", error)
            return
        if news is not None and news.process != self._id:
            self._hear(news, trio.current_time())

    def ask_all(self) -> None:
        """Ask all at which change they are, soon; they see by it whether they missed anything."""
        self._ask_at = max(trio.current_time(), self._asked + _ANSWER_SECONDS)

    def keep_up(self, now: float) -> None:
        """Do what is due at *now*, a part of it where that is much."""
        if self._going:
            entries, at_once = self._going[0]
            some = tuple(islice(entries, PART))
            self._own.carry_out(Step(drop=some, at_once=at_once))
            if len(some) < PART:
                self._going.popleft()
        if self._ask_at <= now:
            self._ask_at, self._asked = math.inf, now
            self._own.say("ask")
        if self._tell_at <= now:
            self._tell_at, self._told = math.inf, now
            self._own.say("alive")
        if self._beat_at <= now:
            self._beat(now)
        if self._answer_at <= now and self._state is None:
            self._answer_at, self._answered = math.inf, now
            self._state, self._state_until = self._own.begin_state(), now + _STATE_SECONDS
            self._part_at = now
        elif self._state is not None and self._part_at <= now:
            self._say_part(self._state, now)

    def _hear(self, news: News, now: float) -> None:
        if news.kind == "gone":
            other = self.others.pop(news.process, None)
            if other is not None:
                self._let_go(other, at_once=False)
            return
        other = self.others.setdefault(news.process, Replica(now))
        other.heard = now
        self._beat_at = min(self._beat_at, now + HEARTBEAT_SECONDS)
        if news.kind in ("changed", "state"):
            self._take(other, news, now)
        else:
            other.alive(news.version)
        if news.kind == "ask" and news.to == self._id:
            self._answer_at = max(now, self._answered + _ANSWER_SECONDS)
        elif news.kind == "ask" and not news.to:
            self._tell_at = max(now, self._told + _ANSWER_SECONDS)
        if other.stale:
            self._ask(news.process, other, now)

    def _take(self, other: Replica, news: News, now: float) -> None:
        if news.kind == "changed":
            step = other.changed(news.version, news.put, news.drop, news.at_once)
        else:
            step = other.state(news.version, news.part, news.parts, news.put)
            other.asked = now if other.stale else -math.inf  # more is coming
            if len(step.drop) > PART:
                self._going.append((iter(step.drop), step.at_once))
                step = step._replace(drop=())
        self._own.carry_out(step)

    def _ask(self, process: str, other: Replica, now: float) -> None:
        if now >= other.asked + HEARTBEAT_SECONDS:
            other.asked = now
            self._own.say("ask", process)

    def _beat(self, now: float) -> None:
        # A loop that stood still has not read what the others said meanwhile: nobody is judged.
        late = now - self._beat_at > HEARTBEAT_SECONDS
        for process, other in list(self.others.items()):
            if now >= other.heard + SILENT_SECONDS and not late:
                del self.others[process]
                self._lost(process, other)
            elif other.stale:
                self._ask(process, other, now)
        self._beat_at = now + (HEARTBEAT_SECONDS if self.others else ALONE_SECONDS)
        self._own.say("alive")

    def _lost(self, process: str, other: Replica) -> None:
        self._let_go(other, at_once=True)
        if other.entries:
            count = len(other.entries)
            self._events.emit("presence.lost", "/", 0, process=process, presences=count)

    def _let_go(self, other: Replica, *, at_once: bool) -> None:
        self._going.append((iter(list(other.entries.values())), at_once))

    def _say_part(self, state: State, now: float) -> None:
        if state.over or now >= self._state_until:  # who needs the rest asks again
            self._state, self._part_at = None, math.inf
        elif self._own.lag_bytes() > _MOST_LAG:
            self._part_at = now + _LAG_SECONDS
        else:
            self._own.say_part(state)
            self._state_until = now + _STATE_SECONDS
