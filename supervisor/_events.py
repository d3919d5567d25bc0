# One stream of events, from which logs, metrics, the admin page and tests all read.
#
# Invariants, each with a test of that name in tests/supervisor/test_events.py:
#   NEVER RAISES  emit() may be called from a shielded clean-up or a __del__; a
#                 subscriber's error is logged and the others still hear the event.
#   NO FRAMES     the ring never holds an exception: its traceback would keep the
#                 locals of a crashed handler, hence a whole request, alive. Those who
#                 listen get the exception itself, the ring its text.
#   BOUNDED       the ring forgets the oldest; counters are one per kind. What a trace tells
#                 has a ring of its own, or it would push out what happened; and so have the
#                 comings and goings of who looks at the tree.
#
# Facts are about the machinery, never about content: no message bodies, no state.
#
# An RLock, not a Lock: `await.forgotten` is emitted by a __del__, and the collector
# may run one in the middle of an emit in the same thread.

import logging
import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from heapq import merge
from itertools import islice
from threading import RLock
from types import MappingProxyType
from typing import cast

from ..actors._errors import described
from ._ring import Ring

EVENTS: dict[str, str] = {
    "root.started": "The root supervisor runs and takes connections.",
    "root.stopping": "The root refuses new connections and has begun to drain.",
    "root.stopped": "The whole tree has stopped.",
    "root.overdue": "The tree has not stopped within its total deadline: `left` says what is"
    " there still, `stack` where each task waits. The process leaves by force.",
    "connection.opened": "A connection got a slot.",
    "connection.refused": "A connection was turned away before it had a slot; `reason` says why.",
    "connection.unknown": "A connection was refused with 404: no route matches its `url`.",
    "connection.failed": "The server raised while it received or sent for a connection, which"
    " is over with that.",
    "connection.violation": "A peer broke the WebSocket protocol, or one of its limits; its"
    " socket closes with `code`, and `reason` says what was wrong.",
    "request.unanswered": "A request was not answered within `seconds`; its client got 504.",
    "connection.closed": "A connection has ended; `code` is its close code or status.",
    "supervisor.started": "All children of a supervisor have started.",
    "supervisor.start_failed": "A supervisor that begins anew could not start its children;"
    " `reason` says which and why.",
    "supervisor.restarting": "A child crashed, and with it its siblings `children` make room for"
    " their next incarnations, in `seconds`.",
    "supervisor.restarted": "The siblings `children` run again.",
    "supervisor.auto_shutdown": "A significant child has ended by itself, and with it its"
    " supervisor ends.",
    "supervisor.gave_up": "A supervisor has spent its restarts, or `child` escalates: it stops its"
    " children, and its own supervisor decides.",
    "supervisor.backing_off": "A supervisor that gave up waits `seconds` before it begins anew.",
    "supervisor.parked": "A supervisor that gave up rests for `seconds`.",
    "supervisor.woken": "An operator has ended a supervisor's pause (`was`): it begins at once.",
    "supervisor.budget_reset": "An operator has made a supervisor's restart budgets fresh, that of"
    " its children together and its own; `forgiven` is how many restarts counted until then.",
    "supervisor.crashed": "A fault in Greenroom itself ended a supervisor; its children were"
    " stopped.",
    "supervisor.ended": "A supervisor is gone; `reason` says what ended it.",
    "slot.started": "The first incarnation of a slot began.",
    "slot.declined": "An actor would not start, which is no failure; `reason` is its own.",
    "slot.crashed": "A handler raised; the message it handled is consumed.",
    "slot.resumed": "A handler raised what its class wants to be resumed (`supervise`): the"
    " message it handled is consumed, and the same incarnation goes on.",
    "slot.backing_off": "A crashed slot waits `seconds` before its next incarnation.",
    "slot.restarted": "A new incarnation took over the slot's mailbox.",
    "slot.restarting": "An operator has an actor begin anew in its place; its running handler"
    " ends first.",
    "slot.woken": "An operator has ended an actor's pause (`was`): it begins at once.",
    "slot.budget_reset": "An operator has made an actor's restart budget fresh; `forgiven` is how"
    " many restarts counted until then.",
    "slot.suspended": "An operator has put an actor to rest for `seconds`: it handles nothing.",
    "slot.unsuspended": "A suspended actor goes on.",
    "slot.gave_up": "A slot has spent its restart budget.",
    "slot.parked": "A resident that gave up rests for `seconds` before a fresh budget.",
    "slot.ended": "A slot is gone; `reason` says what ended it, `seconds` how long it took if it"
    " was asked to.",
    "storm.began": "More than `storm_restarts` consumers were to restart at once: restarts are"
    " spread over up to `seconds`, and new WebSockets refused.",
    "storm.ended": "The storm is over; `restarts` is how many it saw, `put_off` how many of them"
    " were made to wait.",
    "slot.fatal": "SystemExit or KeyboardInterrupt came out of a handler; the slot ended"
    " without a restart.",
    "slot.unkillable": "An actor did not stop within its deadline; `stack` shows where it is.",
    "disconnect.failed": "disconnect() or stopped() raised or overran its deadline.",
    "presence.lost": "Another process has been silent for too long: its `presences` are not listed"
    " any more. It may have ended, or the engine between them is away.",
    "message.dead_letter": "A message reached nobody; `reason` says why.",
    "mailbox.high": "So many messages wait (`depth`) that four fifths of the mailbox are full;"
    " `handling` is what the actor does meanwhile. Told once, until it is normal again.",
    "mailbox.normal": "Less than half of a mailbox that was high is full.",
    "mailbox.overflow": "A mailbox was full and its overflow policy was applied.",
    "call.skipped": "A queued call was not run, because its caller had left.",
    "call.late": "A reply was dropped, because its caller had left.",
    "call.forgotten": "An actor has let go of a reply that it owed; the caller was told.",
    "work.stale": "Something done by an incarnation that is past was dropped.",
    "thread.abandoned": "A worker thread did not return in time; its place stays taken"
    " until it does.",
    "threads.busy": "Work has waited for `seconds`, because all threads of a `pool` are taken;"
    " `jobs` says by whom. Told once, until nothing waits.",
    "threads.free": "Nothing waits for a thread of the `pool` any more.",
    "loop.blocked": "The event loop stood still for `seconds` at least, and nothing else was done;"
    " the path is that of the actor whose code held it up, `stack` where. While it lasts the log"
    " says so.",
    "trace.began": "An operator looks at what is handled at, or below, a path for `seconds`.",
    "trace.ended": "A trace is over: `handled` events were told of, and `left_out` were not,"
    " because they were too many in a second.",
    "actor.handled": "An actor that is traced has handled a `message`, in `seconds`; `outcome` is"
    " ok, or the name of what its handler raised.",
    "group.gap": "Members of a group may have missed messages from other processes.",
    "registry.registered": "An actor took the unique name `key`.",
    "registry.unregistered": "The unique name `key` is free again.",
    "input.invalid": "A peer sent what its JSON consumer can't take: `what` is wrong with it, and"
    " `field` where. The socket stays open, within `invalid_per_minute`.",
    "output.slow": "A peer read too slowly; it was waited for, or dropped.",
    "admin.action": "An operator has had something done: `action`, `by` whom and for what `reason`;"
    " `outcome` is done, or says why not. The path is what it was done to; of a user, `user`.",
    "await.forgotten": "What a send returned was never awaited in an `async def`"
    " handler; the frame went out, the back-pressure was lost.",
}
"""Every kind of event and what it means; an unlisted kind cannot be emitted."""

TRACED = "actor.handled"
_ROUTINE = frozenset({"connection.opened", "connection.closed", "slot.started", "slot.ended"})
_APART = 100

_logger = logging.getLogger("greenroom")


@dataclass(frozen=True, slots=True)
class Event:
    """
    Something that happened to one place in the tree.
    """

    kind: str
    """A key of `EVENTS`."""
    path: str
    """Whom it happened to."""
    epoch: int
    """Which incarnation, counted from 1; 0 if that has no meaning here."""
    at: float
    """When, in unix seconds."""
    facts: Mapping[str, object]
    """Details by name; which ones depends on the kind."""
    number: int = 0
    """Which of all events of its process it is, in their order; 0 if it was never emitted."""

    def as_dict(self) -> dict[str, object]:
        """
        Return the event as data that `json.dumps` takes.
        """
        return {
            "number": self.number,
            "kind": self.kind,
            "path": self.path,
            "epoch": self.epoch,
            "at": self.at,
            "facts": {name: plain(fact) for name, fact in self.facts.items()},
        }


Subscriber = Callable[[Event], object]


def plain(value: object) -> object:
    """
    Return *value* as data that `json.dumps` takes; unknown things become text.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)  # JSON has no infinity
    if isinstance(value, BaseException):
        return described(value)
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value)
        return {str(name): plain(item) for name, item in items.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in cast("Collection[object]", value)]
    return str(value)


def printable(text: str, limit: int = 200) -> str:
    """
    Return *text* fit for a log or a terminal: nothing moves the cursor or fills it.

    Args:
        text: Anything, also from outside.
        limit: Characters to show at most.
    """
    cut = f"{text[:limit]}..." if len(text) > limit else text
    if cut.isprintable():
        return cut
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in cut)


class EventStream:
    """
    Hands every event to the subscribers and remembers the latest.

    All methods may be called from any thread; none is a checkpoint.

    Args:
        capacity: How many events `recent` can look back; at least 1.
    """

    def __init__(self, capacity: int = 1000) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1. Got: {capacity!r}")
        self._ring = Ring(capacity)
        self._traced = Ring(capacity)
        self._apart = Ring(min(capacity, _APART))
        self._apart_below: tuple[str, ...] = ()
        self._counts = dict.fromkeys(EVENTS, 0)
        self._last = 0
        self._subscribers: tuple[list[Subscriber], ...] = ()
        self._lock = RLock()

    def __repr__(self) -> str:
        return (
            f"<EventStream {sum(self._counts.values())} emitted,"
            f" {len(self._ring)} remembered, {len(self._subscribers)} subscribers>"
        )

    def emit(self, kind: str, path: str, /, epoch: int = 0, **facts: object) -> None:
        """
        Tell everyone that *kind* happened to *path*.

        Subscribers run here, in this thread, before it returns. What they raise is
        logged and goes no further.

        Args:
            kind: A key of `EVENTS`.
            path: Whom it happened to.
            epoch: Which incarnation it happened to.
            **facts: Details. An exception may be among them; message bodies may not.

        Raises:
            ValueError: *kind* is not listed; that is a mistake in the caller.
        """
        if kind not in EVENTS:
            raise ValueError(f"kind must be listed in EVENTS. Got: {kind!r}")
        kept = _without_frames(facts)
        with self._lock:
            self._counts[kind] += 1
            self._last += 1
            event = Event(kind, path, epoch, time.time(), MappingProxyType(facts), self._last)
            remembered = event if kept is None else replace(event, facts=MappingProxyType(kept))
            self._ring_of(kind, path).append(remembered)
            subscribers = self._subscribers
        for [subscriber] in subscribers:
            try:
                subscriber(event)
            except Exception:
                _logger.exception("a subscriber of %s failed", kind)

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """
        Call *subscriber* with every event from now on, in the emitter's thread.

        It must be quick and must not wait: it may run on the event loop.

        Returns:
            A function that ends the subscription; calling it again does nothing.
        """
        # In a list of its own, so that one function subscribed twice can be told apart.
        entry = [subscriber]

        def unsubscribe() -> None:
            with self._lock:
                self._subscribers = tuple(
                    other for other in self._subscribers if other is not entry
                )

        with self._lock:
            self._subscribers = (*self._subscribers, entry)
        return unsubscribe

    def recent(
        self, n: int = 100, kind: str | None = None, *, path: str | None = None
    ) -> list[Event]:
        """
        Return the latest *n* events that are remembered, oldest first.

        Args:
            n: How many at most.
            kind: Only events of this kind; what a trace tells is only among its own kind.
            path: Only events of this path.
        """
        most = max(n, 0)
        with self._lock:
            ring = self._ring if kind != TRACED else self._traced
            newest: Iterable[Event] = ring.newest_first(path)
            if path is not None and self.is_apart(path):
                newest = merge(newest, self._apart.newest_first(path), key=_number, reverse=True)
            wanted = (each for each in newest if kind in (None, each.kind))
            return list(islice(wanted, most))[::-1]

    @property
    def last(self) -> int:
        """The number of the latest event; 0 if there was none."""
        return self._last

    @property
    def forgotten(self) -> int:
        """The number of the last event that is remembered no more; 0 if all are."""
        return self._ring.forgotten

    @property
    def forgotten_traced(self) -> int:
        """The same of those that a trace told of, which are remembered apart."""
        return self._traced.forgotten

    @property
    def forgotten_apart(self) -> int:
        """The same of those that are kept apart; see :meth:`keep_apart`."""
        return self._apart.forgotten

    def remembered(self, *, traced: bool = False, apart: bool = False) -> list[Event]:
        """
        Return all events that are remembered, oldest first.

        Args:
            traced: Those that a trace told of, and no others.
            apart: Those that are kept apart, and no others.
        """
        with self._lock:
            ring = self._traced if traced else self._apart if apart else self._ring
            return list(ring.newest_first())[::-1]

    def keep_apart(self, branch: str) -> None:
        """
        Remember the comings and goings right below *branch* apart from all else, and fewer of them.

        For what looks at the tree itself: or it would push out of the memory what is looked for.
        They are told and counted as all others; what fails there is remembered as elsewhere.
        """
        with self._lock:
            if f"{branch}/" not in self._apart_below:
                self._apart_below = (*self._apart_below, f"{branch}/")

    def is_apart(self, path: str, kind: str = "connection.opened") -> bool:
        """Say whether an event of *kind* at *path* is kept apart."""
        return kind in _ROUTINE and path.startswith(self._apart_below)

    def _ring_of(self, kind: str, path: str) -> Ring:
        if kind == TRACED:
            return self._traced
        return self._apart if self._apart_below and self.is_apart(path, kind) else self._ring

    def counts(self) -> dict[str, int]:
        """
        Return how often each kind was emitted; every kind is a key.
        """
        with self._lock:
            return dict(self._counts)


def _number(event: Event) -> int:
    return event.number


def _without_frames(facts: Mapping[str, object]) -> dict[str, object] | None:
    """Return *facts* with exceptions as text; None if there are none. Outside of the lock."""
    if not any(isinstance(fact, BaseException) for fact in facts.values()):
        return None
    return {
        name: described(fact) if isinstance(fact, BaseException) else fact
        for name, fact in facts.items()
    }
