# One event stream of a consumer: its slot, a reader, a writer and a heart that beats.
#
# It is a request whose response does not end by itself, and a connection whose slot is
# restarted while it stays open, as a WebSocket's is.

import inspect
from collections.abc import Awaitable, Callable, Iterable
from functools import cache, partial
from typing import Any, cast

import trio

from ...actors._messages import RequestOpening
from ...actors.consumers import EventHistory, EventStreamConsumer
from ...supervisor import Root
from ._counted import Place, serve_counted
from ._event_output import EventOutput
from ._foreign import take_place
from ._http import Request, plain
from ._http_consumer import (
    GONE,
    LEFT,
    HttpConnection,
    Receive,
    Scope,
    Send,
    closing,
    declared_length,
    too_large,
    turn_away,
    turned_away,
)


async def serve_event_stream(
    root: Root,
    route: str,
    actor: type[EventStreamConsumer],
    kwargs: dict[str, Any],
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    """
    Serve one stream with a slot of *actor*, until both are over. A checkpoint.

    A cancellation becomes a stop request: `disconnect` runs, the stream ends, then the
    cancellation goes on.
    """
    take_place(scope)
    if await turned_away(root, route, actor, scope, receive, send):
        return
    place = (root, route, actor, kwargs, scope)
    limits = root.connections.limits_of(actor)
    if limits.counted:
        await serve_counted(place, limits, receive, send, _serve, turn_away)
    else:
        await _serve(place, receive, send)


async def _serve(place: Place, receive: Receive, send: Send) -> None:
    root, route, _, kwargs, scope = place
    actor = cast("type[EventStreamConsumer]", place[2])
    body: bytes | None = b""
    if wants_body(actor):
        most = getattr(actor, "body_bytes", root.options.body_bytes)
        request = Request(receive, send)
        body = await _whole_body(scope, request, most)
        if body is None:
            if not request.gone:
                await plain(request.send, 413, too_large(most), closing(scope))
                with trio.move_on_after(root.options.close_seconds):
                    await request.read_body()
            return
    connection = EventConnection(root, route, actor, kwargs, scope, body or b"")
    try:
        await connection.run(receive, send)
    finally:
        connection.detach()


class EventConnection(HttpConnection):
    """The slot of one stream, in the tree from here on, and the tasks beside it."""

    __slots__ = ()

    def __init__(
        self,
        root: Root,
        route: str,
        actor: type[EventStreamConsumer],
        kwargs: dict[str, Any],
        scope: Scope,
        body: bytes,
    ) -> None:
        history: EventHistory | None = actor.history
        last = last_event_id(scope)
        missed = history is not None and history.since(last).missed
        make_output = partial(
            EventOutput,
            opening=RequestOpening(scope["method"], scope["path"], body, last, missed=missed),
            history=history,
            random=root.random.random,
            reconnect_seconds=getattr(actor, "reconnect_seconds", root.options.reconnect_seconds),
            on_answered=self._answered,
        )
        super().__init__(root, route, actor, kwargs, scope, make_output)

    def _answered(self) -> None:
        self.slot.request_stop("answered")

    def _tasks(self) -> Iterable[tuple[Callable[[float], Awaitable[None]], float]]:
        seconds: float = self.setting("heartbeat_seconds")
        return ((self._beat, seconds),) if seconds else ()

    async def _beat(self, seconds: float) -> None:
        """Send a comment whenever nothing has gone out for *seconds*."""
        output = cast("EventOutput", self.output)
        while not output.over:
            left = output.last_sent + seconds - trio.current_time()
            if left > 0:
                await trio.sleep(left)
            else:
                output.beat(trio.current_time())

    async def _read(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass  # a body that nobody has asked for
        self._read_all.set()
        self._ended(GONE, LEFT)


@cache
def wants_body(actor: type[EventStreamConsumer]) -> bool:
    """Say whether `connect` asks for the body of the request."""
    connect: object = getattr(actor, "connect", None)
    return callable(connect) and "body" in inspect.signature(connect).parameters


def last_event_id(scope: Scope) -> str:
    """Return what the client names as the last event that it got; empty if it does not."""
    found = b""
    for name, value in cast("Iterable[tuple[bytes, bytes]]", scope["headers"]):
        if name == b"last-event-id":
            found = value
    return found.decode(errors="replace")


async def _whole_body(scope: Scope, request: Request, most: int) -> bytes | None:
    """Read the body; None if it is larger than *most*, or the client has left."""
    if declared_length(scope) > most:
        return None
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        event = await request.receive()
        if request.gone:
            return None
        parts.append(event.get("body", b""))
        size, more = size + len(parts[-1]), event.get("more_body", False)
        if size > most:
            return None
    return b"".join(parts)
