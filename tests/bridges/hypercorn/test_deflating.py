# Compressed messages on a connection of ours, over real sockets: consumers, and plain ASGI.

import zlib
from typing import Any

import pytest
from client_frames import BINARY, TEXT, frame
from helpers import running

from greenroom.actors import WebsocketConsumer
from greenroom.bridges.hypercorn import Limits, _deflating
from greenroom.supervisor import Options

from ._serving import Greedy, Peer, connected

OFFER = b"Sec-WebSocket-Extensions: permessage-deflate"
AGREED = OFFER + b"; server_no_context_takeover; client_no_context_takeover\r\n"
LONG = "so much of the same, " * 50
COMPRESSED = 0x40


def deflated(data: bytes) -> bytes:
    """Return *data* as the payload of a client's message."""
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (stream.compress(data) + stream.flush(zlib.Z_SYNC_FLUSH))[:-4]


async def message(peer: Peer) -> tuple[int, bytes]:
    """Read a message of less than 64 KiB; its first byte and its content, decompressed."""
    data = b""
    while len(data) < 2 or len(data) < (2 if data[1] < 126 else 4) + _size(data):
        more = await peer.stream.receive_some()
        assert more, data
        data += more
    payload = data[2 if data[1] < 126 else 4 :]
    if data[0] & COMPRESSED:
        payload = zlib.decompressobj(-12).decompress(payload + b"\0\0\xff\xff")
    return data[0], payload


def _size(data: bytes) -> int:
    return data[1] if data[1] < 126 else int.from_bytes(data[2:4], "big") if len(data) > 3 else 4


class Echo(WebsocketConsumer):
    """Sends back what comes, from the loop."""

    async def receive(self, text: str | None, bytes: bytes | None = None) -> None:
        await self.send(text=text, bytes=bytes)


class ThreadEcho(WebsocketConsumer):
    """Sends back what comes, from a worker thread."""

    def receive(self, text: str | None, bytes: bytes | None = None) -> None:
        self.send(text=text, bytes=bytes)


class Member(WebsocketConsumer):
    """Tells everybody what comes."""

    async def connect(self) -> None:
        self.join("all")
        await self.accept()

    async def receive(self, text: str) -> None:
        await self.group_send("all", text=text)


async def plain(scope: Any, receive: Any, send: Any) -> None:
    """Echo in plain ASGI."""
    while (event := await receive())["type"] != "websocket.disconnect":
        if event["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
        else:
            await send({**event, "type": "websocket.send"})


async def converse(peer: Peer) -> None:
    """Have messages echoed that are compressed and are not, and look at how they come back."""
    assert AGREED in await peer.open(OFFER)
    for long in (
        frame(TEXT, deflated(LONG.encode()), rsv=4),
        frame(TEXT, LONG.encode()),
    ):
        await peer.send(long)
        assert await message(peer) == (TEXT | 0x80 | COMPRESSED, LONG.encode())
    await peer.send(frame(BINARY, deflated(bytes(5000)), rsv=4))
    assert await message(peer) == (BINARY | 0x80 | COMPRESSED, bytes(5000))
    for short in (frame(TEXT, deflated(b"short" * 10), rsv=4), frame(TEXT, b"short" * 10)):
        await peer.send(short)
        assert await message(peer) == (TEXT | 0x80, b"short" * 10)


@pytest.mark.parametrize("consumer", [Echo, ThreadEcho])
async def test_from(consumer: type[WebsocketConsumer]) -> None:
    """
    FROM: long messages go out compressed and short ones plain, from the loop and from threads.
    """
    async with (
        running(options=Options(compress_from_bytes=100), **{"": consumer}) as server,
        connected(server._application, state=server.state) as peer,
    ):
        await converse(peer)


async def test_from_in_plain_asgi() -> None:
    """
    FROM: an application that is none of ours gets the same.
    """
    async with connected(plain, Limits(compress_from_bytes=100)) as peer:
        await converse(peer)


@pytest.mark.parametrize(
    ("limits", "header"), [(Limits(), OFFER), (Limits(compress_from_bytes=0), b"")]
)
async def test_both_have_to_want_it(limits: Limits, header: bytes) -> None:
    """
    Without the setting, or without an offer, nothing is agreed, and a compressed frame is a fault.
    """
    async with connected(plain, limits) as peer:
        assert b"extensions" not in (await peer.open(header)).lower()
        await peer.send(frame(TEXT, LONG.encode()))
        assert await message(peer) == (TEXT | 0x80, LONG.encode())
        await peer.send(frame(TEXT, deflated(b"x"), rsv=4))
        assert (await peer.rest())[2:4] == (1002).to_bytes(2, "big")


async def test_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    ONCE: of a frame for a group one compressed form is made for each size of window.
    """
    made: list[int] = []

    def text_message(text: str, bits: int, least: int) -> bytes:
        made.append(bits)
        return make(text, bits, least)

    make = _deflating.text_message
    monkeypatch.setattr(_deflating, "text_message", text_message)
    offers = [OFFER, OFFER, OFFER + b"; server_max_window_bits=9", b""]
    async with (
        running(options=Options(compress_from_bytes=100), **{"": Member}) as server,
        connected(server._application, state=server.state) as one,
        connected(server._application, state=server.state) as two,
        connected(server._application, state=server.state) as three,
        connected(server._application, state=server.state) as four,
    ):
        peers = one, two, three, four
        for peer, offer in zip(peers, offers, strict=True):
            await peer.open(offer)
        await one.send(frame(TEXT, LONG.encode()))
        seen = [await message(peer) for peer in peers]
    assert [content for _, content in seen] == [LONG.encode()] * 4
    assert [bool(first & COMPRESSED) for first, _ in seen] == [True, True, True, False]
    assert sorted(made) == [9, 12]


async def test_a_bomb() -> None:
    """
    A message that would be larger than the limit is answered with 1009, and nothing of it is kept.
    """
    async with connected(plain, Limits(compress_from_bytes=0, message_bytes=10_000)) as peer:
        await peer.open(OFFER)
        await peer.send(frame(BINARY, deflated(bytes(10_001)), rsv=4))
        assert (await peer.rest())[2:4] == (1009).to_bytes(2, "big")


async def test_fair() -> None:
    """
    Messages that are small on the wire and large behind it take many turns, as their like do.
    """
    greedy = Greedy(100)
    async with connected(greedy, Limits(compress_from_bytes=0)) as peer:
        await peer.open(OFFER)
        await peer.send(frame(BINARY, deflated(bytes(60_000)), rsv=4) * 100)
        await peer.rest()
    # Twice at most: trio runs the tasks of one turn in any order.
    assert greedy.most_in_a_turn() <= 2 * 2
