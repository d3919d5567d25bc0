"""Results that are code whose body nobody would run: a forgotten await, a generator."""

from __future__ import annotations

from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, cast

UNRUN: dict[type, str] = {
    CoroutineType: "a coroutine that nobody awaits: declare it `async def`, or await what it calls",
    GeneratorType: "a generator that nobody runs: iterate over it, or return a list",
    AsyncGeneratorType: "an async generator that nobody runs: iterate over it with `async for`",
}
"""What each of them is, and what to do about it."""


def refuse_unrun(value: Any, whose: str, did: str = "returned") -> None:
    """Raise TypeError if *value*, returned by *whose*, is code whose body nobody would run."""
    kind = cast("type[object]", type(value))
    problem = UNRUN.get(kind)
    if problem is not None:
        if not isinstance(value, AsyncGeneratorType):  # which has no close() but an async one
            value.close()
        raise TypeError(f"{whose} {did} {problem}.")
