# Messages of a channel layer to consumers below a tree, of our layers and of a project's own.

import threading
from typing import Any

import pytest
import trio
from channels_chats import Chat, Overridden, SyncChat, log, served
from helpers import happened, settle
from trio.testing import MockClock

from greenroom.bridges.channels.generic.websocket import (
    AsyncWebsocketConsumer,
)
from greenroom.bridges.channels.layers import channel_layers, get_channel_layer


@pytest.fixture(autouse=True)
def fresh_log() -> None:
    """
    Nothing is written down yet.
    """
    log.clear()


async def test_messages_of_the_layer_wait_in_the_mailbox() -> None:
    """
    While a handler awaits, what the layer has is kept in order; what finds no room is on record.
    """
    go = trio.Event()

    class Busy(AsyncWebsocketConsumer):
        groups = ["room"]
        supervision = {"mailbox_capacity": 5}

        async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
            log.append("busy")
            await go.wait()

        async def room_number(self, message: Any) -> None:
            log.append(message["n"])

    async with served(Busy) as server, server.websocket("/chat") as client:
        client.send_text("wait")
        await settle(lambda: log)
        for n in range(8):
            await get_channel_layer().group_send("room", {"type": "room.number", "n": n})
        go.set()
        await settle(lambda: len(log) == 6)
        letters = happened(server, "message.dead_letter")
        assert [each.facts["message_type"] for each in letters] == ["room.number"] * 3
        assert "full" in str(letters[0].facts["reason"])
    assert log == ["busy", 0, 1, 2, 3, 4]


class ForeignLayer:
    """
    A project's own layer, which knows nothing of ours.
    """

    extensions = ["groups"]

    def __init__(self) -> None:
        self.into, self.out = trio.open_memory_channel[Any](10)
        self.broken = False

    async def new_channel(self) -> str:
        return "specific.foreign!1"

    async def receive(self, channel: str) -> Any:
        message = await self.out.receive()
        if message == "break":
            raise ConnectionError("layer gone")
        return message


async def test_a_layer_that_is_not_ours(clock: MockClock) -> None:
    """
    A layer of the project's own is asked for its messages; that it fails once harms no consumer.
    """

    class Listens(AsyncWebsocketConsumer):
        async def chat_message(self, message: Any) -> None:
            await self.send(message["text"])

        async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
            raise KeyError("broken")

    layer = ForeignLayer()
    before = channel_layers.set("default", layer)
    try:
        async with served(Listens) as server, server.websocket("/chat") as client:
            for message in ({"type": "chat.message", "text": "1"}, "break"):
                await layer.into.send(message)
            assert await client.receive() == "1"
            client.send_text("crash")
            await client.wait_restarted()
            await layer.into.send({"type": "chat.message", "text": "2"})
            assert await client.receive() == "2"
            assert len(happened(server, "slot.crashed")) == 1
    finally:
        channel_layers.set("default", before)


async def test_no_loop_of_asyncio_is_started() -> None:
    """
    Consumers on trio and in threads, with groups, start no asyncio loop.
    """
    from asgiref.sync import async_to_sync

    class Sends(SyncChat):
        def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
            message = {"type": "chat.message", "text": text_data}
            async_to_sync(self.channel_layer.group_send)("room", message)

    before = set(threading.enumerate())  # with those of other tests that are on their way out
    for consumer in (Chat, Sends, Overridden):
        async with served(consumer) as server, server.websocket("/chat") as client:
            client.send_text("hi")
            assert "hi" in str(await client.receive())
            names = [thread.name for thread in set(threading.enumerate()) - before]
            assert "greenroom-asyncio" not in names
