# The client's end of a WebSocket as raw ASGI events, which may stop reading.

from collections import deque
from typing import Any

import trio

from greenroom.bridges.testing import ServerDriver


class Peer:
    """A raw ASGI peer: counts what is received from it, and may stop reading."""

    def __init__(self, server: ServerDriver, path: str = "/chat") -> None:
        self.inbox: deque[dict[str, Any]] = deque([{"type": "websocket.connect"}])
        self.sent: list[dict[str, Any]] = []
        self.reads = trio.Event()
        self.reads.set()
        self.news = trio.Event()
        self.received = 0
        self.done = trio.Event()
        self.scope = {
            "type": "websocket", "path": path, "headers": [], "state": server.state.copy(),
        }  # fmt: skip
        self.cancel_scope = trio.CancelScope()
        self.send_error: BaseException | None = None
        self._application = server._application
        server.start_soon(self._run)

    def put(self, *texts: str) -> None:
        self.inbox.extend({"type": "websocket.receive", "text": text} for text in texts)
        self.news.set()

    def end(self, code: int | None = 1001) -> None:
        event: dict[str, Any] = {"type": "websocket.disconnect"}
        self.inbox.append(event | ({} if code is None else {"code": code}))
        self.news.set()

    def types(self) -> list[str]:
        return [event["type"].removeprefix("websocket.") for event in self.sent]

    async def _run(self) -> None:
        try:
            with self.cancel_scope:
                await self._application(self.scope, self._receive, self._send)
        finally:
            self.done.set()

    async def _receive(self) -> dict[str, Any]:
        while not self.inbox:
            self.news = trio.Event()
            await self.news.wait()
        await trio.lowlevel.checkpoint()
        event = self.inbox.popleft()
        if "error" in event:
            raise event["error"]
        self.received += event["type"] == "websocket.receive"
        return event

    async def _send(self, event: dict[str, Any]) -> None:
        await trio.lowlevel.checkpoint()
        if self.send_error is not None:
            raise self.send_error
        self.sent.append(event)
        if event["type"] != "websocket.accept":
            await self.reads.wait()
