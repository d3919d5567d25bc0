# Taking a connection's socket out of trio's stream, and giving it back.
#
# The stream's own methods cost five times what the system calls do, and can't be used from
# a thread. A socket has one owner: after take_socket() the stream is an empty shell.

import socket
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import hypercorn.utils
import trio

Address = tuple[str, int] | None

_parse: Callable[..., Address] = cast("Any", hypercorn.utils).parse_socket_addr


class Taken(NamedTuple):
    """A socket and its two ends."""

    sock: socket.socket
    client: Address
    server: Address


def take_socket(stream: trio.SocketStream) -> Taken | None:
    """Take the socket out of *stream*; None if its peer has gone already."""
    inner = stream.socket
    sock = socket.socket(inner.family, inner.type, inner.proto, fileno=inner.detach())
    sock.setblocking(False)
    # Whoever made the stream closes it at the end, which takes as long as ten system calls.
    cast("Any", stream).aclose = _nothing
    del stream.socket
    try:
        client = _parse(sock.family, sock.getpeername())
        server = _parse(sock.family, sock.getsockname())
    except OSError:
        sock.close()
        return None
    return Taken(sock, client, server)


def address_of(sock: trio.socket.SocketType) -> Address:
    """Return where *sock* is bound, as hypercorn's scopes have it."""
    return _parse(sock.family, sock.getsockname())


async def _nothing() -> None:
    """Close what holds no socket any more. Not a checkpoint."""


def give_socket(sock: socket.socket) -> trio.SocketStream:
    """Return a stream that owns *sock*."""
    return trio.SocketStream(trio.socket.from_stdlib_socket(sock))


class ReadAgain(trio.abc.HalfCloseableStream):
    """*stream*, whose first bytes are *data*, which were read before."""

    def __init__(self, stream: trio.SocketStream, data: bytes) -> None:
        self.socket = stream.socket
        self._stream = stream
        self._again = data

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Return what was read before, then what comes. A checkpoint."""
        data, self._again = self._again, b""
        if data:
            await trio.sleep(0)
            return data
        return await self._stream.receive_some(max_bytes)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send *data*, as trio.SocketStream does."""
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait, as trio.SocketStream does."""
        await self._stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        """End this half, as trio.SocketStream does."""
        await self._stream.send_eof()

    async def aclose(self) -> None:
        """Close, as trio.SocketStream does."""
        await self._stream.aclose()
