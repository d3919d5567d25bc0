# All connections of a process, of all routes, page by page; or how many there are by user, by route
# or by class. A hundred thousand of them are looked through in steps.

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import trio

from ...supervisor import Root
from ...supervisor._connections import Attached
from ...supervisor._look import Key, Look
from ._connection import actor_of, connection_of, route_of, searched, user_of
from ._cursor import cursor_of, key_of
from ._question import BadQuestion, Fields
from ._steps import STEP, least

ROWS = 50
"""Rows that are made between two checkpoints."""

_TOP = "/connections"
_BY: dict[str, Callable[[Attached], str]] = {
    "user": user_of,
    "route": lambda attached: route_of(attached.path),
    "actor": actor_of,
}

Place = tuple[Key, Attached]
Wanted = Callable[[Attached], bool]


async def ask_connections(root: Root, fields: Fields) -> dict[str, Any]:
    """
    Answer with a page of connections, or of counts of them. A checkpoint.

    Raises:
        BadQuestion: A field is wrong.
    """
    by = fields.choice("by", "", {"", *_BY})
    limit = fields.number("limit", 50, least=1, most=500)
    cursor = fields.text("after", most=2000)
    behind, wanted, route = key_of(cursor), _wanted(fields), fields.text("route")
    fields.done()
    if by:
        if behind and (len(behind) != 3 or not isinstance(behind[2], int)):
            raise BadQuestion(f"after must be what an answer's next said. Got: {cursor[:100]!r}")
        counts: Counter[str] = Counter()
        key_by = _BY[by]

        def count(place: Place) -> bool:
            counts[key_by(place[1])] += 1
            return True

        await _go_through(root, route, (), wanted, count)
        page = await _ranked(counts, behind, limit)
        return page | {"by": by, "total": root.connections.open}
    found: list[Place] = []

    def take(place: Place) -> bool:
        if place[0] > behind:
            found.append(place)
        return len(found) <= limit  # one more than is asked for says whether there is a next page

    await _go_through(root, route, behind, wanted, take)
    return {
        "rows": await _rows(found[:limit]),
        "next": cursor_of(found[limit - 1][0]) if len(found) > limit else None,
        "total": root.connections.open,
    }


async def _go_through(
    root: Root, route: str, behind: Key, wanted: Wanted, act: Callable[[Place], bool]
) -> None:
    """Call *act* with those that are wanted, in order, until it says no. A checkpoint."""
    await trio.sleep(0)
    for seen, (key, path) in enumerate(_places(Look(root), route, behind), start=1):
        attached = root.connections.find(path)
        # It may have gone meanwhile.
        if attached is not None and wanted(attached) and not act((key, attached)):
            return
        if seen % STEP == 0:
            await trio.sleep(0)


def _places(look: Look, route: str, behind: Key) -> Iterator[tuple[Key, str]]:
    if route:
        yield from look.children(f"{_TOP}/{route}", behind)
        return
    for key, path in look.children(_TOP, behind):
        yield from look.children(path, behind if behind[: len(key)] == key else ())


async def _ranked(counts: Counter[str], behind: Key, limit: int) -> dict[str, Any]:
    """Return a page of *counts*, the highest first. A checkpoint."""
    # What a page ends with is its key and its count: the next begins right behind that, though the
    # counts may have changed.
    last = _rank((str(behind[1]), int(behind[2]))) if behind else None

    def keep(counted: tuple[str, int]) -> tuple[str, int] | None:
        return counted if last is None or _rank(counted) > last else None

    ranked = await least(counts.items(), limit + 1, keep, _rank)
    return {
        "counts": [{"key": key, "count": count} for key, count in ranked[:limit]],
        "next": cursor_of((0, *ranked[limit - 1])) if len(ranked) > limit else None,
        "keys": len(counts),
    }


def _rank(counted: tuple[str, int]) -> tuple[int, str]:
    key, count = counted
    return -count, key


async def _rows(found: list[Place]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for at, (_, attached) in enumerate(found, start=1):
        row: dict[str, Any] = {
            "path": attached.path,
            "actor": actor_of(attached),
            "slot": attached.state,
        }
        rows.append(row | (connection_of(attached) or {}))
        if at % ROWS == 0:
            await trio.sleep(0)
    return rows


def _wanted(fields: Fields) -> Wanted:
    search = fields.text("search").casefold()
    user, actor = fields.text("user"), fields.text("actor")

    def wanted(attached: Attached) -> bool:
        if user and user_of(attached) != user:
            return False
        if actor and actor_of(attached) != actor:
            return False
        return not search or search in searched(attached)

    return wanted
