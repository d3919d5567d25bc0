# What a handler runs into because of somebody else: that is no end of its own connection.

from typing import Any

import pytest
from helpers import running, watch

from greenroom.actors import WebsocketConsumer, concurrent
from greenroom.supervisor import Options


@pytest.mark.parametrize("beside", [False, True], ids=["in turn", "concurrent"])
async def test_the_end_of_another_connection(beside: bool) -> None:
    """
    Who sends to a consumer whose client has gone has crashed: it begins anew, its socket open.
    """
    others: list[Any] = []
    ends: list[str] = []

    class Chat(WebsocketConsumer):
        async def connect(self) -> None:
            self.accept()
            others.append(self)

        async def receive(self, text: str) -> None:
            if text == "tell":
                await others[0].send("hello")
            await self.send(f"{self.epoch}")

        if beside:
            receive = concurrent(2)(receive)

        async def disconnect(self) -> None:
            ends.append(self.path)

    async with running(chat=Chat, options=Options(backoff_min_seconds=0)) as server:
        async with server.websocket("/chat") as gone:
            gone.send_text("x")
            await gone.receive()
        async with server.websocket("/chat") as client:
            client.send_text("x")
            assert await client.receive() == "1"
            crashed = watch(server, "slot.crashed", "/connections/chat/2")
            client.send_text("tell")
            await crashed.until()
            client.send_text("x")
            assert await client.receive() == "2"
            assert ends == ["/connections/chat/1"]
            assert len(crashed.seen) == 1
