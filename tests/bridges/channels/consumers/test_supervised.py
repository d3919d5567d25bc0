# Consumers of Channels' kind below a tree: crashes with the socket open, one `disconnect` on every
# way out, messages of a layer in the mailbox.

import threading
import weakref
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from helpers import happened, settle
from trio.testing import MockClock

from greenroom.bridges.channels.consumer import AsyncConsumer
from greenroom.bridges.channels.exceptions import StopConsumer
from greenroom.bridges.channels.generic.websocket import (
    AsyncWebsocketConsumer,
    WebsocketConsumer,
)
from greenroom.bridges.channels.layers import channel_layers, get_channel_layer
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
async def served(consumer: Any, **options: Any) -> AsyncGenerator[ServerDriver]:
    async with serve(Greenroom(websocket=[path("chat", consumer.as_asgi())], **options)) as server:
        yield server


class Chat(AsyncWebsocketConsumer):
    groups = ["room"]

    async def connect(self) -> None:
        self.name = "Anonymous"
        self.tell = self.say
        await self.accept()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if text_data == "crash":
            await self.send("before")
            raise KeyError("broken")
        if text_data == "name":
            self.name = "Bob"
        if text_data == "stop":
            raise StopConsumer
        if text_data == "close":
            await self.close(4001, "enough")
        await self.tell(text_data)

    async def say(self, text: str | None) -> None:
        await self.send(f"{self.name}: {text}")

    async def chat_message(self, message: Any) -> None:
        await self.send(message["text"])

    async def disconnect(self, code: int) -> None:
        log.append((type(self).__name__, code, self.name))


class SyncChat(WebsocketConsumer):
    groups = ["room"]

    def connect(self) -> None:
        self.name = "Anonymous"
        self.tell = self.say
        self.accept()

    def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if text_data == "crash":
            self.send("before")
            raise KeyError("broken")
        if text_data == "name":
            self.name = "Bob"
        if text_data == "stop":
            raise StopConsumer
        if text_data == "close":
            self.close(4001, "enough")
        self.tell(text_data)

    def say(self, text: str | None) -> None:
        self.send(f"{self.name}: {text}")

    def chat_message(self, message: Any) -> None:
        self.send(message["text"])

    def disconnect(self, code: int) -> None:
        log.append((type(self).__name__, code, self.name))


class Overridden(SyncChat):
    """
    Its handlers run in threads one by one, since `dispatch` is a coroutine of the user's.
    """

    async def dispatch(self, message: Any) -> None:
        await super().dispatch(message)


class OnAsyncio(Chat):
    on_asyncio = True


kinds = pytest.mark.parametrize("consumer", [Chat, SyncChat, Overridden, OnAsyncio])


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
        assert all(__file__.rpartition("/")[2] in line for line in (frames[0], frames[-1]))
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


@kinds
async def test_nothing_is_left(consumer: Any) -> None:
    """
    When the connection is over the user's object is gone, without the garbage collector's help.
    """
    alive: weakref.WeakSet[Any] = weakref.WeakSet()

    class Counted(consumer):
        def __init__(self) -> None:
            super().__init__()
            alive.add(self)

    async with served(Counted) as server:
        async with server.websocket("/chat") as client:
            client.send_text("hi")
            await client.receive()
            assert len(alive) == 1
        await settle(lambda: not server.root.connections.open)
        await settle(lambda: not alive)


async def test_no_loop_of_asyncio_is_started() -> None:
    """
    Consumers on trio and in threads, with groups, start no asyncio loop.
    """
    from asgiref.sync import async_to_sync

    class Sends(SyncChat):
        def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
            message = {"type": "chat.message", "text": text_data}
            async_to_sync(self.channel_layer.group_send)("room", message)

    for consumer in (Chat, Sends, Overridden):
        async with served(consumer) as server, server.websocket("/chat") as client:
            client.send_text("hi")
            assert "hi" in str(await client.receive())
            names = [thread.name for thread in threading.enumerate()]
            assert "greenroom-asyncio" not in names
