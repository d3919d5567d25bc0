# The tree as plain text and as JSON, printed once. Pure.

import json
from collections.abc import Iterator, Sequence

from . import _words as words
from ._data import Data, text
from ._detail import summary
from ._gathering import Place, Portrait
from ._options import Asked
from ._parts import Part, joined, text_of
from ._processes import header, is_ready, of_process
from ._units import count


def text_lines(found: Sequence[Portrait], asked: Asked, trouble: str, now: float) -> Iterator[str]:
    """
    Yield the lines of text that show *found*; nothing in them moves a cursor.

    Args:
        found: The processes.
        asked: What was asked for.
        trouble: Why not all could be asked, or "".
        now: The unix time.
    """
    unhealthy = sum(words.unhealthy_below(each.tree.row) for each in found if each.tree)
    yield text_of(header([each.process for each in found], trouble, unhealthy))
    for each in found:
        yield text_of(of_process(each.process, now))
        flat = bool(asked.search) or asked.unhealthy
        if each.tree is not None and (flat or asked.depth != 0):
            yield from _below(each.tree, asked, now, top=True)
        elif each.tree is None and not each.process.silent:
            yield f"   {text_of([Part(each.trouble)])}"


def json_lines(found: Sequence[Portrait]) -> Iterator[str]:
    """
    Yield one line of JSON for each process, in ASCII.

    It has ``process`` (which one), and either ``silent`` (why it has not answered) or ``facts``
    (what it says of itself), ``rows`` (the places in order, parents before their children, the
    first being that of the path), and ``left_out``: by path, how many below it are not shown, or
    null if nobody knows.
    """
    for each in found:
        process = each.process
        line: dict[str, object] = {"process": dict(process.who)}
        if process.silent:
            line |= {"silent": process.silent, "kernel": dict(process.kernel)}
            line["heartbeat"] = process.heard
        else:
            line["facts"] = dict(process.facts)
        if each.tree is not None:
            places = list(each.tree.walk())
            line["rows"] = [dict(place.row) for place in places]
            line["left_out"] = {
                text(place.row.get("path")): place.left_out or None
                for place in places
                if place.left_out or place.more
            }
        elif not process.silent:
            line["error"] = each.trouble
        yield json.dumps(line, ensure_ascii=True)


def troubles(found: Sequence[Portrait]) -> tuple[int, int]:
    """Return how many of the shown places are unhealthy, and how many processes are."""
    places = [place for each in found if each.tree for place in each.tree.walk()]
    rows = [place.row for place in places if text(place.row.get("path")) != "/"]
    unhealthy = sum(not words.is_healthy(row) for row in rows)
    return unhealthy, sum(not is_ready(each.process) for each in found)


def _below(place: Place, asked: Asked, now: float, *, top: bool = False) -> Iterator[str]:
    flat = bool(asked.search) or asked.unhealthy
    items: list[Place | str] = list(place.below)
    if top and asked.path != "/" and not flat:
        items = [place]
    else:
        if place.left_out:
            items.append(f"... {count(place.left_out)} more")
        elif place.more:
            items.append("... more: raise --limit")
        if place.trouble:
            items.append(text_of([Part(f"... {place.trouble}")]))
        if top and not items:
            items.append("nothing is found" if flat else "nothing is below")
    for nth, item in enumerate(items, start=1):
        first, rest = ("└─ ", "   ") if nth == len(items) else ("├─ ", "│  ")
        lines = [item] if isinstance(item, str) else _lines(item, asked, now, flat=flat)
        for line in lines:
            yield f"{first}{line}"
            first = rest


def _lines(place: Place, asked: Asked, now: float, *, flat: bool) -> Iterator[str]:
    yield _headline(place.row, now, flat=flat)
    if not flat:
        yield from _below(place, asked, now)


def _headline(row: Data, now: float, *, flat: bool) -> str:
    path = text(row.get("path"))
    name = path if flat else text(row.get("name")) or path
    return text_of(joined([Part(name), Part(text(row.get("actor"))), *summary(row, now)]))
