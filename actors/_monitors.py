"""Monitors: how an actor is told that another one has ended, or was restarted."""

# Erlang's monitors and Pekko's `watch`: one Down for each, also for who had ended before
# it was asked. Restarts are told only to who asks for them, as the reference stands through
# them (Pekko); in OTP, where a restart makes a new process, they are all that is told.
#
# Invariants, each with a test of that name in tests/supervisor/test_slot_monitors.py:
#   ONE DOWN    a monitor brings exactly one Down; monitoring a reference twice is one monitor.
#   WITHDRAWN   after demonitor() returned none is handled, not even one that waits already.
#   INERT       a monitor ends with the incarnation that began it; what waits of it then is
#               dropped when it is taken, and noted, as an old timer's tick is.
#   BOUNDED     of each monitor at most one Down and one Restarted wait in the mailbox, which
#               do not count against its capacity.
#   NO TRACE    neither side holds the other once the monitor is over.
#
# Threads may begin and withdraw monitors while the loop ends what they watch. One lock for
# all of that, of all actors: it is held for microseconds, and seldom; a lock in each
# incarnation would be paid for by the many that monitor nobody.

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from ._messages import Tick
from ._ref import ActorRef, target_of

if TYPE_CHECKING:
    from ._life import Life

LOCK = threading.RLock()
"""Of all monitors. Reentrant: a __del__ that the collector runs in here may monitor, too."""


@dataclass(frozen=True, slots=True)
class Down:
    """
    A slot has ended: for the handler ``@handles(Down)`` of who monitors it.

    Its groups and names are free by then and its reference is dead, so that who is told may
    take over at once.
    """

    ref: ActorRef
    """Whose end it is."""
    path: str
    """Where in the tree it was."""
    reason: str
    """What ended it, in words."""
    kind: Literal["stopped", "crashed", "fatal"]
    """``stopped`` for every end in peace, the end of a connection too; ``crashed`` when it was
    not restarted after a crash; ``fatal`` for SystemExit and its like."""
    error: str = ""
    """Type and text of the error, for a failure only; empty otherwise."""


@dataclass(frozen=True, slots=True)
class Restarted:
    """
    A slot has a new incarnation, which serves: for the handler ``@handles(Restarted)``.

    Only monitors with ``incarnations=True`` tell it. What the incarnation before was told, and
    did not keep, it does not know any more.
    """

    ref: ActorRef
    """Who was restarted; the reference is the same."""
    path: str
    """Where in the tree it is."""
    epoch: int
    """Which incarnation serves now. Of several restarts in a row only the last may be told."""
    error: str = ""
    """Type and text of the crash before; empty if it did not crash."""


class Monitor:
    """What ``self.monitor(ref)`` returns: the promise of one :class:`Down`."""

    __slots__ = (
        "__weakref__", "_news", "_watching", "cancelled", "incarnations", "message", "owner", "ref",
        "waiting",
    )  # fmt: skip

    what: ClassVar[str] = "monitor"

    def __init__(self, watching: Watching, ref: ActorRef, incarnations: bool) -> None:
        self.ref = ref
        """Who is monitored."""
        self.incarnations = incarnations
        """Whether restarts are told as well."""
        self.cancelled = False
        """Whether it was withdrawn."""
        self.owner: Life | None = watching.life
        self.message: Down | None = None
        self.waiting = False
        self._watching: Watching | None = watching
        self._news: _News | None = None  # the restart told last

    def cancel(self) -> None:
        """Withdraw it, and what waits of it in the mailbox. Any thread; again is no error."""
        with LOCK:
            self.cancelled = True
            self._forget()

    def ended(self, down: Down) -> None:
        """Take note of the end; the runtime's business."""
        with LOCK:
            if self._watching is not None and self.message is None:
                self.message, self.waiting = down, True
                self._watching.put(Tick(self))

    def restarted(self, news: Restarted) -> None:
        """Take note of a restart; the runtime's business."""
        with LOCK:
            if self._watching is None or not self.incarnations or self.message is not None:
                return
            if self._news is not None and self._news.waiting:
                self._news.message = news
            else:
                self._news = _News(self, news)
                self._watching.put(Tick(self._news))

    def taken(self) -> None:
        """Take note that its Down was taken from the mailbox; the runtime's business."""
        with LOCK:
            self.waiting = False
            self._forget()

    def put_aside(self) -> None:
        """Take no note: it has fired, and does not again; the runtime's business."""

    def end(self) -> None:
        """End it with its incarnation; the runtime's business."""
        with LOCK:
            self.owner = None
            self._forget()

    def _forget(self) -> None:
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.forget(self)
            target_of(self.ref).monitors.unwatch(target_of(self.ref), self)

    def __repr__(self) -> str:
        over = " over" if self._watching is None else ""
        return f"<Monitor of {self.ref.path}{' with restarts' * self.incarnations}{over}>"


class _News:
    """One restart on its way to who monitors; later ones take its place while it waits."""

    __slots__ = ("_monitor", "message", "waiting")

    what: ClassVar[str] = "monitor"

    def __init__(self, monitor: Monitor, message: Restarted) -> None:
        self._monitor = monitor
        self.message = message
        self.waiting = True

    @property
    def owner(self) -> Life | None:
        return self._monitor.owner

    @property
    def cancelled(self) -> bool:
        return self._monitor.cancelled

    def taken(self) -> None:
        with LOCK:  # from here on its message stays
            self.waiting = False

    def put_aside(self) -> None:
        """Take no note: the next restart is told by itself."""


class Watching:
    """The monitors that one incarnation has begun. Any thread, under the lock."""

    __slots__ = ("_monitors", "_over", "life")

    def __init__(self, life: Life, *, over: bool) -> None:
        self.life = life
        self._over = over
        self._monitors: dict[ActorRef, Monitor] = {}

    def add(self, ref: ActorRef, incarnations: bool) -> Monitor:
        """Return the monitor of *ref*, which is begun if there is none."""
        monitor = self._monitors.get(ref)
        if monitor is not None:
            monitor.incarnations = monitor.incarnations or incarnations
            return monitor
        monitor = Monitor(self, ref, incarnations)
        if self._over:
            monitor.end()
            self.life.host.note("work.stale", epoch=self.life.epoch, what="monitor")
            return monitor
        self._monitors[ref] = monitor
        target_of(ref).monitors.watch(target_of(ref), monitor)
        return monitor

    def put(self, tick: Tick) -> None:
        """Put *tick* into the mailbox, if there is one still."""
        self.life.host.mailbox.put_arrival(tick)

    def forget(self, monitor: Monitor) -> None:
        """Take *monitor* out, which is over."""
        if self._monitors.get(monitor.ref) is monitor:
            del self._monitors[monitor.ref]

    def end(self) -> None:
        """End all: their incarnation has ended."""
        self._over = True
        for monitor in tuple(self._monitors.values()):
            monitor.end()

    def __len__(self) -> int:
        return len(self._monitors)

    def all(self) -> list[Monitor]:
        """Return all that are not over, in the order in which they were begun."""
        return list(self._monitors.values())
