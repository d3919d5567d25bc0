# The whole tree, or what is looked for in it, asked for place by place and page by page: for who
# prints it once. Blocking; each question has its deadline, and all of it a most of rows.

from collections.abc import Iterator
from dataclasses import dataclass, field

from . import _words as words
from ._data import Data, text
from ._options import Asked
from ._said import Ask, Heard, Said
from ._view import MOST_PAGE
from ._world import Branch, Found, Process, World, found_in

MOST_ROWS = 20_000
"""Rows of one process; what is beyond is counted."""


@dataclass(slots=True)
class Place:
    """One place, and what was asked for of what is below it."""

    row: Data
    below: list["Place"] = field(default_factory=list["Place"])
    left_out: int = 0
    """How many right below it are not shown."""
    more: bool = False
    """Whether any are not, where nobody knows how many."""
    trouble: str = ""
    """Why what is below it could not be seen."""

    def walk(self) -> Iterator["Place"]:
        """Yield it and all below it, parents before their children."""
        yield self
        for each in self.below:
            yield from each.walk()


@dataclass(slots=True)
class Portrait:
    """One process: what it said of itself, and its tree."""

    process: Process
    tree: Place | None = None
    """None if it is silent, or has no such place."""
    trouble: str = ""
    """Why there is none."""
    missing: bool = False
    """Whether it has no such place."""


def portraits(ask: Ask, first: Heard, asked: Asked, now: float) -> list[Portrait]:
    """
    Return all processes that count, with their trees.

    Args:
        ask: Asks them.
        first: What they have said of themselves.
        asked: What is wanted.
        now: The unix time.
    """
    world = World(asked.process)
    world.hear(first, now)
    return [
        Portrait(process, None, process.silent)
        if process.silent
        else _Walk(ask, asked, process).portrait()
        for process in world.processes.values()
    ]


class _Walk:
    """Goes through the tree of one process."""

    def __init__(self, ask: Ask, asked: Asked, process: Process) -> None:
        self._ask = ask
        self._asked = asked
        self._process = process
        self._left = MOST_ROWS

    def portrait(self) -> Portrait:
        asked = self._asked
        branch = Branch(
            self._process.id, asked.path, "", asked.search, asked.unhealthy, self._size(asked.limit)
        )
        found = self._page(branch)
        if isinstance(found, Said):
            self._process.silent = found.silent
            return Portrait(self._process, None, found.silent)
        if found.error:
            missing = found.code in ("not-found", "bad-question")
            return Portrait(self._process, None, found.error, missing)
        root = Place(found.node)
        self._fill(root, branch, found, 1)
        return Portrait(self._process, root)

    def _fill(self, place: Place, branch: Branch, found: Found, depth: int) -> None:
        """Put what is below *place* there, beginning with the page *found*."""
        asked = self._asked
        flat = bool(asked.search) or asked.unhealthy
        if asked.depth is not None and depth > asked.depth and not flat:
            return
        while True:
            room = max(0, min(asked.limit - len(place.below), self._left))
            place.below += [Place(row) for row in found.rows[:room]]
            self._left -= min(room, len(found.rows))
            cut = len(found.rows) > room
            if not found.next or len(place.below) >= asked.limit or self._left <= 0:
                break
            rest = self._size(asked.limit - len(place.below))
            branch = Branch(
                branch.process, branch.path, found.next, asked.search, asked.unhealthy, rest
            )
            page = self._page(branch)
            if isinstance(page, Said) or page.error:
                place.trouble = page.silent if isinstance(page, Said) else page.error
                return
            found = page
        place.more = bool(found.next) or cut
        if not flat:
            place.left_out = max(0, found.total - len(place.below))
            for each in place.below:
                self._open(each, depth + 1)

    def _open(self, place: Place, depth: int) -> None:
        depths = self._asked.depth
        if not words.below(place.row) or (depths is not None and depth > depths) or self._left <= 0:
            return
        path = text(place.row.get("path"))
        branch = Branch(self._process.id, path, limit=self._size(self._asked.limit))
        found = self._page(branch)
        if isinstance(found, Said):
            place.trouble = found.silent
        elif not found.error:  # else it has gone meanwhile
            self._fill(place, branch, found, depth)

    def _page(self, branch: Branch) -> Found | Said:
        """Return one page, or what the process said instead."""
        heard: Heard = self._ask(branch.question(), branch.process)
        for said in heard.said:
            if said.id == branch.process:
                return said if said.answer is None else found_in(said.answer)
        return Said(self._process.who, None, heard.trouble or "it has ended meanwhile")

    def _size(self, wanted: int) -> int:
        return max(1, min(wanted, MOST_PAGE))
