# The communicators themselves: what they refuse, and how an application's end is told. That they
# drive consumers is shown by the files beside this one.

import asyncio
import threading
import time
from typing import Any

import pytest
import trio
from channels_support import Run
from helpers import task_names

from greenroom.actors import WebsocketConsumer as Native
from greenroom.bridges.channels.generic.websocket import (
    AsyncWebsocketConsumer,
)
from greenroom.bridges.channels.testing import (
    ApplicationCommunicator,
    HttpCommunicator,
    WebsocketCommunicator,
)
from greenroom.bridges.django import Greenroom, path

TEXT_NOT_BYTES = "JSON data is not a text frame, it is <class 'bytes'>"


async def echo(scope: Any, receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        if message["type"] == "fail":
            raise KeyError("broken")
        if message["type"] == "end":
            return
        await send(message)


async def test_it_begins_with_the_first_message() -> None:
    """
    The application is not called before something is sent to it; the scope may be changed.
    """
    seen: list[Any] = []

    async def looks(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["user"])

    communicator = ApplicationCommunicator(looks, {"type": "test"})
    assert not communicator.future.begun
    communicator.scope["user"] = "Eve"
    await communicator.send_input({"type": "any"})
    await communicator.wait()
    assert seen == ["Eve"]


def test_a_timeout_cancels_the_application(run: Run) -> None:
    """
    A receive that times out raises TimeoutError and cancels it; later calls say so.
    """

    async def main() -> None:
        communicator = ApplicationCommunicator(echo, {"type": "test"})
        with pytest.raises(TimeoutError, match="within 0"):
            await communicator.receive_output(timeout=0.01)
        assert communicator.future.cancelled()
        for call in (communicator.receive_output, communicator.receive_nothing):
            with pytest.raises(asyncio.CancelledError):
                await call()
        with pytest.raises(asyncio.CancelledError):
            await communicator.send_input({"type": "late"})
        await communicator.wait()
        communicator.stop(exceptions=False)

    run(main)


def test_an_error_is_raised_at_once(run: Run) -> None:
    """
    Who waits for a message gets the application's error as soon as it is raised.
    """

    async def main() -> None:
        communicator = ApplicationCommunicator(echo, {"type": "test"})
        await communicator.send_input({"type": "fail"})
        with pytest.raises(KeyError, match="broken"):
            await communicator.receive_output(timeout=3600)
        with pytest.raises(KeyError, match="broken"):
            await communicator.send_input({"type": "more"})
        with pytest.raises(KeyError, match="broken"):
            communicator.stop()
        communicator.stop(exceptions=False)

    run(main)


def test_an_error_is_seen_by_who_has_waited(run: Run) -> None:
    """
    An input that was given behind another without waiting is no race against the application.
    """

    async def main() -> None:
        communicator = ApplicationCommunicator(echo, {"type": "test"})
        await communicator.send_input({"type": "fail"})
        threading.Event().wait(0.05)  # where it runs in another thread, it has failed by now
        await communicator.send_input({"type": "more"})
        with pytest.raises(KeyError, match="broken"):
            await communicator.wait()

    run(main)


def test_an_error_behind_messages(run: Run) -> None:
    """
    What a handler has sent before it raised can be read to the end; who waits for more is told.
    """

    class Fails(AsyncWebsocketConsumer):
        async def connect(self) -> None:
            await self.accept()
            await self.send("one")
            await self.send("two")
            raise KeyError("broken")

    async def main() -> None:
        for _ in range(50):
            communicator = WebsocketCommunicator(Fails.as_asgi(), "/")
            assert await communicator.connect() == (True, None)
            assert await communicator.receive_from() == "one"
            assert await communicator.receive_from() == "two"
            await communicator.send_to("more")
            with pytest.raises(KeyError, match="broken"):
                await communicator.receive_from()

    run(main)


def test_tasks_of_asyncio_send_in_order(run: Run) -> None:
    """
    What tasks of asyncio send arrives in the order in which they began to.
    """

    class Gathers(AsyncWebsocketConsumer):
        on_asyncio = True

        async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
            await asyncio.gather(*(self.send(str(number)) for number in range(20)))

    async def main() -> None:
        communicator = WebsocketCommunicator(Gathers.as_asgi(), "/")
        await communicator.connect()
        await communicator.send_to("x")
        received = [await communicator.receive_from() for _ in range(20)]
        assert received == [str(number) for number in range(20)]
        await communicator.disconnect()

    run(main)


def test_an_end_is_told_at_once(run: Run) -> None:
    """
    Who waits for a message of an application that has ended waits no longer.
    """

    async def main() -> None:
        communicator = ApplicationCommunicator(echo, {"type": "test"})
        await communicator.send_input({"type": "end"})
        with pytest.raises(TimeoutError, match="has ended"):
            await communicator.receive_output(timeout=3600)
        await communicator.wait()

    run(main)


def test_what_was_sent_before_the_end(run: Run) -> None:
    """
    What it has sent can be received when it has ended.
    """

    async def main() -> None:
        communicator = ApplicationCommunicator(echo, {"type": "test"})
        await communicator.send_input({"type": "1"})
        await communicator.send_input({"type": "end"})
        await communicator.wait()
        assert await communicator.receive_output() == {"type": "1"}
        assert await communicator.receive_nothing()

    run(main)


def test_nothing(run: Run) -> None:
    """
    `receive_nothing` says whether nothing came, and takes nothing away.
    """

    async def main() -> None:
        communicator = ApplicationCommunicator(echo, {"type": "test"})
        assert await communicator.receive_nothing(timeout=0.01)
        await communicator.send_input({"type": "1"})
        assert not await communicator.receive_nothing(timeout=3600)
        assert await communicator.receive_output() == {"type": "1"}
        communicator.stop()

    run(main)


def test_wait_cancels_what_goes_on(run: Run) -> None:
    """
    `wait` gives an application its time, and then cancels it without an error.
    """

    async def main() -> None:
        communicator = ApplicationCommunicator(echo, {"type": "test"})
        await communicator.wait(timeout=0.01)
        assert communicator.future.done()

    run(main)


def test_one_that_is_forgotten_ends(run: Run) -> None:
    """
    A communicator that nobody refers to any more has its application cancelled.
    """
    begun, ended = threading.Event(), list[bool]()

    async def lasts(scope: Any, receive: Any, send: Any) -> None:
        begun.set()
        try:
            await trio.sleep_forever()
        finally:
            ended.append(True)

    async def main() -> None:
        communicator = ApplicationCommunicator(lasts, {"type": "test"})
        while not begun.is_set():  # perhaps in another thread, which a busy machine keeps waiting
            await communicator.receive_nothing(timeout=0.01)
        running = communicator.future
        del communicator
        await running.wait()

    run(main)
    assert ended == [True]


async def test_a_test_may_end_before_its_application() -> None:
    """
    What a test on trio leaves running ends with it.
    """
    communicator = ApplicationCommunicator(echo, {"type": "test"})
    await communicator.send_input({"type": "1"})
    assert any("under test" in name for name in task_names())
    test_a_test_may_end_before_its_application.kept = communicator  # type: ignore[attr-defined]


def test_the_thread_of_tests_on_asyncio_ends() -> None:
    """
    The trio loop for tests on asyncio ends with the last application.
    """

    for each in threading.enumerate():  # of another test, and on its way out
        if each.name == NAME:
            each.join(30)

    async def main() -> None:
        first = ApplicationCommunicator(echo, {"type": "test"})
        second = ApplicationCommunicator(echo, {"type": "test"})
        for communicator in (first, second):
            await communicator.send_input({"type": "1"})
            await communicator.receive_output()
        (thread,) = [each for each in threading.enumerate() if each.name == NAME]
        for communicator in (first, second):
            await communicator.send_input({"type": "end"})
            await communicator.wait()
        thread.join(30)
        assert not thread.is_alive()

    asyncio.run(main())


NAME = "greenroom-communicators"


def test_outside_of_any_loop() -> None:
    """
    A communicator that is used outside of an async test says where it works.
    """
    communicator = ApplicationCommunicator(echo, {"type": "test"})
    code = communicator.send_input({"type": "1"})
    with pytest.raises(RuntimeError, match="pytest-trio"):
        code.send(None)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, "You must supply exactly one of text_data or bytes_data"),
        ({"text_data": "", "bytes_data": b""}, "You must supply exactly one of text_data or"),
        ({"text_data": b"x"}, "The text_data argument must be a str"),
        ({"bytes_data": "x"}, "The bytes_data argument must be bytes"),
    ],
)
async def test_what_a_websocket_refuses_to_send(arguments: Any, text: str) -> None:
    """
    `send_to` takes a text or bytes, and says what is wrong.
    """
    communicator = WebsocketCommunicator(AsyncWebsocketConsumer.as_asgi(), "/")
    await communicator.connect()
    with pytest.raises(AssertionError, match=f"^{text}"):
        await communicator.send_to(**arguments)
    await communicator.disconnect()


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"type": "no.such"}, "Expected type 'websocket.send', but was 'no.such'"),
        (
            {"type": "websocket.send", "text": "a", "bytes": None},
            "The response needs exactly one of 'text' or 'bytes'",
        ),
        ({"type": "websocket.send", "bytes": b"a"}, TEXT_NOT_BYTES),
    ],
)
async def test_what_a_websocket_refuses_to_receive(message: Any, text: str) -> None:
    """
    `receive_json_from` takes a text frame, and says what else came: in Channels' words, no more.
    """
    communicator = WebsocketCommunicator(echo, "/")
    await communicator.send_input(message)
    with pytest.raises(AssertionError) as raised:
        await communicator.receive_json_from()
    assert str(raised.value) == text
    communicator.stop()


def test_scopes() -> None:
    """
    A path may be quoted and have a query; a path that is no text is refused.
    """
    with pytest.raises(TypeError, match="^Expected str, got <class 'bytes'>$"):
        WebsocketCommunicator(echo, b"/")  # type: ignore[arg-type]
    headers = [(b"a", b"b")]
    websocket = WebsocketCommunicator(echo, "/a%20b?c=d", headers, ["chat"], spec_version="2.4")
    assert websocket.scope == {
        "type": "websocket",
        "path": "/a b",
        "query_string": b"c=d",
        "headers": headers,
        "subprotocols": ["chat"],
        "spec_version": "2.4",
    }
    http = HttpCommunicator(echo, "get", "/a%20b?c=d", headers=headers)
    assert http.scope == {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": "/a b",
        "query_string": b"c=d",
        "headers": headers,
    }


class NativeEcho(Native):
    async def receive(self, text: str) -> None:
        if text == "crash":
            raise KeyError("broken")
        await self.send(text)


@pytest.mark.parametrize("what", ["Greenroom", "class"])
def test_with_a_tree(run: Run, what: str) -> None:
    """
    A `Greenroom(...)`, or a consumer of ours, has its lifespan run around the one connection.
    """

    async def main() -> None:
        application: Any = NativeEcho.as_asgi()
        if what == "Greenroom":
            application = Greenroom(websocket=[path("chat", NativeEcho)])
        communicator = WebsocketCommunicator(application, "/chat")
        assert await communicator.connect() == (True, None)
        await communicator.send_to(text_data="crash")
        await communicator.send_to(text_data="hi")
        assert await communicator.receive_from() == "hi"
        await communicator.disconnect(timeout=30)

    run(main)


def test_no_time_passes_that_is_not_asked_for() -> None:
    """
    Under a virtual clock a communicator's hour is over at once.
    """
    from greenroom.bridges.testing import virtual_clock

    async def main() -> None:
        communicator = ApplicationCommunicator(echo, {"type": "test"})
        with pytest.raises(TimeoutError):
            await communicator.receive_output(timeout=3600)

    began = time.monotonic()
    trio.run(main, clock=virtual_clock())
    assert time.monotonic() - began < 1800
