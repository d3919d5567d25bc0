# Context variables of a supervised consumer: what one handler sets the next one sees.

from contextvars import ContextVar
from typing import Any

import pytest
from channels_chats import served
from django.utils import translation

from greenroom.bridges.channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer

VARIABLE: ContextVar[str] = ContextVar("VARIABLE", default="nothing")


class Sync(WebsocketConsumer):
    def connect(self) -> None:
        VARIABLE.set("0")
        translation.activate("de")
        self.accept()

    def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        self.send(f"{VARIABLE.get()} {translation.get_language()}")
        VARIABLE.set(text_data or "")


class Async(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        VARIABLE.set("0")
        translation.activate("de")
        await self.accept()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.send(f"{VARIABLE.get()} {translation.get_language()}")
        VARIABLE.set(text_data or "")


class OnAsyncio(Async):
    on_asyncio = True


class Overridden(Sync):
    async def dispatch(self, message: Any) -> None:
        await super().dispatch(message)


@pytest.mark.parametrize("consumer", [Sync, Async, OnAsyncio, Overridden])
async def test_the_next_handler_sees_them(consumer: Any) -> None:
    """
    A variable and the active language last from handler to handler, and are each connection's own.
    """
    async with served(consumer) as server:
        async with server.websocket("/chat") as first, server.websocket("/chat") as second:
            for client, text in ((first, "1"), (second, "2"), (first, "3"), (second, "4")):
                client.send_text(text)
                await client.receive() if text in "12" else None
            assert await first.receive() == "1 de"
            assert await second.receive() == "2 de"
            first.send_text("5")
            assert await first.receive() == "3 de"
    assert VARIABLE.get() == "nothing"
    assert translation.get_language() != "de"
