# Consumers of Channels' kind that the tests of bridges/channels share, and a server for them.

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from greenroom.bridges.channels.exceptions import StopConsumer
from greenroom.bridges.channels.generic.websocket import (
    AsyncWebsocketConsumer,
    WebsocketConsumer,
)
from greenroom.bridges.django import Greenroom, path
from greenroom.bridges.testing import ServerDriver, serve

log: list[Any] = []


@asynccontextmanager
async def served(consumer: Any, **options: Any) -> AsyncGenerator[ServerDriver]:
    async with serve(Greenroom(websocket=[path("chat", consumer.as_asgi())], **options)) as server:
        yield server


class Chat(AsyncWebsocketConsumer):
    groups = ["room"]

    async def connect(self) -> None:
        self.name = "Anonymous"
        self.tell = self.say
        await self.accept()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if text_data == "crash":
            await self.send("before")
            raise KeyError("broken")
        if text_data == "name":
            self.name = "Bob"
        if text_data == "stop":
            raise StopConsumer
        if text_data == "close":
            await self.close(4001, "enough")
        await self.tell(text_data)

    async def say(self, text: str | None) -> None:
        await self.send(f"{self.name}: {text}")

    async def chat_message(self, message: Any) -> None:
        await self.send(message["text"])

    async def disconnect(self, code: int) -> None:
        log.append((type(self).__name__, code, self.name))


class SyncChat(WebsocketConsumer):
    groups = ["room"]

    def connect(self) -> None:
        self.name = "Anonymous"
        self.tell = self.say
        self.accept()

    def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if text_data == "crash":
            self.send("before")
            raise KeyError("broken")
        if text_data == "name":
            self.name = "Bob"
        if text_data == "stop":
            raise StopConsumer
        if text_data == "close":
            self.close(4001, "enough")
        self.tell(text_data)

    def say(self, text: str | None) -> None:
        self.send(f"{self.name}: {text}")

    def chat_message(self, message: Any) -> None:
        self.send(message["text"])

    def disconnect(self, code: int) -> None:
        log.append((type(self).__name__, code, self.name))


class Overridden(SyncChat):
    """
    Its handlers run in threads one by one, since `dispatch` is a coroutine of the user's.
    """

    async def dispatch(self, message: Any) -> None:
        await super().dispatch(message)


class OnAsyncio(Chat):
    on_asyncio = True


kinds = pytest.mark.parametrize("consumer", [Chat, SyncChat, Overridden, OnAsyncio])
