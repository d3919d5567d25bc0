"""The consumer of one HTTP request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from ..consumer import AsyncConsumer
from ..db import aclose_old_connections
from ..exceptions import StopConsumer

__all__ = ["AsyncConsumer", "AsyncHttpConsumer", "StopConsumer", "aclose_old_connections"]

_Headers = Mapping[Any, Any] | Iterable[Any] | None


class AsyncHttpConsumer(AsyncConsumer):
    """
    One HTTP request: override ``handle(body)``, and ``disconnect()`` to clean up.

    ``handle`` need not answer: if it has begun a response with ``more_body=True``, the consumer
    lives on, and a handler of a channel layer's message sends the rest. The client's leaving
    cancels ``handle``; ``disconnect`` runs once, however the request ends.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.body: list[bytes] = []

    async def send_headers(self, *, status: int = 200, headers: _Headers = None) -> None:
        """Begin the response. Headers are pairs of bytes, or a mapping."""
        if isinstance(headers, Mapping):
            headers = cast("Mapping[Any, Any]", headers).items()
        await self.send(
            {"type": "http.response.start", "status": status, "headers": list(headers or ())}
        )

    async def send_body(self, body: bytes, *, more_body: bool = False) -> None:
        """Send a part of the body: the last one, unless *more_body*."""
        assert isinstance(body, bytes), "Body is not bytes"
        await self.send({"type": "http.response.body", "body": body, "more_body": more_body})

    async def send_response(self, status: int, body: bytes, **kwargs: Any) -> None:
        """Send a whole response; *kwargs* are those of `send_headers`."""
        await self.send_headers(status=status, **kwargs)
        await self.send_body(body)

    async def handle(self, body: bytes) -> None:
        """Answer the request with *body*; override it."""
        raise NotImplementedError("Subclasses of AsyncHttpConsumer must provide a handle() method.")

    async def disconnect(self) -> None:
        """Clean up, once, however the request has ended; override it."""

    async def http_request(self, message: Any) -> None:
        """Collect the body; with its last part call ``handle``, and stop if it has answered."""
        if "body" in message:
            self.body.append(message["body"])
        if message.get("more_body"):
            return
        await self.handle(b"".join(self.body))
        if not getattr(self.base_send, "unfinished", False):
            raise StopConsumer  # behind which the runtime has disconnect() called

    async def http_disconnect(self, message: Any) -> None:
        """Call ``disconnect`` and stop."""
        await self.disconnect()
        raise StopConsumer
