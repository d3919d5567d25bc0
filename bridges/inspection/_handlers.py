# The handlers of one actor, and how long they take, as far as somebody watches. Pure, but for what
# it is given.

from collections.abc import Iterable

from ...actors._signature import Handler
from ...supervisor._stopwatch import Timing

Row = dict[str, object]

_PREFIXES = ("call ", "timer ", "monitor ")
_FRAMES = frozenset({"text frame", "binary frame", "part of a body", "end of a body"})


def handler_rows(
    listed: Iterable[tuple[str, Handler]], frame_handler: str, timings: Iterable[Timing] | None
) -> list[Row]:
    """
    Return a row for each handler and each kind of message that it was given.

    Args:
        listed: The handlers of the class, each with what it is for.
        frame_handler: The name of the one that frames go to.
        timings: What was timed, what took longest in all first; None if nobody watches: then
            nothing is counted.
    """
    handlers = dict(listed)
    rows: list[Row] = []
    seen: set[str] = set()
    for timing in timings or ():
        key = frame_handler if timing.message in _FRAMES else _bare(timing.message)
        seen.add(key)
        rows.append(_row(timing.message, handlers.get(key)) | _numbers(timing))
    nothing = _NONE if timings is None else _ZERO
    rows += [_row(key, handler) | nothing for key, handler in handlers.items() if key not in seen]
    return rows


def _row(message: str, handler: Handler | None) -> Row:
    if handler is None:  # a subclass's message, or one of a class that finds its handlers itself
        return {"message": message, "handler": "", "kind": ""}
    return {
        "message": message,
        "handler": handler.name,
        "kind": "async def" if handler.is_async else "def",
    }


def _numbers(timing: Timing) -> Row:
    return {
        "count": timing.count,
        "p50": round(timing.p50, 6),
        "p95": round(timing.p95, 6),
        "max": round(timing.longest, 6),
        "spread": [[float(f"{seconds:.3g}"), count] for seconds, count in timing.spread],
    }


def _bare(message: str) -> str:
    for prefix in _PREFIXES:
        if message.startswith(prefix):
            return message[len(prefix) :]
    return message


_NONE: Row = {"count": None, "p50": None, "p95": None, "max": None, "spread": None}
_ZERO: Row = {"count": 0, "p50": None, "p95": None, "max": None, "spread": []}
