# What an operator looks at for a while: each message that is handled at, or below, a path.
#
# As OTP's sys:trace, but for whole branches too, and it ends by itself. Kept here, by path, as
# suspensions are: an actor that nobody looks at has nothing of it but a flag that its loop looks
# at anyway. Only types are told, never bodies.
#
# So many events a second, and no more: a trace must not become what holds the server up.

import time
from collections.abc import Iterator, Mapping
from contextvars import Context
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING

import trio

from ..actors import ActorNotFound, ActorRef
from ..actors._ports import TracePort
from ..actors._ref import target_of
from ._errors import InvalidState
from ._events import EventStream
from ._look import Look
from ._options import refuse_unless_seconds, refuse_unless_whole
from ._slot import Slot
from ._stopwatch import Stopwatch
from ._task import TaskSlot

if TYPE_CHECKING:
    from ._root import Root

SLICE = 200
"""Places that are told of a trace between two checkpoints."""
_LONGEST = 600.0
_MOST_TIMED = 100
_ALWAYS = ("/", "/connections", "/residents")


class RateCap:
    """
    Lets so many through in each second. Pure: *now* is an argument.

    Args:
        most: How many.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._began = float("-inf")
        self._passed = 0

    def admit(self, now: float) -> bool:
        """Say whether one more passes at *now*."""
        if now >= self._began + 1:
            self._began, self._passed = now, 0
        self._passed += 1
        return self._passed <= self._most


class Trace:
    """One look at a branch of the tree. Any thread may tell it of a message."""

    def __init__(self, events: EventStream, path: str, per_second: int) -> None:
        self.path = path
        self.scope = trio.CancelScope(shield=True)
        """Of the task that ends it when its time is over."""
        self._events = events
        self._cap = RateCap(per_second)
        self._lock = Lock()
        self._told = self._left_out = 0
        self._over = False

    def handled(self, path: str, epoch: int, message: str, seconds: float, outcome: str) -> None:
        """Put one message on the stream, or count it. Never raises."""
        with self._lock:
            if self._over:
                return
            passes = self._cap.admit(time.monotonic())
            if passes:
                self._told += 1
            else:
                self._left_out += 1
        if passes:
            facts = {"message": message, "seconds": round(seconds, 6), "outcome": outcome}
            self._events.emit("actor.handled", path, epoch, **facts)

    def end(self) -> None:
        """Tell of nothing more, and of how much was told."""
        self.scope.cancel()
        with self._lock:
            self._over = True
        self._events.emit("trace.ended", self.path, handled=self._told, left_out=self._left_out)


class Traces:
    """
    Who is looked at; ``root.traces``. Loop thread only, no method is a checkpoint.

    Args:
        root: Whose tree it is.
        refs: All that lives in it, by path.
        supervisors: All supervisors below the root, by path.
    """

    def __init__(
        self, root: "Root", refs: Mapping[str, ActorRef], supervisors: Mapping[str, object]
    ) -> None:
        self._root = root
        self._refs, self._supervisors = refs, supervisors
        self._active: dict[str, Trace] = {}
        self._timed: dict[str, Stopwatch] = {}
        self._closed = False

    def begin(self, path: str, seconds: float = 60.0, *, per_second: int = 100) -> None:
        """
        Make each message that is handled at *path* or below an event ``actor.handled``.

        Those that come into the branch later are part of it, and it stands through restarts. It
        ends with its time, with :meth:`end`, or with what is at *path*. Again is to begin anew.
        The events are kept apart from the others, which they push out of no memory. Where more than
        200 are in the branch, the others are told of it in the turns that come, 200 in each.

        Args:
            path: Of an actor, a supervisor or a route of connections; "/" is everything.
            seconds: After which it ends by itself; 600 at most.
            per_second: How many are told in a second; the others are counted.

        Raises:
            ActorNotFound: Nothing is there.
            TypeError: *seconds* or *per_second* is no number, or what is there handles no messages.
            ValueError: *seconds* is not more than 0 and at most 600, or *per_second* less than 1.
        """
        _refuse_seconds(seconds)
        refuse_unless_whole("per_second", per_second, 1)
        tasks, slots = self._root.tasks, self._slots(path)
        if tasks is None or self._closed or slots is None:
            raise ActorNotFound(path)
        self._end(path)
        trace = self._active[path] = Trace(self._root.events, path, per_second)
        self._root.events.emit("trace.began", path, seconds=seconds, per_second=per_second)
        _flag(slots)
        # In no context: an actor's that begins one must not live on in it.
        Context().run(self._start, tasks, trace, slots, seconds)

    def end(self, path: str) -> bool:
        """Look at *path* no more; return whether it was looked at."""
        return self._end(path)

    def of(self, path: str) -> TracePort | None:
        """Return where to tell what the actor at *path* handles; None if nobody wants to know."""
        if not self._active and not self._timed:
            return None
        nearest = (self._active[each] for each in above(path) if each in self._active)
        trace, watch = next(nearest, None), self._timed.get(path)
        if watch is None:
            return trace
        watch.trace = trace
        return watch

    def time(self, path: str, seconds: float) -> Stopwatch:
        """
        Have the handlers of the actor at *path* timed for *seconds* from now; return by what.

        Through restarts. It ends with its time, or with what is at *path*; who asks again while it
        lasts puts that off. It costs two looks at the clock for each message, and changes nothing
        else of the actor.

        Args:
            path: Of an actor.
            seconds: After which it ends by itself; 600 at most.

        Raises:
            ActorNotFound: There is none.
            InvalidState: So many are timed already.
            TypeError: What is there handles no messages.
            ValueError: *seconds* is not more than 0 and at most 600.
        """
        _refuse_seconds(seconds)
        watch = self._timed.get(path)
        if watch is not None:
            watch.extend(seconds)
            return watch
        tasks, slots = self._root.tasks, self._slots(path) if path in self._refs else None
        if tasks is None or self._closed or slots is None:
            raise ActorNotFound(path)
        if len(self._timed) >= _MOST_TIMED:
            raise InvalidState(path, "not timed", f"{_MOST_TIMED} actors are timed already")
        watch = self._timed[path] = Stopwatch(path, seconds)
        _flag(slots)
        Context().run(tasks.start_soon, self._run_down, watch, name=f"{path} stopwatch")
        return watch

    def timed(self, path: str) -> Stopwatch | None:
        """Return what times the actor at *path*, if anything does."""
        return self._timed.get(path)

    def forget(self, path: str) -> None:
        """End what concerns *path*, which is no more."""
        self._end(path)
        watch = self._timed.pop(path, None)
        if watch is not None:
            watch.scope.cancel()

    def close(self) -> None:
        """End all, and begin none any more: the tree stops."""
        self._closed = True
        for path in [*self._active, *self._timed]:
            self.forget(path)

    def _end(self, path: str) -> bool:
        """End the trace of *path*, if there is one; say whether there was."""
        trace = self._active.pop(path, None)
        if trace is not None:
            trace.end()
        return trace is not None

    def _slots(self, path: str) -> Iterator[Slot | None] | None:
        """
        Return what goes through the slots at *path* and below; None if there is nothing at all.

        It yields None for what is no slot, so that whoever goes through it can count his steps.
        """
        if path in self._refs:
            slot = target_of(self._refs[path])
            if not isinstance(slot, Slot) or isinstance(slot, TaskSlot):
                raise TypeError(f"{path} handles no messages, so it can't be traced")
            return iter([slot])
        route = path.removeprefix("/connections/")
        is_there = path in _ALWAYS or path in self._supervisors
        if not (is_there or (route != path and self._root.connections.count_of(route))):
            return None
        look = Look(self._root)
        return (look.slot(each) for _, each in look.walk(path))

    def _start(
        self, tasks: trio.Nursery, trace: Trace, rest: Iterator[Slot | None], seconds: float
    ) -> None:
        until = trio.current_time() + seconds
        tasks.start_soon(self._run_out, trace, rest, until, name=f"{trace.path} trace")

    async def _run_out(self, trace: Trace, rest: Iterator[Slot | None], until: float) -> None:
        with trace.scope:
            more = _flag(rest)
            while more:
                await trio.sleep(0)
                more = _flag(rest)
            await trio.sleep_until(until)
        if self._active.get(trace.path) is trace:
            self._end(trace.path)

    async def _run_down(self, watch: Stopwatch) -> None:
        with watch.scope:
            await trio.sleep_forever()
        if self._timed.get(watch.path) is watch:
            del self._timed[watch.path]


def _flag(slots: Iterator[Slot | None]) -> bool:
    """Have the next so many of *slots* look at what follows them; say whether there were any."""
    some = list(islice(slots, SLICE))
    for slot in some:
        if slot is not None:
            slot.flag()
    return bool(some)


def above(path: str) -> Iterator[str]:
    """Yield *path* and the paths above it, up to the root's."""
    while path and path != "/":
        yield path
        path = path.rpartition("/")[0]
    yield "/"


def _refuse_seconds(seconds: float) -> None:
    refuse_unless_seconds("seconds", seconds, zero=False)
    if seconds > _LONGEST:
        raise ValueError(f"seconds must be at most {_LONGEST:g}. Got: {seconds!r}")
