# Groups of consumers in two servers, joined by Redis.

from contextlib import AsyncExitStack

import trio
from redis_server import RedisServer

from greenroom.actors import WebsocketConsumer
from greenroom.bridges.asgi import Application, Match
from greenroom.bridges.engines.redis import RedisEngine
from greenroom.bridges.testing import serve


class Room(WebsocketConsumer):
    async def connect(self) -> None:
        self.join("room")
        await self.accept()

    async def receive(self, text: str) -> None:
        await self.group_send("room", text=text)


class Router:
    def match(self, scope: object) -> Match:
        return Match(Room.as_asgi())


async def test_a_group_crosses_processes(redis_server: RedisServer) -> None:
    """
    What a consumer of one server sends to a group reaches the sockets of the other, and its own.
    """
    applications = [
        Application(
            router=Router(), engine=lambda: RedisEngine([redis_server.url], prefix="groups")
        )
        for _ in range(2)
    ]
    async with AsyncExitStack() as stack:
        sockets = []
        for application in applications:
            server = await stack.enter_async_context(serve(application))
            sockets.append(await stack.enter_async_context(server.websocket("/")))
        here, there = sockets
        heard = trio.Event()

        async def listen() -> None:
            assert await there.receive_text(timeout=20) == "hello"
            heard.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen)
            while not heard.is_set():  # a subscription takes a moment
                here.send_text("hello")
                assert await here.receive_text() == "hello"
