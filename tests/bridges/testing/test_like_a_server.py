# What a driver makes of applications and of what a test asks, where a server and a client on the
# wire would do just that: hosts, bodies that are not sent, applications without lifespan.

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from helpers import Routes
from trio.testing import MockClock

from greenroom.actors import WebsocketConsumer
from greenroom.bridges.asgi import Application
from greenroom.bridges.testing import (
    HandshakeRefused,
    NothingCame,
    ProtocolViolation,
    serve,
    virtual_clock,
)

Plain = Callable[[Any, Any, Any], Awaitable[None]]
HEAD = {"type": "http.response.start", "status": 200, "headers": []}
BODY = {"type": "http.response.body", "body": b"body"}


class Chat(WebsocketConsumer):
    async def receive(self, text):
        await self.send(text=text)


@pytest.fixture
def clock() -> MockClock:
    """Waits take no time."""
    return virtual_clock()


def without_lifespan(*events: Any) -> Plain:
    """An application that sends *events*, and raises when it is called for anything but that."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            raise ValueError("what is a lifespan?")
        await receive()
        for event in events:
            await send(event)

    return application


async def test_an_application_without_lifespan() -> None:
    """
    It is served all the same, as a server does; it has no tree, and the text says why.
    """
    async with serve(without_lifespan(HEAD, BODY)) as server:
        assert (await server.http("GET", "/")).body == b"body"
        with pytest.raises(LookupError, match="made no tree of Greenroom's") as none:
            server.root  # noqa: B018
        assert isinstance(none.value.__cause__, ValueError)
        server.journal.refuse()


async def test_a_lifespan_that_fails_later_is_the_tests_error() -> None:
    """
    Who has answered the startup, and raises then, is not one that knows no lifespan.
    """

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        raise ValueError("behind the startup")

    with pytest.raises(ValueError, match="behind the startup"):
        async with serve(application):
            await trio.sleep_forever()


async def test_a_host_is_named() -> None:
    """
    As by every client; the test's own takes its place.
    """
    hosts: list[bytes] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            hosts.extend(value for name, value in scope["headers"] if name == b"host")
            await send(HEAD)
            await send(BODY)

    async with serve(application) as server:
        await server.http("GET", "/")
        await server.http("GET", "/", headers=[("Host", "shop.example")])
    assert hosts[0] in (b"127.0.0.1", b"testserver")  # where Django's own tests run
    assert hosts[1:] == [b"shop.example"]


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
async def test_a_body_that_no_server_sends(method: str, status: int) -> None:
    """
    A client of the driver's does not get it either, whole or in parts.
    """
    async with serve(without_lifespan(HEAD | {"status": status}, BODY)) as server:
        answer = await server.http(method, "/")
        assert (answer.status, answer.body, answer.complete) == (status, b"", True)
        async with server.request(method, "/") as request:
            assert await request.read() == b""


async def test_headers_that_can_be_read_once() -> None:
    """
    A server takes them from an iterator, and so does a driver, which hands them on.
    """

    async def application(scope: Any, receive: Any, send: Any) -> None:
        headers = iter([(b"x-one", b"1")])
        if scope["type"] == "http":
            await send(HEAD | {"headers": headers})
            await send(BODY)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.accept", "headers": headers})

    async with serve(application) as server:
        assert (await server.http("GET", "/")).headers == [(b"x-one", b"1")]
        async with server.request("GET", "/") as request:
            await request.read()
            assert request.headers == [(b"x-one", b"1")]
        async with server.websocket("/") as client:
            assert client.response_headers == [(b"x-one", b"1")]


async def test_a_response_that_does_not_come(clock: MockClock) -> None:
    """
    The text says what has come of it; the application is cancelled.
    """
    ended: list[str] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            try:
                if scope["path"] == "/half":
                    await send(HEAD)
                    await send(BODY | {"more_body": True})
                await trio.sleep_forever()
            finally:
                ended.append(scope["path"])

    async with serve(application) as server:
        with pytest.raises(NothingCame, match=r"within 60 s.\nThe response was not begun"):
            await server.http("GET", "/")
        with pytest.raises(NothingCame, match=r"within 3 s.\n.* begun with 200, and 4 bytes"):
            await server.http("GET", "/half", timeout=3)
        assert ended == ["/", "/half"]
    assert trio.current_time() >= 63


async def test_a_denial_that_was_only_begun() -> None:
    """
    The application has returned behind its start: a server answers 500.
    """
    start = {"type": "websocket.http.response.start", "status": 403, "headers": []}
    async with serve(without_lifespan(start)) as server:
        with pytest.raises(HandshakeRefused, match="refused with 500"):
            async with server.websocket("/"):
                pytest.fail("it was accepted")


async def test_receive_behind_the_end() -> None:
    """
    Nothing comes there: it is refused, not waited for.
    """
    refused: list[Exception] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            return
        await receive()
        await send({"type": "websocket.accept"})
        assert (await receive())["type"] == "websocket.disconnect"
        try:
            await receive()
        except ProtocolViolation as error:
            refused.append(error)

    async with serve(application) as server, server.websocket("/"):
        pass
    assert "behind websocket.disconnect" in str(refused[0])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"path": "chat"}, r"begins with a slash.* like '/ws/chat/'. Got: 'chat'"),
        ({"path": "ws://h/chat"}, "begins with a slash, and names no host"),
        ({"headers": {"cookie": "x"}}, r"pairs of str, like \[\('cookie', .* Got: 'cookie' in {"),
        ({"headers": [(b"cookie", b"x")]}, r"pairs of str.* Got: \(b'cookie', b'x'\) in"),
        ({"subprotocols": "v1"}, r"must be a list, like \['chat.v1'\]. Got: 'v1'"),
    ],
)
async def test_what_no_client_can_ask(arguments: Any, text: str) -> None:
    """
    A path without its slash, headers and subprotocols of other types: the text says what to write.
    """
    async with serve(Application(router=Routes({"chat": Chat}))) as server:
        with pytest.raises((ValueError, TypeError), match=text):
            async with server.websocket(**{"path": "/chat", **arguments}):
                pytest.fail("it was dialled")


async def test_what_no_client_can_send() -> None:
    """
    A dict for a text, a str for bytes or for a body: the test's mistake, not the consumer's.
    """
    wrong: Any = {"text": "x"}
    async with serve(Application(router=Routes({"chat": Chat}))) as server:
        async with server.websocket("/chat") as client:
            with pytest.raises(TypeError, match=r"JSON a json.dumps.* Got: {'text': 'x'}"):
                client.send_text(wrong)
            with pytest.raises(TypeError, match="a binary message is bytes. Got: 'x'"):
                client.send_bytes("x")  # pyright: ignore[reportArgumentType]
        with pytest.raises(TypeError, match="a request's body is bytes.* Got: 'x'"):
            await server.http("POST", "/", body="x")  # pyright: ignore[reportArgumentType]
        with pytest.raises(TypeError, match="a request's body is bytes.* Got: {'text'"):
            async with server.request("POST", "/", body=wrong):
                pytest.fail("it was sent")


async def test_from_another_thread() -> None:
    """
    It would wake nobody there: the error says how it is done.
    """
    async with serve(Application(router=Routes({"chat": Chat}))) as server:
        async with server.websocket("/chat") as client:
            with pytest.raises(RuntimeError, match=r"write trio.from_thread.run_sync\("):
                await trio.to_thread.run_sync(client.send_text, "x")
            await trio.to_thread.run_sync(trio.from_thread.run_sync, client.send_text, "y")
            assert await client.receive_text() == "y"
