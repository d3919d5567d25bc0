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
LOOKS = 20_000
"""Connections that are looked at for one page: what is behind them is for the next."""
MOST_COUNTED = 200_000
"""Connections that are counted for one question."""

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
        counts, partial = await _counted(root, by, route, wanted)
        page = await _ranked(counts, behind, limit)
        return page | {"by": by, "total": root.connections.open, "partial": partial}
    found: list[Place] = []

    def take(place: Place) -> bool:
        if place[0] > behind:
            found.append(place)
        return len(found) <= limit  # one more than is asked for says whether there is a next page

    stopped = await _go_through(root, route, behind, wanted, take, LOOKS)
    last = found[limit - 1][0] if len(found) > limit else stopped
    return {
        "rows": await _rows(found[:limit]),
        "next": None if last is None else cursor_of(last),
        "total": root.connections.open,
        "partial": stopped is not None,
    }


async def _counted(
    root: Root, by: str, route: str, wanted: Wanted | None
) -> tuple[Counter[str], bool]:
    """Return how many there are of each, and whether there were too many to look at all of them."""
    if by == "route" and wanted is None and not route:
        return Counter(dict(root.connections.open_by_route())), False
    counts: Counter[str] = Counter()
    key_of_place = _BY[by]

    def count(place: Place) -> bool:
        counts[key_of_place(place[1])] += 1
        return True

    return counts, await _go_through(root, route, (), wanted, count, MOST_COUNTED) is not None


async def _go_through(
    root: Root,
    route: str,
    behind: Key,
    wanted: Wanted | None,
    act: Callable[[Place], bool],
    most: int,
) -> Key | None:
    """
    Call *act* with those that are wanted, in order, until it says no. A checkpoint.

    Returns:
        Behind which to go on, if *most* were looked at before there was an end.
    """
    await trio.sleep(0)
    for seen, (key, path) in enumerate(_places(Look(root), route, behind), start=1):
        attached = root.connections.find(path)
        # It may have gone meanwhile.
        fits = attached is not None and (wanted is None or wanted(attached))
        if attached is not None and fits and not act((key, attached)):
            return None
        if seen % STEP == 0:
            if seen >= most:
                return key
            await trio.sleep(0)
    return None


def _places(look: Look, route: str, behind: Key) -> Iterator[tuple[Key, str]]:
    routes = look.children(_TOP, behind) if not route else iter([((0, route), f"{_TOP}/{route}")])
    for key, path in routes:
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


def _wanted(fields: Fields) -> Wanted | None:
    search, users = fields.text("search").casefold(), fields.lines("users")
    user, actor = fields.text("user"), fields.text("actor")
    if not (search or users or user or actor):
        return None

    def wanted(attached: Attached) -> bool:
        if user and user_of(attached) != user:
            return False
        if actor and actor_of(attached) != actor:
            return False
        if users and user_of(attached) in users:
            return True
        return search in searched(attached) if search else not users

    return wanted
