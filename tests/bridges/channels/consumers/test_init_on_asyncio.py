# An `__init__` that uses asyncio: it runs where the handlers do.

import asyncio
from typing import Any

import pytest
from channels_support import Run
from helpers import settle

from greenroom.bridges.channels.consumer import AsyncConsumer
from greenroom.bridges.channels.generic.http import AsyncHttpConsumer
from greenroom.bridges.channels.generic.websocket import AsyncWebsocketConsumer
from greenroom.bridges.channels.testing import (
    ApplicationCommunicator,
    HttpCommunicator,
    WebsocketCommunicator,
)
from greenroom.bridges.django import Greenroom, path
from greenroom.bridges.testing import HandshakeRefused, serve

log: list[Any] = []


@pytest.fixture(autouse=True)
def fresh_log() -> None:
    """
    Nothing is written down yet.
    """
    log.clear()


class Watch(AsyncWebsocketConsumer):
    """
    Starts a task when it is made, as people write it.
    """

    on_asyncio = True

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name, self.seen = name, 0
        self.beats: asyncio.Queue[str] = asyncio.Queue()
        self.task = asyncio.create_task(self.watch())
        log.append(self.task)

    async def watch(self) -> None:
        while True:
            beat = await self.beats.get()
            await self.send(f"{self.name} {self.seen} {beat}")

    async def connect(self) -> None:
        self.seen = 1
        await self.accept()

    async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
        if text_data == "crash":
            raise KeyError("broken")
        self.seen += 1
        await self.beats.put(text_data)

    async def disconnect(self, code: int) -> None:
        log.append((self.name, self.seen))


async def test_a_task_that_init_starts_runs_and_ends_with_its_consumer() -> None:
    """
    A task started in `__init__` runs on the asyncio loop, and is cancelled behind `disconnect`.
    """
    app = Greenroom(websocket=[path("", Watch.as_asgi(name="w"))])
    async with serve(app) as server, server.websocket("/") as client:
        client.send_text("a")
        assert await client.receive() == "w 2 a"
        client.disconnect(4000)
        await settle(lambda: ("w", 2) in log)
        await settle(log[0].done)


async def test_a_crash_has_init_run_again_and_keeps_what_connect_left() -> None:
    """
    Behind a crash `__init__` runs for the new object, which then has the attributes of `connect`.
    """
    app = Greenroom(websocket=[path("", Watch.as_asgi(name="w"))])
    async with serve(app) as server, server.websocket("/") as client:
        client.send_text("crash")
        client.send_text("b")
        assert await client.receive() == "w 2 b"
        await settle(log[0].done)
        client.disconnect(4000)
        await settle(lambda: ("w", 2) in log)


class OnTrio(AsyncWebsocketConsumer):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.get_running_loop()


def test_without_the_switch_the_error_names_it(run: Run) -> None:
    """
    An `__init__` that needs asyncio's loop where there is none is told of `on_asyncio`.
    """

    async def main() -> None:
        communicator = WebsocketCommunicator(OnTrio.as_asgi(), "/")
        with pytest.raises(RuntimeError, match="on_asyncio = True"):
            await communicator.connect()

    run(main)


async def test_below_a_tree_it_names_it_as_well() -> None:
    """
    Below a Greenroom application the report of the failed start names the switch.
    """
    app = Greenroom(websocket=[path("", OnTrio.as_asgi())])
    async with serve(app) as server:
        with pytest.raises(HandshakeRefused) as refused:
            async with server.websocket("/"):
                pass
    assert "on_asyncio = True" in str(refused.value.__cause__)


class Answer(AsyncHttpConsumer):
    on_asyncio = True

    def __init__(self) -> None:
        super().__init__()
        self.task = asyncio.create_task(asyncio.sleep(0, "made"))

    async def handle(self, body: bytes) -> None:
        await self.send_response(200, (await self.task).encode())


class Worker(AsyncConsumer):
    on_asyncio = True

    def __init__(self) -> None:
        super().__init__()
        self.ready = asyncio.get_running_loop().create_future()
        self.task = asyncio.create_task(self.run())

    async def run(self) -> None:
        self.ready.set_result("ready")
        try:
            await asyncio.sleep(3600)
        finally:
            log.append("cancelled")

    async def work(self, message: Any) -> None:
        await self.send({"type": "done", "text": await self.ready})


def test_without_a_tree_too(run: Run) -> None:
    """
    A request and a worker's consumer are made on the asyncio loop as well, and their tasks end.
    """

    async def main() -> None:
        response = await HttpCommunicator(Answer.as_asgi(), "GET", "/").get_response()
        assert response["body"] == b"made"
        communicator = ApplicationCommunicator(Worker.as_asgi(), {"type": "channel"})
        await communicator.send_input({"type": "work"})
        assert await communicator.receive_output() == {"type": "done", "text": "ready"}
        communicator.stop(exceptions=False)

    run(main)
    assert log == ["cancelled"]
