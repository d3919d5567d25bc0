# What a JSON consumer's class can't be: refused when it is created, in a sentence that says why.

from __future__ import annotations

import gc
import json
import threading
from typing import Any

import msgspec
import pytest
import trio
from helpers import happened, running
from trio.testing import wait_all_tasks_blocked

from greenroom.actors import JsonWebsocketConsumer, receives
from greenroom.supervisor import Options


class Move(msgspec.Struct, tag="move"):
    x: int


class Strict(msgspec.Struct, forbid_unknown_fields=True):
    x: int


class ByOp(msgspec.Struct, tag="op", tag_field="op"):
    x: int


def made(**names: Any) -> type:
    """Make a class of a JSON consumer."""
    return type("Made", (JsonWebsocketConsumer,), names)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"receive": lambda self, text: None}, "Made defines receive, which decodes the JSON"),
        ({"decode_json": lambda cls, text: 1}, "Made.decode_json must be a classmethod"),
        ({"dispatch_by": ""}, "Made.dispatch_by must be a key of the content. Got: ''"),
        ({"json_depth": 0}, "Made.json_depth must be at least 1. Got: 0"),
        ({"json_depth": None}, "Made.json_depth must be a whole number. Got: None"),
        ({"invalid_per_minute": 1.5}, "Made.invalid_per_minute must be a whole number. Got: 1.5"),
        ({"invalid_close_code": 1005}, "close code must be 1000 to 1003"),
    ],
)
def test_settings(names: dict[str, Any], message: str) -> None:
    """
    Each with its name and what was given.
    """
    with pytest.raises((TypeError, ValueError), match=message):
        made(**names)


def test_codecs_that_nobody_awaits() -> None:
    """
    Channels' async classes have async codecs; here they are called at once.
    """

    async def decode_json(cls: object, text: str) -> object:
        return text

    with pytest.raises(TypeError, match=r"decode_json is called at once.*write def decode_json"):
        made(decode_json=classmethod(decode_json))


def test_receives_takes_keys() -> None:
    """
    Strings and tagged Structs; a bare decorator, or nothing, says what to write.
    """
    with pytest.raises(TypeError, match="needs at least one key"):
        receives()
    for wrong in (3, Strict, test_receives_takes_keys):
        with pytest.raises(TypeError, match="takes strings, and msgspec.Struct classes"):
            receives(wrong)  # type: ignore[arg-type]


def test_handlers_that_could_not_be_called() -> None:
    """
    Two for one key, an unknown parameter, a tag in another field, a Struct that refuses the key.
    """
    with pytest.raises(TypeError, match="two handlers for 'move': one and two. Keep one"):

        class Twice(JsonWebsocketConsumer):
            @receives("move")
            def one(self, content):
                pass

            @receives(Move)
            def two(self, content):
                pass

    with pytest.raises(TypeError, match="unknown parameter 'text'"):

        class Unknown(JsonWebsocketConsumer):
            def receive_json(self, text):
                pass

    with pytest.raises(TypeError, match="Write dispatch_by = 'op' in the consumer"):

        class OtherKey(JsonWebsocketConsumer):
            @receives(ByOp)
            def op(self, content):
                pass

    with pytest.raises(TypeError, match="Strict forbids unknown fields, so 'type'"):

        class Refusing(JsonWebsocketConsumer):
            @receives("strict")
            def strict(self, content: Strict):
                pass


def test_types_that_are_not_known() -> None:
    """
    An annotation that can't be found, or that msgspec can't make, would validate nothing.
    """
    with pytest.raises(TypeError, match=r"not known when the class is created.*Nowhere"):

        class Missing(JsonWebsocketConsumer):
            def receive_json(self, content: Nowhere):  # noqa: F821 # type: ignore[name-defined]
                pass

    with pytest.raises(TypeError, match="can't be validated as"):

        class Odd(JsonWebsocketConsumer):
            def receive_json(self, content: list[int] | tuple[int, ...]):
                pass


async def test_annotations_may_be_text() -> None:
    """
    With `from __future__ import annotations`, as in this file, contents are validated all the same.
    """

    class Texts(JsonWebsocketConsumer):
        async def receive_json(self, content: Move):
            await self.send_json(content.x)

    async with running(c=Texts) as server, server.websocket("/c") as ws:
        ws.send_text('{"type": "move", "x": 3}')
        assert await ws.receive_text() == "3"
        ws.send_text('{"type": "move", "x": "3"}')
        assert json.loads(await ws.receive_text())["field"] == "x"


async def test_a_subclass_replaces_one_handler() -> None:
    """
    It is found by its key, whatever its name; what it does not replace stays.
    """

    class Base(JsonWebsocketConsumer):
        @receives("a")
        async def first(self, content):
            await self.send_json("base a")

        @receives("b")
        async def second(self, content):
            await self.send_json("base b")

    class Derived(Base):
        @receives("a")
        async def other(self, content):
            await self.send_json("derived a")

    async with running(c=Derived) as server, server.websocket("/c") as ws:
        ws.send_text('{"type": "a"}')
        ws.send_text('{"type": "b"}')
        assert [await ws.receive_text(), await ws.receive_text()] == ['"derived a"', '"base b"']


async def test_what_waits_for_a_thread_is_the_next_ones() -> None:
    """
    In a class of both kinds a message whose `def` handler had not begun survives a crash.
    """
    busy, go = threading.Event(), threading.Event()

    class Hog(JsonWebsocketConsumer):
        def receive_json(self, content):
            busy.set()
            go.wait()

    class Both(JsonWebsocketConsumer):
        @receives("slow")
        def slow(self, content):
            self.send_json(["slow", self.epoch])

        @receives("quick")
        async def quick(self, content):
            await self.send_json(["quick", self.epoch])

    async with running(options=Options(consumer_threads=1), hog=Hog, both=Both) as server:
        async with server.websocket("/hog") as hog, server.websocket("/both") as ws:
            hog.send_text("1")
            await trio.to_thread.run_sync(busy.wait)
            ws.send_text('{"type": "slow"}')
            ws.send_text('{"type": "quick"}')
            await wait_all_tasks_blocked()
            ws.crash()
            await ws.wait_restarted()
            go.set()
            assert json.loads(await ws.receive_text()) == ["slow", 2]
            assert json.loads(await ws.receive_text()) == ["quick", 2]


async def test_an_own_answer_to_bad_input() -> None:
    """
    `on_invalid`, `def` or async, gets the error and the message as it came; it may end the socket.
    """

    class Own(JsonWebsocketConsumer):
        async def receive_json(self, content):
            await self.send_json(content)

        async def on_invalid(self, error, text, bytes):
            if bytes is not None:
                await self.close(4003, "no binaries")
            else:
                await self.send(text=f"{error.kind}: {text}")

    class OwnInThread(JsonWebsocketConsumer):
        def receive_json(self, content):
            self.send_json(content)

        def on_invalid(self, text, error):
            self.send(text=f"{error.kind}: {text}")

    async with running(a=Own, b=OwnInThread) as server:
        async with server.websocket("/a") as one, server.websocket("/b") as two:
            for ws in (one, two):
                ws.send_text("{")
                assert await ws.receive_text() == "malformed: {"
            one.send_bytes(b"x")
            assert (await one.closed()).code == 4003


async def test_a_forgotten_await_is_named_where_it_stands() -> None:
    """
    In debug mode the event names the line of the handler, not one of ours.
    """

    class Forgets(JsonWebsocketConsumer):
        async def receive_json(self, content):
            self.send_json(content)
            self.group_send_json("nobody", content)

    options = Options(debug=True)
    async with running(options=options, c=Forgets) as server, server.websocket("/c") as ws:
        ws.send_text("1")
        assert await ws.receive_text() == "1"
        await wait_all_tasks_blocked()
        gc.collect()
        events = happened(server, "await.forgotten")
        assert len(events) == 2
        assert all("test_json_refused.py" in str(each.facts["where"]) for each in events)
