# One HTTP request: its slot around whatever ASGI application answers it.
#
# hypercorn hands a body over through a short queue, and with the last part of the response
# puts the request's end into the same queue, inside of that very `send`. An application
# that answers without having read the body may find the queue full, and then that `send`
# waits for somebody to take from it: for ever, with its slot, its tasks and its socket. So
# what is unread is read while the last part is sent: a nursery more, but only then.

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, cast

import trio

from ...actors._lowlevel import checkpoint
from ...supervisor import Root
from ...supervisor._request import ASKED, RequestSlot
from ._foreign import PLACE, Place

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]


async def serve_http(
    root: Root, app: App, scope: Scope, receive: Receive, send: Send, route: str = "http"
) -> None:
    """
    Answer one request with *app*, as a `temporary` slot below ``/connections/<route>``.

    What *app* raises before the headers is a 500; after them the connection is cut by
    returning with the response unfinished. Nothing is run twice. What *app* leaves unread
    of the body is read and thrown away. A checkpoint; a cancellation goes through *app* as
    it would without us.
    """
    request = Request(receive, send)
    refusal = root.connections.refusal(request=True)
    if refusal is not None:
        root.events.emit("connection.refused", f"/connections/{route}", reason=refusal)
        await plain(request.send, 503, f"{refusal}\n", [(b"retry-after", b"5")])
        return
    slot = RequestSlot(root, root.connections.new_path(route), f"{scope['method']} {scope['path']}")
    place = scope[PLACE] = Place(root, route, slot, scope)
    try:
        exit_ = await slot.run(lambda: request.answer_with(app, scope))
        if not request.begun and not request.gone:
            status = 503 if exit_.reason == ASKED else 500
            text = "Server Error\n" if status == 500 else "Shutting down\n"
            await plain(request.send, status, text)
        if not request.answered:
            with trio.move_on_after(root.options.close_seconds):
                await request.read_body()
    finally:
        slot.status = request.status
        place.give_up()


class Request:
    """The *receive* and *send* of one request, which may be answered before it is read."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._read = False
        self.begun = self.answered = False
        self.status = 0
        """Of the response; 0 as long as it was not begun."""
        self.gone = False
        """Whether its end was read: the client has left, or has the whole answer."""
        self._lost: OSError | None = None  # what the server's send raised, as ASGI 2.4 has it

    async def answer_with(self, app: App, scope: Scope) -> None:
        """Call *app*. That the client has left is no fault of it, and not raised."""
        try:
            await app(scope, self.receive, self.send)
        except OSError as error:
            if error is not self._lost:
                raise
        except ExceptionGroup as group:  # of a nursery of its own
            if not _is_nothing_but(group, self._lost):
                raise

    async def receive(self) -> MutableMapping[str, Any]:
        if self.gone:
            await checkpoint()
            return {"type": "http.disconnect"}
        event = await self._receive()
        self.gone = event["type"] == "http.disconnect"
        self._read = self._read or self.gone or not event.get("more_body", False)
        return event

    async def send(self, event: Mapping[str, Any]) -> None:
        if event["type"] == "http.response.start":
            self.begun = True
            self.status = event["status"]
        last = event["type"] == "http.response.body" and not event.get("more_body", False)
        try:
            await (self._send_last(event) if last else self._send(event))
        except OSError as error:
            self._lost, self.gone = error, True
            raise

    async def read_body(self) -> None:
        """Read what is left of the body, for nothing. A checkpoint if there is something."""
        while not (self._read or self.gone):
            await self.receive()

    async def _send_last(self, event: Mapping[str, Any]) -> None:
        if self._read:
            await self._send(event)
        else:
            await self._send_while_reading(event)
        self.answered = True

    async def _send_while_reading(self, event: Mapping[str, Any]) -> None:
        failed: Exception | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read_on)
            try:
                await self._send(event)
            except Exception as error:  # noqa: BLE001 - raised below, outside of the nursery
                failed = error
            nursery.cancel_scope.cancel()
        if failed is not None:
            raise failed

    async def _read_on(self) -> None:
        while not self.gone:
            await self.receive()


def _is_nothing_but(error: BaseException, only: BaseException | None) -> bool:
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return all(_is_nothing_but(each, only) for each in group.exceptions)
    return error is only


async def plain(
    send: Send, status: int, text: str, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    """Send a whole response of plain text. A checkpoint."""
    body = text.encode()
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", str(len(body)).encode()),
                *(headers or []),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
