# The server's side of lifespan.

from collections.abc import Callable, Mapping
from typing import Any

import trio

from ...actors._lowlevel import checkpoint
from ..asgi._drivers import DRIVER


class Lifespan:
    """The server's side of one application's lifespan."""

    def __init__(self, application: Callable[..., Any], extensions: dict[str, Any]) -> None:
        known: dict[str, Any] = {DRIVER: {}, **extensions}
        self._scope: dict[str, Any] = {"type": "lifespan", "extensions": known}
        self.started, self.stop, self.finished = trio.Event(), trio.Event(), trio.Event()
        self.failure: str | None = None
        """What it has answered, where it would not start."""
        self.error: Exception | None = None
        """What it has raised before it has answered: it knows no lifespan."""
        self._application = application
        self._told_startup = False

    async def run(self, state: dict[str, Any]) -> None:
        """Run the application's lifespan; a task of its own."""
        try:
            await self._application(self._scope | {"state": state}, self._receive, self._send)
        except Exception as error:
            if self.started.is_set():
                raise
            self.error = error
        finally:
            self.started.set()
            self.finished.set()

    async def _receive(self) -> dict[str, Any]:
        if not self._told_startup:
            self._told_startup = True
            return {"type": "lifespan.startup"}
        await self.stop.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, event: Mapping[str, Any]) -> None:
        await checkpoint()
        if event["type"] == "lifespan.startup.failed":
            self.failure = str(event.get("message", ""))
        (self.finished if event["type"].startswith("lifespan.shutdown") else self.started).set()
