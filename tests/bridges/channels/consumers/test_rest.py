# A handler that has sent something goes on before the test does, as under Channels, where both
# share one loop: what it does behind its `send` is done when the test has the message.

from typing import Any

import pytest
import trio
from channels_support import Run
from trio.testing import MockClock

from greenroom.bridges.channels.generic.http import AsyncHttpConsumer
from greenroom.bridges.channels.generic.websocket import (
    AsyncJsonWebsocketConsumer,
    JsonWebsocketConsumer,
)
from greenroom.bridges.channels.layers import get_channel_layer
from greenroom.bridges.channels.testing import (
    HttpCommunicator,
    WebsocketCommunicator,
    _mail,
    application,
)


class Late(AsyncJsonWebsocketConsumer):
    async def connect(self) -> None:
        await self.accept()
        await self.channel_layer.group_add("all", self.channel_name)

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        await self.send_json("joined")
        await self.channel_layer.group_add(content, self.channel_name)

    async def note(self, event: Any) -> None:
        await self.send_json(event["text"])


class LateOnAsyncio(Late):
    on_asyncio = True


class LateInThreads(JsonWebsocketConsumer):
    joined: tuple[str, ...] = ()

    def connect(self) -> None:
        self.accept()
        self.joined += ("all",)

    def receive_json(self, content: Any, **kwargs: Any) -> None:
        self.send_json("joined")
        self.joined += (content,)


class TakesFromTheQueue(WebsocketCommunicator):
    """One that overrides `receive_output`, as the tests of djangochannelsrestframework do."""

    async def receive_output(self, timeout: float = 1) -> Any:
        return await self.output_queue.get()


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A minute for what is done within half a second, or one, but on a machine that stands still.
    """
    monkeypatch.setattr(_mail, "_SECONDS_TO_REST", 60)
    monkeypatch.setattr(application, "within", lambda _, wait: _mail.within(60, wait))


@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize("communicates", [WebsocketCommunicator, TakesFromTheQueue])
@pytest.mark.parametrize("consumer", [Late, LateOnAsyncio])
def test_a_group_that_is_joined_behind_accept(run: Run, consumer: Any, communicates: Any) -> None:
    """
    A message to a group arrives though its consumer joins behind what the test has waited for.
    """

    async def main() -> None:
        layer: Any = get_channel_layer()
        for number in range(20):
            communicator = communicates(consumer.as_asgi(), "/")
            await communicator.connect()
            await layer.group_send("all", {"type": "note", "text": number})
            assert await communicator.receive_json_from() == number
            await communicator.send_json_to("room")
            assert await communicator.receive_json_from() == "joined"
            await layer.group_send("room", {"type": "note", "text": "hi"})
            assert await communicator.receive_json_from() == "hi"
            await communicator.disconnect()

    run(main)


@pytest.mark.usefixtures("patience")
def test_a_handler_in_a_thread(run: Run) -> None:
    """
    A sync consumer's handler is over, too, when the test has what it sent.
    """

    async def main() -> None:
        for _ in range(20):
            consumer = LateInThreads()
            communicator = WebsocketCommunicator(consumer, "/")
            await communicator.connect()
            assert consumer.joined == ("all",)
            await communicator.send_json_to("room")
            await communicator.receive_json_from()
            assert consumer.joined == ("all", "room")
            await communicator.disconnect()

    run(main)


async def test_a_handler_that_takes_long_is_waited_for_once(clock: MockClock) -> None:
    """
    What a handler sends while it goes on for long arrives; only the first message waits for it.
    """

    class Stream(AsyncHttpConsumer):
        async def handle(self, body: bytes) -> None:
            await self.send_headers(headers=[])
            for _ in range(3):
                await self.send_body(b"x", more_body=True)
            await trio.sleep(100)
            await self.send_body(b"", more_body=False)

    communicator = HttpCommunicator(Stream.as_asgi(), "GET", "/")
    await communicator.send_input({"type": "http.request"})
    began = trio.current_time()
    await communicator.receive_output()
    first = trio.current_time()
    assert 0 < first - began < 1
    for _ in range(3):
        await communicator.receive_output()
    assert trio.current_time() == first
    assert (await communicator.receive_output(timeout=200))["more_body"] is False
    await communicator.wait()


def test_a_handler_that_waits_for_the_test(run: Run) -> None:
    """
    A handler may wait for what the test does when it has the handler's message.
    """
    go: list[bool] = []

    class Waits(AsyncJsonWebsocketConsumer):
        async def connect(self) -> None:
            await self.accept()
            while not go:  # noqa: ASYNC110 - the test may be on another loop
                await trio.sleep(0.01)
            await self.send_json("went")

    async def main() -> None:
        go.clear()
        communicator = WebsocketCommunicator(Waits.as_asgi(), "/")
        await communicator.connect()
        go.append(True)
        assert await communicator.receive_json_from() == "went"
        await communicator.disconnect()

    run(main)
