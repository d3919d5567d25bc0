# A task of asyncio that serves several sockets: a game's loop, started by whoever came first.

import asyncio
from contextvars import Context
from typing import Any, ClassVar

from helpers import settle

from greenroom.bridges.channels.generic.websocket import AsyncWebsocketConsumer
from greenroom.bridges.django import Greenroom, path
from greenroom.bridges.testing import serve

closed: list[int] = []


class Game(AsyncWebsocketConsumer):
    """
    As the guide for those who come from Channels has it.
    """

    on_asyncio = True
    groups = ["game"]
    loops: ClassVar[list[asyncio.Task[None]]] = []
    moves: ClassVar[asyncio.Queue[str]] = asyncio.Queue()

    async def connect(self) -> None:
        if not self.loops:
            self.loops.append(asyncio.create_task(self.play(), context=Context()))
        await self.accept()

    async def play(self) -> None:
        while True:
            move = {"type": "moved", "text": await self.moves.get()}
            await self.channel_layer.group_send("game", move)

    async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
        await self.moves.put(text_data)

    async def moved(self, message: Any) -> None:
        await self.send(message["text"])

    async def disconnect(self, code: int) -> None:
        closed.append(code)


async def test_a_task_with_a_context_of_its_own_serves_others() -> None:
    """
    A loop that several sockets share outlives who has started it, if it has its own context.
    """
    app = Greenroom(websocket=[path("", Game.as_asgi())])
    async with serve(app) as server, server.websocket("/") as first, server.websocket("/") as other:
        first.send_text("1")
        assert (await first.receive(), await other.receive()) == ("1", "1")
        first.disconnect(4000)
        await settle(lambda: closed == [4000])
        other.send_text("2")
        assert await other.receive() == "2"
