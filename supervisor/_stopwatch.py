# How long the handlers of one actor take, while somebody looks at it: by kind of message.
#
# On the way of a trace (actors/_tracing.py): an actor that is neither timed nor traced has nothing
# of it. It ends by itself, some time after nobody has asked any more.

from dataclasses import dataclass
from threading import Lock

import trio

from ..actors._ports import TracePort
from ._histogram import Histogram

MOST_KINDS = 100
OTHERS = "others"


@dataclass(frozen=True, slots=True)
class Timing:
    """How long one kind of message took, in seconds; percentiles are up to a ninth too long."""

    message: str
    count: int
    p50: float
    p95: float
    longest: float
    spread: tuple[tuple[float, int], ...]
    """How many took up to so long, and longer than half of that, shortest first."""


class Stopwatch:
    """Times one actor. Any thread may tell it of a message."""

    def __init__(self, path: str, seconds: float) -> None:
        self.path = path
        self.began = trio.current_time()
        """When, on trio's clock."""
        self.scope = trio.CancelScope(deadline=self.began + seconds, shield=True)
        """Of the task that ends it when its time is over."""
        self.trace: TracePort | None = None
        """The operator's trace that the actor is part of as well."""
        self._kinds: dict[str, Histogram] = {}
        self._lock = Lock()

    def extend(self, seconds: float) -> None:
        """Have it go on for *seconds* from now at least."""
        self.scope.deadline = max(self.scope.deadline, trio.current_time() + seconds)

    @property
    def left(self) -> float:
        """Seconds until it ends."""
        return max(0.0, self.scope.deadline - trio.current_time())

    @property
    def seconds(self) -> float:
        """For how long it has timed."""
        return trio.current_time() - self.began

    def handled(self, path: str, epoch: int, message: str, seconds: float, outcome: str) -> None:
        """Count one message; tell the trace, too. Never raises."""
        kind = kind_of(message)
        with self._lock:
            if kind not in self._kinds and len(self._kinds) >= MOST_KINDS:
                kind = OTHERS
            self._kinds.setdefault(kind, Histogram()).add(seconds)
        trace = self.trace
        if trace is not None:
            trace.handled(path, epoch, message, seconds, outcome)

    def timings(self) -> list[Timing]:
        """Return what was counted so far, what took longest in all first."""
        with self._lock:
            kinds = sorted(self._kinds.items(), key=lambda each: -each[1].total)
            return [_timing(kind, times) for kind, times in kinds]


def kind_of(message: str) -> str:
    """
    Return what the summary *message* is one of: without its size, which is another each time.

    Pure.
    """
    if message.startswith(("text frame of ", "binary frame of ")):
        return message.partition(" of ")[0]
    head, comma, size = message.rpartition(", ")
    return head if comma and size.endswith(" bytes") and size[:-6].isdigit() else message


def _timing(kind: str, times: Histogram) -> Timing:
    p50, p95 = times.percentile(0.5), times.percentile(0.95)
    spread = tuple(times.by_doubling())
    return Timing(kind, times.count, p50 or 0.0, p95 or 0.0, times.longest, spread)
