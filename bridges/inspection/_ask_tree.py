# A page of the tree: what is right below a place; or of all that is below it, what is looked for.
#
# Invariants, each with a test of that name in tests/bridges/inspection/test_ask_tree.py:
#   SLICES   so many places and no more are looked at between two checkpoints.
#   BOUNDED  so many and no more for one question: then it answers with what it has found, and
#            with where to go on.
#   TROUBLE  "unhealthy only", and how many are, costs what is in trouble, and not what lives.

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import trio

from ...actors import ActorNotFound
from ...supervisor import Root
from ...supervisor._look import Key, Look
from ._cursor import cursor_of, key_of
from ._question import Fields
from ._rows import Row, row_at

SLICE = 200
"""Places that are looked at between two checkpoints."""
LOOKS = 20_000
"""Places that are looked at for one question."""
MOST_TROUBLE = 2000
"""Places in trouble that are put in order for one question; if there are more, all are gone
through."""
_A_YEAR = 366 * 86_400.0  # seconds


@dataclass(slots=True)
class Wanted:
    """What is looked for."""

    search: str
    users: frozenset[str]
    """Whose places are found as well as those of the search."""
    unhealthy: bool
    waiting: int
    """Items that wait in its mailbox at least."""
    restarted: bool | float
    """True: as long as a restart counts; else within so many seconds."""

    def __bool__(self) -> bool:
        wanted = self.search or self.users or self.unhealthy or self.waiting or self.restarted
        return bool(wanted)

    def fits(self, look: Look, path: str) -> bool:
        """Say whether the place at *path* is looked for; it may have gone."""
        if (self.search or self.users) and not self._is_found(look, path):
            return False
        if self.unhealthy and not look.unwell(path):
            return False
        if not (self.waiting or self.restarted):
            return True
        if self.waiting:
            slot = look.slot(path)
            if slot is None or slot.queued < self.waiting:
                return False
        return not self.restarted or self._is_anew(look, path)

    def _is_found(self, look: Look, path: str) -> bool:
        words = look.words(path)
        if self.search and self.search in f"{path}\n{words}".casefold():
            return True
        return bool(self.users) and not self.users.isdisjoint(words.splitlines())

    def _is_anew(self, look: Look, path: str) -> bool:
        standing = look.standing(path)
        if self.restarted is True:  # its own restarts, not those of its children
            return standing.restarts > 0 and standing.unwell != ""
        return standing.restarted is not None and standing.restarted <= self.restarted


@dataclass(slots=True)
class _Found:
    paths: list[str] = field(default_factory=list[str])
    next: Key | None = None
    """Behind which the next page begins; None if there is none."""
    partial: bool = False
    """Whether there was so much to look at that there may be more, though the page is not full."""


class Pace:
    """Counts looks; gives others a turn after so many."""

    def __init__(self) -> None:
        self.looks = 0

    async def one(self) -> None:
        """Take note of a look that comes now. A checkpoint now and then."""
        self.looks += 1
        if self.looks % SLICE == 0:
            await trio.sleep(0)


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
    wanted = Wanted(
        search=fields.text("search").casefold(),
        users=fields.lines("users"),
        unhealthy=fields.flag("unhealthy"),
        waiting=fields.number("mailbox", 0, least=0, most=10**9),
        restarted=fields.flag_or_seconds("restarted", most=_A_YEAR),
    )
    fields.done()
    look, pace = Look(root), Pace()
    base = look.key(path)
    if base is None:
        raise ActorNotFound(path)
    await sweep(look, root, pace)
    places = _places(look, root, path, behind, wanted)
    if isinstance(places, list):
        places = iter(await _in_order(look, places, base, behind, pace))
    found = await _found(look, places, behind, wanted, limit, pace)
    rows = [row for each in found.paths if (row := await _row(look, each, pace)) is not None]
    node = await _row(look, path, pace)
    if node is None:
        raise ActorNotFound(path)
    await trio.sleep(0)
    return {
        "node": node,
        "rows": rows,
        "next": None if found.next is None else cursor_of(found.next),
        "total": look.total(path),
        "partial": found.partial,
    }


async def sweep(look: Look, root: Root, pace: Pace) -> None:
    """Let go of who is well again, so that those who are not can be counted."""
    for path in root.trouble.next(MOST_TROUBLE):
        await pace.one()
        if not look.unwell(path):
            root.trouble.let_go(path)


def _places(
    look: Look, root: Root, path: str, behind: Key, wanted: Wanted
) -> Iterator[tuple[Key, str]] | list[str]:
    """Return whom to look at: an iterator in order, or a list in none."""
    if not wanted:
        return look.children(path, behind)
    few: list[str] | None = None
    if wanted.unhealthy or wanted.restarted is True:
        few = root.trouble.paths() if len(root.trouble) <= MOST_TROUBLE else None
    elif wanted.restarted:
        since = trio.current_time() - wanted.restarted
        few = root.trouble.restarted_since(since, MOST_TROUBLE)
    return look.walk(path, behind) if few is None else few


async def _in_order(
    look: Look, paths: list[str], base: Key, behind: Key, pace: Pace
) -> list[tuple[Key, str]]:
    """Return those of *paths* that are below *base* and behind *behind*, as the tree has them."""
    placed: list[tuple[Key, str]] = []
    for path in paths:
        await pace.one()
        key = look.key(path)
        if key is not None and len(key) > len(base) and key[: len(base)] == base and key > behind:
            placed.append((key, path))
    return sorted(placed)


async def _found(
    look: Look,
    places: Iterator[tuple[Key, str]],
    behind: Key,
    wanted: Wanted,
    limit: int,
    pace: Pace,
) -> _Found:
    """Look at *places* in order until there are enough, and one more: the next page's."""
    found, last, last_found = _Found(), behind, behind
    for key, path in places:
        if key <= behind:
            continue
        if pace.looks >= LOOKS:
            found.next, found.partial = last, len(found.paths) < limit
            break
        await pace.one()
        if not wanted or wanted.fits(look, path):
            if len(found.paths) == limit:
                found.next = last_found
                break
            found.paths.append(path)
            last_found = key
        last = key
    return found


async def _row(look: Look, path: str, pace: Pace) -> Row | None:
    for _ in range(4):  # a row takes as long as several looks
        await pace.one()
    return row_at(look, path)
