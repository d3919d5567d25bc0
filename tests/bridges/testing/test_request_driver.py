# Requests and event streams in parts: what the drivers tell, and what they refuse.

from typing import Any

import pytest
import trio
from helpers import requested
from trio.testing import wait_all_tasks_blocked

from greenroom.actors import EventStreamConsumer
from greenroom.bridges.testing import (
    ProtocolViolation,
    ResponseCut,
    StreamEnded,
    StreamEvent,
    StreamRefused,
    serve,
)

START = {"type": "http.response.start", "status": 200, "headers": []}
STREAM = START | {"headers": [(b"content-type", b"text/event-stream; charset=utf-8")]}


def sends(*events: dict[str, Any]) -> Any:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        for event in events:
            await send(event)

    return application


def bare(application: Any) -> Any:
    """Return *application* with a lifespan of its own, and nothing of ours around it."""

    async def served(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await application(scope, receive, send)
            return
        for word in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{word}.complete"})

    return served


def body(data: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


async def test_what_a_server_refuses() -> None:
    """
    Events out of turn are the test's error.
    """
    for events in (
        [body(b"x")],
        [START, START],
        [START, {"type": "http.response.trailers", "headers": []}],
        [START, body(b"", more=False), body(b"")],
    ):
        with pytest.raises(ProtocolViolation):
            async with serve(bare(sends(*events))) as server:
                async with server.request("GET", "/") as request:
                    await request.application_done.wait()


async def test_who_leaves_at_once_has_left() -> None:
    """
    A client that leaves while its body is handed over is told of as any other.
    """
    for turns in range(4):
        got: list[str] = []

        async def listen(scope: Any, receive: Any, send: Any, got: list[str] = got) -> None:
            while "http.disconnect" not in got:
                got.append((await receive())["type"])

        async with serve(bare(listen)) as server, server.request("GET", "/") as request:
            for _ in range(turns):
                await trio.sleep(0)
            request.leave()
            with trio.fail_after(5):
                await request.application_done.wait()
        assert got in (["http.disconnect"], ["http.request", "http.disconnect"])


async def test_whole_and_cut() -> None:
    """
    A response that was ended is read to its end; one that was not is told from it.
    """
    async with requested(http=sends(START, body(b"a"), body(b"b", more=False))) as server:
        async with server.request("GET", "/") as request:
            assert await request.receive() == b"a"
            assert await request.receive() == b"b"
            with pytest.raises(StreamEnded):
                await request.receive()
    async with requested(http=sends(START, body(b"a"))) as server:
        async with server.request("GET", "/") as request:
            assert await request.receive() == b"a"
            with pytest.raises(ResponseCut):
                await request.receive()


async def test_the_queue_is_as_short_as_a_servers() -> None:
    """
    Ten parts of a body wait for an application that does not read; the others are not sent yet.
    """

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await door.wait()
        sizes.extend([len((await receive())["body"]) for _ in range(30)])
        await send(START)
        await send(body(b"", more=False))

    door = trio.Event()
    sizes: list[int] = []
    async with serve(bare(application)) as server:
        async with server.request("POST", "/", body=None) as request:
            for size in range(30):
                request.send_part(b"x" * size)
            await wait_all_tasks_blocked()
            assert request.unsent == 20
            door.set()
            assert await request.read() == b""
    assert sizes == list(range(30))


async def test_the_end_waits_for_room() -> None:
    """
    With the last part of a response its end goes into the queue of the body, and may wait there.
    """

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await wait_all_tasks_blocked()
        await send(START)
        with trio.move_on_after(0.01) as patience:
            await send(body(b"", more=False))
        waited.append(patience.cancelled_caught)

    waited: list[bool] = []
    async with serve(bare(application)) as server:
        async with server.request("POST", "/", body=b"x" * 70000 * 20) as request:
            await request.application_done.wait()
    assert waited == [True]


async def test_only_a_stream_is_a_stream() -> None:
    """
    Another status or type is a refusal, with its body.
    """
    html = START | {"headers": [(b"content-type", b"text/html")]}
    for start, status in ((html, 200), (STREAM | {"status": 502}, 502)):
        async with requested(http=sends(start, body(b"no", more=False))) as server:
            with pytest.raises(StreamRefused) as refused:
                async with server.event_stream("/"):
                    pass
            assert (refused.value.status, refused.value.body) == (status, b"no")


async def test_events_and_comments() -> None:
    """
    Events come one by one, whatever parts they come in; comments are listed.
    """
    parts = [
        body(b": hi\ndata: a\r"),
        body(b"\ndata: b\n\nid: 7\nda"),
        body(b"ta: c\n\n", more=False),
    ]
    async with requested(http=sends(STREAM, *parts)) as server:
        async with server.event_stream("/", last_event_id="6") as stream:
            assert dict(stream.scope["headers"])[b"last-event-id"] == b"6"
            assert await stream.next_event() == StreamEvent("a\nb", id="6")
            assert await stream.next_event() == StreamEvent("c", id="7")
            assert (stream.comments, stream.last_event_id) == (["hi"], "7")
            with pytest.raises(StreamEnded):
                await stream.next_event()


async def test_a_crash_is_the_cause() -> None:
    """
    Where the consumer crashed, its error is the cause of what the test sees.
    """

    class Broken(EventStreamConsumer):
        def connect(self) -> None:
            raise LookupError("no such feed")

    async with requested(broken=Broken) as server:
        with pytest.raises(StreamRefused) as refused:
            async with server.event_stream("/broken"):
                pass
    assert isinstance(refused.value.__cause__, LookupError)
