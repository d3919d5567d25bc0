# A thread of the tree's own that looks at what the loop can't tell of itself: that it stands
# still, and that all threads of a pool are taken. Once a second at most; each look at the loop
# costs one wake-up, and tells how late the loop is.
#
# Invariants, each with a test of that name in tests/supervisor/test_watch.py:
#   NAMED        a loop that stands still is told of by its culprit: path, epoch and line; in
#                the log while it lasts, as one event when it is over.
#   REAL TIME    under a clock of tests there is no watch: it would wake the loop, which keeps
#                virtual time from jumping, and real time means nothing there.
#   ENDS         with the tree. Nobody waits for the thread, and it holds up no exit.
#
# Not an instrument of trio's: that would cost each step of each task two calls, and could name
# the culprit only when it has let go, which it may never do.
#
# How late an answer is counts from when it was due to be asked for. So a time in which this
# thread could not run either is seen, too: code that keeps the interpreter's lock, or a machine
# that had no time for the process. Then there is no stack, and the event says so.

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

from ..actors._lowlevel import on_real_time
from ._culprit import Culprit, culprit_of
from ._events import Event
from ._lag import Lag
from ._log import Throttle, Verdict, family, line
from ._saturation import Saturation

if TYPE_CHECKING:
    from ..actors._workers import Workers
    from ._root import Root

_SHORTEST, _LONGEST = 0.05, 1.0  # seconds between two looks
_NOBODY_RAN = (
    "the whole process stood still: code that keeps the interpreter's lock, or a busy machine"
)


@dataclass(slots=True)
class _Question:
    """One look at the loop: when it was due, when it was asked, and what was seen meanwhile."""

    due: float
    asked: float
    answered: bool = False
    culprit: Culprit | None = None


class Watch:
    """Looks after the loop and the pools of *root*, from :meth:`begin` to :meth:`end`."""

    def __init__(self, root: "Root") -> None:
        options = root.options
        self._root = root
        self._blocked = options.loop_blocked_seconds
        self._busy = options.threads_busy_seconds
        limits = [each for each in (self._blocked, self._busy) if each is not None]
        self._every = max(_SHORTEST, min([_LONGEST, *limits]))
        self._wanted = bool(limits)
        self._lag = Lag()
        self._alarms: dict[Workers, Saturation] = {}
        self._reports = Throttle(limit=5, seconds=60)
        self._logger = logging.getLogger("greenroom")
        self._bell = threading.Condition()  # guards all of a question, and what is next
        self._over = False
        self._due = 0.0
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Start the thread, if there is something to look at. Loop thread only."""
        if self._wanted and on_real_time():
            self._thread = threading.Thread(target=self._main, name="greenroom-watch", daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Have the thread end, and tell of nothing any more. Loop thread only."""
        with self._bell:
            self._over = True
            self._bell.notify_all()

    def facts(self) -> dict[str, object]:
        """Return how late the loop answers, for the tree. Loop thread only."""
        lag = self.lag()
        return {} if lag is None else {"loop_lag": lag}

    def lag(self) -> dict[str, float] | None:
        """Return how late the loop answers, in seconds; None if nobody looks. Loop thread only."""
        if self._thread is None or self._blocked is None:
            return None
        worst = self._lag.worst(time.monotonic())
        return {"last": round(self._lag.last, 4), "worst": round(worst, 4)}

    # -- in its own thread -------------------------------------------------------------------

    def _main(self) -> None:
        with suppress(trio.RunFinishedError):  # then there is no tree either
            while self._rest():
                if self._busy is not None:
                    self._look_at_pools(self._busy)
                if self._blocked is not None:
                    self._look_at_loop(self._blocked)

    def _rest(self) -> bool:
        self._due = time.monotonic() + self._every
        with self._bell:
            return not self._bell.wait_for(lambda: self._over, self._every)

    def _look_at_loop(self, limit: float) -> None:
        question, loop = _Question(self._due, time.monotonic()), self._root.loop
        loop.call_soon(self._answer, question)
        with self._bell:
            if self._settled(question, limit / 2):
                return
            task = loop.running_task()
        for seconds in patience(limit):
            with self._bell:
                if self._settled(question, seconds):
                    return
                first = question.culprit is None
                question.culprit = question.culprit or culprit_of(loop, task)
                task = None  # it holds a handler's frames
            self._log(question.culprit, time.monotonic() - question.due, first=first)

    def _settled(self, question: _Question, seconds: float) -> bool:
        """Wait for the answer until *seconds* after the question; say whether it is the end."""
        left = question.asked + seconds - time.monotonic()
        return self._bell.wait_for(lambda: question.answered or self._over, left)

    def _log(self, culprit: Culprit, seconds: float, *, first: bool) -> None:
        """Say in the log that the loop stands still: nobody else can, and it may last."""
        verdict = Verdict.LINE
        if first:
            verdict, _ = self._reports.decide(family(culprit.path), time.monotonic())
        if verdict is Verdict.SILENT:
            return
        facts = _facts(culprit, seconds, over=False)
        event = Event("loop.blocked", culprit.path, culprit.epoch, time.time(), facts)
        below = f"\n{culprit.stack}" if verdict is Verdict.FULL else ""
        self._logger.error("%s%s", line(event), below, extra={"greenroom": event.as_dict()})

    def _look_at_pools(self, limit: float) -> None:
        for pool in tuple(self._root.pools):
            now = pool.statistics()
            alarm = self._alarms.setdefault(pool, Saturation(limit))
            kind = alarm.look(now.waiting_seconds)
            if kind == "threads.busy":
                self._emit(
                    kind,
                    pool=pool.name,
                    seconds=round(now.waiting_seconds, 1),
                    queued=now.queued,
                    jobs=pool.oldest_jobs(),
                )
            elif kind is not None:
                self._emit(kind, pool=pool.name)

    def _emit(self, kind: str, **facts: object) -> None:
        with self._bell:
            over = self._over
        if not over:
            self._root.events.emit(kind, "/", 0, **facts)

    # -- in the loop, as a callback: whatever it raised would end the loop ---------------------

    def _answer(self, question: _Question) -> None:
        now = time.monotonic()
        with self._bell:
            question.answered = True
            culprit, over = question.culprit, self._over
            self._bell.notify_all()
        late = now - question.due
        self._lag.add(late, now)
        if over or self._blocked is None or late < self._blocked:
            return
        nobody_ran = question.asked - question.due >= self._blocked
        culprit = culprit or Culprit()
        facts = _facts(culprit, late, over=True)
        if nobody_ran:
            facts["reason"] = _NOBODY_RAN
        self._root.events.emit("loop.blocked", culprit.path, culprit.epoch, **facts)


def patience(limit: float) -> Iterator[float]:
    """Yield after how many seconds of it a block is told of: at once, at ten times, each minute."""
    yield limit
    seconds = 10 * limit
    while True:
        yield seconds
        seconds = seconds + 60


def _facts(culprit: Culprit, seconds: float, *, over: bool) -> dict[str, object]:
    facts: dict[str, object] = {"seconds": round(seconds, 3), "over": over, **culprit.facts}
    if culprit.stack:
        facts["stack"] = culprit.stack
    return facts
