# What a value of an option must be like, and the fields of Options that hold it to that.

import dataclasses
import math
import os
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any, cast

Check = Callable[[str, object], None]


def refuse_unless_whole(name: str, value: object, minimum: int) -> None:
    """
    Refuse *value* unless it is an int of at least *minimum*.

    Raises:
        TypeError: it is no int; a bool counts as none.
        ValueError: it is smaller.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number. Got: {value!r}")
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}. Got: {value!r}")


def refuse_unless_seconds(name: str, value: object, *, zero: bool) -> None:
    """
    Refuse *value* unless it is a finite number of seconds.

    Args:
        name: What the value is called, for the message.
        value: The value.
        zero: Whether 0 is allowed; negative numbers never are.

    Raises:
        TypeError: it is no number; a bool counts as none.
        ValueError: it is negative, infinite or not a number, or 0 without *zero*.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number of seconds. Got: {value!r}")
    if not math.isfinite(value) or value < 0 or (value == 0 and not zero):
        least = "0 or more" if zero else "more than 0"
        raise ValueError(f"{name} must be finite and {least} seconds. Got: {value!r}")


def checked(default: object, doc: str, unit: str, check: Check) -> Any:
    """Make a field: what *check* refuses is never a value of it."""
    metadata = {"doc": doc, "unit": unit, "check": check}
    return dataclasses.field(default=default, metadata=metadata)


def whole(
    default: int | None,
    doc: str,
    *,
    unit: str,
    minimum: int = 1,
    maximum: int | None = None,
    none: bool = False,
) -> Any:
    """Make a field for a whole number, *minimum* to *maximum*; with *none* also for None."""

    def check(name: str, value: object) -> None:
        if none and value is None:
            return
        refuse_unless_whole(name, value, minimum)
        if maximum is not None and cast("int", value) > maximum:
            meant = ", or None for ever" if none else ""
            raise ValueError(f"{name} must be at most {maximum}{meant}. Got: {value!r}")

    return checked(default, doc, unit, check)


def seconds(default: float | None, doc: str, *, zero: bool = False, none: bool = False) -> Any:
    """Make a field for seconds, with *zero* also for 0, with *none* also for None."""

    def check(name: str, value: object) -> None:
        if not (none and value is None):
            refuse_unless_seconds(name, value, zero=zero)

    return checked(default, doc, "seconds", check)


def check_fraction(name: str, value: object) -> None:
    """Refuse what is no number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number from 0 to 1. Got: {value!r}")
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must lie between 0 and 1. Got: {value!r}")


def check_seed(name: str, value: object) -> None:
    """Refuse what is neither a whole number nor None."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise TypeError(f"{name} must be a whole number, or None. Got: {value!r}")


def check_on_fatal(name: str, value: object) -> None:
    """Refuse what is no word for what a fatal error does."""
    if value not in ("end", "shutdown"):
        raise ValueError(f"{name} must be 'end' or 'shutdown'. Got: {value!r}")


def check_async_views(name: str, value: object) -> None:
    """Refuse what is no word for an event loop."""
    if value not in ("asyncio", "trio"):
        raise ValueError(f"{name} must be 'asyncio' or 'trio'. Got: {value!r}")


def check_bool(name: str, value: object) -> None:
    """Refuse what is neither True nor False."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False. Got: {value!r}")


def check_bool_or_none(name: str, value: object) -> None:
    """Refuse what is neither True nor False nor None."""
    if value is not None and not isinstance(value, bool):
        raise TypeError(f"{name} must be True, False or None. Got: {value!r}")


def check_directory(name: str, value: object) -> None:
    """Refuse *value* unless it is None or an absolute path."""
    if value is None:
        return
    if not isinstance(value, str | PathLike):
        raise TypeError(f"{name} must be a path like '/run/mysite', or None. Got: {value!r}")
    path = os.fspath(cast("str | PathLike[str]", value))
    if not isinstance(path, str) or not Path(path).is_absolute():
        raise ValueError(f"{name} must be absolute, like '/run/mysite'. Got: {value!r}")


def check_rate(name: str, value: object) -> None:
    """Refuse what is no rate: a finite number above 0, or None."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number a second, or None. Got: {value!r}")
    if not math.isfinite(value) or value <= 0:
        raise ValueError(f"{name} must be finite and more than 0 a second. Got: {value!r}")


def check_origins(name: str, value: object) -> None:
    """Refuse *value* unless it is None, ``"*"`` or a list of strings."""
    if value is None or value == "*":
        return
    if isinstance(value, str) or not isinstance(value, list | tuple):
        raise TypeError(
            f"{name} must be a list of origins like ['https://example.com'], '*' or None."
            f" Got: {value!r}"
        )
    for each in cast("list[object]", value):
        if not isinstance(each, str) or not each.strip():
            raise TypeError(
                f"{name} must hold strings like 'https://example.com'. Got: {each!r} in {value!r}"
            )
