# How many places are in which state: counted as they come, change and go, never by looking.
#
# Each place with children has a tally of them, so that its row tells of ten thousand as fast as
# of ten; and all of them together are the tree's actors by class. A change of state costs a few
# steps of a dictionary, and is no part of a message's way.
#
# Invariants, each with a test of that name in tests/supervisor/test_tally.py:
#   EXACT     whatever comes, crashes, restarts, rests and goes, a tally says what looking at each
#             place would say.
#   NO LEFT   what has gone is counted nowhere.

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    from ._tree import CrashReport
    from ._trouble import Trouble

NOT_STARTED = "not started"
"""The state of a child that has no body."""
ROUGH = frozenset({"backing off", "parked", "waiting", "making room", "ended"})
"""States in which a place may be in trouble."""


class Census:
    """
    All tallies of one tree. Loop thread only.

    Args:
        trouble: Who is told of each place that comes into a state of trouble.
    """

    __slots__ = ("_tallies", "trouble")

    def __init__(self, trouble: "Trouble | None" = None) -> None:
        self._tallies: WeakSet[Tally] = WeakSet()  # one goes with its place
        self.trouble = trouble

    def new(self) -> "Tally":
        """Return a tally for the children of one place of the tree."""
        tally = Tally(self.trouble)
        self._tallies.add(tally)
        return tally

    def counts(self) -> Mapping[tuple[str, str], int]:
        """
        Return how many actors there are by class and state.

        It takes as long as there are places with children, however many these have.
        """
        counts: dict[tuple[str, str], int] = {}
        for tally in self._tallies:
            for actor, state, number in tally.counts():
                if actor:
                    counts[actor, state] = counts.get((actor, state), 0) + number
        return counts


class Tally:
    """How many of the children of one place are in which state. Loop thread only."""

    __slots__ = ("__weakref__", "_by_class", "_trouble")

    def __init__(self, trouble: "Trouble | None" = None) -> None:
        self._by_class: dict[str, dict[str, int]] = {}  # zeros stay: they are as many as states
        self._trouble = trouble

    def enter(self, actor: str, state: str) -> None:
        """Count one more in *state*; *actor* is its class, "" of a supervisor."""
        states = self._by_class.get(actor)
        if states is None:
            states = self._by_class[actor] = {}
        states[state] = states.get(state, 0) + 1

    def leave(self, actor: str, state: str) -> None:
        """Count one fewer in *state*."""
        self._by_class[actor][state] -= 1

    def moved(self, place: "Stated", old: str, new: str) -> None:
        """Take note that *place* has gone from *old* to *new*."""
        states = self._by_class[place.counted_as]
        states[old] -= 1
        states[new] = states.get(new, 0) + 1
        if new in ROUGH and self._trouble is not None and (new != "ended" or place.unwell()):
            self._trouble.add(place.path)

    def counts(self) -> Iterator[tuple[str, str, int]]:
        """Yield class, state, and how many; it must not change meanwhile."""
        for actor, states in self._by_class.items():
            for state, number in states.items():
                if number:
                    yield actor, state, number

    def states(self) -> dict[str, int]:
        """Return how many are in each state that there is."""
        found: dict[str, int] = {}
        for _, state, number in self.counts():
            found[state] = found.get(state, 0) + number
        return found

    def has(self, *states: str) -> bool:
        """Say whether anybody is in one of *states*."""
        return any(state in states for _, state, _ in self.counts())


class Stated:
    """What has a state, and is counted by it."""

    __slots__ = ()

    path: str
    _state: str
    _tally: Tally | None

    @property
    def counted_as(self) -> str:
        """The name of its class; "" of a supervisor."""
        raise NotImplementedError

    def unwell(self) -> str:
        """Say in a word or two what is wrong with it; "" if nothing is. Loop thread only."""
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
