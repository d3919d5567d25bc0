# Messages that reached nobody: the latest, newest first, and how many there were of each sort.
# Never their bodies: a letter is a summary from the moment it is written.

from collections import Counter
from typing import Any

import trio

from ...supervisor import DeadLetter, Root
from ._cursor import cursor_of, key_of
from ._event_rows import is_below
from ._question import BadQuestion, Fields

MOST_SORTS = 200
"""Sorts that are told, those with the most letters."""


async def ask_dead_letters(root: Root, fields: Fields) -> dict[str, Any]:
    """
    Answer with a page of dead letters, and all counters. A checkpoint.

    Raises:
        BadQuestion: A field is wrong.
    """
    limit = fields.number("limit", 50, least=1, most=500)
    before = _before(fields.text("after", most=2000))
    path, search = fields.text("path"), fields.text("search").casefold()
    fields.done()
    await trio.sleep(0)
    letters = root.dead_letters
    # The ring is small: all of it is looked through at once.
    kept = letters.recent(10**9)[::-1]
    found = [
        each
        for each in kept
        if each.number < before and is_below(each.target_path, path) and search in _text(each)
    ]
    page, counts = found[:limit], letters.counts()
    by_reason: Counter[str] = Counter()
    for key, count in counts.items():
        by_reason[key.reason] += count
    most = sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:MOST_SORTS]
    return {
        "letters": [each.as_dict() for each in page],
        "next": cursor_of((page[-1].number,)) if len(page) < len(found) else None,
        "total": sum(counts.values()),
        "kept": len(kept),
        "by_reason": [
            {"reason": reason, "count": count}
            for reason, count in by_reason.most_common(MOST_SORTS)
        ],
        "sorts": [{**key._asdict(), "count": count} for key, count in most],
        "sorts_in_all": len(counts),
        "overflows": root.events.counts()["mailbox.overflow"],
    }


def _text(letter: DeadLetter) -> str:
    parts = (letter.target_path, letter.sender, letter.message_type, letter.reason)
    return "\n".join(parts).casefold()


def _before(cursor: str) -> float:
    key = key_of(cursor)
    if not key:
        return float("inf")
    if len(key) != 1 or not isinstance(key[0], int):
        raise BadQuestion(f"after must be what an answer's next said. Got: {cursor[:100]!r}")
    return key[0]
