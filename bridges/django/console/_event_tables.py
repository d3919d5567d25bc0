# Events of an answer as a table, the newest first. Pure.

from collections.abc import Callable, Iterable
from typing import Any

from ._plain_tables import value_cell
from ._tables import Cell, Table, TableRow, cell
from ._words import anchor, mapping


def events_table(
    id: str, events: Iterable[Any], linked: Callable[[str], str] | None, empty: str
) -> Table:
    """
    Return *events*, which come oldest first, as a table.

    Args:
        id: For the element.
        events: As `Event.as_dict` says them.
        linked: Where a path leads; None: all are of one place, which has no column then.
        empty: What to say if there are none.
    """
    rows = [_row(id, mapping(each), linked) for each in reversed(list(events))]
    place = () if linked is None else ("Path",)
    return Table(id, "Events", ("When", "Event", *place, "Epoch", "Facts"), rows, empty)


def _row(table: str, event: Any, linked: Callable[[str], str] | None) -> TableRow:
    at, kind, path = event.get("at"), str(event.get("kind", "")), str(event.get("path", ""))
    when = cell(None) if at is None else Cell(at=at)
    place = () if linked is None else (Cell(path, linked(path) if path else ""),)
    # What makes it another one than those beside it, and than itself in another table: it has no
    # number of its own.
    which = (table, str(at), kind, path, str(event.get("facts")))
    facts = value_cell("facts", mapping(event.get("facts")), linked or str, *which)
    return TableRow([when, cell(kind), *place, cell(event.get("epoch")), facts], anchor(*which))
