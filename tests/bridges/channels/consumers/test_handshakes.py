# How a bridged consumer below a tree answers a handshake: by refusing, later, or not at all.

from typing import Any

import pytest
import trio
from channels_chats import Chat, kinds, log, served
from helpers import happened, settle
from trio.testing import MockClock

from greenroom.bridges.channels.generic.websocket import (
    AsyncWebsocketConsumer,
    WebsocketConsumer,
)
from greenroom.bridges.channels.layers import get_channel_layer
from greenroom.bridges.testing import HandshakeRefused


@pytest.fixture(autouse=True)
def fresh_log() -> None:
    """
    Nothing is written down yet.
    """
    log.clear()


@kinds
async def test_refused(consumer: Any) -> None:
    """
    One that closes in `connect` refuses the handshake; its `disconnect` runs.
    """

    def refuse(self: Any) -> None:
        self.close(code=4003)

    async def async_refuse(self: Any) -> None:
        await self.close(code=4003)

    method = refuse if issubclass(consumer, WebsocketConsumer) else async_refuse
    async with served(
        type("Refuses", (consumer,), {"connect": method, "name": "nobody"})
    ) as server:
        with pytest.raises(HandshakeRefused):
            async with server.websocket("/chat"):
                pass
        await settle(lambda: log)
    assert [each[0] for each in log] == ["Refuses"]


async def test_connect_that_goes_on_sending() -> None:
    """
    Where the client leaves while `connect` runs, `disconnect` is told the client's own code.
    """

    class Ticks(AsyncWebsocketConsumer):
        async def connect(self) -> None:
            await self.accept()
            while True:
                await self.send("tick")
                await trio.sleep(0.001)

        async def disconnect(self, code: int) -> None:
            log.append(code)

    class Waits(AsyncWebsocketConsumer):
        supervision = {"cancel_on_disconnect": True}

        async def connect(self) -> None:
            await self.accept()
            await trio.sleep_forever()

        async def disconnect(self, code: int) -> None:
            log.append(code)

    for consumer in (Ticks, Waits):
        async with served(consumer) as server, server.websocket("/chat") as client:
            client.disconnect(3001)
    assert log == [3001, 3001]


async def test_connect_that_raises() -> None:
    """
    A `connect` that raises fails the handshake with 500, is not run again, and cleaned up after.
    """

    class Fails(Chat):
        name = "nobody"

        async def connect(self) -> None:
            log.append("connect")
            raise KeyError("broken")

    async with served(Fails) as server:
        with pytest.raises(HandshakeRefused) as refused:
            async with server.websocket("/chat"):
                pass
        assert refused.value.status == 500
        await settle(lambda: len(log) == 2)
    assert log[0] == "connect"
    assert not get_channel_layer().groups


class Late(AsyncWebsocketConsumer):
    groups = ["door"]

    async def connect(self) -> None:
        log.append("asked")

    async def open_door(self, message: Any) -> None:
        if message.get("crash"):
            raise KeyError("broken")
        await self.accept()


async def test_a_handshake_may_be_answered_later() -> None:
    """
    A consumer may accept in the handler of a layer's message, also behind a crash.
    """
    async with served(Late) as server:
        driver = server.dial("/chat")
        await settle(lambda: log)
        layer = get_channel_layer()
        await layer.group_send("door", {"type": "open.door", "crash": True})
        await layer.group_send("door", {"type": "open.door"})
        await driver.handshake()
        assert happened(server, "slot.crashed")
        driver.disconnect()


@pytest.mark.parametrize("crash", [False, True])
async def test_a_handshake_that_nobody_answers(clock: MockClock, crash: bool) -> None:
    """
    One that is not answered within the time for handshakes is refused.
    """
    async with served(Late, handshake_seconds=3.0) as server:
        driver = server.dial("/chat")
        await settle(lambda: log)
        if crash:
            await get_channel_layer().group_send("door", {"type": "open.door", "crash": True})
        with pytest.raises(HandshakeRefused):
            await driver.handshake()


async def test_a_denial_response() -> None:
    """
    A consumer may send the events of ASGI's denial response itself.
    """

    class Denies(AsyncWebsocketConsumer):
        async def websocket_connect(self, message: Any) -> None:
            kind = "websocket.http.response"
            await self.base_send({"type": f"{kind}.start", "status": 402, "headers": []})
            await self.base_send({"type": f"{kind}.body", "body": b"pay ", "more_body": True})
            await self.base_send({"type": f"{kind}.body", "body": b"first"})

    async with served(Denies) as server:
        with pytest.raises(HandshakeRefused) as refused:
            async with server.websocket("/chat"):
                pass
        assert (refused.value.status, refused.value.body) == (402, b"pay first")
