"""Small helpers that Channels has, for code that imports them."""

import asyncio
from collections.abc import Sequence
from typing import Any

from ...actors._lowlevel import inside_trio
from ._sources import Dispatch, Source, dispatch_all

__all__ = ["await_many_dispatch", "name_that_thing"]


async def await_many_dispatch(consumer_callables: Sequence[Source], dispatch: Dispatch) -> None:
    """
    Await all of *consumer_callables*, again and again, and *dispatch* what they return.

    On trio, and on asyncio, for consumers that run there. One message is dispatched at a time. Ends
    only by an exception: one of theirs, or of *dispatch*. A checkpoint; at its end what is still
    awaited is cancelled, and what a source was ahead is lost.
    """
    if inside_trio():
        await dispatch_all(consumer_callables, dispatch)
        return
    awaited = {asyncio.ensure_future(source()): source for source in consumer_callables}
    try:
        while True:
            done, _ = await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
            for task in [each for each in awaited if each in done]:  # in the order of the sources
                source = awaited.pop(task)
                await dispatch(task.result())
                awaited[asyncio.ensure_future(source())] = source
    finally:
        for task in awaited:
            task.cancel()


def name_that_thing(thing: Any) -> str:
    """Return the dotted name of *thing*: of a class, of a function, or of an instance's class."""
    owner = getattr(thing, "consumer_class", None)  # of what as_asgi() has made
    if isinstance(owner, type):
        thing = owner
    name: str | None = getattr(thing, "__qualname__", None) or getattr(thing, "__name__", None)
    if name is None:
        return name_that_thing(type(thing))
    # As Channels does: the name alone, without what a class or a function stands in.
    return f"{thing.__module__}.{getattr(thing, '__name__', name)}"
