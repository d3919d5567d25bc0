# The switch: consumers whose code is written for asyncio, below a tree and without one.

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import pytest
from channels_support import Run
from helpers import happened, settle

from greenroom.actors._lowlevel import inside_trio
from greenroom.bridges.channels.consumer import AsyncConsumer
from greenroom.bridges.channels.generic.http import AsyncHttpConsumer
from greenroom.bridges.channels.generic.websocket import AsyncWebsocketConsumer
from greenroom.bridges.channels.layers import get_channel_layer
from greenroom.bridges.channels.testing import HttpCommunicator, WebsocketCommunicator
from greenroom.bridges.django import Greenroom, path
from greenroom.bridges.testing import ServerDriver, serve

log: list[Any] = []
pumps: list[asyncio.Task[None]] = []
VARIABLE: ContextVar[str] = ContextVar("VARIABLE", default="nothing")


@pytest.fixture(autouse=True)
def fresh_log() -> None:
    """
    Nothing is written down yet.
    """
    log.clear()
    pumps.clear()


@asynccontextmanager
async def served(consumer: Any) -> AsyncGenerator[ServerDriver]:
    async with serve(Greenroom(websocket=[path("chat", consumer.as_asgi())])) as server:
        yield server


class Pump(AsyncWebsocketConsumer):
    """
    As people write it: a queue, and a task that empties it.
    """

    on_asyncio = True
    groups = ["room"]

    async def connect(self) -> None:
        self.queue: asyncio.Queue[str] = asyncio.Queue()
        self.task = asyncio.create_task(self.pump(), name="the pump")
        pumps.append(self.task)
        await self.accept()

    async def pump(self) -> None:
        while True:
            await self.send("pumped " + await self.queue.get())

    async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
        if text_data == "crash":
            raise KeyError("broken")
        if text_data == "hang":
            log.append("hangs")
            try:
                await asyncio.sleep(3600)
            finally:
                log.append("cancelled")
        async with asyncio.timeout(10):
            await asyncio.sleep(0)
            await self.queue.put(text_data)

    async def chat_message(self, message: Any) -> None:
        await asyncio.gather(self.send(message["text"]), asyncio.sleep(0))

    async def disconnect(self, code: int) -> None:
        log.append(("disconnect", code, self.task.done()))


class Tidy(Pump):
    async def disconnect(self, code: int) -> None:
        self.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await self.task
        log.append(("tidy", code))


async def test_tasks_of_asyncio_live_on() -> None:
    """
    A task that a handler starts goes on behind it, and may send.
    """
    async with served(Pump) as server, server.websocket("/chat") as client:
        client.send_text("1")
        assert await client.receive() == "pumped 1"
        await get_channel_layer().group_send("room", {"type": "chat.message", "text": "all"})
        assert await client.receive() == "all"


async def test_what_it_leaves_is_cancelled_and_named(caplog: pytest.LogCaptureFixture) -> None:
    """
    What runs on behind `disconnect` is cancelled then, and named in the log.
    """
    async with served(Pump) as server, server.websocket("/chat") as client:
        client.send_text("1")
        await client.receive()
        (task,) = pumps
        client.disconnect(4000)
        await settle(task.done)
    assert log == [("disconnect", 4000, False)]
    assert "left running, now cancelled: Pump.pump (the pump)" in caplog.text


async def test_one_that_tidies_up_is_not_named(caplog: pytest.LogCaptureFixture) -> None:
    """
    A `disconnect` that cancels its own task finds it alive, and nothing is said.
    """
    caplog.set_level(logging.WARNING)
    async with served(Tidy) as server, server.websocket("/chat") as client:
        client.send_text("1")
        await client.receive()
    assert log == [("tidy", 1000)]
    assert "left running" not in caplog.text


async def test_a_crash_ends_its_tasks(caplog: pytest.LogCaptureFixture) -> None:
    """
    The tasks of an object that has crashed end with it; its successor has the socket.
    """

    class Revived(Pump):
        async def restarted(self) -> None:
            self.task = asyncio.create_task(self.pump(), name="the next pump")

    async with served(Revived) as server, server.websocket("/chat") as client:
        client.send_text("1")
        assert await client.receive() == "pumped 1"
        client.send_text("crash")
        client.send_text("2")
        assert await client.receive() == "pumped 2"
        assert len(happened(server, "slot.crashed")) == 1
        assert "now cancelled: Pump.pump (the pump)" in caplog.text


async def test_a_stop_cancels_a_handler() -> None:
    """
    A server that stops cancels a handler that awaits asyncio, then runs `disconnect`.
    """

    class Short(Pump):
        supervision = {"shutdown_seconds": 0.01}

    async with served(Short) as server, server.websocket("/chat") as client:
        client.send_text("hang")
        await settle(lambda: log)
        server.root.stop()
        assert (await client.closed()).code == 1012
        await settle(lambda: len(log) == 3)
    assert log == ["hangs", "cancelled", ("disconnect", 1012, False)]


def test_without_a_tree(run: Run) -> None:
    """
    The same consumer works in a test's communicator.
    """

    async def main() -> None:
        communicator = WebsocketCommunicator(Pump.as_asgi(), "/")
        assert await communicator.connect() == (True, None)
        await communicator.send_to(text_data="1")
        assert await communicator.receive_from() == "pumped 1"
        await get_channel_layer().group_send("room", {"type": "chat.message", "text": "all"})
        assert await communicator.receive_from() == "all"
        await communicator.disconnect()

    run(main)


def test_a_test_on_asyncio_has_its_consumer_on_its_own_loop() -> None:
    """
    What a test and a consumer with the switch share, an event say, belongs to one loop.
    """

    async def main() -> None:
        event, loop = asyncio.Event(), asyncio.get_running_loop()

        class Waits(AsyncWebsocketConsumer):
            on_asyncio = True

            async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
                assert asyncio.get_running_loop() is loop
                self.task = asyncio.create_task(self.answer())

            async def answer(self) -> None:
                await event.wait()
                await self.send("it is set")

        communicator = WebsocketCommunicator(Waits.as_asgi(), "/")
        await communicator.connect()
        await communicator.send_to(text_data="wait")
        assert await communicator.receive_nothing(0.01)
        event.set()
        assert await communicator.receive_from() == "it is set"
        await communicator.disconnect()

    asyncio.run(main())


def test_without_the_switch(run: Run) -> None:
    """
    Code of asyncio on trio fails, and the error names the switch.
    """

    class Wants(AsyncWebsocketConsumer):
        async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
            await getattr(self, text_data)()

        async def sleeps(self) -> None:
            await asyncio.sleep(1)

        async def yields(self) -> None:
            await asyncio.sleep(0)

        async def times(self) -> None:
            async with asyncio.timeout(1):
                await self.sleeps()

        async def waits(self) -> None:
            await asyncio.Event().wait()

    async def main() -> None:
        for what in ("sleeps", "yields", "times", "waits"):
            communicator = WebsocketCommunicator(Wants.as_asgi(), "/")
            await communicator.connect()
            await communicator.send_to(text_data=what)
            with pytest.raises(RuntimeError, match="on_asyncio = True") as raised:
                await communicator.receive_from()
            assert "CHANNELS_ON_ASYNCIO" in str(raised.value)
            assert "Wants" in str(raised.value)

    run(main)


async def test_without_the_switch_below_a_tree() -> None:
    """
    The crash that is reported names the switch as well, and the line that asked for a loop.
    """

    class Wants(AsyncWebsocketConsumer):
        async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
            await asyncio.sleep(1)

    async with served(Wants) as server, server.websocket("/chat") as client:
        client.send_text("go")
        await client.wait_restarted()
        (report,) = client.slot.crashes
        assert "on_asyncio = True" in report.text
        assert "await asyncio.sleep(1)" in report.traceback


def test_by_a_setting(run: Run, settings: Any) -> None:
    """
    `CHANNELS_ON_ASYNCIO` puts all on asyncio whose class does not say where it runs.
    """
    settings.GREENROOM = {"CHANNELS_ON_ASYNCIO": True}

    class Says(AsyncWebsocketConsumer):
        async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
            await self.send(threading.current_thread().name)

    class OnTrio(Says):
        on_asyncio = False

    async def main() -> None:
        names = []
        for consumer in (Says, OnTrio):
            communicator = WebsocketCommunicator(consumer.as_asgi(), "/")
            await communicator.connect()
            await communicator.send_to(text_data="?")
            names.append(await communicator.receive_from())
            await communicator.disconnect()
        here = threading.current_thread().name
        on_trio = inside_trio()
        assert names[0] == ("greenroom-asyncio" if on_trio else here)
        assert names[1] == (here if on_trio else "greenroom-communicators")

    run(main)


def test_context_variables_stay(run: Run) -> None:
    """
    What one handler sets in a context variable the next one sees, though each is a task.
    """

    class Sets(AsyncWebsocketConsumer):
        on_asyncio = True

        async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
            await self.send(VARIABLE.get())
            VARIABLE.set(text_data)

    async def main() -> None:
        communicator = WebsocketCommunicator(Sets.as_asgi(), "/")
        await communicator.connect()
        for text in ("one", "two"):
            await communicator.send_to(text_data=text)
        said = [await communicator.receive_from(), await communicator.receive_from()]
        assert said == ["nothing", "one"]
        await communicator.disconnect()

    run(main)


def test_http(run: Run) -> None:
    """
    An HTTP consumer on asyncio answers, and its leaving client cancels `handle`.
    """

    class Slow(AsyncHttpConsumer):
        on_asyncio = True

        async def handle(self, body: bytes) -> None:
            log.append("handle")
            try:
                await asyncio.sleep(0 if body else 3600)
                await self.send_response(200, body)
            except asyncio.CancelledError:
                log.append("cancelled")
                raise

        async def disconnect(self) -> None:
            log.append("disconnect")

    async def main() -> None:
        communicator = HttpCommunicator(Slow.as_asgi(), "POST", "/", b"hi")
        assert (await communicator.get_response())["body"] == b"hi"
        await communicator.wait(10)
        communicator = HttpCommunicator(Slow.as_asgi(), "POST", "/")
        await communicator.send_input({"type": "http.request", "body": b""})
        await settle_here(lambda: log.count("handle") == 2)
        await communicator.send_input({"type": "http.disconnect"})
        await communicator.wait(10)

    run(main)
    assert log == ["handle", "disconnect", "handle", "cancelled", "disconnect"]


async def settle_here(condition: Any) -> None:
    from greenroom.bridges.channels.testing._mail import pause

    while not condition():
        await pause(0)


def test_a_layer_written_for_asyncio(run: Run) -> None:
    """
    A project's own layer that needs asyncio is awaited there, for a consumer that runs there.
    """
    from greenroom.bridges.channels.layers import channel_layers

    class Layer:
        def __init__(self) -> None:
            self.queue: asyncio.Queue[Any] = asyncio.Queue()

        async def new_channel(self) -> str:
            await asyncio.sleep(0)
            return "specific.x!y"

        async def receive(self, channel: str) -> Any:
            return await self.queue.get()

    class Talks(AsyncConsumer):
        on_asyncio = True

        async def websocket_connect(self, message: Any) -> None:
            await self.channel_layer.queue.put({"type": "by.layer"})

        async def by_layer(self, message: Any) -> None:
            await self.send({"type": "websocket.accept"})

    async def main() -> None:
        communicator = WebsocketCommunicator(Talks.as_asgi(), "/")
        assert await communicator.connect() == (True, None)
        communicator.stop()

    before = channel_layers.set("default", Layer())
    try:
        run(main)
    finally:
        channel_layers.set("default", before)
