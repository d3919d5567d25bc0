# What somebody looks at: which places are open, which line is chosen, what is looked for. Plain
# frozen data; _press.py says what a key makes of it.

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple

from ._world import Branch, Detail

OPEN_MOST = 20
"""Places below one that are shown without being asked for."""
OPEN_PROCESSES = 8
"""Processes of which each is shown open without being asked for."""
MOST_PAGE = 500
"""Rows that one question may ask for."""


class Kind(Enum):
    """What a line stands for."""

    PROCESS = auto()
    PLACE = auto()
    EARLIER = auto()
    MORE = auto()
    NOTE = auto()


class Spot(NamedTuple):
    """Which line it is, whatever comes and goes above it."""

    process: str
    path: str = ""
    kind: Kind = Kind.PLACE


class Screen(Enum):
    """What the whole screen shows."""

    TREE = auto()
    DETAIL = auto()
    HELP = auto()


@dataclass(frozen=True, slots=True)
class Page:
    """Which of very many rows are shown."""

    limit: int
    cursors: tuple[str, ...] = ()
    """Where each page before this one ended."""
    skipped: tuple[int, ...] = ()
    """How many rows were on each of them."""

    def more(self, cursor: str, shown: int, step: int) -> "Page":
        """Return it with more rows: *step* longer; if it is full, or *step* is 0, the next one."""
        if step and self.limit < MOST_PAGE:
            return Page(min(self.limit + step, MOST_PAGE), self.cursors, self.skipped)
        return Page(self.limit, (*self.cursors, cursor), (*self.skipped, shown))

    def earlier(self) -> "Page":
        """Return the page before."""
        return Page(self.limit, self.cursors[:-1], self.skipped[:-1])


@dataclass(frozen=True, slots=True)
class View:
    """What somebody looks at."""

    path: str = "/"
    """Where the tree begins."""
    limit: int = 50
    """Rows below one place, at first."""
    depth: int | None = None
    """How many levels are open without being asked for; None for all that are small."""
    opened: Mapping[Spot, bool] = field(default_factory=dict[Spot, bool])
    """What somebody has opened or closed."""
    pages: Mapping[Branch, Page] = field(default_factory=dict[Branch, Page])
    """Of which places more, or other rows are shown; by their first page."""
    chosen: Spot | None = None
    """The line that keys act on."""
    index: int = 0
    """Where it is."""
    top: int = 0
    """The first line on the screen."""
    search: str = ""
    typing: str | None = None
    """What is being typed to look for; None if nothing is."""
    unhealthy: bool = False
    paused: bool = False
    screen: Screen = Screen.TREE
    actor: Spot | None = None
    """Whose details are shown."""
    state: bool = False
    """Whether they have its state."""
    watch: bool = False
    """Whether its handlers are timed."""
    scroll: int = 0
    """The first of their lines on the screen."""
    over: bool = False

    @property
    def sought(self) -> str:
        """What is looked for now."""
        return self.search if self.typing is None else self.typing

    @property
    def flat(self) -> bool:
        """Whether only what is looked for is shown, as a list."""
        return bool(self.sought) or self.unhealthy

    def first(self, process: str, path: str) -> Branch:
        """Return the first page of what is below *path*."""
        return Branch(process, path, "", self.sought, self.unhealthy, self.limit)

    def page(self, first: Branch) -> Page:
        """Return which page of it is shown."""
        return self.pages.get(first) or Page(min(self.limit, MOST_PAGE))

    def branch(self, process: str, path: str) -> Branch:
        """Return the page of what is below *path* that is shown."""
        first = self.first(process, path)
        page = self.page(first)
        after = page.cursors[-1] if page.cursors else ""
        return Branch(process, path, after, first.search, first.unhealthy, page.limit)

    def detail(self) -> Detail | None:
        """Return what is asked of the actor whose details are shown; None if none are."""
        if self.screen is not Screen.DETAIL or self.actor is None or not self.actor.path:
            return None
        return Detail(self.actor.process, self.actor.path, self.state, self.watch)
