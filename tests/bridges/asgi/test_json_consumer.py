# The JSON consumer as its peers see it: content, types, dispatch, and what is no JSON.

import datetime
import decimal
import json
import uuid
from typing import Any

import msgspec
import pytest
from helpers import happened, running
from trio.testing import MockClock

from greenroom.actors import InvalidContent, JsonWebsocketConsumer, receives
from greenroom.bridges.testing import SocketClosed, WebsocketDriver


class Move(msgspec.Struct, tag="move"):
    x: int
    to: list[int] = []


class Say(msgspec.Struct, tag="say"):
    text: str


class Echo(JsonWebsocketConsumer):
    async def receive_json(self, content, **kwargs):
        await self.send_json({"got": content})


class EchoInThread(JsonWebsocketConsumer):
    def receive_json(self, content):
        self.send_json({"got": content})


class Union(JsonWebsocketConsumer):
    async def receive_json(self, content: Move | Say):
        await self.send_json(repr(content))


class Mixed(JsonWebsocketConsumer):
    @receives(Move)
    def move(self, content: Move):
        self.send_json(["def", content.x])

    @receives("say")
    async def say(self, content):
        await self.send_json(["async", content["text"]])

    def on_invalid(self, error, text):
        self.send_json(["invalid", error.kind, error.field, text])


class Fallback(JsonWebsocketConsumer):
    dispatch_by = "op"

    @receives("a")
    async def first(self, content):
        await self.send_json("a")

    async def receive_json(self, content):
        await self.send_json(["other", content])


@pytest.fixture
def clock() -> MockClock:
    return MockClock()


async def answer(ws: WebsocketDriver, text: str | bytes) -> Any:
    """Send *text* as it is and return what comes back, decoded."""
    ws.send_text(text) if isinstance(text, str) else ws.send_bytes(text)
    return json.loads(await ws.receive_text())


@pytest.mark.parametrize("consumer", [Echo, EchoInThread])
async def test_content_is_decoded_by_name(consumer: type) -> None:
    """
    `receive_json` gets what the JSON says, on trio and in a thread, and `send_json` encodes.
    """
    async with running(c=consumer) as server, server.websocket("/c") as ws:
        for content in ({"a": [1, 2.5, None]}, [], "text", 0, None, True):
            assert await answer(ws, json.dumps(content)) == {"got": content}


BAD = {
    "malformed": ('{"a":', {"error": "malformed", "detail": "Input data was truncated."}),
    "empty": ("", {"error": "empty"}),
    "blank": (" \n", {"error": "empty"}),
    "binary": (b"{}", {"error": "binary"}),
    "deep": ("[" * 65 + "]" * 65, {"error": "too_deep"}),
    "very deep": ("[" * 500_000, {"error": "too_deep"}),
    "no number": ("NaN", {"error": "malformed"}),
}


@pytest.mark.parametrize("consumer", [Echo, EchoInThread])
@pytest.mark.parametrize("case", BAD)
async def test_bad_input_is_answered_and_the_socket_stays(consumer: type, case: str) -> None:
    """
    What is no JSON gets an error as its answer; the next message is handled as ever.
    """
    text, expected = BAD[case]
    async with running(c=consumer) as server, server.websocket("/c") as ws:
        said = await answer(ws, text)
        assert said["type"] == "error"
        assert expected.items() <= said.items()
        assert await answer(ws, "1") == {"got": 1}
        assert ws.slot.epoch == 1
        assert happened(server, "slot.crashed") == []
        (event,) = happened(server, "input.invalid")
        assert event.facts["what"] == said["error"]


async def test_brackets_in_strings_are_not_depth() -> None:
    """
    Only nesting counts: a flat message with many brackets is taken, and 64 levels are.
    """
    async with running(c=Echo) as server, server.websocket("/c") as ws:
        for content in ("[" * 200, [[]] * 200, json.loads("[" * 64 + "]" * 64)):
            assert await answer(ws, json.dumps(content)) == {"got": content}


async def test_a_tagged_union_is_validated() -> None:
    """
    An annotated `content` arrives as the Struct of its tag; an error names the field.
    """
    async with running(c=Union) as server, server.websocket("/c") as ws:
        assert await answer(ws, '{"type": "move", "x": 1}') == "Move(x=1, to=[])"
        assert await answer(ws, '{"type": "say", "text": "hi"}') == "Say(text='hi')"
        for text, field in (
            ('{"type": "move", "x": "1"}', "x"),
            ('{"type": "move", "x": 1, "to": [1, "2"]}', "to[1]"),
            ('{"type": "move"}', "x"),
            ('{"type": "no"}', "type"),
            ('{"x": 1}', "type"),
        ):
            said = await answer(ws, text)
            assert (said["error"], said["field"]) == ("wrong_shape", field), said
        said = await answer(ws, "[1]")
        assert said == {
            "type": "error",
            "error": "wrong_shape",
            "detail": "Expected `object`, got `array`.",
        }


async def test_depth_holds_for_typed_content_too() -> None:
    """
    Nesting below a field that may hold anything is bounded as elsewhere.
    """

    class Holder(msgspec.Struct):
        value: Any

    class Typed(JsonWebsocketConsumer):
        json_depth = 3

        async def receive_json(self, content: Holder):
            await self.send_json(content.value)

    async with running(c=Typed) as server, server.websocket("/c") as ws:
        assert await answer(ws, '{"value": [[1]]}') == [[1]]
        assert (await answer(ws, '{"value": [[[1]]]}'))["error"] == "too_deep"


async def test_dispatch_goes_to_declared_handlers_on_both_sides() -> None:
    """
    `@receives` handlers, `def` and async in one class, get the contents of their type.
    """
    async with running(c=Mixed) as server, server.websocket("/c") as ws:
        assert await answer(ws, '{"type": "move", "x": 5}') == ["def", 5]
        assert await answer(ws, '{"type": "say", "text": "hi"}') == ["async", "hi"]
        assert await answer(ws, '{"type": "move", "x": null}') == [
            "invalid", "wrong_shape", "x", '{"type": "move", "x": null}',
        ]  # fmt: skip
        assert await answer(ws, '{"type": "send_json"}') == [
            "invalid", "unknown_type", "type", '{"type": "send_json"}',
        ]  # fmt: skip
        for text in ('{"type": 1}', "{}"):
            assert await answer(ws, text) == ["invalid", "wrong_shape", "type", text]
        assert await answer(ws, "[]") == ["invalid", "wrong_shape", "", "[]"]


async def test_what_no_handler_is_declared_for_goes_to_receive_json() -> None:
    """
    With `receive_json` beside `@receives` nothing is of an unknown type.
    """
    async with running(c=Fallback) as server, server.websocket("/c") as ws:
        assert await answer(ws, '{"op": "a"}') == "a"
        assert await answer(ws, '{"op": "b"}') == ["other", {"op": "b"}]
        assert await answer(ws, "[1]") == ["other", [1]]


async def test_a_peer_reaches_no_handler_of_messages() -> None:
    """
    `@handles` is for messages of the server's own: a peer that names its type gets an error.
    """
    from greenroom.actors import handles

    class Chat(JsonWebsocketConsumer):
        @receives("join")
        async def enter(self, content):
            await self.join("room")
            await self.send_json("in")

        @handles("chat.message")
        async def chat_message(self, message):
            await self.send_json("reached")

    async with running(c=Chat) as server, server.websocket("/c") as ws:
        assert await answer(ws, '{"type": "join"}') == "in"
        assert (await answer(ws, '{"type": "chat.message"}'))["error"] == "unknown_type"
        server.root.groups.send("room", {"type": "chat.message"})
        assert await ws.receive_text() == '"reached"'


async def test_a_handler_in_a_thread_crashes_alone() -> None:
    """
    In a class of both kinds a `def` handler that raises is restarted with the socket open.
    """

    class Fragile(JsonWebsocketConsumer):
        @receives("boom")
        def boom(self, content):
            raise RuntimeError("boom")

        @receives("hi")
        async def hi(self, content):
            await self.send_json(self.epoch)

    async with running(c=Fragile) as server, server.websocket("/c") as ws:
        ws.send_text('{"type": "boom"}')
        assert await answer(ws, '{"type": "hi"}') == 2


@pytest.mark.parametrize("consumer", [Echo, EchoInThread])
async def test_too_much_bad_input_closes(consumer: type, clock: MockClock) -> None:
    """
    31 invalid messages in a minute close the socket with 1007; 30 a minute go on for ever.
    """
    async with running(c=consumer) as server, server.websocket("/c") as ws:
        for _ in range(3):
            for _ in range(30):
                assert (await answer(ws, "{"))["error"] == "malformed"
            clock.jump(60.0)
        for _ in range(30):
            await answer(ws, "{")
        ws.send_text("{")
        with pytest.raises(SocketClosed) as closed:
            await ws.receive()
        assert closed.value.code == 1007
        assert closed.value.reason == "too many invalid messages, the last: malformed"


async def test_bounds_and_codes_are_the_classes_own() -> None:
    """
    `invalid_per_minute = 0` closes at the first; a binary one with 1003, or the code that is set.
    """

    class Strict(Echo):
        invalid_per_minute = 0

    class Own(Strict):
        invalid_close_code = 4400

    async with running(strict=Strict, own=Own) as server:
        for path, text, code in (
            ("/strict", b"x", 1003),
            ("/strict", "x", 1007),
            ("/own", b"x", 4400),
        ):
            async with server.websocket(path) as ws:
                ws.send_text(text) if isinstance(text, str) else ws.send_bytes(text)
                assert (await ws.closed()).code == code


async def test_a_crash_does_not_make_the_bound_anew() -> None:
    """
    Invalid messages of the incarnation before still count.
    """

    class Once(Echo):
        invalid_per_minute = 1

    async with running(c=Once) as server, server.websocket("/c") as ws:
        await answer(ws, "{")
        ws.crash()
        await ws.wait_restarted()
        ws.send_text("{")
        assert (await ws.closed()).code == 1007


async def test_what_django_projects_send_has_a_form() -> None:
    """
    Dates, Decimal, UUID, sets, subclasses of str and numbers: each as Django words it.
    """

    class Text(str):
        __slots__ = ()

    class Number(int):
        pass

    class Real(float):
        pass

    encoded = JsonWebsocketConsumer.encode_json(
        {
            "when": datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC),
            "day": datetime.date(2026, 1, 2),
            "price": decimal.Decimal("1.50"),
            "id": uuid.UUID(int=1),
            "text": [Text("a"), Number(1), Real(1.5)],
        }
    )
    assert json.loads(encoded) == {
        "when": "2026-01-02T03:04:05Z",
        "day": "2026-01-02",
        "price": "1.50",
        "id": "00000000-0000-0000-0000-000000000001",
        "text": ["a", 1, 1.5],
    }
    with pytest.raises(TypeError, match="builtins.object has no form in JSON"):
        JsonWebsocketConsumer.encode_json(object())


async def test_own_codecs_are_used() -> None:
    """
    `decode_json` and `encode_json` of the class do the work, before what `content` is made into.
    """

    class Own(JsonWebsocketConsumer):
        @classmethod
        def decode_json(cls, text):
            return json.loads(text.removeprefix("v1 "))

        @classmethod
        def encode_json(cls, content):
            return "v1 " + json.dumps(content)

        async def receive_json(self, content: Move):
            await self.send_json(content.x)

    async with running(c=Own) as server, server.websocket("/c") as ws:
        ws.send_text('v1 {"type": "move", "x": 3}')
        assert await ws.receive_text() == "v1 3"
        ws.send_text("v1 {")
        assert json.loads((await ws.receive_text())[3:])["error"] == "malformed"
        ws.send_text('v1 {"type": "move"}')
        assert json.loads((await ws.receive_text())[3:])["field"] == "x"


async def test_a_group_gets_json_encoded_once() -> None:
    """
    `group_send_json` encodes once for all members, and `_others` leaves the sender out.
    """
    encoded: list[object] = []

    class Room(JsonWebsocketConsumer):
        async def connect(self):
            await self.accept()
            await self.join("room")

        @classmethod
        def encode_json(cls, content):
            encoded.append(content)
            return super().encode_json(content)

        async def receive_json(self, content):
            await self.group_send_json("room", {"all": content})
            await self.group_send_json_others("room", {"others": content})

    async with running(c=Room) as server:
        async with server.websocket("/c") as one, server.websocket("/c") as two:
            assert await answer(one, "1") == {"all": 1}
            assert await two.receive_text() == '{"all":1}'
            assert await two.receive_text() == '{"others":1}'
            assert encoded == [{"all": 1}, {"others": 1}]


def test_an_error_tells_itself() -> None:
    """
    `InvalidContent` says what and where; its facts are the default answer.
    """
    error = InvalidContent("wrong_shape", "Expected `int`, got `str`.", "x")
    assert str(error) == "Expected `int`, got `str`. (at x)"
    assert error.facts()["field"] == "x"
