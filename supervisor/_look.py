# A running tree, looked at place by place: which children a place has, in order, and how one
# stands. A snapshot of the whole is made at once; this is for trees that are too large for that,
# looked at in steps by somebody who lets others have their turn between them.
#
# Each place has a key: a tuple that says where it stands among all others, parents before their
# children and those in start order. A key stays the same as long as its place lives, so a page that
# begins behind a key begins at the right place whoever has come or gone. A connection keeps its own
# for good. A route has its own again when it is back, and so have the children of a supervisor that
# begins anew: they stand where they stood, and who was added by hand is not among them.

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from ._slot import Slot
from ._standing import Standing
from ._tree import NodeSnapshot

if TYPE_CHECKING:
    from ._connections import Attached
    from ._entry import Entry
    from ._referee import Child
    from ._root import Root
    from ._supervisor import Supervisor

Key = tuple[int | str, ...]

_MOST_AT_REST = 100
"""Suspended places that are looked at to count them; of more it is told without."""
_CONNECTIONS, _RESIDENTS = "/connections", "/residents"
_TOP: list[tuple[int | str, str]] = [(0, _CONNECTIONS), (1, _RESIDENTS)]


class Look:
    """
    Looks at the places of one tree. Loop thread only; no method is a checkpoint.

    Args:
        root: The tree.
    """

    def __init__(self, root: "Root") -> None:
        self._root = root

    def children(self, path: str, behind: Key = ()) -> Iterator[tuple[Key, str]]:
        """
        Yield the keys and paths of what is right below *path*, in order; nothing if none is there.

        What has gone since it was begun may still come, and what came since may not.

        Args:
            path: Where.
            behind: A key below that of *path*: only those that are above it, at it or behind it.
        """
        key = self.key(path)
        if key is None:
            return
        depth = len(key)
        for step, child in self._below(path, behind[depth] if len(behind) > depth else None):
            yield (*key, step), child

    def key(self, path: str) -> Key | None:
        """Return the key of the place at *path*; None if nothing is there."""
        if path == "/":
            return ()
        if path == _CONNECTIONS or path.startswith(f"{_CONNECTIONS}/"):
            return self._key_of_connection(path)
        if path == _RESIDENTS:
            return (1,)
        entry = self._entry(path)
        above = None if entry is None else self.key(path.rpartition("/")[0])
        return None if entry is None or above is None else (*above, entry.number)

    def total(self, path: str) -> int:
        """Return how many places are right below *path*; at once, however many."""
        if path == "/":
            return len(_TOP)
        connections = self._root.connections
        if path == _CONNECTIONS:
            return connections.routes
        if path.startswith(f"{_CONNECTIONS}/"):
            return connections.count_of(path.removeprefix(f"{_CONNECTIONS}/"))
        supervisor = self._supervisor(path)
        return 0 if supervisor is None else supervisor.counts().specs

    def states(self, path: str) -> dict[str, int]:
        """Return how many places right below *path* are in each state; at once, however many."""
        root = self._root
        if path == "/":
            return dict(Counter((root.connections.state, root.residents.state)))
        if path == _CONNECTIONS:
            return {"running": routes} if (routes := root.connections.routes) else {}
        if path.startswith(f"{_CONNECTIONS}/"):
            states = root.connections.states_of(path.removeprefix(f"{_CONNECTIONS}/"))
        else:
            supervisor = self._supervisor(path)
            states = {} if supervisor is None else supervisor.states()
        if states.get("running"):
            self._tell_suspended(path, states)
        return states

    def node(self, path: str) -> NodeSnapshot | None:
        """
        Return the place at *path* as it is now, in short; None if none is.

        Without what is below it, and without crashes, groups and names.
        """
        if path == "/":
            return self._root.alone()
        connections = self._root.connections
        if path == _CONNECTIONS:
            return connections.alone()
        place = self.place(path)
        if place is not None:
            return place.alone()
        if path.startswith(f"{_CONNECTIONS}/"):
            name = path.removeprefix(f"{_CONNECTIONS}/")
            return connections.route(name) if connections.count_of(name) else None
        entry = self._entry(path)
        above = self._supervisor(path.rpartition("/")[0])
        return None if entry is None or above is None else above.seen(entry)

    def place(self, path: str) -> "Attached | Child | None":
        """Return what lives at *path*: a slot, a request, a supervisor; None for what has none."""
        if path.startswith(f"{_CONNECTIONS}/"):
            return self._root.connections.find(path)
        supervisor = self._supervisor(path)
        if supervisor is not None:
            return supervisor
        entry = self._entry(path)
        return None if entry is None else entry.body

    def slot(self, path: str) -> Slot | None:
        """Return the slot at *path*; None if another kind of place is there, or none."""
        place = self.place(path)
        return place if isinstance(place, Slot) else None

    def standing(self, path: str) -> Standing:
        """Return how the place at *path* stands."""
        place = self.place(path)
        return Standing(unwell=self.unwell(path)) if place is None else place.standing()

    def unwell(self, path: str) -> str:
        """Say in a word or two what is wrong with the place at *path*; "" if nothing is."""
        place = self.place(path)
        if place is not None:
            return place.unwell()
        if path == "/":
            return "not ready" if self._root.readiness() else ""
        if path == _CONNECTIONS:
            return "storm" if self._root.connections.storms.refusal else ""
        above = self._supervisor(path.rpartition("/")[0])
        return "unkillable" if above is not None and above.is_abandoned(path) else ""

    def unhealthy(self, path: str) -> int:
        """Return how many places below *path*, at all depths, may be in trouble; at once."""
        return self._root.trouble.below(path)

    def words(self, path: str) -> str:
        """Return what the place at *path* can be found by, beside its path."""
        place = self.place(path)
        return "" if place is None else place.words()

    def walk(self, path: str, behind: Key = ()) -> Iterator[tuple[Key, str]]:
        """
        Yield all places below *path* in order, those behind the key *behind*.

        It may be left alone between two places while the tree changes: what has gone meanwhile
        may still come, and what came meanwhile may not.
        """
        for key, child in self.children(path, behind):
            if key > behind:
                yield key, child
                if not _is_leaf(key):
                    yield from self.walk(child)
            elif behind[: len(key)] == key and not _is_leaf(key):
                yield from self.walk(child, behind)

    # -- inside --------------------------------------------------------------------------------

    def _below(self, path: str, begin: int | str | None) -> Iterable[tuple[int | str, str]]:
        """Return the last parts of the keys below *path* from *begin* on, each with its path."""
        connections = self._root.connections
        if path == "/":
            return _TOP if begin != 1 else _TOP[1:]
        if path == _CONNECTIONS:
            routes = [(name, f"{path}/{name}") for name, _ in connections.open_by_route()]
            return routes if begin is None else [each for each in routes if each[0] >= str(begin)]
        if path.startswith(f"{_CONNECTIONS}/"):
            paths = connections.order_of(path.removeprefix(f"{_CONNECTIONS}/"))
            first = bisect_left(paths, begin, key=_number) if isinstance(begin, int) else 0
            rest = islice(paths, first, None)
            return ((_number(each), each) for each in rest if connections.find(each) is not None)
        supervisor = self._supervisor(path)
        entries = [] if supervisor is None else supervisor.entries()
        first = bisect_left(entries, begin, key=_place) if isinstance(begin, int) else 0
        rest = islice(entries, first, None)
        return ((each.number, f"{path}/{each.spec.name}") for each in rest)

    def _tell_suspended(self, path: str, states: dict[str, int]) -> None:
        """Count those right below *path* that an operator has put to rest as what they are."""
        paths = self._root.suspensions.right_below(path)
        if len(paths) > _MOST_AT_REST:  # who handles nothing is running, but for a few
            resting = min(len(paths), states["running"])
        else:
            places = [place for each in paths if (place := self.place(each)) is not None]
            resting = sum(place.state == "running" for place in places)
        if resting:
            states["running"] -= resting
            states["suspended"] = states.get("suspended", 0) + resting
        if not states["running"]:
            del states["running"]

    def _supervisor(self, path: str) -> "Supervisor | None":
        return self._root.supervisors.get(path)

    def _entry(self, path: str) -> "Entry | None":
        above, _, name = path.rpartition("/")
        supervisor = self._supervisor(above)
        return None if supervisor is None else supervisor.entry(name)

    def _key_of_connection(self, path: str) -> Key | None:
        connections = self._root.connections
        name = path.removeprefix(_CONNECTIONS).removeprefix("/")
        if not name:
            return (0,)
        if connections.find(path) is not None:
            return (0, name.rpartition("/")[0], _number(path))
        return (0, name) if connections.count_of(name) else None


def _is_leaf(key: Key) -> bool:
    return len(key) == 3 and key[0] == 0  # a connection


def _number(path: str) -> int:
    return int(path.rpartition("/")[2])


def _place(entry: "Entry") -> int:
    return entry.number
