# Reading an answer: JSON from another process, perhaps of another version. A field that is not
# there, or is something else, reads as none; nothing here raises. Pure.

from collections.abc import Mapping
from math import isfinite
from typing import cast

Data = Mapping[str, object]

_NONE: Data = {}


def mapping(value: object) -> Data:
    """Return *value* if it is a mapping, else an empty one."""
    return cast("Data", value) if isinstance(value, dict) else _NONE


def listed(value: object) -> list[object]:
    """Return *value* if it is a list, else an empty one."""
    return cast("list[object]", value) if isinstance(value, list) else []


def mappings(value: object) -> list[Data]:
    """Return the mappings in the list *value*."""
    return [cast("Data", each) for each in listed(value) if isinstance(each, dict)]


def number(value: object) -> float | None:
    """Return *value* if it is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if isfinite(value) else None


def whole(value: object, default: int = 0) -> int:
    """Return *value* as a whole number, *default* if it is none."""
    found = number(value)
    return default if found is None else int(found)


def text(value: object) -> str:
    """Return *value* if it is a text, "" for none of it, else what it looks like."""
    if isinstance(value, str):
        return value
    return "" if value is None else str(value)


def refusal(answer: Data) -> str:
    """Return why a question was refused; "" if it was not."""
    error = answer.get("error")
    if not isinstance(error, dict):
        return text(error)
    said = mapping(cast("object", error))
    return text(said.get("text")) or text(said.get("code")) or "it was refused"
