# A channel layer of somebody else, written for asyncio, below supervised consumers.

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from channels_chats import served
from django.test import override_settings
from helpers import happened

from greenroom.bridges.channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer
from greenroom.bridges.channels.layers import BaseChannelLayer
from greenroom.bridges.testing import HandshakeRefused


class AsyncioLayer(BaseChannelLayer):
    """Its queues belong to a loop of asyncio, as the connections of a driver do."""

    def __init__(self) -> None:
        super().__init__()
        self.queues: dict[str, asyncio.Queue[Any]] = defaultdict(asyncio.Queue)
        self.groups: dict[str, set[str]] = defaultdict(set)

    async def new_channel(self) -> str:
        asyncio.get_running_loop()
        return f"specific.{len(self.queues)}"

    async def send(self, channel: str, message: Any) -> None:
        await self.queues[channel].put(message)

    async def receive(self, channel: str) -> Any:
        return await asyncio.create_task(self.queues[channel].get())

    async def group_add(self, group: str, channel: str) -> None:
        self.groups[group].add(channel)

    async def group_discard(self, group: str, channel: str) -> None:
        self.groups[group].discard(channel)

    async def group_send(self, group: str, message: Any) -> None:
        for channel in self.groups[group]:
            await self.send(channel, message)


class Sync(WebsocketConsumer):
    groups = ["room"]

    def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        async_to_sync(self.channel_layer.group_send)("room", {"type": "say", "text": text_data})

    def say(self, message: Any) -> None:
        self.send(message["text"])


class Async(AsyncWebsocketConsumer):
    groups = ["room"]

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.channel_layer.group_send("room", {"type": "say", "text": text_data})

    async def say(self, message: Any) -> None:
        await self.send(message["text"])


both = pytest.mark.parametrize("consumer", [Sync, Async])


@pytest.fixture(autouse=True)
def layer() -> Iterator[None]:
    with override_settings(
        CHANNEL_LAYERS={"default": {"BACKEND": f"{__name__}.{AsyncioLayer.__name__}"}}
    ):
        yield


@both
async def test_the_switch_is_for_the_layer_too(consumer: Any) -> None:
    """
    With the switch a layer written for asyncio serves `def` and `async def` handlers.
    """
    switched = type("Switched", (consumer,), {"on_asyncio": True})
    async with served(switched) as server, server.websocket("/chat") as client:
        client.send_text("hello")
        assert await client.receive() == "hello"


@both
async def test_without_the_switch_it_is_named(consumer: Any) -> None:
    """
    Without it the handshake fails, and the crash says what to write.
    """
    async with served(consumer) as server:
        with pytest.raises(HandshakeRefused, match="500"):
            async with server.websocket("/chat"):
                pass
        (crash,) = happened(server, "slot.crashed")
        assert "Write on_asyncio = True" in str(crash.facts)
