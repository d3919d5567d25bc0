"""The communicator of one HTTP request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote, urlsplit

from .application import ApplicationCommunicator


class HttpCommunicator(ApplicationCommunicator):
    """Sends one request, its body in one part, and returns the response."""

    def __init__(
        self,
        application: Any,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Iterable[tuple[bytes, bytes]] | None = None,
    ) -> None:
        parts = urlsplit(path)
        assert isinstance(body, bytes), f"body must be bytes. Got: {body!r}"
        self.body = body
        self.sent_request = False
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method.upper(),
            "path": unquote(parts.path),
            "query_string": parts.query.encode("utf-8"),
            "headers": headers or [],
        }
        super().__init__(application, scope)

    async def get_response(self, timeout: float = 1) -> dict[str, Any]:
        """
        Send the request, if it was not sent, and return ``status``, ``headers`` and ``body``.

        Raises:
            TimeoutError: A part did not come within *timeout* seconds.
        """
        if not self.sent_request:
            self.sent_request = True
            await self.send_input({"type": "http.request", "body": self.body})
        response: dict[str, Any] = dict(await self.receive_output(timeout))
        assert response.pop("type") == "http.response.start"
        response.setdefault("headers", [])
        response["body"] = b""
        more = True
        while more:
            part = await self.receive_output(timeout)
            assert part["type"] == "http.response.body"
            assert isinstance(part["body"], bytes)
            response["body"] += part["body"]
            more = part.get("more_body", False)
        return response
