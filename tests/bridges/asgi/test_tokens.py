# Tokens in the header, in a subprotocol and in the first message.

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import pytest
import trio
from helpers import running

from greenroom.actors import WebsocketConsumer
from greenroom.bridges.asgi import TokenAuthentication
from greenroom.bridges.testing import HandshakeRefused, virtual_clock

SECRET = "s3cret-token"


def known(token: str, scope: Mapping[str, Any]) -> str | None:
    return "ada" if token == SECRET else None


async def known_on_trio(token: str, scope: Mapping[str, Any]) -> str | None:
    await trio.lowlevel.checkpoint()
    return known(token, scope)


class Feed(WebsocketConsumer):
    def connect(self):
        offered = self.scope["subprotocols"]
        self.accept(subprotocol=offered[0] if offered else None)

    async def receive(self, text):
        told = [self.user, *self.scope["subprotocols"], str(self.scope["headers"])]
        await self.send(text=" ".join(told))


class Refusing(WebsocketConsumer):
    def connect(self):
        self.close(4000)


@pytest.fixture
def clock() -> trio.testing.MockClock:
    """
    A clock that knows of worker threads.
    """
    return virtual_clock()


def guarded(authenticate: Any = known, inner: Any = Feed, **ways: Any) -> TokenAuthentication:
    return TokenAuthentication(inner, authenticate, **ways)


@pytest.mark.parametrize("authenticate", [known, known_on_trio])
async def test_in_the_header(authenticate: Callable[..., Any]) -> None:
    """
    A known token in `Authorization` lets in, and is gone from the scope behind.
    """
    headers = [("authorization", f"bearer {SECRET}")]
    async with running(feed=guarded(authenticate)) as server:
        async with server.websocket("/feed", headers=headers) as ws:
            ws.send_text("?")
            said = await ws.receive_text()
            assert said.startswith("ada ")
            assert SECRET not in said
            assert ws.slot.actor == "Feed"


@pytest.mark.parametrize(
    "headers", [[], [("authorization", "Bearer nonsense")], [("authorization", f"Basic {SECRET}")]]
)
async def test_refused_with_401(headers: list[tuple[str, str]], caplog: Any) -> None:
    """
    Without a token that is known the answer is 401; no token is ever logged.
    """
    async with running(feed=guarded()) as server:
        with pytest.raises(HandshakeRefused) as refused:
            async with server.websocket("/feed", headers=headers):
                pass
    assert refused.value.status == 401
    assert (b"www-authenticate", b"Bearer") in refused.value.headers
    assert SECRET not in caplog.text
    assert "nonsense" not in caplog.text


@pytest.mark.parametrize("ways", [{}, {"first_message": True}])
async def test_a_path_makes_no_lines_in_the_log(ways: Any, caplog: Any) -> None:
    """
    What a client has chosen of the path can't look like another line of the log.
    """
    caplog.set_level("INFO", "greenroom")
    async with running(feed=guarded(**ways)) as server:
        with suppress(HandshakeRefused):
            async with server.websocket("/feed/\nCRITICAL all is lost") as ws:
                ws.send_text("nonsense")
                await ws.closed()
    assert "all is lost" in caplog.text
    assert not [line for line in caplog.text.splitlines() if line.startswith("CRITICAL")]


async def test_4401_where_there_is_no_denial() -> None:
    """
    A server that can refuse with 403 only opens the socket, to close it with 4401.
    """
    async with running(feed=guarded()) as server:
        ws = server.dial("/feed")
        del ws.scope["extensions"]["websocket.http.response"]
        await ws.handshake()
        assert (await ws.closed()).code == 4401


async def test_in_a_subprotocol() -> None:
    """
    A token offered as a subprotocol lets in; another one is accepted, it is never echoed.
    """
    offered = ["greenroom.v1", f"token.{SECRET}"]
    async with running(feed=guarded(subprotocol=True)) as server:
        async with server.websocket("/feed", subprotocols=offered) as ws:
            assert ws.subprotocol == "greenroom.v1"
            ws.send_text("?")
            said = await ws.receive_text()
            assert said.startswith("ada greenroom.v1 ")
            assert SECRET not in said


async def test_as_the_first_message() -> None:
    """
    The first message may be the token; what comes behind it is the consumer's.
    """
    app = guarded(header=False, first_message=True)
    async with running(feed=app) as server:
        async with server.websocket("/feed", subprotocols=["v1"]) as ws:
            assert ws.subprotocol == "v1"
            ws.send_text(SECRET)
            ws.send_text("?")
            assert (await ws.receive_text()).startswith("ada v1 ")
            assert ws.slot.actor == "Feed"


@pytest.mark.parametrize("first", ["nonsense", b"binary", ""])
async def test_a_wrong_first_message(first: str | bytes) -> None:
    """
    A first message that is no known token closes with 4401.
    """
    async with running(feed=guarded(header=False, first_message=True)) as server:
        async with server.websocket("/feed") as ws:
            ws.send_bytes(first) if isinstance(first, bytes) else ws.send_text(first)
            assert (await ws.closed()).code == 4401


async def test_no_first_message_in_time(clock: trio.testing.MockClock) -> None:
    """
    A socket on which no token comes is closed at its deadline.
    """
    app = guarded(header=False, first_message=True, seconds=3)
    async with running(feed=app) as server, server.websocket("/feed") as ws:
        began = trio.current_time()
        closed = await ws.closed(timeout=60)
        assert (closed.code, closed.reason) == (4401, "no token came in time")
        assert trio.current_time() - began == pytest.approx(3)


async def test_authenticate_has_a_deadline(clock: trio.testing.MockClock) -> None:
    """
    Where nobody says in time whose the token is the answer is 503, and 1013 once it is open.
    """

    async def slow(token: str, scope: Any) -> str:
        await trio.sleep(60)
        return "ada"

    app = guarded(slow, first_message=True, seconds=3)
    async with running(feed=app) as server:
        headers = [("authorization", f"Bearer {SECRET}")]
        with pytest.raises(HandshakeRefused) as refused:
            async with server.websocket("/feed", headers=headers):
                pass
        assert refused.value.status == 503
        async with server.websocket("/feed") as ws:
            ws.send_text(SECRET)
            assert (await ws.closed()).code == 1013


async def test_the_client_leaves_before_its_token() -> None:
    """
    A client that leaves instead of sending its token is nobody's, and no error.
    """
    async with running(feed=guarded(header=False, first_message=True)) as server:
        ws = server.dial("/feed")
        await ws.handshake()
        ws.disconnect()
        await ws.application_done.wait()
        assert server.root.connections.open == 0


async def test_a_refusal_behind_the_first_message() -> None:
    """
    A consumer that refuses a socket that is open already closes it with 4403.
    """
    app = guarded(inner=Refusing, header=False, first_message=True)
    async with running(feed=app) as server, server.websocket("/feed") as ws:
        ws.send_text(SECRET)
        assert (await ws.closed()).code == 4403


async def test_not_required() -> None:
    """
    Where a token is not required a client without one is let through as it is.
    """

    class Open(WebsocketConsumer):
        async def receive(self, text):
            await self.send(text=str("user" in self.scope))

    async with running(feed=guarded(inner=Open, required=False)) as server:
        async with server.websocket("/feed") as ws:
            ws.send_text("?")
            assert await ws.receive_text() == "False"


@pytest.mark.parametrize(
    ("authenticate", "ways", "problem"),
    [
        (None, {}, r"authenticate must be a function.* Got: None"),
        (known, {"header": False}, "needs a way for the token"),
        (known, {"seconds": 0}, "seconds must be a number above 0. Got: 0"),
    ],
)
def test_what_is_wrong_is_refused(authenticate: Any, ways: Any, problem: str) -> None:
    """
    What could not work is refused when it is made.
    """
    with pytest.raises((TypeError, ValueError), match=problem):
        guarded(authenticate, **ways)
