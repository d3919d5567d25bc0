# @timeout, @concurrent and @cancelled_on_disconnect on the handlers of consumers that are not plain
# WebSockets': they hold, or the class is refused.

import time
from typing import Any

import pytest
import trio
from helpers import happened, requested, running, settle
from trio.testing import MockClock

from greenroom.actors import (
    HttpConsumer,
    JsonWebsocketConsumer,
    cancelled_on_disconnect,
    concurrent,
    receives,
    timeout,
)
from greenroom.bridges.testing import virtual_clock

ended: list[str] = []


@pytest.fixture
def clock() -> MockClock:
    ended.clear()
    return virtual_clock()


class Slow(HttpConsumer):
    @timeout(1.0)
    async def handle(self, body: bytes) -> None:
        await trio.sleep_forever()


class SlowParts(HttpConsumer):
    @timeout(1.0)
    async def chunk(self, data: bytes, last: bool) -> None:
        await trio.sleep_forever()


class Left(HttpConsumer):
    @cancelled_on_disconnect()
    async def handle(self, body: bytes) -> None:
        try:
            ended.append("begun")
            await trio.sleep_forever()
        finally:
            ended.append("cancelled")

    async def disconnect(self, reason: str) -> None:
        ended.append(reason)


class Moves(JsonWebsocketConsumer):
    @receives("slow")
    @timeout(0.001)
    async def slow(self, content: Any) -> None:
        await trio.sleep_forever()

    @receives("thread")
    @timeout(0.001)
    def thread(self, content: Any) -> None:
        while True:
            self.join("somewhere")
            time.sleep(0)

    @receives("quick")
    def quick(self, content: Any) -> None:
        self.send_json("quick")


def made(base: type, **names: Any) -> type:
    return type("Made", (base,), names)


async def handler(self: Any, content: Any = None) -> None:
    """Do nothing."""


def in_thread(self: Any, content: Any = None) -> None:
    """Do nothing."""


def again(function: Any) -> Any:
    """Return a copy: marks stay on a function."""
    return type(function)(
        function.__code__, function.__globals__, function.__name__, function.__defaults__
    )


@pytest.mark.parametrize("consumer", [Slow, SlowParts])
async def test_timeout_of_a_request(consumer: type[HttpConsumer], clock: MockClock) -> None:
    """
    handle() and chunk() are cancelled after their own timeout, which is a crash: 500.
    """
    async with requested(slow=consumer) as server:
        assert (await server.http("POST", "/slow", body=b"x")).status == 500
        (crash,) = happened(server, "slot.crashed")
        assert "HandlerTimeout" in str(crash.facts)


async def test_a_client_that_leaves(clock: MockClock) -> None:
    """
    A handle() that is marked so is cancelled when its client leaves; then disconnect runs.
    """
    async with requested(left=Left) as server:
        async with server.request("GET", "/left") as request:
            await settle(lambda: ended)
            request.leave()
            await settle(lambda: not server.root.connections.open)
        assert ended == ["begun", "cancelled", "client left"]


@pytest.mark.parametrize("kind", ["slow", "thread"])
async def test_timeout_of_one_type(kind: str) -> None:
    """
    A @receives handler has a timeout of its own; the next message finds a new incarnation.
    """
    async with running(moves=Moves) as server, server.websocket("/moves") as ws:
        ws.send_text(f'{{"type": "{kind}"}}')
        ws.send_text('{"type": "quick"}')
        assert await ws.receive_text() == '"quick"'
        (crash,) = happened(server, "slot.crashed")
        assert f"{kind}() of /connections" in str(crash.facts)


@pytest.mark.parametrize("mark", [concurrent(2), cancelled_on_disconnect()])
def test_marks_of_one_type(mark: Any) -> None:
    """
    What can't hold for one @receives handler is refused, and allowed for receive_json.
    """
    with pytest.raises(TypeError, match="Mark receive_json with it"):
        made(JsonWebsocketConsumer, move=receives("move")(mark(again(handler))))
    made(
        JsonWebsocketConsumer,
        receive_json=mark(again(handler)),
        move=receives("move")(again(handler)),
    )


@pytest.mark.parametrize("move", [in_thread, timeout(1.0)(again(in_thread))])
def test_concurrent_in_both_colours(move: Any) -> None:
    """
    @concurrent with some handlers in threads is refused: several of one job could not be told.
    """
    with pytest.raises(TypeError, match="is @concurrent, and only some"):
        made(
            JsonWebsocketConsumer,
            receive_json=concurrent(2)(again(handler)),
            move=receives("move")(again(move) if move is in_thread else move),
        )


def test_concurrent_requests() -> None:
    """
    handle() is called once, so it can't be concurrent.
    """
    with pytest.raises(TypeError, match="handle runs alone"):
        made(HttpConsumer, handle=concurrent(2)(again(handler)))
