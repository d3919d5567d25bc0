"""Consumers of WebSockets, plain and JSON, ``def`` and ``async def``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from asgiref.sync import async_to_sync

from ..consumer import AsyncConsumer, SyncConsumer
from ..db import aclose_old_connections
from ..exceptions import (
    AcceptConnection,
    DenyConnection,
    InvalidChannelLayerError,
    StopConsumer,
)

__all__ = [
    "AcceptConnection",
    "AsyncConsumer",
    "AsyncJsonWebsocketConsumer",
    "AsyncWebsocketConsumer",
    "DenyConnection",
    "InvalidChannelLayerError",
    "JsonWebsocketConsumer",
    "StopConsumer",
    "SyncConsumer",
    "WebsocketConsumer",
    "aclose_old_connections",
    "async_to_sync",
    "json",
]

_NO_GROUPS = "BACKEND is unconfigured or doesn't support groups"
_NOTHING = "You must pass one of bytes_data or text_data"
_NO_TEXT = "No text section for incoming WebSocket frame!"

_Message = dict[str, Any]


def _accept(subprotocol: str | None, headers: Iterable[Any] | None) -> _Message:
    message: _Message = {"type": "websocket.accept", "subprotocol": subprotocol}
    if headers:
        message["headers"] = list(headers)
    return message


def _frame(text: str | None, data: bytes | None) -> _Message:
    if text is not None:
        return {"type": "websocket.send", "text": text}
    if data is not None:
        return {"type": "websocket.send", "bytes": data}
    raise ValueError(_NOTHING)


def _close(code: int | bool | None, reason: str | None) -> _Message:
    message: _Message = {"type": "websocket.close"}
    if code is not None and code is not True:
        message["code"] = code
    if reason:
        message["reason"] = reason
    return message


class WebsocketConsumer(SyncConsumer):
    """
    A WebSocket, handled in worker threads.

    Override ``connect()``, ``receive(text_data, bytes_data)`` and ``disconnect(code)``.
    """

    groups: list[str] | None = None
    """Joined before ``connect``, left before ``disconnect``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if self.groups is None:
            self.groups = []

    def websocket_connect(self, message: Any) -> None:
        """Join the groups and call ``connect``."""
        for group in self.groups or ():
            self._group("group_add", group)
        try:
            self.connect()
        except AcceptConnection:
            self.accept()
        except DenyConnection:
            self.close()

    def connect(self) -> None:
        """Accept; override it to decide."""
        self.accept()

    def accept(self, subprotocol: str | None = None, headers: Iterable[Any] | None = None) -> None:
        """Accept the connection, with one of the subprotocols that the client offered."""
        super().send(_accept(subprotocol, headers))

    def websocket_receive(self, message: Any) -> None:
        """Call ``receive`` with the text of *message*, or its bytes."""
        if message.get("text") is not None:
            self.receive(text_data=message["text"])
        else:
            self.receive(bytes_data=message["bytes"])

    def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Handle one message; override it."""

    def send(  # type: ignore[override]
        self,
        text_data: str | None = None,
        bytes_data: bytes | None = None,
        close: bool | int = False,
    ) -> None:
        """
        Send one message, and close behind it if *close* is true: with that code, if it is one.

        Raises:
            ValueError: Neither text nor bytes were given.
        """
        super().send(_frame(text_data, bytes_data))
        if close:
            self.close(close)

    def close(self, code: int | bool | None = None, reason: str | None = None) -> None:
        """Close the connection; before ``accept``, refuse it."""
        super().send(_close(code, reason))

    def websocket_disconnect(self, message: Any) -> None:
        """Leave the groups, call ``disconnect`` whatever comes of that, and stop."""
        failed: Exception | None = None
        try:
            for group in self.groups or ():
                self._group("group_discard", group)
        except Exception as error:  # noqa: BLE001 - raised below, behind the user's own cleaning up
            failed = error
        self.disconnect(message["code"])
        raise failed or StopConsumer

    def disconnect(self, code: int) -> None:
        """Clean up, once, however the connection has ended; override it."""

    def _group(self, method: str, group: str) -> None:
        try:
            change = getattr(self.channel_layer, method)
            name = self.channel_name
        except AttributeError as error:
            raise InvalidChannelLayerError(_NO_GROUPS) from error
        async_to_sync(change)(group, name)


class JsonWebsocketConsumer(WebsocketConsumer):
    """A WebSocket of JSON messages: override ``receive_json(content)``, call ``send_json``."""

    def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any
    ) -> None:
        """
        Decode one message and call ``receive_json``.

        Raises:
            ValueError: It is no text, or no JSON.
        """
        if not text_data:
            raise ValueError(_NO_TEXT)
        self.receive_json(self.decode_json(text_data), **kwargs)

    def receive_json(self, content: Any, **kwargs: Any) -> None:
        """Handle one decoded message; override it."""

    def send_json(self, content: Any, close: bool | int = False) -> None:
        """Send *content* as JSON text."""
        super().send(text_data=self.encode_json(content), close=close)

    @classmethod
    def decode_json(cls, text_data: str) -> Any:
        """Return what *text_data* says."""
        return json.loads(text_data)

    @classmethod
    def encode_json(cls, content: Any) -> str:
        """Return *content* as text."""
        return json.dumps(content)


class AsyncWebsocketConsumer(AsyncConsumer):
    """
    A WebSocket, handled on trio; or on asyncio, see :attr:`on_asyncio`.

    Override ``connect()``, ``receive(text_data, bytes_data)`` and ``disconnect(code)``.
    """

    groups: list[str] | None = None
    """Joined before ``connect``, left before ``disconnect``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if self.groups is None:
            self.groups = []

    async def websocket_connect(self, message: Any) -> None:
        """Join the groups and call ``connect``."""
        for group in self.groups or ():
            await self._group("group_add", group)
        try:
            await self.connect()
        except AcceptConnection:
            await self.accept()
        except DenyConnection:
            await self.close()

    async def connect(self) -> None:
        """Accept; override it to decide."""
        await self.accept()

    async def accept(
        self, subprotocol: str | None = None, headers: Iterable[Any] | None = None
    ) -> None:
        """Accept the connection, with one of the subprotocols that the client offered."""
        await super().send(_accept(subprotocol, headers))

    async def websocket_receive(self, message: Any) -> None:
        """Call ``receive`` with the text of *message*, or its bytes."""
        if message.get("text") is not None:
            await self.receive(text_data=message["text"])
        else:
            await self.receive(bytes_data=message["bytes"])

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Handle one message; override it."""

    async def send(  # type: ignore[override]
        self,
        text_data: str | None = None,
        bytes_data: bytes | None = None,
        close: bool | int = False,
    ) -> None:
        """
        Send one message, and close behind it if *close* is true: with that code, if it is one.

        A checkpoint if it has to wait.

        Raises:
            ValueError: Neither text nor bytes were given.
        """
        await super().send(_frame(text_data, bytes_data))
        if close:
            await self.close(close)

    async def close(self, code: int | bool | None = None, reason: str | None = None) -> None:
        """Close the connection; before ``accept``, refuse it."""
        await super().send(_close(code, reason))

    async def websocket_disconnect(self, message: Any) -> None:
        """Leave the groups, call ``disconnect`` whatever comes of that, and stop."""
        failed: Exception | None = None
        try:
            for group in self.groups or ():
                await self._group("group_discard", group)
        except Exception as error:  # noqa: BLE001 - raised below, behind the user's own cleaning up
            failed = error
        await self.disconnect(message["code"])
        raise failed or StopConsumer

    async def disconnect(self, code: int) -> None:
        """Clean up, once, however the connection has ended; override it."""

    async def _group(self, method: str, group: str) -> None:
        try:
            change = getattr(self.channel_layer, method)
            name = self.channel_name
        except AttributeError as error:
            raise InvalidChannelLayerError(_NO_GROUPS) from error
        await change(group, name)


class AsyncJsonWebsocketConsumer(AsyncWebsocketConsumer):
    """A WebSocket of JSON messages: override ``receive_json(content)``, call ``send_json``."""

    async def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any
    ) -> None:
        """
        Decode one message and call ``receive_json``.

        Raises:
            ValueError: It is no text, or no JSON.
        """
        if not text_data:
            raise ValueError(_NO_TEXT)
        await self.receive_json(await self.decode_json(text_data), **kwargs)

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        """Handle one decoded message; override it."""

    async def send_json(self, content: Any, close: bool | int = False) -> None:
        """Send *content* as JSON text. A checkpoint if it has to wait."""
        await super().send(text_data=await self.encode_json(content), close=close)

    @classmethod
    async def decode_json(cls, text_data: str) -> Any:
        """Return what *text_data* says."""
        return json.loads(text_data)

    @classmethod
    async def encode_json(cls, content: Any) -> str:
        """Return *content* as text."""
        return json.dumps(content)
