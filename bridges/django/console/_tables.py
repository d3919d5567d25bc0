# What the list pages of the console are made of: parts, tables, cells, small charts. Pure.

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ._words import Mark, known, told

WIDTH, HEIGHT = 120, 24
_WIDEST = 12.0


class Bar(NamedTuple):
    """One bar of a chart, from its upper left corner."""

    x: str
    y: str
    width: str
    height: str


class Chart(NamedTuple):
    """A line without axes, or bars, and what they show in words."""

    points: str
    text: str
    bars: Sequence[Bar] = ()
    width: int = WIDTH
    height: int = HEIGHT


class Charted(NamedTuple):
    """A figure with its chart, and with the words that say as much beside it."""

    name: str
    now: str
    highest: str = ""
    """The highest that the chart shows, and of how long; "" where there is none."""
    chart: Chart | None = None


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
    charts: Sequence[Charted] = ()


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


def chart(samples: Sequence[object], text: str, least: float = 0.0) -> Chart | None:
    """
    Return *samples*, oldest first, as a line from left to right, its highest at the top.

    Args:
        samples: Numbers; what is none is left out.
        text: What they are, for whoever does not see them.
        least: What the top stands for at least, so that what hardly moves looks like that.
    """
    found = numbers(samples)
    if len(found) < 2:
        return None
    top, step = max(*found, least, 1e-9), WIDTH / (len(found) - 1)
    points = [
        f"{nth * step:.1f},{(HEIGHT - 2) * (1 - max(each, 0) / top) + 1:.1f}"
        for nth, each in enumerate(found)
    ]
    return Chart(" ".join(points), text)


def bars(counts: Sequence[int], text: str) -> Chart | None:
    """
    Return *counts* as bars from left to right, the highest as high as the chart; None if all are 0.

    Args:
        counts: How many there are of each; a bar of few is seen all the same.
        text: What they are, for whoever does not see them.
    """
    top = max(counts, default=0)
    if top <= 0:
        return None
    step = min(WIDTH / len(counts), _WIDEST)
    heights = [max((HEIGHT - 1) * count / top, 1.0) if count > 0 else 0.0 for count in counts]
    drawn = [
        Bar(f"{nth * step:.1f}", f"{HEIGHT - high:.1f}", f"{step * 0.8:.1f}", f"{high:.1f}")
        for nth, high in enumerate(heights)
        if high
    ]
    return Chart("", text, drawn)


def numbers(values: Sequence[object]) -> list[float]:
    """Return those of *values* that are numbers."""
    return [found for each in values if (found := known(each)) is not None]
