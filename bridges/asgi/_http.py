# One HTTP request: its slot around whatever ASGI application answers it.

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from ...supervisor import Root
from ...supervisor._request import ASKED, RequestSlot

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]

_ROUTE = "http"


async def serve_http(root: Root, app: App, scope: Scope, receive: Receive, send: Send) -> None:
    """
    Answer one request with *app*, as a `temporary` slot.

    What *app* raises before the headers is a 500; after them the connection is cut by
    returning with the response unfinished. Nothing is run twice. A checkpoint; a
    cancellation goes through *app* as it would without us.
    """
    refusal = root.connections.refusal()
    if refusal is not None:
        root.events.emit("connection.refused", f"/connections/{_ROUTE}", reason=refusal)
        await plain(send, 503, f"{refusal}\n", [(b"retry-after", b"5")])
        return
    slot = RequestSlot(
        root, root.connections.new_path(_ROUTE), f"{scope['method']} {scope['path']}"
    )
    status = 0

    async def watched(event: Mapping[str, Any]) -> None:
        nonlocal status
        if event["type"] == "http.response.start":
            status = event["status"]
        await send(event)

    root.connections.add(_ROUTE, slot)
    try:
        exit_ = await slot.run(lambda: app(scope, receive, watched))
        if not status:
            status = 503 if exit_.reason == ASKED else 500
            await plain(send, status, "Server Error\n" if status == 500 else "Shutting down\n")
    finally:
        root.connections.detach(_ROUTE, slot)


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
