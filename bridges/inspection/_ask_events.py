# The event stream of a process, by number: what is remembered, and what comes next.
#
# Who follows it asks for what is behind the last number he has seen, and waits a while for that.
# Nothing is kept for him between two questions; what was forgotten meanwhile, he is told.

from typing import Any

import trio

from ...supervisor import Event, Root
from ...supervisor._events import TRACED, EventStream
from ._event_rows import event_row, is_below
from ._question import Fields

SLICE = 200
"""Events that are looked at between two checkpoints."""
_LAST = 2**53
LONGEST = 25.0
"""Seconds that one question may wait."""


class _Filter:
    """Which events are wanted."""

    def __init__(self, stream: EventStream, kind: str, path: str) -> None:
        self._stream, self._kind, self._path = stream, kind, path
        self.traced = bool(kind) and TRACED.startswith(kind)
        """Whether those of traces are, which are kept apart."""
        self.apart = stream.is_apart(f"{path}/")
        """Whether those are that are kept apart as they are of who looks at the tree."""

    def wants(self, event: Event) -> bool:
        """Say whether *event* is one of them. Any thread."""
        if event.kind == TRACED and not self.traced:
            return False
        if not self.apart and self._stream.is_apart(event.path, event.kind):
            return False
        return event.kind.startswith(self._kind) and is_below(event.path, self._path)


async def ask_events(root: Root, fields: Fields) -> dict[str, Any]:
    """
    Answer with events, the newest last. A checkpoint, for as long as is asked for.

    Raises:
        BadQuestion: A field is wrong.
    """
    wanted = _Filter(root.events, fields.text("kind"), fields.text("path"))
    after = fields.number("after", -1, least=-1, most=_LAST)
    before = fields.number("before", _LAST, least=0, most=_LAST)
    limit = fields.number("limit", 100, least=1, most=500)
    seconds = fields.seconds("wait", most=LONGEST)
    stacks = fields.flag("stack")
    fields.done()
    # Whoever knows of more than there was has seen another process: he begins anew.
    strange = after > root.events.last
    after = 0 if strange else after
    if seconds is None:
        found, last = await _found(root, wanted, after, before)
    else:
        found, last = await _awaited(root, wanted, after, before, seconds)
    # Who follows gets what comes first; who does not, the latest.
    follows = after >= 0
    page = found[:limit] if follows else found[-limit:]
    more = len(page) < len(found)
    forgotten = root.events.forgotten
    if wanted.traced:
        forgotten = max(forgotten, root.events.forgotten_traced)
    if wanted.apart:
        forgotten = max(forgotten, root.events.forgotten_apart)
    return {
        "events": [event_row(event, stacks=stacks) for event in page],
        "next": page[-1].number if follows and more else last,
        "more": more,
        "missed": strange or 0 <= after < forgotten,
    }


async def _found(root: Root, wanted: _Filter, after: int, before: int) -> tuple[list[Event], int]:
    """
    Return what is remembered and wanted, oldest first, and the number up to which was looked.

    A checkpoint.
    """
    await trio.sleep(0)
    last = root.events.last
    kept = root.events.remembered()
    if wanted.traced:
        kept = sorted([*kept, *root.events.remembered(traced=True)], key=_number)
    if wanted.apart:
        kept = sorted([*kept, *root.events.remembered(apart=True)], key=_number)
    before = min(before, last + 1)  # what a thread has added in this moment is for the next time
    found: list[Event] = []
    for seen, event in enumerate(kept, start=1):
        if after < event.number < before and wanted.wants(event):
            found.append(event)
        if seen % SLICE == 0:
            await trio.sleep(0)
    return found, last


async def _awaited(
    root: Root, wanted: _Filter, after: int, before: int, seconds: float
) -> tuple[list[Event], int]:
    """Look, and if there is nothing, wait for the next, *seconds* at most. A checkpoint."""
    news = trio.Event()

    def look(event: Event) -> None:
        if event.number > after and wanted.wants(event):
            # In the emitter's thread: only the loop's may set it.
            root.loop.call_soon(news.set, idempotent=True)

    unsubscribe = root.events.subscribe(look)
    try:
        found, last = await _found(root, wanted, after, before)
        if not found:
            with trio.move_on_after(seconds):
                await news.wait()
            found, last = await _found(root, wanted, after, before)
    finally:
        unsubscribe()
    return found, last


def _number(event: Event) -> int:
    return event.number
