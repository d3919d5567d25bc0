# What an operator looks at for a while: each message that is handled at, or below, a path.
#
# As OTP's sys:trace, but for whole branches too, and it ends by itself. Kept here, by path, as
# suspensions are: an actor that nobody looks at has nothing of it but a flag that its loop looks
# at anyway. Only types are told, never bodies.
#
# So many events a second, and no more: a trace must not become what holds the server up.

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from contextvars import Context
from threading import Lock
from typing import TYPE_CHECKING

import trio

from ..actors import ActorNotFound, ActorRef
from ..actors._ref import target_of
from ..actors._tracing import traced
from ._events import EventStream
from ._options import refuse_unless_seconds, refuse_unless_whole
from ._slot import Slot
from ._task import TaskSlot

if TYPE_CHECKING:
    from ..actors._life import Life
    from ..actors._messages import Item
    from ._root import Root

_LONGEST = 600.0
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

    def around(self, life: "Life", item: "Item") -> AbstractContextManager[None]:
        """Return a block for the handler of *item*, which is told of at its end."""
        return traced(self, life, item)

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
        self._closed = False

    def begin(self, path: str, seconds: float = 60.0, *, per_second: int = 100) -> None:
        """
        Make each message that is handled at *path* or below an event ``actor.handled``.

        Those that come into the branch later are part of it, and it stands through restarts. It
        ends with its time, with :meth:`end`, or with what is at *path*. Again is to begin anew.
        The events are kept apart from the others, which they push out of no memory.

        Args:
            path: Of an actor, a supervisor or a route of connections; "/" is everything.
            seconds: After which it ends by itself; 600 at most.
            per_second: How many are told in a second; the others are counted.

        Raises:
            ActorNotFound: Nothing is there.
            TypeError: *seconds* or *per_second* is no number, or what is there handles no messages.
            ValueError: *seconds* is not more than 0 and at most 600, or *per_second* less than 1.
        """
        refuse_unless_seconds("seconds", seconds, zero=False)
        refuse_unless_whole("per_second", per_second, 1)
        if seconds > _LONGEST:
            raise ValueError(f"seconds must be at most {_LONGEST:g}. Got: {seconds!r}")
        tasks, slots = self._root.tasks, self._slots(path)
        if tasks is None or self._closed or slots is None:
            raise ActorNotFound(path)
        self.forget(path)
        trace = self._active[path] = Trace(self._root.events, path, per_second)
        self._root.events.emit("trace.began", path, seconds=seconds, per_second=per_second)
        for slot in slots:
            slot.flag()
        # In no context: an actor's that begins one must not live on in it.
        Context().run(self._start, tasks, trace, seconds)

    def end(self, path: str) -> bool:
        """Look at *path* no more; return whether it was looked at."""
        return self.forget(path)

    def of(self, path: str) -> Trace | None:
        """Return the trace that *path* is part of, the nearest of several."""
        if not self._active:
            return None
        return next((self._active[each] for each in above(path) if each in self._active), None)

    def forget(self, path: str) -> bool:
        """End the trace of *path*, if there is one; say whether there was."""
        trace = self._active.pop(path, None)
        if trace is not None:
            trace.end()
        return trace is not None

    def close(self) -> None:
        """End all, and begin none any more: the tree stops."""
        self._closed = True
        for path in list(self._active):
            self.forget(path)

    def _slots(self, path: str) -> list[Slot] | None:
        """Return the slots at *path* and below; None if there is nothing at all."""
        if path in self._refs:
            slot = target_of(self._refs[path])
            if not isinstance(slot, Slot) or isinstance(slot, TaskSlot):
                raise TypeError(f"{path} handles no messages, so it can't be traced")
            return [slot]
        below = "/" if path == "/" else f"{path}/"
        refs = [ref for each, ref in self._refs.items() if path and each.startswith(below)]
        if not (refs or path in _ALWAYS or path in self._supervisors):
            return None
        return [slot for slot in map(target_of, refs) if isinstance(slot, Slot)]

    def _start(self, tasks: trio.Nursery, trace: Trace, seconds: float) -> None:
        tasks.start_soon(self._run_out, trace, seconds, name=f"{trace.path} trace")

    async def _run_out(self, trace: Trace, seconds: float) -> None:
        with trace.scope:
            await trio.sleep(seconds)
        if self._active.get(trace.path) is trace:
            self.forget(trace.path)


def above(path: str) -> Iterator[str]:
    """Yield *path* and the paths above it, up to the root's."""
    while path and path != "/":
        yield path
        path = path.rpartition("/")[0]
    yield "/"
