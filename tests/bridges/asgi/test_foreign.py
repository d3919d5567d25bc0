# WebSockets of applications that are none of ours: each has a slot all the same.

from typing import Any

import pytest
import trio
from helpers import happened, running, watch

from greenroom.actors import WebsocketConsumer
from greenroom.bridges.testing import SocketClosed
from greenroom.supervisor import Options

OPTIONS = Options(close_seconds=0, shutdown_seconds=0.01)


async def foreign(scope: Any, receive: Any, send: Any) -> None:
    """Echo, as any ASGI application may; raise at "raise"."""
    await receive()
    await send({"type": "websocket.accept"})
    while True:
        event = await receive()
        if event["type"] == "websocket.disconnect":
            return
        if event["text"] == "raise":
            raise ValueError("foreign")
        await send({"type": "websocket.send", "text": event["text"]})


class Chat(WebsocketConsumer):
    async def receive(self, text):
        await self.send(text=text)


async def middleware(scope: Any, receive: Any, send: Any) -> None:
    """Stand around a consumer of ours."""
    await Chat.as_asgi()(scope, receive, send)


async def test_it_has_a_slot_while_it_lives() -> None:
    """
    Somebody else's application is a node of the tree, and counts, until it returns.
    """
    async with running(foreign=foreign, options=OPTIONS) as server:
        async with server.websocket("/foreign") as ws:
            ws.send_text("hi")
            assert await ws.receive_text() == "hi"
            (route,) = server.root.snapshot().children[0].children
            (node,) = route.children
            assert (node.path, node.actor) == ("/connections/foreign/1", "websocket")
            assert server.root.connections.open == 1
        await ws.application_done.wait()
        assert server.root.connections.open == 0


async def test_its_crash_is_its_own() -> None:
    """
    What it raises is recorded in the tree and ends that connection alone.
    """
    async with running(foreign=foreign, options=OPTIONS) as server:
        ws = server.dial("/foreign")
        await ws.handshake()
        ws.send_text("raise")
        with pytest.raises(SocketClosed):
            await ws.receive()
        (crash,) = happened(server, "slot.crashed")

    assert (crash.path, str(crash.facts["exception"])) == (
        "/connections/foreign/1",
        "ValueError: foreign",
    )


async def test_it_is_asked_to_stop() -> None:
    """
    At the end it is cancelled once its time is over; nobody waits for it for ever.
    """
    async with running(foreign=foreign, options=OPTIONS) as server:
        ws = server.dial("/foreign")
        await ws.handshake()
        server.root.stop()
        with trio.fail_after(30):
            await server.root.stopped.wait()
        assert server.root.connections.open == 0


async def test_a_middleware_around_a_consumer_is_one_node() -> None:
    """
    A consumer behind somebody's middleware takes the place over: one connection, one node.
    """
    options = Options(close_seconds=0, max_connections=1)
    async with running(wrapped=middleware, options=options) as server:
        async with server.websocket("/wrapped") as ws:
            ws.send_text("hi")
            assert await ws.receive_text() == "hi"
            assert server.root.connections.open == 1
            (route,) = server.root.snapshot().children[0].children
            assert [node.actor for node in route.children] == ["Chat"]
            ended = watch(server, "slot.ended", route.children[0].path)
        await ended.until()
        await ws.application_done.wait()
        assert server.root.connections.open == 0
