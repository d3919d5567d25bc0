"""What echo.py measures."""

from __future__ import annotations

from typing import Any

from greenroom.actors import WebsocketConsumer


class Coroutine(WebsocketConsumer):
    """Echo from a handler on trio."""

    async def receive(self, text: str) -> None:
        """Send it back."""
        await self.send(text=text)


class Thread(WebsocketConsumer):
    """Echo from a handler in a worker thread."""

    def receive(self, text: str) -> None:
        """Send it back."""
        self.send(text=text)


async def bare(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Echo with nothing between."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await receive()
    await send({"type": "websocket.accept"})
    while True:
        event = await receive()
        if event["type"] == "websocket.disconnect":
            return
        await send({"type": "websocket.send", "text": event["text"]})


coroutine = Coroutine.as_asgi()
thread = Thread.as_asgi()
