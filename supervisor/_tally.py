# How many places are in which state: counted as they come, change and go, never by looking.
#
# Each place with children has a tally of them, so that its row tells of ten thousand as fast as
# of ten; and the tree has one of all its actors, by class. A change of state costs a few steps
# of a dictionary, and is no part of a message's way.
#
# Invariants, each with a test of that name in tests/supervisor/test_tally.py:
#   EXACT     whatever comes, crashes, restarts, rests and goes, a tally says what looking at each
#             place would say.
#   NO LEFT   what has gone is counted nowhere.

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from ._dead_letters import CRASHED

if TYPE_CHECKING:
    from ._tree import CrashReport
    from ._trouble import Trouble

K = TypeVar("K")

NOT_STARTED = "not started"
"""The state of a child that has no body."""
ROUGH = frozenset({"backing off", "parked", "waiting", "making room", "ended"})
"""States in which a place may be in trouble."""


class Census:
    """How many actors of the tree are in which state, by class. Loop thread only."""

    __slots__ = ("_counts", "trouble")

    def __init__(self, trouble: "Trouble | None" = None) -> None:
        self._counts: dict[tuple[str, str], int] = {}
        self.trouble = trouble
        """Who is told of each place that comes into a state of trouble."""

    def add(self, actor: str, state: str, number: int) -> None:
        """Count *number* more, or fewer, of the class *actor* in *state*."""
        _add(self._counts, (actor, state), number)

    def counts(self) -> Mapping[tuple[str, str], int]:
        """Return how many there are by class and state; a copy."""
        return dict(self._counts)


class Tally:
    """
    How many of the children of one place are in which state. Loop thread only.

    Args:
        census: That of the tree they are in, which counts those that are actors as well.
    """

    __slots__ = ("_census", "_states")

    def __init__(self, census: Census | None = None) -> None:
        self._states: dict[str, int] = {}
        self._census = census

    def enter(self, actor: str, state: str) -> None:
        """Count one more in *state*; *actor* is its class, "" of a supervisor."""
        _add(self._states, state, 1)
        if actor and self._census is not None:
            self._census.add(actor, state, 1)

    def leave(self, actor: str, state: str) -> None:
        """Count one fewer in *state*."""
        _add(self._states, state, -1)
        if actor and self._census is not None:
            self._census.add(actor, state, -1)

    def moved(self, place: "Stated", old: str, new: str) -> None:
        """Take note that *place* has gone from *old* to *new*."""
        _add(self._states, old, -1)
        _add(self._states, new, 1)
        census = self._census
        if census is None:
            return
        if actor := place.counted_as:
            census.add(actor, old, -1)
            census.add(actor, new, 1)
        if new in ROUGH and census.trouble is not None:
            if new != "ended" or (place.end or "").startswith(CRASHED):
                census.trouble.add(place.path)

    def states(self) -> dict[str, int]:
        """Return how many are in each state that there is; a copy."""
        return dict(self._states)

    def has(self, *states: str) -> bool:
        """Say whether anybody is in one of *states*."""
        return any(state in self._states for state in states)


class Stated:
    """What has a state, and is counted by it."""

    __slots__ = ()

    path: str
    end: str | None
    _state: str
    _tally: Tally | None

    @property
    def counted_as(self) -> str:
        """The name of its class; "" of a supervisor."""
        raise NotImplementedError

    @property
    def last_crash(self) -> "CrashReport | None":
        """Its last crash; None if it keeps none. Any thread."""
        return None

    @property
    def state(self) -> str:
        """What it is doing now."""
        return self._state

    @state.setter
    def state(self, state: str) -> None:
        old, self._state = self._state, state
        if self._tally is not None and old != state:
            self._tally.moved(self, old, state)

    def be_counted(self, tally: Tally | None) -> None:
        """Be counted in *tally* from now on, and no more where it was counted."""
        if self._tally is not None:
            self._tally.leave(self.counted_as, self._state)
        self._tally = tally
        if tally is not None:
            tally.enter(self.counted_as, self._state)


def _add(counts: dict[K, int], key: K, number: int) -> None:
    now = counts.get(key, 0) + number
    if now:
        counts[key] = now
    else:
        del counts[key]
