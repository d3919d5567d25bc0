# Dropping a peer that does not read. That it works on the real server is seen in
# tests/e2e/test_websocket.py and test_shutdown.py; here is where it must keep its hands off.

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio
from hypercorn.config import Config
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from trio.testing import memory_stream_pair

from greenroom.bridges.hypercorn._drop import drop


class Protocolled:
    """What hypercorn's streams look like from a bound `send`."""

    def __init__(self, protocol: Any) -> None:
        self.send = protocol.stream_send

    async def app_send(self, event: object) -> None:
        """Take an event."""


def server_on(stream: Any) -> TCPServer:
    """hypercorn's connection over *stream*."""
    return TCPServer(None, Config(), None, {}, stream)  # type: ignore[arg-type]


def protocol_of(server: TCPServer) -> H11Protocol:
    """HTTP/1.1 on *server*."""
    make: Any = H11Protocol
    return make(
        None, Config(), WorkerContext(None), None, {}, False, None, None, server.protocol_send
    )


@asynccontextmanager
async def socket_pair() -> AsyncIterator[tuple[trio.SocketStream, trio.SocketStream]]:
    """Two connected TCP streams."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        port = listener.socket.getsockname()[1]
        async with await trio.open_tcp_stream("127.0.0.1", port) as one:
            async with await listener.accept() as two:
                yield one, two


async def test_a_foreign_send_is_left_alone() -> None:
    """
    A `send` that is not hypercorn's own, wrapped or of another server, drops nothing.
    """

    async def send(event: object) -> None:
        pass

    assert not drop(send)
    assert not drop(trio.Event().set)


async def test_a_stream_without_a_socket_is_left_alone() -> None:
    """
    Something else than a socket below hypercorn's connection drops nothing.
    """
    stream, _ = memory_stream_pair()

    assert not drop(Protocolled(protocol_of(server_on(stream))).app_send)


async def test_a_socket_is_reset() -> None:
    """
    The peer sees a reset at once, and dropping it again does no harm.
    """
    async with socket_pair() as (ours, theirs):
        send = Protocolled(protocol_of(server_on(ours))).app_send
        assert drop(send)
        assert drop(send)

        try:
            received = await theirs.receive_some()
        except trio.BrokenResourceError:
            received = None
        assert received is None
