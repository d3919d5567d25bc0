# What a client sends together with its handshake, when that ends the socket as well.

from typing import Any

import pytest
import trio
from client_frames import CLOSE, TEXT, frame
from helpers import happened, running

from greenroom.actors import Disconnected, WebsocketConsumer

from ._serving import UPGRADE, connected, turns_while

ENDS: list[tuple[str, int]] = []


class Async(WebsocketConsumer):
    """Accepts in the loop."""

    async def connect(self) -> None:
        await self.accept()

    async def disconnect(self, code: int) -> None:
        ENDS.append(("async", code))


class Thread(WebsocketConsumer):
    """Accepts in a worker thread."""

    def connect(self) -> None:
        self.accept()

    def disconnect(self, code: int) -> None:
        ENDS.append(("thread", code))


class Talker(WebsocketConsumer):
    """Accepts and goes on sending until nobody hears it."""

    async def connect(self) -> None:
        await self.accept()
        try:
            while True:
                await self.send(text="tick")
                await trio.sleep(0)
        except Disconnected as error:
            ENDS.append(("talker", error.code))
            raise


@pytest.mark.parametrize("consumer", [Async, Thread])
@pytest.mark.parametrize(
    ("early", "code"),
    [
        (frame(3, b"x"), 1002),
        (frame(TEXT, b"\xff"), 1007),
        (frame(CLOSE, (4001).to_bytes(2, "big")), 4001),
    ],
    ids=["fault", "bad text", "close"],
)
async def test_an_early_end(consumer: type[WebsocketConsumer], early: bytes, code: int) -> None:
    """
    A fault or a close that came with the handshake is answered behind the 101, and nothing is left.
    """
    ENDS.clear()
    async with running(**{"": consumer}) as server:
        async with connected(server._application, state=server.state) as peer:
            await peer.send(UPGRADE + early)
            data = await peer.rest()
        assert data.startswith(b"HTTP/1.1 101")
        assert code.to_bytes(2, "big") in data.partition(b"\r\n\r\n")[2][:4]
        assert [found for _, found in ENDS] == [code]
        assert len(happened(server, "slot.ended")) == 1
        assert server.root.connections.open == 0


async def test_an_early_close_is_told_to_who_sends() -> None:
    """
    Who goes on sending from connect() to a client that closed with its handshake is told so.
    """
    ENDS.clear()
    async with running(**{"": Talker}) as server:
        async with connected(server._application, state=server.state) as peer:
            await peer.send(UPGRADE + frame(CLOSE, (1001).to_bytes(2, "big")))
            await peer.rest()
    assert ENDS == [("talker", 1001)]


async def test_a_flood_of_sends_in_plain_asgi_lets_others_run() -> None:
    """
    An application that sends without end to a client that keeps up keeps nobody else waiting.
    """
    turns = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal turns
        await receive()
        await send({"type": "websocket.accept"})

        async def flood() -> None:
            for _ in range(2000):
                await send({"type": "websocket.send", "text": "x"})

        turns = await turns_while(flood)

    async with connected(app) as peer:
        await peer.send(UPGRADE)
        await peer.rest()
    assert turns >= 20


async def test_requests_sent_ahead_cost_nobody_the_answer() -> None:
    """
    Who has sent the next request when the connection ends gets the whole answer, and no reset.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"connection", b"close")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"x" * 4_000_000})

    get = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    async with connected(app) as peer:
        await peer.send(get)
        first = await peer.until(b"x")
        await peer.send(get * 3)
        assert (first + await peer.rest()).count(b"x" * 4_000_000) == 1  # a reset would raise
