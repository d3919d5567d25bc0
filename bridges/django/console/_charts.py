# The last minute of a process: small charts, each with words that say as much. Pure.
#
# A process of another version may lack a column, and one that nobody has looked at yet has no
# samples: then the words stand without a chart, and what nobody knows is left out.

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ._process_words import lag_of, memory_of
from ._tables import Cell, Charted, bars, chart, numbers
from ._words import NOTHING, duration, listing, mapping, number, size

MINUTE: dict[str, object] = {"ask": "process"}
"""The question whose answer has the samples; who asks it has them taken for a minute more."""
_CALM_LAG = 0.02
"""Seconds of lag that fill a chart at least: what is far below that looks flat."""


class Figure(NamedTuple):
    """Something that each sample tells."""

    column: str
    name: str
    tell: Callable[[object], str] = number
    """How it is said."""
    least: float = 1.0
    """What the top of its chart stands for at least."""
    now: Callable[[Any], object] = lambda _said: None
    """What the answer itself says of this moment; None: as the last sample."""


def rate(value: object) -> str:
    """Return how many there are in a second; a second is measured, so that 0.99 are one."""
    found = numbers([value])
    if not found:
        return NOTHING
    (much,) = found
    return number(round(much, 0 if much >= 100 else 1 if much >= 0.1 else 2))


def _open(said: Any) -> object:
    return mapping(said.get("connections")).get("open")


def _jobs(name: str) -> Callable[[Any], object]:
    def of(said: Any) -> object:
        found = [mapping(pool).get(name) for pool in listing(said.get("threads"))]
        return sum(numbers(found)) if found else None

    return of


LAG = Figure("lag", "Loop lag", duration, _CALM_LAG, lag_of)
MEMORY = Figure("rss", "Memory", size, now=memory_of)
OPEN = Figure("connections", "Connections", now=_open)
OPENED = Figure("opened", "Opened a second", rate)
CLOSED = Figure("closed", "Closed a second", rate)
EVENTS = Figure("events", "Events a second", rate)
CRASHES = Figure("crashes", "Crashes a second", rate)
RESTARTS = Figure("restarts", "Restarts a second", rate)
LETTERS = Figure("letters", "Dead letters a second", rate)
OVERFLOWS = Figure("overflows", "Overflows a second", rate)
BUSY = Figure("busy", "Busy threads", now=_jobs("busy"))
WAITING = Figure("waiting", "Jobs that wait", now=_jobs("waiting"))


def charted(said: Any, figures: Iterable[Figure]) -> list[Charted]:
    """
    Return *figures* with their charts, as far as the process knows them.

    Args:
        said: Its answer to `MINUTE`; empty if there is none.
        figures: Those that the page shows.
    """
    return [
        _charted(said, each)
        for each in figures
        if each.column in listing(said.get("columns")) or each.now(said) is not None
    ]


def cell_with(said: Any, figure: Figure) -> Cell:
    """Return the cell of a figure: what it is now, with its chart."""
    found = _charted(said, figure)
    return Cell(found.now, chart=found.chart)


def samples_of(said: Any, column: str) -> list[Any]:
    """Return the samples of one figure, oldest first."""
    columns = listing(said.get("columns"))
    at = columns.index(column) if column in columns else None
    rows = map(listing, listing(said.get("samples")))
    return [] if at is None else [row[at] for row in rows if len(row) > at]


def spread_cell(spread: object) -> Cell:
    """
    Return the cell that shows how long messages took, as bars: each is of twice as long.

    Args:
        spread: Pairs of seconds and of how many took up to that; None or empty for none.
    """
    pairs = [pair for each in listing(spread) if len(pair := numbers(listing(each))) == 2]
    told = [f"{number(count)} up to {duration(most)}" for most, count in pairs if count > 0]
    drawn = bars([int(count) for _, count in pairs], f"How long they took: {', '.join(told)}")
    if drawn is None:
        return Cell(NOTHING)
    return Cell(f"{duration(pairs[0][0] / 2)} to {duration(pairs[-1][0])}", chart=drawn)


def _charted(said: Any, figure: Figure) -> Charted:
    samples, now = numbers(samples_of(said, figure.column)), figure.now(said)
    if not samples:
        return Charted(figure.name, figure.tell(now))
    # What the answer says of this moment is the end of the line, so that line and words agree.
    line = samples if now is None else [*samples, *numbers([now])]
    lowest, highest, last = (figure.tell(each) for each in (min(line), max(line), line[-1]))
    span = f"{len(samples)} s"
    text = f"{figure.name} of the last {span}: {lowest} to {highest}, now {last}"
    return Charted(figure.name, last, f"{highest} in {span}", chart(line, text, figure.least))
