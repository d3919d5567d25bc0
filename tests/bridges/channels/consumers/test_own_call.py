# Consumer classes with a `__call__` of their own: they see to the scope first, or run other
# consumers inside, on asyncio, as the demultiplexers that people use do.

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from channels_support import Run
from helpers import happened, settle

from greenroom.bridges.channels.generic.http import AsyncHttpConsumer
from greenroom.bridges.channels.generic.websocket import (
    AsyncJsonWebsocketConsumer,
    AsyncWebsocketConsumer,
    JsonWebsocketConsumer,
)
from greenroom.bridges.channels.layers import get_channel_layer
from greenroom.bridges.channels.testing import WebsocketCommunicator
from greenroom.bridges.django import Greenroom, path
from greenroom.bridges.testing import HandshakeRefused, ServerDriver, serve

log: list[Any] = []


@pytest.fixture(autouse=True)
def fresh_log() -> None:
    """
    Nothing is written down yet.
    """
    log.clear()


@asynccontextmanager
async def served(consumer: Any) -> AsyncGenerator[ServerDriver]:
    async with serve(Greenroom(websocket=[path("chat", consumer.as_asgi())])) as server:
        yield server


class Guarded(AsyncWebsocketConsumer):
    """
    Lets in who knows the word.
    """

    groups = ["room"]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if b"sesame" not in scope["query_string"]:
            await receive()
            await send({"type": "websocket.close"})
            return
        await super().__call__({**scope, "word": "sesame"}, receive, send)

    async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
        if text_data == "crash":
            raise KeyError("broken")
        await self.send(f"{self.scope['word']}: {text_data}")

    async def chat_message(self, message: Any) -> None:
        await self.send(message["text"])

    async def disconnect(self, code: int) -> None:
        log.append(code)


class GuardedOnAsyncio(Guarded):
    on_asyncio = True

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0)
        await super().__call__(scope, receive, send)


both = pytest.mark.parametrize("consumer", [Guarded, GuardedOnAsyncio])


@both
async def test_it_is_called(consumer: Any) -> None:
    """
    A server's connection goes through the class's own `__call__`, which may refuse it.
    """
    async with served(consumer) as server:
        with pytest.raises(HandshakeRefused) as refused:
            async with server.websocket("/chat"):
                pass
        assert refused.value.status == 403
        async with server.websocket("/chat?sesame") as client:
            client.send_text("hello")
            assert await client.receive() == "sesame: hello"
            await get_channel_layer().group_send("room", {"type": "chat.message", "text": "all"})
            assert await client.receive() == "all"
            client.disconnect(4000)
            await settle(lambda: log == [4000])
        assert not get_channel_layer().groups


@both
async def test_what_it_raises_closes_the_socket(consumer: Any) -> None:
    """
    Nobody can tell how it would go on behind a crash: as under Channels, its connection ends.
    """
    async with served(consumer) as server, server.websocket("/chat?sesame") as client:
        client.send_text("crash")
        await client.closed()
        (crash,) = happened(server, "slot.crashed")
        assert "broken" in str(crash.facts["error"])


class Echo(AsyncJsonWebsocketConsumer):
    on_asyncio = True

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        await asyncio.sleep(0)
        await self.send_json({"echo": content})

    async def disconnect(self, code: int) -> None:
        log.append(("Echo", code))


class Shout(JsonWebsocketConsumer):
    def receive_json(self, content: Any, **kwargs: Any) -> None:
        self.send_json({"shout": content.upper()})

    def disconnect(self, code: int) -> None:
        log.append(("Shout", code))


class Many(AsyncJsonWebsocketConsumer):
    """
    One socket for several consumers, each a task with a queue: `["name", content]`.
    """

    on_asyncio = True
    consumers: dict[str, Any] = {"echo": Echo.as_asgi(), "shout": Shout.as_asgi()}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        loop = asyncio.get_event_loop()
        self.queues: dict[str, asyncio.Queue[Any]] = {}
        self.tasks: list[asyncio.Task[None]] = []
        self.open: set[str] = set()
        for name, consumer in self.consumers.items():
            queue = self.queues[name] = asyncio.Queue()
            answer = partial(self.answer, name)
            self.tasks.append(loop.create_task(consumer(scope, queue.get, answer)))
        own = loop.create_task(super().__call__(scope, receive, send))
        await asyncio.wait([own, *self.tasks], return_when=asyncio.FIRST_COMPLETED)
        own.cancel()
        await asyncio.wait([own])

    async def answer(self, name: str, message: Any) -> None:
        if message["type"] == "websocket.accept":
            self.open.add(name)
            if self.open == set(self.queues):
                await self.accept()
        else:
            await self.send_json([name, await self.decode_json(message["text"])])

    async def websocket_connect(self, message: Any) -> None:
        for queue in self.queues.values():
            queue.put_nowait(message)

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        name, inner = content
        text = await self.encode_json(inner)
        self.queues[name].put_nowait({"type": "websocket.receive", "text": text})

    async def disconnect(self, code: int) -> None:
        for queue in self.queues.values():
            queue.put_nowait({"type": "websocket.disconnect", "code": code})
        await asyncio.wait(self.tasks)
        log.append(("Many", code))


async def test_many_consumers_inside_one() -> None:
    """
    On asyncio it may run other consumers, `def` ones too, with queues of its own between.
    """
    async with served(Many) as server, server.websocket("/chat") as client:
        client.send_text('["echo", 1]')
        assert json.loads(await client.receive()) == ["echo", {"echo": 1}]
        client.send_text('["shout", "all"]')
        assert json.loads(await client.receive()) == ["shout", {"shout": "ALL"}]
        client.disconnect(4000)
        await settle(lambda: {("Echo", 4000), ("Shout", 4000)} <= set(log))


def test_many_consumers_in_a_communicator(run: Run) -> None:
    """
    So do a test's communicators run it, on trio and on asyncio.
    """

    async def main() -> None:
        communicator = WebsocketCommunicator(Many.as_asgi(), "/chat")
        assert await communicator.connect() == (True, None)
        await communicator.send_json_to(["shout", "all"])
        assert await communicator.receive_json_from() == ["shout", {"shout": "ALL"}]
        await communicator.send_json_to(["echo", 1])
        assert await communicator.receive_json_from() == ["echo", {"echo": 1}]
        await communicator.disconnect()

    run(main)
    assert {("Echo", 1000), ("Shout", 1000)} <= set(log)


class OnTrio(Many):
    on_asyncio = False


async def test_the_switch_is_named() -> None:
    """
    One that uses asyncio on trio is told of the switch, once.
    """
    communicator = WebsocketCommunicator(OnTrio.as_asgi(), "/chat")
    with pytest.raises(RuntimeError, match="CHANNELS_ON_ASYNCIO") as raised:
        await communicator.connect()
    assert str(raised.value).count("CHANNELS_ON_ASYNCIO") == 1


class Page(AsyncHttpConsumer):
    on_asyncio = True

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0)
        await super().__call__({**scope, "word": "sesame"}, receive, send)

    async def handle(self, body: bytes) -> None:
        await self.send_response(200, self.scope["word"].encode())


async def test_an_http_consumer() -> None:
    """
    A request's consumer is called so, too, on the loop that its class is for.
    """
    async with serve(Greenroom(http=[path("page", Page.as_asgi())])) as server:
        async with server.request("GET", "/page") as request:
            assert await request.read() == b"sesame"
