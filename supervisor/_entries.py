# The children of one supervisor, in start order, and how many of which sort there are.
#
# Counted as they come and go, so that asking costs the same with ten thousand of them.

from collections.abc import Iterable
from itertools import count

from ._entry import Entry
from ._referee import Child
from ._supervisor_spec import Spec, SupervisorSpec
from ._tally import NOT_STARTED, Census, Tally


class Entries(dict[str, Entry]):
    """
    The children by name.

    Args:
        specs: Those that there are from the beginning.
        path: That of the supervisor.
        census: That of the tree.
    """

    def __init__(
        self, specs: Iterable[Spec] = (), path: str = "", census: Census | None = None
    ) -> None:
        super().__init__()
        self.tally = Tally() if census is None else census.new()
        """How many are in which state."""
        self._path = path
        self._trouble = None if census is None else census.trouble
        self._retired = False
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
        self._count(entry)
        if entry.counts:
            self._significant.add(entry.spec.name)
        self.supervisors += isinstance(entry.spec, SupervisorSpec)
        return entry

    def embody(self, entry: Entry, body: Child | None) -> None:
        """Make *body* that of *entry*, which is among them."""
        self._uncount(entry)
        entry.body = body
        self._count(entry)

    def forget(self, entry: Entry) -> None:
        """Drop *entry*, if it is there."""
        if self.get(entry.spec.name) is entry:
            del self[entry.spec.name]
            self._uncount(entry)
            self._let_go(entry)
            self.up.discard(entry.spec.name)
            self._significant.discard(entry.spec.name)
            self.supervisors -= isinstance(entry.spec, SupervisorSpec)

    def retire(self) -> None:
        """Count none of them any more: others take their place, or nobody does."""
        for entry in self.values():
            self._uncount(entry)
            self._let_go(entry)
        self._retired = True

    def of(self, child: Child) -> Entry | None:
        """Return the entry whose body *child* is now."""
        entry = self.get(child.path.rpartition("/")[2])
        return entry if entry is not None and entry.body is child else None

    def look_at(self, entry: Entry) -> None:
        """Take note of whether *entry* runs, and of whether it is in trouble."""
        (self.up.add if entry.up else self.up.discard)(entry.spec.name)
        if entry.counts:
            self._significant.add(entry.spec.name)
        body = entry.body
        if self._trouble is not None and body is not None and body.unwell():
            self._trouble.add(body.path)

    def significant_left(self) -> bool:
        """Say whether a significant one lives, or is about to be started."""
        while self._significant:
            name = self._significant.pop()
            if self[name].counts:
                self._significant.add(name)
                return True
        return False

    def _let_go(self, entry: Entry) -> None:
        if self._trouble is not None:
            self._trouble.forget(f"{self._path}/{entry.spec.name}")

    def _count(self, entry: Entry) -> None:
        if self._retired:
            return
        if entry.body is None:
            self.tally.enter(actor_of(entry.spec), NOT_STARTED)
        else:
            entry.body.be_counted(self.tally)

    def _uncount(self, entry: Entry) -> None:
        if self._retired:
            return
        if entry.body is None:
            self.tally.leave(actor_of(entry.spec), NOT_STARTED)
        else:
            entry.body.be_counted(None)


def actor_of(spec: Spec) -> str:
    """Return the name of the class of the child that *spec* describes; "" of a supervisor."""
    return "" if isinstance(spec, SupervisorSpec) else spec.actor.__qualname__
