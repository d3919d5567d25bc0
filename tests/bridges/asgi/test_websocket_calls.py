# What a consumer calls on its WebSocket: what it takes, and how it refuses the rest.
import threading
from collections.abc import Callable
from typing import Any

import pytest
from helpers import running
from trio.testing import MockClock

from greenroom.actors import WebsocketConsumer
from greenroom.bridges.testing import HandshakeRefused, virtual_clock


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


async def test_what_was_sent_before_a_crash_goes_out() -> None:
    """
    What a handler sent before it raised is delivered, in order with what comes after.
    """

    class Crashing(WebsocketConsumer):
        async def receive(self, text):
            self.send(text=f"before {text}")
            if text == "boom":
                raise ValueError

    async with running(chat=Crashing) as server, server.websocket("/chat") as ws:
        for text in ("1", "boom", "2"):
            ws.send_text(text)
        assert [await ws.receive() for _ in range(3)] == ["before 1", "before boom", "before 2"]


@pytest.mark.parametrize("handler", ["async", "sync"])
async def test_subprotocol_and_headers(handler: str) -> None:
    """
    accept() takes a subprotocol that was offered and headers as text or bytes.
    """

    class Async(WebsocketConsumer):
        async def connect(self, message):
            assert message == {"type": "websocket.connect"}
            await self.accept("v2", [("X-One", "1"), (b"X-Two", b"2")])

    class Sync(WebsocketConsumer):
        def connect(self, message):
            self.accept("v2", [("X-One", "1"), (b"X-Two", b"2")])

    served = Sync if handler == "sync" else Async
    async with running(chat=served) as server:
        async with server.websocket("/chat", subprotocols=["v1", "v2"]) as ws:
            assert ws.subprotocol == "v2"
            assert ws.response_headers == [(b"x-one", b"1"), (b"x-two", b"2")]
        with pytest.raises(HandshakeRefused) as refused:
            async with server.websocket("/chat", subprotocols=["v1"]):
                pass
        assert refused.value.status == 500


MISUSES: dict[str, tuple[Callable[[Any], object], str]] = {
    "send nothing": (lambda c: c.send(), "exactly one of text=... and bytes=.... Got: neither"),
    "send both": (lambda c: c.send(text="x", bytes=b"x"), "Got: both"),
    "send bytes as text": (lambda c: c.send(b"x"), "text must be a str. Got: bytes"),
    "send text as bytes": (lambda c: c.send(bytes="x"), "bytes must be bytes-like. Got: str"),
    "send a surrogate": (lambda c: c.send(text="\ud800"), "surrogates not allowed"),
    "close with 1006": (lambda c: c.close(1006), "close code must be 1000 to 1003.*Got: 1006"),
    "close with 2000": (lambda c: c.close(2000), "Got: 2000"),
    "close with words": (lambda c: c.close(1000, "ü" * 62), "at most 123 bytes.*Got: 124"),
    "accept twice": (lambda c: c.accept(), "called before"),
    "join nothing": (lambda c: c.join(""), "1 to 200 characters"),
    "group nothing": (lambda c: c.group_send("room"), "exactly one of message"),
}


@pytest.mark.parametrize("what", MISUSES)
async def test_misuse_says_what_is_wrong(what: str) -> None:
    """
    A wrong call raises at once, in the handler, with what was expected.
    """
    act, expected = MISUSES[what]

    class Wrong(WebsocketConsumer):
        async def receive(self, text):
            with pytest.raises((TypeError, ValueError, RuntimeError), match=expected):
                act(self)
            await self.send(text="refused")

    async with running(chat=Wrong) as server, server.websocket("/chat") as ws:
        ws.send_text("x")
        assert await ws.receive() == "refused"


async def test_threads_and_trio_send_in_one_order() -> None:
    """
    A thread of the user's own may send too: it acts for the incarnation it belongs to.
    """
    threads: list[threading.Thread] = []

    class Own(WebsocketConsumer):
        def receive(self, text):
            thread = threading.Thread(target=self.send, args=(f"own {text}",))
            thread.start()
            thread.join()
            threads.append(thread)
            self.send(text=text)

    async with running(chat=Own) as server, server.websocket("/chat") as ws:
        ws.send_text("a")
        ws.send_text("b")
        assert [await ws.receive() for _ in range(4)] == ["own a", "a", "own b", "b"]
