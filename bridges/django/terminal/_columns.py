# A line of the tree as cells of a table that is as wide as the terminal. Pure.

from collections.abc import Callable
from dataclasses import dataclass

from . import _words as words
from ._data import Data, text
from ._parts import Part, Parts, Tone, joined
from ._processes import of_process
from ._tree import Line

_INDENT = 2


@dataclass(frozen=True, slots=True)
class Cell:
    """A piece of a line that takes so many columns, whatever is in it; None for all the rest."""

    parts: Parts
    width: int | None = None


Row = tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table."""

    title: str
    width: int
    least: int
    """Columns that a terminal must have to show it."""
    of: Callable[[Data], Part]


def _bare(word: Callable[[Data], Part], prefix: str) -> Callable[[Data], Part]:
    def of(row: Data) -> Part:
        part = word(row)
        return Part(part.text.removeprefix(prefix), part.tone)

    return of


_COLUMNS = (
    Column("STATE", 15, 0, words.state),
    Column("EPOCH", 6, 100, _bare(words.epoch, "epoch ")),
    Column("UP", 9, 90, _bare(words.uptime, "up ")),
    Column("RESTARTS", 12, 130, _bare(words.restarts, "restarts ")),
    Column("MAILBOX", 10, 76, _bare(words.mailbox, "mailbox ")),
)


def columns_for(width: int) -> list[Column]:
    """Return the columns that a terminal of *width* columns has room for."""
    return [each for each in _COLUMNS if width >= each.least]


def titles(width: int) -> Row:
    """Return the line above the table."""
    shown = [Cell((Part(each.title, "title"),), each.width) for each in columns_for(width)]
    return (Cell((Part("  PLACE", "title"),), _first(width)), *shown, Cell((Part("NOW", "title"),)))


def cells_of(line: Line, width: int, now: float, *, chosen: bool, flat: bool) -> Row:
    """
    Return *line* as cells.

    Args:
        line: The line.
        width: Columns that the terminal has.
        now: The unix time.
        chosen: Whether keys act on it.
        flat: Whether places are named by their whole path.
    """
    mark = "" if line.open is None else "▾ " if line.open else "▸ "
    indent = " " * (_INDENT * line.depth)
    begin: Parts = (
        Part("» " if chosen else "  ", "name"),
        Part(f"{indent}{mark or '  '}"),
    )
    if line.process is not None:
        return (Cell((*begin, *of_process(line.process, now))),)
    row = line.row
    if row is None:
        return (Cell((*begin, Part(line.note, "quiet"))),)
    tone: Tone = "name" if words.is_healthy(row) else "bad"
    path = text(row.get("path"))
    name = path if flat else text(row.get("name")) or path
    place = (*begin, *joined([Part(name, tone), Part(text(row.get("actor")), "quiet")]))
    shown = [Cell((each.of(row),), each.width) for each in columns_for(width)]
    return (Cell(place, _first(width)), *shown, Cell(joined(_now(row, now))))


def _now(row: Data, now: float) -> list[Part]:
    return [
        words.unwell(row),
        words.pause(row),
        words.doing(row),
        words.waiting(row),
        words.ending(row),
        words.crash(row, now),
        words.trouble(row),
        words.contents(row),
        words.peer(row),
    ]


def _first(width: int) -> int:
    return max(20, min(60, width * 3 // 10))
