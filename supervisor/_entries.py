# The children of one supervisor, in start order, and how many of which sort there are.
#
# Counted as they come and go, so that asking costs the same with ten thousand of them.

from collections.abc import Iterable
from itertools import count

from ._entry import Entry
from ._referee import Child
from ._supervisor_spec import Spec, SupervisorSpec


class Entries(dict[str, Entry]):
    """The children by name."""

    def __init__(self, specs: Iterable[Spec] = ()) -> None:
        super().__init__()
        self.supervisors = 0
        """How many of them are supervisors."""
        self.up: set[str] = set()
        """The names of those that run."""
        self._significant: set[str] = set()  # of those that count, and perhaps no more
        self._numbers = count(1)
        for spec in specs:
            self.enter(Entry(spec))

    def enter(self, entry: Entry) -> Entry:
        """Add *entry*, behind the others; return it."""
        self[entry.spec.name] = entry
        entry.number = next(self._numbers)
        if entry.counts:
            self._significant.add(entry.spec.name)
        self.supervisors += isinstance(entry.spec, SupervisorSpec)
        return entry

    def forget(self, entry: Entry) -> None:
        """Drop *entry*, if it is there."""
        if self.get(entry.spec.name) is entry:
            del self[entry.spec.name]
            self.up.discard(entry.spec.name)
            self._significant.discard(entry.spec.name)
            self.supervisors -= isinstance(entry.spec, SupervisorSpec)

    def of(self, child: Child) -> Entry | None:
        """Return the entry whose body *child* is now."""
        entry = self.get(child.path.rpartition("/")[2])
        return entry if entry is not None and entry.body is child else None

    def look_at(self, entry: Entry) -> None:
        """Take note of whether *entry* runs."""
        (self.up.add if entry.up else self.up.discard)(entry.spec.name)
        if entry.counts:
            self._significant.add(entry.spec.name)

    def significant_left(self) -> bool:
        """Say whether a significant one lives, or is about to be started."""
        while self._significant:
            name = self._significant.pop()
            if self[name].counts:
                self._significant.add(name)
                return True
        return False
