# The topics in which somebody is present, and who of this process is in one of them, page by page.
#
# Each process tells its own presences, so that where all are asked nothing comes twice; how many
# keys a topic has, it says of all processes. What a presence says of itself, its meta, is its
# user's, as the body of a message is: nothing here reads it.

from typing import Any

import trio

from ...actors._presence import Presence
from ...supervisor import Root
from ...supervisor._look import Key, Look
from ...supervisor._slot import Slot
from ._connection import user_of
from ._cursor import cursor_of, key_of
from ._question import BadQuestion, Fields
from ._steps import STEP, least


async def ask_presence(root: Root, fields: Fields) -> dict[str, Any]:
    """
    Answer with a page of topics, by name; or of this process's presences in one, by key.

    A checkpoint.

    Raises:
        BadQuestion: A field is wrong.
    """
    topic = fields.text("topic")
    limit = fields.number("limit", 50, least=1, most=500)
    cursor, search = fields.text("after", most=2000), fields.text("search").casefold()
    fields.done()
    behind = key_of(cursor)
    if behind and (len(behind) != (3 if topic else 2) or behind[0] != 0):
        raise BadQuestion(f"after must be what an answer's next said. Got: {cursor[:100]!r}")
    if topic:
        return await _presences(root, topic, behind, limit, search)
    begin = str(behind[1]) if behind else ""  # which is no topic's name

    def keep(name: str) -> str | None:
        return name if name > begin and search in name.casefold() else None

    names = root.presences.topics()
    found = await least(names, limit + 1, keep, str)
    return {
        "rows": [row for name in found[:limit] if (row := _topic(root, name)) is not None],
        "next": cursor_of((0, found[limit - 1])) if len(found) > limit else None,
        "total": len(names),
    }


def _topic(root: Root, name: str) -> dict[str, Any] | None:
    tally = root.presences.tally(name)
    return None if tally is None else {"topic": name, **tally._asdict()}  # it is gone meanwhile


async def _presences(
    root: Root, topic: str, behind: Key, limit: int, search: str
) -> dict[str, Any]:
    row = _topic(root, topic)
    if row is None:
        text = f"nobody is present in the topic {topic!r}, or watches it, as far as is known here"
        return {"error": {"code": "not-found", "text": text}}

    def keep(presence: Presence) -> tuple[Key, Presence] | None:
        place = _place_of(presence)
        if place <= behind or search not in f"{presence.key} {presence.path}".casefold():
            return None
        return place, presence

    here = root.presences.here(topic)
    found = await least(here, limit + 1, keep, lambda each: each[0])
    return {
        **row,
        "rows": await _rows(root, [presence for _, presence in found[:limit]]),
        "next": cursor_of(found[limit - 1][0]) if len(found) > limit else None,
        "total": len(here),
    }


def _place_of(presence: Presence) -> Key:
    """Return where *presence* stands among those of its topic: by key, then as they came."""
    return 0, presence.key, int(presence.ref.rpartition(":")[2])


async def _rows(root: Root, found: list[Presence]) -> list[dict[str, Any]]:
    look, rows = Look(root), list[dict[str, Any]]()
    for at, presence in enumerate(found, start=1):
        rows.append(_row(look.slot(presence.path), presence))
        if at % STEP == 0:
            await trio.sleep(0)
    return rows


def _row(slot: Slot | None, presence: Presence) -> dict[str, Any]:
    # Who has ended meanwhile is present no more; the next page will not have him.
    return {
        "key": presence.key,
        "path": presence.path,
        "actor": "" if slot is None else slot.actor.__qualname__,
        "user": "" if slot is None else user_of(slot),
        "since": round(presence.since, 3),
    }
