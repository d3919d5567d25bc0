# The request's task between a hop's exchange and the server: what it sends, and its watch for a
# client that leaves.

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

import trio
from django.core.handlers.asgi import ASGIHandler

from ._answer import Answer
from ._body import Receive, Send
from ._exchange import Exchange, Head
from ._lookout import Lookout

T = TypeVar("T")


class Left(Exception):  # nobody's error
    """The client has left; what was going on for it was cancelled, and has ended."""


async def watched(receive: Receive, function: Callable[[], Awaitable[T]]) -> T:
    """
    Await *function*; cancel it when the client leaves.

    A checkpoint as *function* is.

    Raises:
        Left: The client left before it had returned.
        Exception: Whatever *function* raises, outside of any group.
    """
    ended: list[T] = []
    failed: Exception | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_cancel_without_client, receive, nursery.cancel_scope)
        try:
            ended.append(await function())
        except Exception as error:  # noqa: BLE001  # raised below, outside of the nursery
            failed = error
        nursery.cancel_scope.cancel()
    try:
        if failed is not None:
            raise failed
    finally:
        del failed
    if not ended:
        raise Left
    return ended[0]


async def _cancel_without_client(receive: Receive, scope: trio.CancelScope) -> None:
    await _client_leaves(receive)
    scope.cancel()


async def relay(
    exchange: Exchange, lookout: Lookout, answer: Answer, receive: Receive, send: Send
) -> None:
    """Send what comes out of a hop, and await what its thread calls. A checkpoint."""
    try:
        while (function := await exchange.called()) is not None:
            await watched(receive, function)
            lookout.add(exchange)
        head = await exchange.head()
        if head is None:
            return  # the error is raised by the caller; or an async view is awaited next
        await send_head(head, send)
        if exchange.ended:
            await _send_rest(exchange, answer, send)
        else:
            await watched(receive, lambda: _relay_stream(exchange, send))
            if exchange.complete and answer.pending is None:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
    except (Left, OSError):  # a server may tell by an OSError that the client has gone
        exchange.close()


async def _send_rest(exchange: Exchange, answer: Answer, send: Send) -> None:
    body = await exchange.next_chunk() or b""
    last = not exchange.streams or (exchange.complete and answer.pending is None)
    if body or last:
        await send_body(body, send, last=last)


async def _relay_stream(exchange: Exchange, send: Send) -> None:
    while (chunk := await exchange.next_chunk()) is not None:
        await send_body(chunk, send, last=False)


async def _client_leaves(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def send_head(head: Head, send: Send) -> None:
    """Send the beginning of a response. A checkpoint."""
    await send({"type": "http.response.start", "status": head.status, "headers": head.headers})


async def send_body(body: bytes, send: Send, *, last: bool) -> None:
    """Send a part of a response, in pieces that a server likes. A checkpoint."""
    size = cast("Any", ASGIHandler).chunk_size
    for at in range(0, len(body) or 1, size):
        more = not last or at + size < len(body)
        chunk = body[at : at + size] if len(body) > size else body
        await send({"type": "http.response.body", "body": chunk, "more_body": more})
