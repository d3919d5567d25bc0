# A WebSocket that is opened for its first message, before the application behind sees it.
#
# To that application it looks as if nothing had happened: it gets a `websocket.connect`, and what
# it accepts is accepted already. Its subprotocol and headers come too late for the client: the
# first subprotocol that was offered is the one.

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import trio

from ...actors._lowlevel import checkpoint

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[Any], Awaitable[None]]

CODE = 4401


class FirstMessage:
    """One such WebSocket, over the server's *receive* and *send*."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._connected = False
        self._accepted = False

    async def open_and_read(self, scope: Mapping[str, Any], seconds: float) -> str | None:
        """
        Accept, and return the first text; "" for a binary one. A checkpoint.

        None if it is over: the client has left, or nothing came within *seconds*, for which it
        is closed with 4401.
        """
        await self._receive()  # websocket.connect
        offered = scope.get("subprotocols") or [None]
        await self._send({"type": "websocket.accept", "subprotocol": offered[0], "headers": []})
        with trio.move_on_after(seconds):
            event = await self._receive()
            if event["type"] == "websocket.disconnect":
                return None
            return event.get("text") or ""
        await self.close(CODE, "no token came in time")
        return None

    async def close(self, code: int, reason: str) -> None:
        """Close it. A checkpoint."""
        await self._send({"type": "websocket.close", "code": code, "reason": reason})

    async def receive(self) -> MutableMapping[str, Any]:
        """Return the next event for the application behind. A checkpoint."""
        if not self._connected:
            self._connected = True
            await checkpoint()
            return {"type": "websocket.connect"}
        return await self._receive()

    async def send(self, event: Mapping[str, Any]) -> None:
        """Send what the application behind says; a refusal has become a close. A checkpoint."""
        kind: str = event["type"]
        if kind == "websocket.accept":
            self._accepted = True
            await checkpoint()
        elif kind == "websocket.http.response.start":
            await self.close(1011 if event["status"] >= 500 else 4403, "refused")
        elif kind == "websocket.http.response.body":
            await checkpoint()  # the close has said it
        elif kind == "websocket.close" and not self._accepted:
            await self.close(4403, "refused")
        else:
            await self._send(event)
