# The adapter from the event stream to Python's logging, and its throttle.
#
# A restart storm must not become a log storm: a disk full of equal tracebacks hides
# the one that matters, and writing them is often what finally stops the server. So
# reports are throttled by who and what. Of each sort the first few in a window are
# logged in full; then one line each time their number has doubled; and the next
# window begins by saying how many were left out. Counters in the event stream stay
# exact whatever is logged.

import logging
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from enum import Enum
from threading import RLock
from typing import NamedTuple

from ._dead_letters import CRASHED, ENDED
from ._events import Event, EventStream, plain, printable


class Verdict(Enum):
    """
    How a report is to be made.
    """

    FULL = "full"
    LINE = "line"
    SILENT = "silent"


@dataclass(slots=True)
class _Window:
    began: float
    seen: int = 0
    silent: int = 0


class Throttle:
    """
    Decides which of many equal reports are made. Pure: *now* is an argument.

    Args:
        limit: Reports made in full within one window.
        seconds: Length of the window, which begins with a report.
        keys: Sorts of reports remembered; past it the oldest is forgotten, and the
            next of its sort is made in full again.
    """

    def __init__(self, limit: int, seconds: float, keys: int = 1000) -> None:
        self._limit, self._seconds, self._keys = limit, seconds, keys
        self._windows: OrderedDict[Hashable, _Window] = OrderedDict()

    def decide(self, key: Hashable, now: float) -> tuple[Verdict, int]:
        """
        Say how to report one more of *key*, and how many went unreported before.

        Args:
            key: What makes reports equal.
            now: Seconds on any clock that does not go back.
        """
        window = self._windows.get(key)
        if window is None or now >= window.began + self._seconds:
            window = self._windows[key] = _Window(now, silent=window.silent if window else 0)
            self._windows.move_to_end(key)
            if len(self._windows) > self._keys:
                self._windows.popitem(last=False)
        window.seen += 1
        past = window.seen - self._limit
        if past > 0 and past & (past - 1):  # not 1, 2, 4, 8 ...
            window.silent += 1
            return Verdict.SILENT, 0
        unreported, window.silent = window.silent, 0
        return (Verdict.LINE if past > 0 else Verdict.FULL), unreported

    def pending(self) -> dict[Hashable, int]:
        """
        Return how many of each key went unreported, and forget everything.
        """
        silent = {key: each.silent for key, each in self._windows.items()}
        self._windows.clear()
        return {key: number for key, number in silent.items() if number}


LEVELS: dict[str, int] = {
    "root.started": logging.INFO,
    "root.stopping": logging.INFO,
    "root.stopped": logging.INFO,
    "root.overdue": logging.CRITICAL,
    "connection.opened": logging.DEBUG,
    "connection.refused": logging.WARNING,
    "connection.unknown": logging.DEBUG,
    "connection.closed": logging.DEBUG,
    "connection.failed": logging.WARNING,
    "connection.violation": logging.WARNING,
    "request.unanswered": logging.WARNING,
    "supervisor.started": logging.DEBUG,
    "supervisor.start_failed": logging.ERROR,
    "supervisor.restarting": logging.WARNING,
    "supervisor.restarted": logging.INFO,
    "supervisor.auto_shutdown": logging.WARNING,
    "supervisor.gave_up": logging.ERROR,
    "supervisor.backing_off": logging.INFO,
    "supervisor.parked": logging.ERROR,
    "supervisor.woken": logging.WARNING,
    "supervisor.budget_reset": logging.WARNING,
    "supervisor.crashed": logging.CRITICAL,
    "supervisor.ended": logging.DEBUG,
    "slot.started": logging.DEBUG,
    "slot.declined": logging.INFO,
    "slot.crashed": logging.ERROR,
    "slot.resumed": logging.WARNING,
    "slot.backing_off": logging.INFO,
    "slot.restarted": logging.INFO,
    "slot.restarting": logging.WARNING,
    "slot.woken": logging.WARNING,
    "slot.budget_reset": logging.WARNING,
    "slot.suspended": logging.WARNING,
    "slot.unsuspended": logging.INFO,
    "slot.gave_up": logging.ERROR,
    "slot.parked": logging.ERROR,
    "slot.ended": logging.DEBUG,
    "storm.began": logging.ERROR,
    "storm.ended": logging.WARNING,
    "slot.fatal": logging.CRITICAL,
    "slot.unkillable": logging.CRITICAL,
    "disconnect.failed": logging.ERROR,
    "message.dead_letter": logging.WARNING,
    "mailbox.high": logging.WARNING,
    "mailbox.normal": logging.INFO,
    "mailbox.overflow": logging.WARNING,
    "call.skipped": logging.INFO,
    "call.late": logging.INFO,
    "call.forgotten": logging.WARNING,
    "work.stale": logging.INFO,
    "thread.abandoned": logging.ERROR,
    "threads.busy": logging.WARNING,
    "threads.free": logging.INFO,
    "loop.blocked": logging.WARNING,
    "trace.began": logging.INFO,
    "trace.ended": logging.INFO,
    "actor.handled": logging.DEBUG,
    "group.gap": logging.WARNING,
    "presence.lost": logging.WARNING,
    "registry.registered": logging.DEBUG,
    "registry.unregistered": logging.DEBUG,
    "input.invalid": logging.INFO,
    "output.slow": logging.WARNING,
    "admin.action": logging.WARNING,
    "await.forgotten": logging.WARNING,
}
"""The level at which each kind of event is logged."""

_NEVER_THROTTLED = frozenset(
    {
        *("root.started", "root.stopping", "root.stopped", "root.overdue"),
        *("slot.fatal", "slot.unkillable", "storm.began", "storm.ended"),
        "admin.action",
    }
)

_STACK_LOGGED_BEFORE = frozenset({"loop.blocked"})  # by _watch.py, when the loop could not


def family(path: str) -> str:
    """
    Return the supervisor above *path*, which its connections have in common.
    """
    return path.rpartition("/")[0] or "/"


class _Key(NamedTuple):
    kind: str
    family: str = ""
    sort: str = ""

    def __str__(self) -> str:
        below = f" below {self.family}" if self.family else ""
        sort = f" ({self.sort})" if self.sort else ""
        return self.kind + printable(below + sort)


class _Adapter:
    def __init__(self, logger: logging.Logger, clock: Callable[[], float]) -> None:
        self._logger, self._clock = logger, clock
        self._lock = RLock()
        self._reports = Throttle(limit=5, seconds=60)
        # Dead letters come in floods and are hardly ever urgent.
        self._dead_letters = Throttle(limit=10, seconds=300)
        self._tracebacks = Throttle(limit=1, seconds=60)

    def __call__(self, event: Event) -> None:
        level = level_of(event)
        if self._logger.isEnabledFor(level):
            self._log_or_throttle(level, event)
        if event.kind == "root.stopped":
            self._log_pending()

    def _log_or_throttle(self, level: int, event: Event) -> None:
        if event.kind in _NEVER_THROTTLED:
            self._log(level, event, full=True)
        elif level < logging.INFO:
            self._log(level, event, full=False)
        else:
            self._log_throttled(level, event)

    def _log_throttled(self, level: int, event: Event) -> None:
        if event.kind == "message.dead_letter":
            throttle, key = self._dead_letters, _Key(event.kind)
        else:
            throttle, key = self._reports, _Key(event.kind, family(event.path), _sort(event))
        with self._lock:
            verdict, unreported = throttle.decide(key, self._clock())
        if verdict is not Verdict.SILENT:
            self._log(level, event, full=verdict is Verdict.FULL, unreported=unreported)

    def _log(self, level: int, event: Event, *, full: bool, unreported: int = 0) -> None:
        error, stack = event.facts.get("exception"), event.facts.get("stack")
        below = f"\n{stack}" if full and stack and event.kind not in _STACK_LOGGED_BEFORE else ""
        trace = error if full and isinstance(error, BaseException) else None
        if (
            trace is not None
            and event.kind not in _NEVER_THROTTLED
            and self._was_shown(event, trace)
        ):
            trace, below = None, "; traceback as before"
        self._logger.log(
            level,
            "%s%s",
            line(event, unreported),
            below,
            exc_info=trace,
            extra={"greenroom": event.as_dict()},
        )

    def _was_shown(self, event: Event, error: BaseException) -> bool:
        """Say whether the traceback of *error* has been logged lately, word for word."""
        if event.kind in _NEVER_THROTTLED:
            return False
        key = (event.kind, family(event.path), "".join(traceback.format_exception(error)))
        with self._lock:
            verdict, _ = self._tracebacks.decide(key, self._clock())
        return verdict is not Verdict.FULL

    def _log_pending(self) -> None:
        with self._lock:
            pending = self._reports.pending() | self._dead_letters.pending()
        for key, number in pending.items():
            self._logger.warning("%s: %d more were not logged", key, number)


def level_of(event: Event) -> int:
    """
    Return the level at which *event* is logged: that of its kind, but for the ordinary.

    What reaches an actor that has just ended in peace is a dead letter on record, but
    nothing to wake anybody for.
    """
    if event.kind == "message.dead_letter":
        reason = str(event.facts.get("reason"))
        if reason.startswith(ENDED) and f"({CRASHED}" not in reason:
            return logging.DEBUG
    return LEVELS[event.kind]


def _sort(event: Event) -> str:
    error = event.facts.get("exception")
    if isinstance(error, BaseException):
        return type(error).__qualname__
    # An error that its class expects comes as text; its type is the first word.
    told = str(event.facts.get("error", "")).partition(":")[0]
    return told or str(event.facts.get("reason", ""))


def line(event: Event, unreported: int = 0) -> str:
    """
    Put *event* into one line: what, who, and its facts.

    Args:
        event: The event. Its fact "stack" has many lines and is left out.
        unreported: How many like it were left out before this one.
    """
    path = printable(event.path, 500)  # what an operator has typed may be in an event of that
    who = f"{path} (epoch {event.epoch})" if event.epoch else path
    facts = ", ".join(
        f"{name} {_in_one_line(fact)}" for name, fact in event.facts.items() if name != "stack"
    )
    parts = [f"{event.kind}: {who}"]
    if facts:
        parts.append(facts)
    if unreported:
        parts.append(f"{unreported} more like this were not logged")
    return "; ".join(parts)


def _in_one_line(fact: object) -> str:
    # A peer's text must not be able to forge a second line.
    return printable(str(plain(fact)), 500)


def log_events(
    stream: EventStream,
    logger: logging.Logger | None = None,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> Callable[[], None]:
    """
    Write the events of *stream* to *logger* from now on.

    Crashes are logged with their traceback. Of equal reports (same kind, supervisor
    and exception type or reason) the first 5 a minute are logged in full, but for a
    traceback that has been logged word for word within that minute; of dead
    letters the first 10 in 5 minutes; then their number, each time it has doubled.

    Args:
        stream: Where the events come from.
        logger: Where they go; the logger "greenroom" if left out. Each record has
            the event as a dict in its attribute `greenroom`.
        clock: Seconds, for the throttle.

    Returns:
        A function that ends it.
    """
    return stream.subscribe(_Adapter(logger or logging.getLogger("greenroom"), clock))
