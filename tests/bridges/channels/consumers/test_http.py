# The consumer of an HTTP request: without a tree, and below one; answered later, and left early.

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from channels_support import Run
from helpers import happened, settle

from greenroom.bridges.channels.generic.http import AsyncHttpConsumer
from greenroom.bridges.channels.layers import get_channel_layer
from greenroom.bridges.channels.testing import HttpCommunicator
from greenroom.bridges.django import Greenroom, re_path
from greenroom.bridges.testing import ServerDriver, serve, virtual_clock

log: list[Any] = []


@pytest.fixture(autouse=True)
def fresh_log() -> None:
    """
    Nothing is written down yet.
    """
    log.clear()


class Answers(AsyncHttpConsumer):
    async def handle(self, body: bytes) -> None:
        if body == b"fail":
            raise KeyError("broken")
        headers = {b"x-a": b"b"} if body == b"dict" else [(b"x-a", b"b")]
        await self.send_response(201, body * 2, headers=headers)

    async def disconnect(self) -> None:
        log.append("disconnect")


class Polls(AsyncHttpConsumer):
    """
    The long-poll of Channels' own documentation.
    """

    async def handle(self, body: bytes) -> None:
        await self.channel_layer.group_add("poll", self.channel_name)
        await self.send_headers(headers=[(b"content-type", b"text/plain")])
        await self.send_body(b"", more_body=True)
        log.append("waits")

    async def poll_news(self, message: Any) -> None:
        await self.send_body(message["text"].encode(), more_body=message.get("more", False))

    async def disconnect(self) -> None:
        log.append("disconnect")
        await self.channel_layer.group_discard("poll", self.channel_name)


class Waits(AsyncHttpConsumer):
    async def handle(self, body: bytes) -> None:
        log.append("handle")
        try:
            await trio.sleep_forever()
        finally:
            log.append("cancelled")

    async def disconnect(self) -> None:
        log.append("disconnect")


@asynccontextmanager
async def served(consumer: Any) -> AsyncGenerator[ServerDriver]:
    async with serve(Greenroom(http=[re_path("", consumer.as_asgi())])) as server:
        yield server


@pytest.mark.parametrize("body", [b"dict", b"list"])
def test_a_response(run: Run, body: bytes) -> None:
    """
    `handle` gets the body and answers; headers are pairs, or a mapping.
    """

    async def main() -> None:
        communicator = HttpCommunicator(Answers.as_asgi(), "POST", "/path?a=1", body)
        response = await communicator.get_response()
        assert response == {"status": 201, "headers": [(b"x-a", b"b")], "body": body * 2}
        await communicator.wait()

    run(main)
    assert log == ["disconnect"]


def test_a_body_in_parts(run: Run) -> None:
    """
    `handle` runs once, with the whole body.
    """

    async def main() -> None:
        communicator = HttpCommunicator(Answers.as_asgi(), "POST", "/")
        communicator.sent_request = True
        for part, more in ((b"a", True), (b"b", False)):
            message = {"type": "http.request", "body": part, "more_body": more}
            await communicator.send_input(message)
        assert (await communicator.get_response())["body"] == b"abab"
        await communicator.wait()

    run(main)


@pytest.mark.parametrize(
    ("consumer", "error", "text"),
    [
        (AsyncHttpConsumer, NotImplementedError, "must provide a handle"),
        (Answers, KeyError, "broken"),
    ],
)
def test_errors(run: Run, consumer: Any, error: Any, text: str) -> None:
    """
    What `handle` raises comes out; `disconnect` runs before.
    """

    async def main() -> None:
        communicator = HttpCommunicator(consumer.as_asgi(), "POST", "/", b"fail")
        with pytest.raises(error, match=text):
            await communicator.get_response()

    run(main)
    assert log == (["disconnect"] if consumer is Answers else [])


def test_a_body_that_is_no_bytes(run: Run) -> None:
    """
    A part of a body that is no bytes is an assertion's error.
    """

    class Wrong(AsyncHttpConsumer):
        async def handle(self, body: bytes) -> None:
            await self.send_response(200, "text")  # type: ignore[arg-type]

    async def main() -> None:
        communicator = HttpCommunicator(Wrong.as_asgi(), "GET", "/")
        with pytest.raises(AssertionError, match="Body is not bytes"):
            await communicator.get_response()

    run(main)


def test_answered_later(run: Run) -> None:
    """
    A response that `handle` has begun is ended by a handler of a layer's message.
    """

    async def main() -> None:
        communicator = HttpCommunicator(Polls.as_asgi(), "GET", "/")
        await communicator.send_input({"type": "http.request", "body": b""})
        assert (await communicator.receive_output())["type"] == "http.response.start"
        assert (await communicator.receive_output())["more_body"]
        layer = get_channel_layer()
        await layer.group_send("poll", {"type": "poll.news", "text": "some", "more": True})
        assert (await communicator.receive_output())["body"] == b"some"
        await layer.group_send("poll", {"type": "poll.news", "text": "last"})
        last = {"type": "http.response.body", "body": b"last", "more_body": False}
        assert await communicator.receive_output() == last
        await communicator.wait()
        assert not layer.groups

    run(main)
    assert log == ["waits", "disconnect"]


def test_the_clients_leaving_is_seen_while_handle_runs() -> None:
    """
    `http.disconnect` cancels `handle`; then `disconnect` runs, once.
    """

    async def main() -> None:
        communicator = HttpCommunicator(Waits.as_asgi(), "GET", "/")
        await communicator.send_input({"type": "http.request", "body": b""})
        await communicator.send_input({"type": "http.disconnect"})
        await communicator.wait()
        assert not communicator.future.cancelled()

    trio.run(main)
    assert log == ["handle", "cancelled", "disconnect"]


def test_a_cancelled_one_cleans_up() -> None:
    """
    A test that gives up cancels `handle`, and `disconnect` runs.
    """

    async def main() -> None:
        communicator = HttpCommunicator(Waits.as_asgi(), "GET", "/")
        with pytest.raises(TimeoutError):
            await communicator.get_response(timeout=0.01)

    trio.run(main, clock=virtual_clock())  # on which the time is over when `handle` waits
    assert log == ["handle", "cancelled", "disconnect"]


async def test_below_a_tree() -> None:
    """
    A request has its slot in the tree; an error is a 500, and cleaned up after.
    """
    async with served(Answers) as server:
        answer = await server.http("POST", "/", body=b"hi")
        assert (answer.status, answer.body) == (201, b"hihi")
        assert (await server.http("POST", "/", body=b"fail")).status == 500
        assert len(happened(server, "slot.crashed")) == 1
        assert not server.root.connections.open
    assert log == ["disconnect", "disconnect"]


async def test_a_long_poll_below_a_tree() -> None:
    """
    The long-poll of Channels' documentation answers when there is news; nothing is left behind.
    """
    async with served(Polls) as server:
        bodies: list[bytes] = []

        async def poll() -> None:
            bodies.append((await server.http("GET", "/")).body)

        server.start_soon(poll)
        await settle(lambda: log)
        layer = get_channel_layer()
        await layer.group_send("poll", {"type": "poll.news", "text": "news"})
        await settle(lambda: bodies)
        assert bodies == [b"news"]
        await settle(lambda: not server.root.connections.open)
        assert (layer.groups, layer.channels) == ({}, {})
    assert log == ["waits", "disconnect"]


async def test_a_server_that_stops_ends_it() -> None:
    """
    At the server's stop `handle` is cancelled in its time, and `disconnect` runs.
    """
    async with serve(
        Greenroom(http=[re_path("", Waits.as_asgi())], shutdown_seconds=0.01)
    ) as server:

        async def wait() -> None:
            log.append((await server.http("GET", "/")).status)

        server.start_soon(wait)
        await settle(lambda: log)
        server.root.stop()
        await settle(lambda: len(log) == 4)
    assert log == ["handle", "cancelled", "disconnect", 503]
