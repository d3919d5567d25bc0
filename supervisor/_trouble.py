# Which places of the tree may be in trouble, so that "unhealthy only" costs what is in trouble,
# and not what lives.
#
# A place comes in here when it gets into a state of trouble (_tally.py), or when an event says
# so. It is let go when somebody looks at it and finds it well, or when it leaves the tree. So what
# is in here was in trouble and may be well again, and nothing in trouble is missing: who wants to
# know looks at each, some at a time.
#
# Invariants, each with a test of that name in tests/supervisor/test_trouble.py:
#   NONE MISSED  what is unwell is in here, whatever made it so, and from whichever thread.
#   BOUNDED      what has left the tree is not in here any more.
#   COUNTED      how many there are below a place is known without looking.

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from ..actors._lowlevel import LoopThread
    from ._events import Event, EventStream

_HEARD = frozenset({
    "mailbox.high", "slot.suspended", "storm.began", "slot.restarted", "supervisor.started",
})  # fmt: skip
_ANEW = frozenset({"slot.restarted", "supervisor.started"})


class Trouble:
    """
    The places that may be in trouble; ``root.trouble``. Loop thread only.

    Args:
        events: Some of them say that a place is.
        loop: The tree's; what another thread tells is taken there.
        known: Says whether there is anything at a path.
    """

    def __init__(
        self, events: "EventStream", loop: "LoopThread", known: Callable[[str], bool]
    ) -> None:
        self._loop, self._known = loop, known
        self._places: dict[str, None] = {}  # who was looked at last is the last
        self._below: dict[str, int] = {}
        self._restarted: dict[str, float] = {}  # when; who has restarted last is the last
        self.stuck: set[str] = set()
        """The paths of those that have not ended in time; they are in trouble until they end."""
        self.abandoned = 0
        """How many others have not, and were given up: their places may be somebody else's."""
        events.subscribe(self._hear)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, path: object) -> bool:
        return path in self._places

    def __repr__(self) -> str:
        return f"<Trouble {len(self._places)} places, {len(self.stuck)} stuck>"

    def add(self, path: str) -> None:
        """Take note that the place at *path* may be in trouble."""
        if path in self._places or path == "/":
            return
        self._places[path] = None
        for above in _above(path):
            self._below[above] = self._below.get(above, 0) + 1

    def stick(self, path: str) -> None:
        """Take note that what is at *path* has not ended in time."""
        self.stuck.add(path)
        self.add(path)

    def let_go(self, path: str) -> None:
        """Take note that the place at *path* is well, or gone."""
        if path not in self._places:
            return
        del self._places[path]
        self.stuck.discard(path)
        for above in _above(path):
            left = self._below[above] - 1
            if left:
                self._below[above] = left
            else:
                del self._below[above]

    def forget(self, path: str) -> None:
        """Take note that what was at *path* has left the tree."""
        self._restarted.pop(path, None)
        self.let_go(path)

    def below(self, path: str) -> int:
        """Return how many there are below *path*, at all depths; at once."""
        return self._below.get(path, 0)

    def paths(self) -> list[str]:
        """Return all of them."""
        return list(self._places)

    def next(self, most: int) -> list[str]:
        """Return *most* of them to be looked at: those whose last look was longest ago."""
        due = list(islice(self._places, most))
        for path in due:  # the next ones are others
            del self._places[path]
            self._places[path] = None
        return due

    def restarted_since(self, moment: float, most: int) -> list[str] | None:
        """
        Return who has begun anew since *moment*, on trio's clock; None if more than *most* have.
        """
        found: list[str] = []
        for path, at in reversed(self._restarted.items()):
            if at < moment:
                return found
            if len(found) == most:
                return None
            found.append(path)
        return found

    # -- any thread ----------------------------------------------------------------------------

    def _hear(self, event: "Event") -> None:
        kind = event.kind
        if kind not in _HEARD or (kind == "supervisor.started" and event.epoch < 2):
            return
        if self._loop.is_here():
            self._take(kind, event.path)
        else:
            with suppress(trio.RunFinishedError):  # then nobody looks any more
                self._loop.call_soon(self._take, kind, event.path)

    def _take(self, kind: str, path: str) -> None:
        if not self._known(path):
            return  # it has gone meanwhile
        if kind in _ANEW:
            self._restarted.pop(path, None)
            self._restarted[path] = trio.current_time()
        else:
            self.add(path)


def _above(path: str) -> Iterator[str]:
    """Yield the paths above *path*, the nearest first."""
    at = path.rfind("/")
    while at > 0:
        path = path[:at]
        yield path
        at = path.rfind("/")
    yield "/"
