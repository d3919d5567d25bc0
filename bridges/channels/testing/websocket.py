"""
The communicator of one WebSocket.

Its assertions say what those of Channels say, word for word: pytest, which would rewrite them since
our plugin is loaded, is told not to by PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote, urlsplit

from .application import ApplicationCommunicator


class WebsocketCommunicator(ApplicationCommunicator):
    """Opens a WebSocket to *path*, which may have a query string, and plays its client."""

    def __init__(
        self,
        application: Any,
        path: str,
        headers: Iterable[tuple[bytes, bytes]] | None = None,
        subprotocols: list[str] | None = None,
        spec_version: str | None = None,
    ) -> None:
        if not isinstance(path, str):
            raise TypeError(f"Expected str, got {type(path)}")
        parts = urlsplit(path)
        scope: dict[str, Any] = {
            "type": "websocket",
            "path": unquote(parts.path),
            "query_string": parts.query.encode("utf-8"),
            "headers": headers or [],
            "subprotocols": subprotocols or [],
        }
        if spec_version:
            scope["spec_version"] = spec_version
        self.response_headers: list[tuple[bytes, bytes]] | None = None
        super().__init__(application, scope)

    async def connect(self, timeout: float = 1) -> tuple[bool, Any]:
        """
        Open it: True and the subprotocol if it was accepted, else False and the close code.

        Raises:
            TimeoutError: No answer came within *timeout* seconds.
        """
        await self.send_input({"type": "websocket.connect"})
        response = await self.receive_output(timeout)
        if response["type"] == "websocket.close":
            return False, response.get("code", 1000)
        _expect(response, "websocket.accept")
        self.response_headers = response.get("headers", [])
        return True, response.get("subprotocol")

    async def send_to(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Send one message."""
        given = (text_data is not None) + (bytes_data is not None)
        assert given == 1, "You must supply exactly one of text_data or bytes_data"
        if text_data is not None:
            assert isinstance(text_data, str), "The text_data argument must be a str"
            await self.send_input({"type": "websocket.receive", "text": text_data})
        else:
            is_bytes = isinstance(bytes_data, bytes)
            assert is_bytes, "The bytes_data argument must be bytes"
            await self.send_input({"type": "websocket.receive", "bytes": bytes_data})

    async def send_json_to(self, data: Any) -> None:
        """Send *data* as JSON text."""
        await self.send_to(text_data=json.dumps(data))

    async def receive_from(self, timeout: float = 1) -> Any:
        """
        Return the next message's text or bytes.

        Raises:
            TimeoutError: None came within *timeout* seconds.
        """
        response = await self.receive_output(timeout)
        _expect(response, "websocket.send")
        text, data = response.get("text"), response.get("bytes")
        assert ("text" in response) != ("bytes" in response), (
            "The response needs exactly one of 'text' or 'bytes'"
        )
        if "text" in response:
            assert isinstance(text, str), f"Text frame payload is not str, it is {type(text)}"
            return text
        assert isinstance(data, bytes), f"Binary frame payload is not bytes, it is {type(data)}"
        return data

    async def receive_json_from(self, timeout: float = 1) -> Any:
        """Return what the next message, a text, says in JSON."""
        payload = await self.receive_from(timeout)
        is_text = isinstance(payload, str)
        assert is_text, f"JSON data is not a text frame, it is {type(payload)}"
        return json.loads(payload)

    async def disconnect(self, code: int = 1000, timeout: float = 1) -> None:
        """Leave with *code*, and wait for the application's end."""
        await self.send_input({"type": "websocket.disconnect", "code": code})
        await self.wait(timeout)


def _expect(response: Any, kind: str) -> None:
    got = response["type"]
    assert got == kind, f"Expected type '{kind}', but was '{got}'"
