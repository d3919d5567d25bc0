# The public in-process driver, as its users see it.

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
from helpers import Routes
from trio.testing import MockClock

from greenroom.actors import WebsocketConsumer
from greenroom.bridges.asgi import Application
from greenroom.bridges.testing import (
    HandshakeRefused,
    ServerDriver,
    SocketClosed,
    StartupFailed,
    serve,
    virtual_clock,
)


class Chat(WebsocketConsumer):
    async def connect(self, message):
        if self.scope["query_string"] == b"no":
            await self.close()
        elif self.scope["query_string"] != b"wait":
            await self.accept()
        else:
            await trio.sleep_forever()

    async def receive(self, text, bytes):
        if bytes is not None:
            await self.send(bytes=bytes)
        elif text == "close":
            await self.close(4000, "enough")
        elif text == "scope":
            headers = dict(self.scope["headers"])
            assert headers.pop(b"host") in (b"127.0.0.1", b"testserver")  # with Django, without
            await self.send(text=repr([self.scope["path"], headers]))
        elif text == "mute":
            await trio.sleep_forever()
        else:
            await self.send(text=f"{self.epoch}: {text}")


@pytest.fixture
async def server() -> AsyncIterator[ServerDriver]:
    async with serve(Application(router=Routes({"chat": Chat}))) as server:
        yield server


async def test_messages_go_both_ways(server: ServerDriver) -> None:
    """
    Text and bytes come back as what they are, in order.
    """
    async with server.websocket("/chat") as ws:
        ws.send_text("hi")
        ws.send_bytes(b"\x00")
        assert await ws.receive_text() == "1: hi"
        assert await ws.receive() == b"\x00"
        ws.send_bytes(b"\x00")
        with pytest.raises(AssertionError, match="a binary message came"):
            await ws.receive_text()


async def test_path_query_and_headers_reach_the_application(server: ServerDriver) -> None:
    """
    The path is unquoted, header names are lower case, and a host is named as every client does.
    """
    async with server.websocket("/chat/a%20b?x=1", headers=[("X-One", "1")]) as ws:
        ws.send_text("scope")
        assert await ws.receive() == "['/chat/a b', {b'x-one': b'1'}]"


async def test_a_refused_handshake(server: ServerDriver) -> None:
    """
    A refusal raises with status and body: 403 for a close, the denial's own where there is one.
    """
    with pytest.raises(HandshakeRefused, match="refused with 403"):
        async with server.websocket("/chat?no"):
            pass
    with pytest.raises(HandshakeRefused) as refused:
        async with server.websocket("/nowhere"):
            pass
    assert (refused.value.status, refused.value.body) == (404, b"No WebSocket here.\n")


async def test_waiting_has_a_limit(server: ServerDriver, autojump_clock: MockClock) -> None:
    """
    A handshake or a message that does not come raises TooSlowError.
    """
    with pytest.raises(trio.TooSlowError):
        async with server.websocket("/chat?wait", timeout=3):
            pass
    async with server.websocket("/chat") as ws:
        with pytest.raises(trio.TooSlowError):
            await ws.receive(timeout=3)


async def test_a_closed_socket(server: ServerDriver) -> None:
    """
    The application's close raises SocketClosed with its code, or is returned by closed().
    """
    async with server.websocket("/chat") as ws:
        ws.send_text("close")
        with pytest.raises(SocketClosed, match="closed the socket with 4000 'enough'"):
            await ws.receive()
    async with server.websocket("/chat") as ws:
        ws.send_text("skipped")
        ws.send_text("close")
        assert (await ws.closed()).code == 4000
        with pytest.raises(SocketClosed, match="1006 'the application returned without a close'"):
            await ws.application_done.wait()
            await ws.receive()


async def test_crash_and_wait_restarted(server: ServerDriver) -> None:
    """
    crash() crashes this socket's consumer with the given error; wait_restarted() returns its slot.
    """
    async with server.websocket("/chat") as ws, server.websocket("/chat") as other:
        ws.crash(ValueError("on purpose"))
        slot = await ws.wait_restarted()
        assert (slot.epoch, slot.crashes[0].text) == (2, "on purpose")
        ws.crash()
        assert (await ws.wait_restarted()).epoch == 3
        assert (await ws.wait_restarted(2)).epoch == 3
        ws.send_text("hi")
        assert await ws.receive() == "3: hi"
        assert other.slot.epoch == 1
        assert other.slot.path != ws.slot.path


async def test_a_slot_that_ends_is_not_restarted(server: ServerDriver) -> None:
    """
    wait_restarted() raises LookupError when the slot has ended, TooSlowError when nothing happens.
    """
    async with server.websocket("/chat") as ws:
        with pytest.raises(trio.TooSlowError):
            await ws.wait_restarted(timeout=0.01)
        ws.send_text("close")
        with pytest.raises(LookupError, match="has ended"):
            await ws.wait_restarted()


async def test_a_socket_that_no_slot_serves(server: ServerDriver) -> None:
    """
    Asked for the slot of a refused socket the driver says that there is none.
    """
    ws = server.dial("/nowhere")
    await ws.application_done.wait()
    with pytest.raises(LookupError, match="no slot"):
        ws.slot  # noqa: B018


async def test_http_requests() -> None:
    """
    http() gives the application method, body and headers, and returns the whole answer.
    """

    async def application(scope: Any, receive: Any, send: Any) -> None:
        request = await receive()
        body = b"%s %s" % (scope["method"].encode(), request["body"])
        headers = [(b"x-path", scope["path"].encode())]
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        await send({"type": "http.response.body", "body": body[:3], "more_body": True})
        await send({"type": "http.response.body", "body": body[3:]})

    async with serve(Application(http=application)) as server:
        answer = await server.http("POST", "/x?y", body=b"data")

    assert (answer.status, answer.body, answer.complete) == (201, b"POST data", True)
    assert answer.headers == [(b"x-path", b"/x")]


async def test_no_answer_to_the_handshake_is_a_500() -> None:
    """
    An application that returns before it has answered is refused with 500, as by a server.
    """

    async def silent(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    async with serve(Application(router=Routes({"silent": silent}))) as server:
        with pytest.raises(HandshakeRefused) as refused:
            async with server.websocket("/silent"):
                pytest.fail("it was accepted")

    assert refused.value.status == 500


ACCEPT, CLOSE = {"type": "websocket.accept"}, {"type": "websocket.close"}
TEXT = {"type": "websocket.send", "text": "x"}
HEAD = {"type": "http.response.start", "status": 200, "headers": []}
BODY = {"type": "http.response.body", "body": b""}


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ([TEXT], "sent 'websocket.send' while the socket was connecting"),
        ([ACCEPT, ACCEPT], "sent 'websocket.accept' while the socket was open"),
        ([ACCEPT, CLOSE, TEXT], "sent 'websocket.send' while the socket was closed"),
        ([ACCEPT | {"subprotocol": "v2"}], "chose subprotocol 'v2', not offered"),
        ([BODY], "sent 'http.response.body' after nothing"),
        ([HEAD, HEAD], "sent 'http.response.start' after the start"),
        ([HEAD, BODY, BODY], "sent 'http.response.body' after the end"),
    ],
)
async def test_events_out_of_turn_are_refused(events: list[Any], message: str) -> None:
    """
    What hypercorn would not take of an application, the driver does not take either.
    """
    refused: list[str] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await send({"type": "lifespan.startup.complete"})
            return
        with pytest.raises(RuntimeError) as error:
            for event in events:
                await send(event)
        refused.append(str(error.value))

    async with serve(application) as server:
        if events[0] in (HEAD, BODY):
            await server.http("GET", "/")
        else:
            await server.dial("/").application_done.wait()

    assert refused == [f"the application {message}"]


async def test_what_the_body_raises_comes_out_as_it_is() -> None:
    """
    An assertion that fails inside `async with serve(...)` is not wrapped in a group, or behind one.
    """
    with pytest.raises(AssertionError, match="^mine") as failed:
        async with serve(Application()):
            raise AssertionError("mine")
    assert failed.value.__context__ is None


async def test_an_applications_own_error_is_the_tests() -> None:
    """
    What an application of somebody else's raises fails the test.
    """

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            raise RuntimeError("not supported")

    with pytest.raises(RuntimeError, match="not supported"):
        async with serve(application) as server:
            await server.http("GET", "/")


async def test_startup_that_fails() -> None:
    """
    startup.failed is StartupFailed with its message, and the body does not run.
    """

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    with pytest.raises(StartupFailed, match="no database"):
        async with serve(application):
            pytest.fail("it started")


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


async def test_the_virtual_clock_stands_while_threads_work(clock: MockClock) -> None:
    """
    With `def` handlers at work no deadline is jumped over; without them time passes at once.
    """

    class Sync(WebsocketConsumer):
        def receive(self, text):
            self.send(text=text)

    began = trio.current_time()
    async with serve(Sync.as_asgi()) as server, server.websocket("/") as ws:
        for number in range(50):
            ws.send_text(str(number))
            assert await ws.receive(timeout=0.001) == str(number)
        assert trio.current_time() - began < 0.05
        await trio.sleep(3600)
    assert trio.current_time() - began >= 3600
