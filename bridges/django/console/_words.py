# How numbers, times and states read on a page. Pure.

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

NOTHING = "\N{EN DASH}"
"""Stands where there is nothing to say."""

_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_MOST = 1e300
"""Beyond it there is no figure of anything, and no text for it."""
_SIZES = ("B", "KiB", "MiB", "GiB", "TiB")


class Mark(NamedTuple):
    """A word with the sign before it: whoever sees no colour reads the same."""

    sign: str
    word: str
    tone: str
    """``good``, ``busy``, ``bad`` or ``quiet``: a class of the style sheet."""


_STATES = {
    "starting": Mark("\N{HORIZONTAL ELLIPSIS}", "starting", "busy"),
    "running": Mark("\N{CHECK MARK}", "running", "good"),
    "waiting": Mark("\N{HORIZONTAL ELLIPSIS}", "waiting", "busy"),
    "making room": Mark("\N{HORIZONTAL ELLIPSIS}", "making room", "busy"),
    "restarting": Mark("\N{CLOCKWISE OPEN CIRCLE ARROW}", "restarting", "bad"),
    "backing off": Mark("\N{CLOCKWISE OPEN CIRCLE ARROW}", "backing off", "bad"),
    "parked": Mark("\N{DOUBLE VERTICAL LINE}", "parked", "bad"),
    "suspended": Mark("\N{DOUBLE VERTICAL LINE}", "suspended", "bad"),
    "stopping": Mark("\N{BLACK SQUARE}", "stopping", "busy"),
    "unkillable": Mark("\N{MULTIPLICATION SIGN}", "unkillable", "bad"),
    "stopped": Mark("\N{BLACK SQUARE}", "stopped", "bad"),
    "ended": Mark("\N{BLACK SQUARE}", "ended", "quiet"),
    "declined": Mark(NOTHING, "declined", "quiet"),
}
_KINDS = {
    "root": Mark("\N{BLACK DIAMOND}", "root", "quiet"),
    "supervisor": Mark("\N{BLACK UP-POINTING TRIANGLE}", "supervisor", "quiet"),
    "slot": Mark("\N{BLACK CIRCLE}", "actor", "quiet"),
}


def state_mark(state: str, *, healthy: bool = True) -> Mark:
    """Return the mark of a state; one that nobody knows has a mark all the same."""
    mark = _STATES.get(state, Mark("\N{WHITE CIRCLE}", state, "quiet"))
    if healthy or mark.tone == "bad":
        return mark
    return Mark("!", f"{mark.word}, unhealthy", "bad")


def kind_mark(kind: str) -> Mark:
    """Return the mark of a kind of place."""
    return _KINDS.get(kind, Mark("\N{WHITE CIRCLE}", kind, "quiet"))


def duration(seconds: object) -> str:
    """Return seconds as a person says them: ``3 h 12 min``, ``0.25 s``, ``1.2 ms``."""
    number = known(seconds)
    if number is None:
        return NOTHING
    if number < 0:
        return f"-{duration(-number)}"
    if number < 0.001:
        return f"{number * 1e6:.0f} \N{MICRO SIGN}s" if number else "0 s"
    if number < 0.1:
        return f"{number * 1000:.3g} ms"
    if number < 10:
        return f"{number:.2g} s"
    left, parts = round(number), list[str]()
    for size, unit in _UNITS:
        if left >= size and len(parts) < 2:
            parts.append(f"{left // size} {unit}")
            left %= size
        elif parts:
            break
    return " ".join(parts)


def size(count: object) -> str:
    """Return bytes as a person says them: ``512 B``, ``3.4 MiB``."""
    number = known(count)
    if number is None:
        return NOTHING
    for unit in _SIZES[:-1]:
        if abs(number) < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.3g} {unit}"
        number /= 1024
    return f"{number:.3g} {_SIZES[-1]}"


def number(value: object) -> str:
    """Return a number with its thousands apart; what is none as a text."""
    found = known(value)
    if found is None:
        return NOTHING if value is None else str(value)
    return f"{found:,.0f}" if found == round(found) else f"{found:,.3g}"


def moment(at: object) -> datetime | None:
    """Return unix seconds as a moment; None for what is none."""
    number = known(at)
    try:
        return None if number is None else datetime.fromtimestamp(number, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def count(number: int, one: str, many: str) -> str:
    """Return ``1 process``, ``4 processes``."""
    return f"{number:,} {one if number == 1 else many}"


def mapping(value: object) -> Mapping[str, Any]:
    """Return a part of an answer that is to be a mapping; an empty one if it is none."""
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def listing(value: object) -> list[Any]:
    """Return a part of an answer that is to be a list; an empty one if it is none."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def anchor(*parts: str) -> str:
    """Return an id for an element: the same for the same *parts*, and safe whatever they are."""
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
    return f"g{digest[:16]}"


def told(value: object) -> str:
    """Return any plain value as a text for a cell."""
    if value in (None, "", [], {}):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number(value)
    if listing(value):
        return ", ".join(told(each) for each in listing(value))
    if mapping(value):
        pairs = mapping(value).items()
        return ", ".join(f"{name} {told(each)}" for name, each in pairs)
    return str(value)


def known(value: object) -> float | None:
    """Return *value* if it is a number that can be shown; else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if -_MOST < value < _MOST else None
