# What the list pages of the console are made of: parts, tables, cells, small charts. Pure.

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeGuard

from ._words import Mark, told

WIDTH, HEIGHT = 120, 24


class Chart(NamedTuple):
    """A line without axes, and what it shows in words."""

    points: str
    text: str
    width: int = WIDTH
    height: int = HEIGHT


@dataclass(frozen=True)
class Cell:
    """What stands in one cell of a table."""

    text: str = ""
    url: str = ""
    id: str = ""
    mark: Mark | None = None
    at: float | None = None
    """A moment, in unix seconds."""
    code: bool = False
    lines: str = ""
    """What is shown when somebody unfolds it."""
    summary: str = ""
    chart: Chart | None = None


@dataclass(frozen=True)
class TableRow:
    """One row of a table; its first cell says which."""

    cells: Sequence[Cell]
    id: str = ""


@dataclass(frozen=True)
class Table:
    """A table with a caption, and where its other pages are."""

    id: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[TableRow]
    empty: str = "Nothing."
    titled: bool = False
    """Whether the caption is to be seen."""
    first: str = ""
    more: str = ""
    first_text: str = "From the beginning"
    more_text: str = "Next page"


@dataclass(frozen=True)
class Part:
    """One process, or one topic, of a page."""

    id: str
    title: str
    tables: Sequence[Table] = ()
    mark: Mark | None = None
    note: str = ""


@dataclass(frozen=True)
class Control:
    """One field of the form above a list."""

    name: str
    label: str
    value: str = ""
    choices: Sequence[tuple[str, str]] = field(default=())


def cell(value: object) -> Cell:
    """Return a cell that tells *value*."""
    return value if isinstance(value, Cell) else Cell(told(value))


def row(*values: object, id: str = "") -> TableRow:
    """Return a row of cells that tell *values*."""
    return TableRow([cell(value) for value in values], id)


def chart(samples: Sequence[object], text: str) -> Chart | None:
    """
    Return *samples*, oldest first, as a line from left to right, its highest at the top.

    Args:
        samples: Numbers; what is none is left out.
        text: What they are, for whoever does not see them.
    """
    numbers = [each for each in samples if _is_number(each)]
    if len(numbers) < 2:
        return None
    top, step = max(*numbers, 1e-9), WIDTH / (len(numbers) - 1)
    points = [
        f"{nth * step:.1f},{(HEIGHT - 2) * (1 - max(each, 0) / top) + 1:.1f}"
        for nth, each in enumerate(numbers)
    ]
    return Chart(" ".join(points), text)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value
