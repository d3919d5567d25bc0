# The JSON consumers of WebSockets, without a tree.

from typing import Any

import pytest
from channels_support import Run

from greenroom.bridges.channels.generic.websocket import (
    AsyncJsonWebsocketConsumer,
    JsonWebsocketConsumer,
)
from greenroom.bridges.channels.testing import WebsocketCommunicator


@pytest.mark.parametrize("base", [JsonWebsocketConsumer, AsyncJsonWebsocketConsumer])
def test_json(run: Run, base: Any) -> None:
    """
    JSON comes decoded and goes encoded, by class methods that may be overridden.
    """

    class Sync(JsonWebsocketConsumer):
        def receive_json(self, content: Any, **kwargs: Any) -> None:
            self.send_json({"got": content}, close=content == "close")

        @classmethod
        def encode_json(cls, content: Any) -> str:
            return super().encode_json({**content, "encoded": True})

    class Async(AsyncJsonWebsocketConsumer):
        async def receive_json(self, content: Any, **kwargs: Any) -> None:
            await self.send_json({"got": content}, close=content == "close")

        @classmethod
        async def encode_json(cls, content: Any) -> str:
            return await super().encode_json({**content, "encoded": True})

    consumer = Sync if base is JsonWebsocketConsumer else Async

    async def main() -> None:
        communicator = WebsocketCommunicator(consumer.as_asgi(), "/")
        await communicator.connect()
        await communicator.send_json_to({"a": [1, None]})
        answer = await communicator.receive_json_from()
        assert answer == {"got": {"a": [1, None]}, "encoded": True}
        await communicator.send_json_to("close")
        await communicator.receive_json_from()
        assert await communicator.receive_output() == {"type": "websocket.close"}
        await communicator.disconnect()

    run(main)


@pytest.mark.parametrize("base", [JsonWebsocketConsumer, AsyncJsonWebsocketConsumer])
@pytest.mark.parametrize("frame", [{"bytes_data": b"{}"}, {"text_data": ""}, {"text_data": "{"}])
def test_what_is_no_json(run: Run, base: Any, frame: Any) -> None:
    """
    A binary frame, an empty one, and one that is no JSON are errors.
    """

    async def main() -> None:
        communicator = WebsocketCommunicator(base.as_asgi(), "/")
        await communicator.connect()
        await communicator.send_to(**frame)
        with pytest.raises(ValueError) as raised:
            await communicator.receive_json_from()
        if frame != {"text_data": "{"}:
            assert str(raised.value) == "No text section for incoming WebSocket frame!"

    run(main)
