# Plain data of an answer as a table, whatever fields it has: an answer may say more tomorrow. Pure.

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ._tables import Cell, Table, TableRow, cell
from ._words import anchor, duration, listing, mapping, size, told

Linked = Callable[[str], str]
"""The page of the actor at a path."""

# What a number means is in its field's name.
_SECONDS = {
    "seconds", "age", "idle", "heard", "uptime", "lag", "p50", "p95", "max", "due", "every",
}  # fmt: skip
_BYTES = {"bytes", "bytes_in", "bytes_out", "output_bytes", "rss", "memory"}
_MOMENTS = {"at", "since", "started"}
_PATHS = {"path", "target", "target_path", "sender", "caller"}
_NAMES = {"url": "URL"}
_UNIX = 10**9
_LONG = 160


def pairs_table(id: str, caption: str, pairs: Mapping[str, Any], linked: Linked) -> Table:
    """Return a mapping as a table of two columns."""
    rows = [
        TableRow([Cell(str(name)), value_cell(str(name), value, linked, id)])
        for name, value in pairs.items()
    ]
    return Table(id, caption, ("What", "Value"), rows, titled=True)


def items_table(
    id: str,
    caption: str,
    items: Iterable[object],
    linked: Linked,
    *,
    columns: Sequence[str] = (),
    empty: str = "None.",
) -> Table:
    """
    Return a list of mappings, or of plain values, as a table.

    Args:
        id: For the element.
        caption: What it is.
        items: One for each row.
        linked: Where a path leads.
        columns: The fields that come first; others follow in the order in which they appear.
        empty: What to say of an empty list.
    """
    found = list(items)
    fields = [name for name in columns if any(name in mapping(item) for item in found)]
    for item in found:
        fields += [name for name in mapping(item) if name not in fields]
    if not fields:
        rows = [TableRow([value_cell("path", item, linked)]) for item in found]
        return Table(id, caption, (caption,), rows, empty, titled=True)
    rows = [
        TableRow(
            [value_cell(name, mapping(item).get(name), linked, id, str(nth)) for name in fields]
        )
        for nth, item in enumerate(found)
    ]
    return Table(id, caption, [words(name) for name in fields], rows, empty, titled=True)


def value_cell(name: str, value: object, linked: Linked, *parts: str) -> Cell:
    """Return the cell of a field: seconds as a duration, a path as a link, a stack folded."""
    if isinstance(value, Cell):
        return value
    if isinstance(value, str) and value.startswith("/") and name in _PATHS:
        return Cell(value, linked(value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        if name in _MOMENTS and value > _UNIX:
            return Cell(at=value)
        if name in _SECONDS:
            return Cell(duration(value))
        if name in _BYTES:
            return Cell(size(value))
    if name == "stack" and (value or value == []):
        return folded(value, "Stack", *parts, name)
    text = told(value)
    if len(text) > _LONG:
        return Cell(
            summary=f"{text[:_LONG]}\N{HORIZONTAL ELLIPSIS}", lines=text, id=anchor(*parts, name)
        )
    return cell(text)


def folded(value: object, summary: str, *parts: str) -> Cell:
    """Return lines that are shown when somebody unfolds them."""
    lines = [str(line).rstrip("\n") for line in listing(value)] or [str(value or "")]
    text = "\n".join(lines)
    return Cell(lines=text, summary=summary, id=anchor(*parts)) if text else cell(None)


def words(name: str) -> str:
    """Return the name of a field as a heading."""
    text = name.replace("_", " ")
    return _NAMES.get(name, text[:1].upper() + text[1:])
