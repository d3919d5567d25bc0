"""Echo with nothing between, under the connections that Greenroom's consumers have."""

from __future__ import annotations

from typing import Any

from greenroom.bridges.hypercorn import install

if not install():
    raise SystemExit("Greenroom's connections do not know this hypercorn")


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Send every text message back."""
    if scope["type"] == "lifespan":
        for answer in ("lifespan.startup.complete", "lifespan.shutdown.complete"):
            await receive()
            await send({"type": answer})
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": event["text"]})
