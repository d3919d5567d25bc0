# A page of the tree: what is right below a place; or of all that is below it, what is looked for.
#
# Some two hundred places are looked at between two checkpoints, so that a tree of a hundred
# thousand holds nobody up: a page that finds little is slow, and not the loop.

from collections.abc import Callable, Iterator
from typing import Any

import trio

from ...actors import ActorNotFound
from ...supervisor import NodeSnapshot, Root
from ...supervisor._look import Key, Look
from ...supervisor._standing import Standing
from ._cursor import cursor_of, key_of
from ._question import Fields
from ._rows import is_healthy, row_of

SLICE = 200
"""Places that are looked at between two checkpoints."""

Wanted = Callable[[NodeSnapshot, Standing], bool]


async def ask_tree(root: Root, fields: Fields) -> dict[str, Any]:
    """
    Answer with a node and a page of what is below it. A checkpoint.

    Raises:
        ActorNotFound: Nothing is at the path.
        BadQuestion: A field is wrong.
    """
    path = fields.text("path", "/")
    limit = fields.number("limit", 50, least=1, most=500)
    behind = key_of(fields.text("after", most=2000))
    wanted = _wanted(fields)
    fields.done()
    look = Look(root)
    node = look.node(path)
    if node is None:
        raise ActorNotFound(path)
    # One more than is asked for says whether there is a next page.
    places = look.children(path, behind) if wanted is None else look.walk(path, behind)
    found = await _found(look, places, behind, wanted, limit + 1)
    rows = [_row(look, each) for _, each in found[:limit]]
    return {
        "node": _row(look, node),
        "rows": rows,
        "next": cursor_of(found[limit - 1][0]) if len(found) > limit else None,
        "total": look.total(path),
    }


async def _found(
    look: Look, places: Iterator[tuple[Key, str]], behind: Key, wanted: Wanted | None, most: int
) -> list[tuple[Key, NodeSnapshot]]:
    found: list[tuple[Key, NodeSnapshot]] = []
    seen = 0
    for key, path in places:
        seen += 1
        if seen % SLICE == 0:
            await trio.sleep(0)
        if key <= behind:
            continue
        node = look.node(path)
        if node is None or not (wanted is None or wanted(node, look.standing(path))):
            continue  # it has gone meanwhile, or nobody looks for it
        found.append((key, node))
        if len(found) == most:
            break
    await trio.sleep(0)
    return found


def _row(look: Look, node: NodeSnapshot) -> dict[str, object]:
    return row_of(node, look.standing(node.path), look.total(node.path))


def _wanted(fields: Fields) -> Wanted | None:
    search = fields.text("search").casefold()
    unhealthy = fields.flag("unhealthy")
    waiting = fields.number("mailbox", 0, least=0, most=10**9)
    restarted = fields.flag("restarted")
    if not (search or unhealthy or waiting or restarted):
        return None

    def wanted(node: NodeSnapshot, standing: Standing) -> bool:
        if unhealthy and is_healthy(node, standing):
            return False
        if waiting and (node.mailbox is None or node.mailbox[0] < waiting):
            return False
        if restarted and not standing.restarts:
            return False
        return search in f"{node.path}\n{node.actor}\n{node.facts.get('user', '')}".casefold()

    return wanted
