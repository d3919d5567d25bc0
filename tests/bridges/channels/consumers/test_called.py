# Consumers with a `__call__` of their own: it is called, wherever they stand.

from typing import Any

import pytest
from asgiref.sync import iscoroutinefunction
from helpers import happened

from greenroom.bridges.channels.generic.http import AsyncHttpConsumer
from greenroom.bridges.channels.generic.websocket import AsyncWebsocketConsumer
from greenroom.bridges.channels.routing import ProtocolTypeRouter, URLRouter
from greenroom.bridges.channels.testing import WebsocketCommunicator
from greenroom.bridges.django import Greenroom, path
from greenroom.bridges.testing import serve

ended: list[str] = []


class Early(AsyncWebsocketConsumer):
    """
    Sets itself up in `__call__`, as some base classes of others do.
    """

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.action = f"set for {scope['path']}"
        try:
            await super().__call__(scope, receive, send)
        finally:
            ended.append(self.action)

    async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
        if text_data == "crash":
            raise KeyError("broken")
        await self.send(self.action)


class EarlyPage(AsyncHttpConsumer):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.action = "set"
        await super().__call__(scope, receive, send)

    async def handle(self, body: bytes) -> None:
        await self.send_response(200, self.action.encode())


PLACES = {
    "Greenroom": lambda: Greenroom(websocket=[path("chat", Early.as_asgi())]),
    "ProtocolTypeRouter": lambda: ProtocolTypeRouter(
        {"websocket": URLRouter([path("chat", Early.as_asgi())])}
    ),
    "alone": Early.as_asgi,
}


@pytest.mark.parametrize("make", PLACES.values(), ids=PLACES.keys())
async def test_it_is_called(make: Any) -> None:
    """
    What `__call__` does around its super runs; a crash is recorded and ends the connection.
    """
    ended.clear()
    async with serve(make(), crashes="allow") as server:
        async with server.websocket("/chat") as client:
            client.send_text("x")
            assert await client.receive() == "set for /chat"
            client.send_text("crash")
            await client.closed()
        assert ended == ["set for /chat"]
        assert len(happened(server, "slot.crashed")) == 1


async def test_of_a_request() -> None:
    """
    So it is with an HTTP consumer.
    """
    async with serve(Greenroom(http=[path("page", EarlyPage.as_asgi())])) as server:
        assert (await server.http("GET", "/page")).body == b"set"


async def test_below_a_communicator() -> None:
    """
    So it is without a tree; the application says whose it is.
    """
    application = Early.as_asgi(a=1)
    communicator = WebsocketCommunicator(Early.as_asgi(), "/chat")
    await communicator.connect()
    await communicator.send_to("x")
    assert await communicator.receive_from() == "set for /chat"
    await communicator.disconnect()

    assert application.consumer_class is Early
    assert application.consumer_initkwargs == {"a": 1}
    assert application.__name__ == "Early"
    assert iscoroutinefunction(application)
