# How the processes keep each other's presences: what is said, asked and answered, and when.
#
# A process says each change of its own when it makes it, and where it is every HEARTBEAT_SECONDS,
# once it has heard another. What it hears of others it keeps in a replica of each.
#
# On the loop only.
#
# Invariants, each with a test of that name in tests/supervisor/test_presences.py:
#   MENDED       two processes that hear each other list the same within two heartbeats, whatever
#                the engine has lost.
#   SILENT       what is said to be in a process that is silent for SILENT_SECONDS is gone.

import logging
import math
from collections.abc import Sequence
from typing import Protocol

import trio

from ..actors._lowlevel import checkpoint
from ._events import EventStream
from ._presence_replica import Entry, Replica, Step
from ._presence_wire import Kind, News, unpacked

logger = logging.getLogger("greenroom")

HEARTBEAT_SECONDS = 5.0
SILENT_SECONDS = 15.0
_ANSWER_SECONDS = 1.0  # between two whole states, however many ask
PART = 200
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
        """Begin to say all that is of this process, by its first part."""
        ...

    def say_part(self, state: State) -> None:
        """Say the next part of *state*."""
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
        self._beat_at = self._answer_at = math.inf
        self._answered = -math.inf
        self._unreadable = 0

    def __repr__(self) -> str:
        return f"<Exchange with {len(self.others)} processes>"

    @property
    def due(self) -> float:
        """When :meth:`keep_up` is to be called next."""
        return min(self._beat_at, self._answer_at)

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
        """Ask all for what was missed here; they see by it whether they have missed anything."""
        self._own.say("ask")

    async def keep_up(self, now: float) -> None:
        """
        Do what is due at *now*. A checkpoint only where there is much to do.

        A cancellation leaves the others to ask again.
        """
        if self._beat_at <= now:
            await self._beat(now)
        if self._answer_at <= now:
            await self._answer(now)

    def _hear(self, news: News, now: float) -> None:
        other = self.others.setdefault(news.process, Replica(now))
        other.heard = now
        self._beat_at = min(self._beat_at, now + HEARTBEAT_SECONDS)
        if news.kind in ("changed", "state"):
            self._take(other, news, now)
        else:
            other.alive(news.version)
        if news.kind == "ask" and news.to in ("", self._id):
            self._answer_at = max(now, self._answered + _ANSWER_SECONDS)
        if other.stale:
            self._ask(news.process, other, now)

    def _take(self, other: Replica, news: News, now: float) -> None:
        if news.kind == "changed":
            step = other.changed(news.version, news.put, news.drop, news.at_once)
        else:
            step = other.state(news.version, news.part, news.parts, news.put)
            other.asked = now if other.stale else -math.inf  # more is coming
        self._own.carry_out(step)

    def _ask(self, process: str, other: Replica, now: float) -> None:
        if now >= other.asked + HEARTBEAT_SECONDS:
            other.asked = now
            self._own.say("ask", process)

    async def _beat(self, now: float) -> None:
        for process, other in list(self.others.items()):
            if now >= other.heard + SILENT_SECONDS:
                del self.others[process]
                await self._forget(process, other)
            elif other.stale:
                self._ask(process, other, now)
        self._beat_at = now + HEARTBEAT_SECONDS if self.others else math.inf
        if self.others:
            self._own.say("alive")

    async def _forget(self, process: str, other: Replica) -> None:
        entries = list(other.entries.values())
        for some in _parts(entries):
            self._own.carry_out(Step(drop=some, at_once=True))
            await checkpoint()
        if entries:
            self._events.emit("presence.lost", "/", 0, process=process, presences=len(entries))

    async def _answer(self, now: float) -> None:
        self._answer_at, self._answered = math.inf, now
        state = self._own.begin_state()
        while not state.over:
            await checkpoint()
            self._own.say_part(state)


def _parts(entries: list[Entry]) -> list[tuple[Entry, ...]]:
    return [tuple(entries[at : at + PART]) for at in range(0, len(entries), PART)]
