# Consumers of Channels' kind below a tree: crashes with the socket open, one `disconnect` on every
# way out.

import asyncio
import threading
import weakref
from typing import Any

import pytest
from channels_chats import Chat, SyncChat, kinds, log, served
from helpers import happened, settle

from greenroom.bridges.channels.consumer import AsyncConsumer
from greenroom.bridges.channels.generic.websocket import (
    AsyncWebsocketConsumer,
    WebsocketConsumer,
)
from greenroom.bridges.channels.layers import get_channel_layer
from greenroom.bridges.django import Greenroom, path
from greenroom.bridges.testing import serve


@pytest.fixture(autouse=True)
def fresh_log() -> None:
    """
    Nothing is written down yet.
    """
    log.clear()


@kinds
async def test_a_crash_leaves_the_socket_open(consumer: Any) -> None:
    """
    A new object goes on with what `connect` left behind; groups and the channel stand.
    """
    async with served(consumer) as server, server.websocket("/chat") as client:
        client.send_text("name")
        assert await client.receive() == "Bob: name"
        names = set(get_channel_layer().groups["room"])
        client.send_text("crash")
        client.send_text("behind")
        assert await client.receive() == "before"
        assert await client.receive() == "Anonymous: behind"
        assert set(get_channel_layer().groups["room"]) == names
        await get_channel_layer().group_send("room", {"type": "chat.message", "text": "all"})
        assert await client.receive() == "all"
        (crash,) = happened(server, "slot.crashed")
        assert crash.facts["message"] == "text frame of 5"
        assert log == []
    assert log == [(consumer.__name__, 1000, "Anonymous")]


@kinds
async def test_the_tree_names_the_users_class(consumer: Any) -> None:
    """
    The node has the class's name, and the crash report begins in the user's handler.
    """
    async with served(consumer) as server, server.websocket("/chat") as client:
        assert client.slot.actor == consumer.__qualname__
        client.send_text("crash")
        client.send_text("behind")
        await client.receive()
        await client.receive()
        (report,) = client.slot.crashes
        frames = [line for line in report.traceback.splitlines() if line.startswith("  File")]
        assert frames
        assert all("/channels_chats.py" in line for line in (frames[0], frames[-1]))
        assert 'raise KeyError("broken")' in report.traceback


@kinds
@pytest.mark.parametrize(
    ("how", "code"),
    [("client", 4000), ("close", 4001), ("stop", 1000), ("crashes", 1011), ("server", 1012)],
)
async def test_disconnect_runs_once(consumer: Any, how: str, code: int) -> None:
    """
    However the connection ends, `disconnect` runs once, and the groups and the channel are gone.
    """
    layer = get_channel_layer()
    async with served(consumer) as server:
        async with server.websocket("/chat") as client:
            client.send_text("hi")
            await client.receive()
            assert layer.groups
            if how == "client":
                client.disconnect(4000)
            elif how == "crashes":
                for _ in range(4):
                    client.send_text("crash")
            elif how != "server":
                client.send_text(how)
            if how == "server":
                server.root.stop()
            if how != "client":
                closed = await client.closed()
                assert closed.code == code
        await settle(lambda: log)
    assert [each[:1] for each in log] == [(consumer.__name__,)]
    assert log[0][1] == code
    assert not layer.groups
    assert not layer.channels


@kinds
async def test_what_is_sent_in_disconnect_is_no_error(consumer: Any) -> None:
    """
    `disconnect` may send to the client that has gone: nothing comes of it, and it runs to its end.
    """

    def polite(self: Any, code: int) -> None:
        self.send("bye")
        self.close()
        log.append("to the end")

    async def async_polite(self: Any, code: int) -> None:
        await self.send("bye")
        await self.close()
        log.append("to the end")

    method = polite if issubclass(consumer, WebsocketConsumer) else async_polite
    async with served(type("Polite", (consumer,), {"disconnect": method})) as server:
        async with server.websocket("/chat"):
            pass
        await settle(lambda: log)
        assert not happened(server, "disconnect.failed")
    assert log == ["to the end"]


async def test_a_thread_of_the_users_own_may_send() -> None:
    """
    `send` and `close` of a sync consumer work from any thread.
    """

    class Threads(WebsocketConsumer):
        def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
            threading.Thread(target=self.work).start()

        def work(self) -> None:
            self.send("from a thread")
            self.close(4009)

    async with served(Threads) as server, server.websocket("/chat") as client:
        client.send_text("go")
        assert await client.receive() == "from a thread"
        assert (await client.closed()).code == 4009


async def test_an_old_object_is_inert() -> None:
    """
    What an object does that has a successor has no effect.
    """
    old: list[Any] = []

    class Kept(Chat):
        async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
            old.append(self)
            await super().receive(text_data)

    async with served(Kept) as server, server.websocket("/chat") as client:
        client.send_text("crash")
        client.send_text("hi")
        assert [await client.receive(), await client.receive()] == ["before", "Anonymous: hi"]
        with pytest.raises(Exception, match="over"):
            await old[0].send("from the dead")


async def test_keep_and_restarted() -> None:
    """
    `supervision` may name attributes to keep; `restarted()` runs before the next message.
    """

    class Keeps(Chat):
        supervision = {"keep": ["name"], "max_restarts": 1}

        async def restarted(self) -> None:
            await self.send(f"restarted {self.name}")

    async with served(Keeps) as server, server.websocket("/chat") as client:
        client.send_text("name")
        client.send_text("crash")
        said = [await client.receive() for _ in range(3)]
        assert said == ["Bob: name", "before", "restarted Bob"]
        client.send_text("crash")
        await client.receive()
        assert (await client.closed()).code == 1011
    assert log == [("Keeps", 1011, "Bob")]


async def test_a_close_code_that_may_not_be_sent(caplog: pytest.LogCaptureFixture) -> None:
    """
    A code that no endpoint may send becomes 1000, and is told once in the log.
    """

    class Closes(AsyncWebsocketConsumer):
        async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
            await self.close(code=403)

    async with served(Closes) as server, server.websocket("/chat") as client:
        client.send_text("go")
        assert (await client.closed()).code == 1000
    assert "Closes closes with code 403" in caplog.text


async def test_a_plain_consumer() -> None:
    """
    A class that handles the events itself is supervised, too; an unknown event is its crash.
    """

    class Plain(AsyncConsumer):
        async def websocket_connect(self, message: Any) -> None:
            await self.send({"type": "websocket.accept"})

        async def websocket_receive(self, message: Any) -> None:
            if message["text"] == "odd":
                await self.send({"type": "no.such"})
            await self.send({"type": "websocket.send", "text": message["text"]})

    async with served(Plain) as server, server.websocket("/chat") as client:
        client.send_text("odd")
        client.send_text("hi")
        assert await client.receive() == "hi"
        (crash,) = happened(server, "slot.crashed")
        assert "no.such" in str(crash.facts["exception"])
        client.disconnect()
        await settle(lambda: not server.root.connections.open)
        assert not happened(server, "disconnect.failed")


async def test_behind_a_middleware_it_is_one_node() -> None:
    """
    A consumer behind somebody's middleware and router has the connection's own slot.
    """
    application = Chat.as_asgi()

    async def middleware(scope: Any, receive: Any, send: Any) -> None:
        await application({**scope, "user": "Eve"}, receive, send)

    async with serve(Greenroom(websocket=[path("chat", middleware)])) as server:
        async with server.websocket("/chat") as client:
            client.send_text("hi")
            assert await client.receive() == "Anonymous: hi"
            assert server.root.connections.open == 1
            (route,) = server.root.connections.snapshot().children
            assert [child.actor for child in route.children] == ["Chat"]


async def test_alone_it_has_a_tree_of_its_own() -> None:
    """
    `as_asgi()` alone under a server runs a tree in its lifespan.
    """
    async with serve(SyncChat.as_asgi()) as server, server.websocket("/any/path") as client:
        client.send_text("crash")
        client.send_text("hi")
        assert [await client.receive(), await client.receive()] == ["before", "Anonymous: hi"]
        assert client.slot.actor == "SyncChat"


class Counted:
    alive: "weakref.WeakSet[Any]" = weakref.WeakSet()

    def __init__(self) -> None:
        super().__init__()
        self.alive.add(self)


class CountedEcho(Counted, AsyncWebsocketConsumer):
    async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
        await self.send(text_data)


class CountedSyncEcho(Counted, WebsocketConsumer):
    def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
        self.send(text_data)


class CountedOnAsyncio(CountedEcho):
    on_asyncio = True


@pytest.mark.parametrize("consumer", [CountedEcho, CountedSyncEcho, CountedOnAsyncio])
async def test_nothing_is_left(consumer: Any) -> None:
    """
    When the connection is over the user's object is gone, without the garbage collector's help.
    """
    async with served(consumer) as server:
        async with server.websocket("/chat") as client:
            client.send_text("hi")
            await client.receive()
            assert len(Counted.alive) == 1
        await settle(lambda: not server.root.connections.open)
        assert not Counted.alive


async def test_names_of_tasks() -> None:
    """
    A task has asyncio's own name, or the one that it is given.
    """

    class Names(AsyncWebsocketConsumer):
        on_asyncio = True

        async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
            tasks = asyncio.create_task(nothing()), asyncio.create_task(nothing(), name="mine")
            await self.send(" ".join(task.get_name().partition("-")[0] for task in tasks))

    async def nothing() -> None:
        pass

    async with served(Names) as server, server.websocket("/chat") as client:
        client.send_text("x")
        assert await client.receive() == "Task mine"
