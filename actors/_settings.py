"""The settings that a class of actors makes about itself: checked when it is created."""

# At import, not at the first connection: a wrong one would close every socket of its
# route, one after the other, and nobody looks there at once.

from __future__ import annotations

import inspect
from collections.abc import Callable
from math import inf
from typing import cast

from ._decider import check_supervise
from ._declared_groups import check_groups
from ._overflow import Overflow

_RESTARTS = ("permanent", "transient", "temporary")
_EXCEEDED = ("park", "stop", "escalate", "close")


def check_settings(cls: type) -> None:
    """
    Refuse settings of *cls* that could not be kept.

    Raises:
        TypeError: One has the wrong type.
        ValueError: One has a value that is out of range or unknown.
    """
    _keep(cls)
    _snapshot(cls)
    _expected_errors(cls)
    check_supervise(cls)
    check_groups(cls)
    _one_of(cls, "overflow", tuple(map(str, Overflow)))
    _one_of(cls, "restart", _RESTARTS)
    _one_of(cls, "on_exceeded", _EXCEEDED)
    _idle(cls)
    _number(cls, "mailbox_capacity", whole=True, least=1, none=True)
    _number(cls, "max_keys", whole=True, least=0)
    _number(cls, "max_presences", whole=True, least=0)
    _number(cls, "defer_capacity", whole=True, least=1)
    _number(cls, "idle_seconds", whole=False, least=0, none=True)
    _number(cls, "max_restarts", whole=True, least=0, none=True)
    _number(cls, "body_bytes", whole=True, least=0)
    _number(cls, "answer_seconds", whole=False, least=0, none=True, fits=lambda value: value > 0)
    _number(cls, "heartbeat_seconds", whole=False, least=0)
    _number(cls, "reconnect_seconds", whole=False, least=0)
    _number(cls, "shutdown_seconds", whole=False, least=0)
    _number(
        cls, "revalidate_seconds", whole=False, least=0, none=True, fits=lambda value: value > 0
    )
    _number(cls, "max_seconds", whole=False, least=0, fits=lambda value: value > 0)
    _backoff(cls)


def _keep(cls: type) -> None:
    keep: object = getattr(cls, "keep", ())
    if isinstance(keep, str):
        raise TypeError(
            f"{cls.__qualname__}.keep lists names of attributes: write keep = [{keep!r}]."
            f" Got: {keep!r}"
        )


def _snapshot(cls: type) -> None:
    snapshot: object = getattr(cls, "snapshot", None)
    if snapshot is None:
        return
    if not hasattr(cls, "restored"):
        raise TypeError(
            f"{cls.__qualname__} defines snapshot() without restored(state): what it takes"
            " would never be given back. Define both, or use keep = [...]."
        )
    plain = inspect.unwrap(snapshot) if callable(snapshot) else snapshot
    is_any = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)
    if any(test(each) for test in is_any for each in (snapshot, plain)):
        raise TypeError(
            f"{cls.__qualname__}.snapshot returns the state at once, nothing awaits it or iterates"
            f" over it: write def snapshot(self). Got: {snapshot!r}"
        )


def _idle(cls: type) -> None:
    seconds: object = getattr(cls, "idle_seconds", None)
    if (seconds is None) is (getattr(cls, "idle", None) is None):
        return
    if seconds is None:
        raise TypeError(
            f"{cls.__qualname__} defines idle() without idle_seconds: it would never run. Say"
            " after how long a silence, as in idle_seconds = 30.0, or choose another name."
        )
    raise TypeError(
        f"{cls.__qualname__} sets idle_seconds without idle(): nothing would come of it."
        f" Define both. Got: idle_seconds = {seconds!r}"
    )


def _expected_errors(cls: type) -> None:
    errors: object = getattr(cls, "expected_errors", ())
    members = cast("tuple[object, ...]", errors) if isinstance(errors, tuple) else (None,)
    if not all(isinstance(each, type) and issubclass(each, BaseException) for each in members):
        raise TypeError(
            f"{cls.__qualname__}.expected_errors must be a tuple of exception classes, such as"
            f" (ConnectionError,). Got: {errors!r}"
        )


def _backoff(cls: type) -> None:
    _number(cls, "backoff_min_seconds", whole=False, least=0)
    _number(cls, "backoff_max_seconds", whole=False, least=0)
    jitter: object = getattr(cls, "backoff_jitter", 0)
    if isinstance(jitter, bool) or not isinstance(jitter, int | float) or not 0 <= jitter <= 1:
        raise ValueError(
            f"{cls.__qualname__}.backoff_jitter must be a number from 0 to 1. Got: {jitter!r}"
        )
    least: float = getattr(cls, "backoff_min_seconds", 0)
    most: float = getattr(cls, "backoff_max_seconds", inf)
    if least > most:
        raise ValueError(
            f"{cls.__qualname__}.backoff_min_seconds must not exceed its backoff_max_seconds."
            f" Got: {least!r} and {most!r}"
        )


def _one_of(cls: type, name: str, known: tuple[str, ...]) -> None:
    value: object = getattr(cls, name, known[0])
    if not isinstance(value, str) or str(value) not in known:
        choices = ", ".join(map(repr, known))
        raise ValueError(f"{cls.__qualname__}.{name} must be one of {choices}. Got: {value!r}")


def _number(
    cls: type,
    name: str,
    *,
    whole: bool,
    least: float,
    none: bool = False,
    fits: Callable[[float], bool] = lambda _: True,
) -> None:
    value: object = getattr(cls, name, None if none else 1)
    if value is None and none:
        return
    wanted = "a whole number" if whole else "a number of seconds"
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise TypeError(f"{cls.__qualname__}.{name} must be {wanted}. Got: {value!r}")
    if not least <= value < inf or not fits(value):
        raise ValueError(
            f"{cls.__qualname__}.{name} must be {wanted} from {least:g}"
            f"{'' if fits(least) else ' (more than that)'} on. Got: {value!r}"
        )
