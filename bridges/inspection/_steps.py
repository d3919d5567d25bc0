# Long lists, gone through in steps that hold nobody up.

import heapq
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, TypeVar

import trio

S = TypeVar("S")
T = TypeVar("T")

STEP = 200
"""How many are looked at between two checkpoints."""


async def least(
    items: Iterable[S], most: int, keep: Callable[[S], T | None], rank: Callable[[T], Any]
) -> list[T]:
    """
    Return what comes first of what *keep* makes of *items*, in order. Always a checkpoint.

    Args:
        items: Gone on with behind each checkpoint, so they must bear that things change.
        most: How many to return at most.
        keep: Called with each; None leaves it out.
        rank: What they are ordered by.
    """
    best: list[T] = []
    source = iter(items)
    while True:
        await trio.sleep(0)
        step = list(islice(source, STEP))
        if not step:
            return best
        kept = [made for each in step if (made := keep(each)) is not None]
        best = heapq.nsmallest(most, [*best, *kept], key=rank)
