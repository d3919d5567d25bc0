# Async views and async streams, as far as they go before they run on trio: each on an
# asyncio loop of its own, which asgiref runs beside the worker thread.
#
# What they wait for may never come (an event stream without events), so the end of their
# request cancels them. Otherwise each client that leaves would take a place in the pool
# for good, and asgiref's thread, which is no daemon, would keep the process from ending.

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import wraps
from typing import Any, cast

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse

from ._exchange import Exchange

exchange_here: ContextVar[Exchange] = ContextVar("exchange_here")
"""The exchange of the request that a worker thread answers."""


def cancellable(view: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """
    Return the async *view*, cancelled (asyncio's way) when its request's exchange is closed.
    """

    @wraps(view)
    async def cancelled_with_its_request(*args: Any, **kwargs: Any) -> Any:
        with _cancelled_by(exchange_here.get()):
            return await view(*args, **kwargs)

    return cancelled_with_its_request


async def write_stream(stream: StreamingHttpResponse, exchange: Exchange) -> None:
    """
    Write the async *stream* to *exchange*, in asyncio.

    Raises:
        ClientGone: the exchange was closed before a write.
        asyncio.CancelledError: it was closed while the stream waited.
    """
    # The writes are made in the worker thread, so that a full exchange does not stop the
    # rest of this little loop.
    write = sync_to_async(exchange.write, thread_sensitive=True)
    with _cancelled_by(exchange):
        async for chunk in cast("AsyncIterator[bytes]", stream.streaming_content):
            await write(chunk)


@contextmanager
def _cancelled_by(exchange: Exchange) -> Generator[None, None, None]:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    inside = True

    def cancel() -> None:
        if inside:
            task.cancel()

    def closed() -> None:
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(cancel)

    with exchange.told_of_close(closed):
        try:
            yield
        finally:
            inside = False
