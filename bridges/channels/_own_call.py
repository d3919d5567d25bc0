# A consumer class with a `__call__` of its own: people see to the scope there before Channels' own
# runs, or run other consumers inside, as demultiplexers do.
#
# Nobody but that method knows what is to be done with the connection, so it is called, and no
# actor stands for it: what it raises closes the socket, as under Channels. It runs where the
# handlers do. On asyncio it is given a `receive` and a `send` of that loop; what it calls from
# there, its own class's `__call__` or other consumers, hops to trio with those of its caller.

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from ...actors._lowlevel import inside_trio
from ..asgiref import SideLoop
from ..asgiref._side_loop import side_loop_here
from ._on_asyncio import (
    HOME,
    NO_LOOP_ERRORS,
    AsyncioTasks,
    asyncio_loop,
    names_the_switch,
    new_consumer,
    runs_on_asyncio,
)

SECONDS_TO_END = 5.0
"""How long the tasks that it leaves behind may take to end."""


async def call(
    consumer_class: Any, initkwargs: dict[str, Any], scope: Any, receive: Any, send: Any
) -> None:
    """Make a consumer and call it on the loop that its class is for. A checkpoint."""
    name = consumer_class.__qualname__
    if inside_trio() and runs_on_asyncio(consumer_class):
        loop, tasks = asyncio_loop(), AsyncioTasks(name)

        async def serve() -> None:
            await consumer_class(**initkwargs)(scope, *_both(loop.on_trio, receive, send))

        try:
            await tasks.run(serve)
        finally:
            await tasks.end(SECONDS_TO_END)  # noqa: ASYNC102 - it is shielded, with a deadline
        return
    try:
        await new_consumer(consumer_class, initkwargs)(scope, receive, send)
    except NO_LOOP_ERRORS as error:
        named = names_the_switch(error, name)
        if named is None:
            raise
        raise named from error


def calling_loop() -> SideLoop | None:
    """Return what leads to trio from the asyncio loop that this runs on; None if nothing does."""
    return HOME.get() or side_loop_here()


async def serve_from_asyncio(
    loop: SideLoop, serve: Callable[[Any, Any], Awaitable[None]], receive: Any, send: Any
) -> None:
    """Await *serve* on trio, with the *receive* and the *send* of who calls it on *loop*."""
    await loop.on_trio(partial(serve, *_both(loop.run, receive, send)))


def _both(run: Callable[..., Awaitable[Any]], receive: Any, send: Any) -> tuple[Any, Any]:
    """Return *receive* and *send*, each awaited by *run*."""

    def send_there(message: Any) -> Awaitable[None]:
        return run(partial(send, message))

    return partial(run, receive), send_there
