# A WebSocket to a running application, both ways: over plain ASGI, and over a connection of ours
# with a real socket. For what has to be the same on both.

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Protocol

from client_frames import CLOSE, PING, PONG, TEXT, frame

from greenroom.bridges.testing import HandshakeRefused, ServerDriver, WebsocketDriver

from ._serving import UPGRADE, Peer, connected

WAYS = ("plain", "ours")


class Client(Protocol):
    """The client's end."""

    subprotocol: str | None

    async def send(self, *texts: str) -> None: ...
    async def text(self) -> str: ...
    async def closed(self) -> tuple[int, str]: ...
    async def close(self, code: int, reason: str) -> None: ...


class _Plain:
    def __init__(self, driver: WebsocketDriver) -> None:
        self._driver = driver
        self.subprotocol = driver.subprotocol

    async def send(self, *texts: str) -> None:
        for text in texts:
            self._driver.send_text(text)

    async def text(self) -> str:
        return await self._driver.receive_text(timeout=1e9)

    async def closed(self) -> tuple[int, str]:
        closed = await self._driver.closed(timeout=1e9)
        return closed.code, closed.reason

    async def close(self, code: int, reason: str) -> None:
        self._driver.disconnect(code, reason)


class _Ours:
    def __init__(self, peer: Peer, data: bytes) -> None:
        self._peer, self._data = peer, data
        self.subprotocol: str | None = None

    async def send(self, *texts: str) -> None:
        await self._peer.send(b"".join(frame(TEXT, text.encode()) for text in texts))

    async def text(self) -> str:
        opcode, payload = await self._frame()
        assert opcode == TEXT, payload
        return payload.decode()

    async def closed(self) -> tuple[int, str]:
        while True:
            opcode, payload = await self._frame()
            if opcode == CLOSE:
                await self._peer.send(frame(CLOSE, payload))
                return int.from_bytes(payload[:2], "big"), payload[2:].decode()

    async def close(self, code: int, reason: str) -> None:
        await self._peer.send(frame(CLOSE, code.to_bytes(2, "big") + reason.encode()))

    async def _frame(self) -> tuple[int, bytes]:
        while True:
            data = self._data
            if len(data) >= 2:
                size, at = data[1], 2
                if size == 126:
                    size, at = int.from_bytes(data[2:4], "big"), 4
                if len(data) >= at + size and size != 127:
                    self._data = data[at + size :]
                    if data[0] & 15 == PING:
                        await self._peer.send(frame(PONG))
                        continue
                    return data[0] & 15, data[at : at + size]
            more = await self._peer.stream.receive_some()
            assert more, "the connection has ended"
            self._data += more


@asynccontextmanager
async def opened(
    way: str, server: ServerDriver, path: str = "/chat", subprotocols: tuple[str, ...] = ()
) -> AsyncGenerator[Client]:
    """
    Open a WebSocket to *path*; refused, it raises HandshakeRefused on either way.
    """
    if way == "plain":
        async with server.websocket(path, subprotocols=subprotocols, timeout=1e9) as driver:
            yield _Plain(driver)
        return
    application: Any = server._application
    refused: HandshakeRefused | None = None
    async with connected(application, state=server.state) as peer:
        request = UPGRADE.replace(b"GET / ", f"GET {path} ".encode())
        if subprotocols:
            offered = f"Sec-WebSocket-Protocol: {', '.join(subprotocols)}\r\n\r\n".encode()
            request = request[:-2] + offered
        await peer.send(request)
        head, _, body = (await peer.until(b"\r\n\r\n")).partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        headers = [(n.lower(), v) for n, _, v in (each.partition(b": ") for each in lines[1:])]
        status = int(lines[0].split()[1])
        if status == 101:
            client = _Ours(peer, body)
            found = dict(headers).get(b"sec-websocket-protocol")
            client.subprotocol = found.decode() if found else None
            yield client
        else:
            refused = HandshakeRefused(status, body + await peer.rest(), headers)
    if refused is not None:  # out here, where no nursery makes a group of it
        raise refused
