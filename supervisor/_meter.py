# What is counted of what happens, for metrics: by class, reason and code, never by path or user.
#
# The stream counts how often each kind of event was told; here is what a kind alone does not say.
# Counted as it is told, from the beginning of the tree, so that nothing is missing when somebody
# asks for the first time, and asking costs the same after a year.
#
# Invariants, each with a test of that name in tests/supervisor/test_meter.py:
#   BOUNDED    so many sets of labels and no more are kept of one counter; the others are one.
#   ITS OWN    no label is a peer's, who could make one after the other.
#   ANY THREAD whoever tells an event, also in the middle of another one.

import re
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from threading import RLock
from typing import TYPE_CHECKING

from ._events import printable
from ._flow import Flow

if TYPE_CHECKING:
    from ._events import Event, EventStream
    from ._tally import Stated

MOST_LABELS = 200
"""Sets of labels that are kept of one counter."""
OTHER = "(other)"
"""What stands for those that are too many."""

Labels = tuple[str, ...]


class Counted:
    """One counter by labels. Not thread-safe."""

    def __init__(self, *names: str) -> None:
        self.names = names
        """What the labels are called."""
        self._counts: dict[Labels, int] = {}

    def add(self, *labels: str) -> None:
        """Count one more."""
        counts = self._counts
        if labels not in counts and len(counts) >= MOST_LABELS:
            labels = (OTHER,) * len(self.names)
        counts[labels] = counts.get(labels, 0) + 1

    def counts(self) -> Mapping[Labels, int]:
        """Return how many there were of each; a copy."""
        return dict(self._counts)


class Histogram:
    """How long something took, in seconds. Not thread-safe."""

    BOUNDS: Sequence[float] = (0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)

    def __init__(self) -> None:
        self._counts = [0] * (len(self.BOUNDS) + 1)
        self.sum = 0.0
        """All of it together."""

    def add(self, seconds: float) -> None:
        """Take note of one."""
        self._counts[bisect_left(self.BOUNDS, seconds)] += 1
        self.sum += seconds

    def buckets(self) -> list[tuple[float | None, int]]:
        """Return how many took at most so many seconds, for each bound; None is no bound."""
        total, buckets = 0, list[tuple[float | None, int]]()
        for bound, count in zip([*self.BOUNDS, None], self._counts, strict=True):
            total += count
            buckets.append((bound, total))
        return buckets


class Meter:
    """
    Counts what happens in one tree; ``root.meter``. Any thread, no method is a checkpoint.

    Args:
        events: What happens.
        find: Returns what lives at a path; None if nothing does. Any thread.
        flow: What goes through the actors.
    """

    def __init__(
        self,
        events: "EventStream",
        find: Callable[[str], "Stated | None"],
        flow: "Flow | None" = None,
    ) -> None:
        self._find = find
        self.flow = flow or Flow({})
        """What goes through the actors, by class. Loop thread only."""
        self._lock = RLock()
        self.crashes = Counted("class", "exception")
        self.restarts = Counted("class")
        self.gave_up = Counted("class")
        self.ended = Counted("class", "how")
        self.supervisors_gave_up = Counted("supervisor")
        self.closed = Counted("code")
        self.refused = Counted("reason")
        self.overflows = Counted("class", "policy")
        self.abandoned = Counted("class")
        self.actions = Counted("action", "outcome")
        self.restart_gaps = Histogram()
        """Seconds from a crash until the next incarnation served."""
        self.stops = Histogram()
        """Seconds from when an actor was asked to end until it had ended."""
        self._takes: Mapping[str, Callable[[Event], None]] = {
            "slot.crashed": self._crashed,
            "slot.fatal": self._crashed,
            "slot.restarted": self._restarted,
            "slot.gave_up": lambda event: self.gave_up.add(self._class_of(event.path)),
            "slot.ended": self._slot_ended,
            "supervisor.gave_up": lambda event: self.supervisors_gave_up.add(event.path),
            "connection.closed": lambda event: self.closed.add(str(event.facts.get("code", ""))),
            "connection.refused": lambda event: self.refused.add(_own_words(event, "reason")),
            "mailbox.overflow": lambda event: self.overflows.add(
                self._class_of(event.path), _words(event, "policy")
            ),
            "thread.abandoned": lambda event: self.abandoned.add(self._class_of(event.path)),
            "admin.action": lambda event: self.actions.add(
                _words(event, "action"), _words(event, "outcome")
            ),
        }
        events.subscribe(self._hear)

    def read(self, counter: Counted) -> Mapping[Labels, int]:
        """Return how many *counter*, one of this one's, has counted by labels."""
        with self._lock:
            return counter.counts()

    def read_histogram(self, histogram: Histogram) -> tuple[list[tuple[float | None, int]], float]:
        """Return the buckets of *histogram*, one of this one's, and the sum."""
        with self._lock:
            return histogram.buckets(), histogram.sum

    def _hear(self, event: "Event") -> None:
        take = self._takes.get(event.kind)
        if take is not None:
            with self._lock:
                take(event)

    def _class_of(self, path: str) -> str:
        place = self._find(path)
        return "" if place is None else place.counted_as

    def _crashed(self, event: "Event") -> None:
        error = event.facts.get("exception")
        name = type(error).__qualname__ if isinstance(error, BaseException) else ""
        name = name or str(event.facts.get("error", "")).partition(":")[0]
        self.crashes.add(self._class_of(event.path), name)

    def _restarted(self, event: "Event") -> None:
        self.restarts.add(self._class_of(event.path))
        place = self._find(event.path)
        crash = None if place is None else place.last_crash
        if crash is not None and crash.epoch == event.epoch - 1:  # else it was by hand
            self.restart_gaps.add(max(0.0, event.at - crash.at))

    def _slot_ended(self, event: "Event") -> None:
        self.ended.add(self._class_of(event.path), _words(event, "how"))
        seconds = event.facts.get("seconds")
        if isinstance(seconds, float):
            self.stops.add(seconds)


def _own_words(event: "Event", name: str) -> str:
    # What is quoted is the peer's, such as its Origin: he could make a label of each.
    return re.split("['\"]", _words(event, name), maxsplit=1)[0].rstrip()


def _words(event: "Event", name: str) -> str:
    # Numbers in it would make a label of each: "(100 messages)", "50 connections are open".
    text = str(event.facts.get(name, ""))
    return printable("".join("n" if char.isdigit() else char for char in text), 80)
