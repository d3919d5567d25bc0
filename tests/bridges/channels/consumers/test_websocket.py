# The WebSocket consumers without a tree: which messages they send, and what they make of those that
# come. What a tree adds is in test_supervised.py.

from typing import Any

import pytest
from channels_support import Run

from greenroom.bridges.channels.exceptions import (
    AcceptConnection,
    DenyConnection,
    InvalidChannelLayerError,
)
from greenroom.bridges.channels.generic.websocket import (
    AsyncWebsocketConsumer,
    WebsocketConsumer,
)
from greenroom.bridges.channels.layers import get_channel_layer
from greenroom.bridges.channels.testing import WebsocketCommunicator


class Sync(WebsocketConsumer):
    """
    Does what it is told, and writes down what happens.
    """

    def __init__(self, log: list[Any] | None = None, do: str = "") -> None:
        super().__init__()
        self.log = [] if log is None else log
        self.do = do

    def connect(self) -> None:
        self.log.append("connect")
        self.decide()

    def decide(self) -> None:
        if self.do == "accept by exception":
            raise AcceptConnection
        if self.do == "deny":
            raise DenyConnection
        if self.do == "close":
            self.close(4001, "no")
        elif self.do == "protocol":
            self.accept("chat", [(b"x-y", b"z")])
        else:
            self.accept()

    def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        self.log.append((text_data, bytes_data))
        if text_data == "nothing":
            self.send()
        elif text_data == "both":
            self.send("text", b"bytes")
        elif text_data == "and close":
            self.send("last", close=True)
        elif text_data == "and close with a code":
            self.send("last", close=4002)
        elif text_data is not None:
            self.send(text_data)
        else:
            self.send(bytes_data=bytes_data)

    def disconnect(self, code: int) -> None:
        self.log.append(("disconnect", code))


class Async(AsyncWebsocketConsumer):
    """
    The same as coroutines.
    """

    def __init__(self, log: list[Any] | None = None, do: str = "") -> None:
        super().__init__()
        self.log = [] if log is None else log
        self.do = do

    async def connect(self) -> None:
        self.log.append("connect")
        await self.decide()

    async def decide(self) -> None:
        if self.do == "accept by exception":
            raise AcceptConnection
        if self.do == "deny":
            raise DenyConnection
        if self.do == "close":
            await self.close(4001, "no")
        elif self.do == "protocol":
            await self.accept("chat", [(b"x-y", b"z")])
        else:
            await self.accept()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        self.log.append((text_data, bytes_data))
        if text_data == "nothing":
            await self.send()
        elif text_data == "both":
            await self.send("text", b"bytes")
        elif text_data == "and close":
            await self.send("last", close=True)
        elif text_data == "and close with a code":
            await self.send("last", close=4002)
        elif text_data is not None:
            await self.send(text_data)
        else:
            await self.send(bytes_data=bytes_data)

    async def disconnect(self, code: int) -> None:
        self.log.append(("disconnect", code))


both = pytest.mark.parametrize("consumer", [Sync, Async])


@both
@pytest.mark.parametrize(
    ("do", "answer"),
    [
        ("", (True, None)),
        ("accept by exception", (True, None)),
        ("protocol", (True, "chat")),
        ("deny", (False, 1000)),
        ("close", (False, 4001)),
    ],
)
def test_connect(run: Run, consumer: Any, do: str, answer: tuple[bool, Any]) -> None:
    """
    `connect` accepts or refuses, by a call or by an exception from any depth.
    """

    async def main() -> None:
        communicator = WebsocketCommunicator(consumer.as_asgi(do=do), "/", subprotocols=["chat"])
        assert await communicator.connect() == answer
        if do == "protocol":
            assert communicator.response_headers == [(b"x-y", b"z")]
        await communicator.disconnect()

    run(main)


def test_connect_accepts_by_itself(run: Run) -> None:
    """
    A class that does not override `connect` accepts.
    """

    async def main() -> None:
        for consumer in (WebsocketConsumer, AsyncWebsocketConsumer):
            communicator = WebsocketCommunicator(consumer.as_asgi(), "/")
            assert await communicator.connect() == (True, None)
            await communicator.disconnect()

    run(main)


@both
def test_frames(run: Run, consumer: Any) -> None:
    """
    A text reaches `receive` as `text_data`, else the bytes as `bytes_data`; both come back.
    """
    log: list[Any] = []

    async def main() -> None:
        communicator = WebsocketCommunicator(consumer.as_asgi(log=log), "/")
        await communicator.connect()
        await communicator.send_to(text_data="hi")
        assert await communicator.receive_from() == "hi"
        await communicator.send_to(bytes_data=b"hi")
        assert await communicator.receive_from() == b"hi"
        await communicator.send_input({"type": "websocket.receive", "text": "", "bytes": None})
        assert await communicator.receive_from() == ""
        await communicator.send_to(text_data="both")
        assert await communicator.receive_output() == {"type": "websocket.send", "text": "text"}
        await communicator.disconnect(4003)

    run(main)
    assert log == [
        "connect", ("hi", None), (None, b"hi"), ("", None), ("both", None), ("disconnect", 4003),
    ]  # fmt: skip


@both
def test_send_without_anything(run: Run, consumer: Any) -> None:
    """
    `send` with neither text nor bytes raises.
    """

    async def main() -> None:
        communicator = WebsocketCommunicator(consumer.as_asgi(), "/")
        await communicator.connect()
        await communicator.send_to(text_data="nothing")
        with pytest.raises(ValueError, match="^You must pass one of bytes_data or text_data$"):
            await communicator.receive_from()

    run(main)


@both
@pytest.mark.parametrize(
    ("text", "close"),
    [
        ("and close", {"type": "websocket.close"}),
        ("and close with a code", {"type": "websocket.close", "code": 4002}),
    ],
)
def test_send_and_close(run: Run, consumer: Any, text: str, close: Any) -> None:
    """
    `send(close=...)` closes behind the frame; the consumer goes on until the client has gone.
    """
    log: list[Any] = []

    async def main() -> None:
        communicator = WebsocketCommunicator(consumer.as_asgi(log=log), "/")
        await communicator.connect()
        await communicator.send_to(text_data=text)
        assert await communicator.receive_from() == "last"
        assert await communicator.receive_output() == close
        await communicator.disconnect()

    run(main)
    assert log[-1] == ("disconnect", 1000)


@pytest.mark.parametrize("base", [WebsocketConsumer, AsyncWebsocketConsumer])
def test_groups(run: Run, base: Any) -> None:
    """
    What `groups` names is joined before `connect` and left before `disconnect`.
    """
    seen: list[Any] = []

    class Sync(WebsocketConsumer):
        groups = ["room"]

        def connect(self) -> None:
            seen.append(list(get_channel_layer().groups))
            super().connect()

        def chat_message(self, message: Any) -> None:
            self.send(message["text"])

        def disconnect(self, code: int) -> None:
            seen.append(list(get_channel_layer().groups))

    class Async(AsyncWebsocketConsumer):
        groups = ["room"]

        async def connect(self) -> None:
            seen.append(list(get_channel_layer().groups))
            await super().connect()

        async def chat_message(self, message: Any) -> None:
            await self.send(message["text"])

        async def disconnect(self, code: int) -> None:
            seen.append(list(get_channel_layer().groups))

    consumer = Sync if base is WebsocketConsumer else Async

    async def main() -> None:
        communicator = WebsocketCommunicator(consumer.as_asgi(), "/")
        await communicator.connect()
        await get_channel_layer().group_send("room", {"type": "chat.message", "text": "all"})
        assert await communicator.receive_from() == "all"
        await communicator.disconnect()

    run(main)
    assert seen == [["room"], []]


@pytest.mark.parametrize("base", [WebsocketConsumer, AsyncWebsocketConsumer])
def test_groups_without_a_layer(run: Run, base: Any) -> None:
    """
    A consumer that wants groups and has no layer fails, and says why.
    """
    consumer = type("Grouped", (base,), {"groups": ["room"], "channel_layer_alias": "none"})

    async def main() -> None:
        communicator = WebsocketCommunicator(consumer.as_asgi(), "/")
        with pytest.raises(InvalidChannelLayerError) as raised:
            await communicator.connect()
        assert str(raised.value) == "BACKEND is unconfigured or doesn't support groups"

    run(main)


def test_each_object_has_its_own_groups() -> None:
    """
    A class without groups gives each object a list of its own.
    """
    one, other = WebsocketConsumer(), WebsocketConsumer()
    assert one.groups == other.groups == []
    assert one.groups is not other.groups
    assert WebsocketConsumer.groups is None


@both
def test_a_group_may_send_what_a_client_could(run: Run, consumer: Any) -> None:
    """
    A layer's message of a type of the protocol reaches the protocol's handler.
    """
    log: list[Any] = []

    async def main() -> None:
        application = consumer.as_asgi(log=log)
        application.consumer_class.groups = ["room"]
        communicator = WebsocketCommunicator(application, "/")
        await communicator.connect()
        layer = get_channel_layer()
        await layer.group_send("room", {"type": "websocket.receive", "text": "by layer"})
        assert await communicator.receive_from() == "by layer"
        await layer.group_send("room", {"type": "websocket.disconnect", "code": 4004})
        await communicator.wait()

    try:
        run(main)
    finally:
        consumer.groups = None
    assert log[-1] == ("disconnect", 4004)


def test_disconnect_runs_though_the_layer_fails(run: Run) -> None:
    """
    If the groups can't be left, `disconnect` runs all the same; then the error comes out.
    """
    log: list[Any] = []

    class BrokenLayer:
        async def new_channel(self) -> str:
            return "specific.x!y"

        async def receive(self, channel: str) -> Any:
            import trio

            await trio.sleep_forever()

        async def group_add(self, group: str, channel: str) -> None:
            pass

        async def group_discard(self, group: str, channel: str) -> None:
            raise ConnectionError("gone")

    from greenroom.bridges.channels.layers import channel_layers

    async def main() -> None:
        for consumer in (Sync, Async):
            consumer.groups = ["room"]
            communicator = WebsocketCommunicator(consumer.as_asgi(log=log), "/")
            await communicator.connect()
            with pytest.raises(ConnectionError):
                await communicator.disconnect(4005)

    before = channel_layers.set("default", BrokenLayer())
    try:
        run(main)
    finally:
        channel_layers.set("default", before)
        Sync.groups = Async.groups = None
    assert log.count(("disconnect", 4005)) == 2
