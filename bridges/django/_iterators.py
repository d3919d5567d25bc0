# The async iterators of one streamed response, so that all of them are closed with it.
#
# Middleware wraps: GZipMiddleware makes a generator that reads the view's. Django keeps the
# outermost only, and closing that lets go of the others; then they are closed some time later, by
# whoever collects the garbage, while the request is over. So the view's own is remembered when the
# view returns, and those between are found on the way to it: in what each one holds.
#
# Turned down: to close whatever an iterator holds. A view's generator may read one that belongs to
# somebody else; what is inside of the view's is the view's to close.

import gc
from collections.abc import Iterator
from contextlib import AsyncExitStack
from types import CellType
from typing import Any, cast

from django.http import StreamingHttpResponse

from ..asgiref import Flavour, flavour_of
from ..asgiref._flavour import mark_of

_SOURCE = "_greenroom_iterator"
_LOOKED_AT = 1000  # iterators, at most


def remember_iterator(response: Any) -> None:
    """Remember what *response*, which a view has returned, is to be read from. Any thread."""
    if getattr(response, "is_async", False) and not hasattr(response, _SOURCE):
        setattr(response, _SOURCE, response._iterator)  # noqa: SLF001


def flavour_of_stream(response: StreamingHttpResponse, made_by: object) -> Flavour:
    """Return the loop of *response*: that of its iterator, else that of the view that made it."""
    outer = cast("Any", response)._iterator  # noqa: SLF001
    source = getattr(response, _SOURCE, outer)
    return mark_of(source) or mark_of(outer) or flavour_of(made_by)


async def close_iterators(content: object, response: StreamingHttpResponse) -> None:
    """
    Close *content*, what it reads, and so on to the view's own iterator. A checkpoint as those are.

    Raises:
        Exception: What the last of those raised that did; all have been closed.
    """
    outer = cast("Any", response)._iterator  # noqa: SLF001
    source = getattr(response, _SOURCE, outer)
    way = _way(content, source) or [content, outer, source]
    async with AsyncExitStack() as stack:
        for iterator in reversed(way):
            close = getattr(iterator, "aclose", None)
            if close is not None:
                stack.push_async_callback(close)


def _way(outer: object, source: object) -> list[object]:
    """Return the iterators from *outer* to *source*, each held by the one before; or nothing."""
    ways = [[outer]]
    seen = {id(outer)}
    for way in ways:
        if way[-1] is source:
            return way
        for inner in _iterators_of(way[-1]):
            if id(inner) not in seen and len(seen) < _LOOKED_AT:
                seen.add(id(inner))
                ways.append([*way, inner])
    return []


def _iterators_of(iterator: object) -> Iterator[object]:
    for held in gc.get_referents(iterator):
        if isinstance(held, CellType) or held is getattr(iterator, "__dict__", iterator):
            yield from (each for each in gc.get_referents(held) if _is_iterator(each))
        elif _is_iterator(held):
            yield held


def _is_iterator(value: object) -> bool:
    return hasattr(type(value), "__anext__")
