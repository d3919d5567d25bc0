# What the tests of clients share: a real server on loopback, a real tree, and events to
# wait for. Nothing sleeps; what a test waits for has a limit, so that a fault ends it.

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

import trio
from trio_websocket import (
    ConnectionClosed,
    WebSocketConnection,
    WebSocketRequest,
    serve_websocket,
)
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection

from greenroom.bridges.client import WebsocketClient
from greenroom.bridges.engines import LocalEngine
from greenroom.supervisor import ChildSpec, Event, NodeSnapshot, Options, Root

# Seconds that nothing here should take.
LONG = 20.0

# Where pauses are not what is tested there are none.
AT_ONCE = Options(backoff_min_seconds=0)


class Server:
    """A WebSocket server; each connection is handed to the test."""

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[WebSocketRequest] = []
        self.refuse_with: int | None = None
        self._send, self._receive = trio.open_memory_channel[WebSocketConnection](100)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/feed"

    async def start(self, nursery: trio.Nursery, port: int = 0) -> None:
        server = await nursery.start(serve_websocket, self._serve, "127.0.0.1", port, None)
        self.port = server.port

    async def accepted(self) -> WebSocketConnection:
        """Wait for the next connection."""
        with trio.fail_after(LONG):
            return await self._receive.receive()

    async def _serve(self, request: WebSocketRequest) -> None:
        self.requests.append(request)
        if self.refuse_with is not None:
            await request.reject(self.refuse_with)
            return
        offered = request.proposed_subprotocols
        connection = await request.accept(subprotocol=offered[0] if offered else None)
        self._send.send_nowait(connection)
        await connection._close_handshake.wait()


class Tree:
    """A root with one client, and what it has said."""

    def __init__(self, root: Root) -> None:
        self.root = root
        self.events: list[Event] = []
        self._token = trio.lowlevel.current_trio_token()
        self._news = trio.Event()
        root.events.subscribe(self._take)

    @classmethod
    async def start(
        cls, nursery: trio.Nursery, client: type[WebsocketClient], options: Options = AT_ONCE
    ) -> Tree:
        """Start a tree whose resident `/residents/client` is *client*."""
        named = replace(ChildSpec.of(client, options), name="client")
        tree = cls(Root(LocalEngine(), children=[named], options=options))
        await nursery.start(tree.root.run)
        return tree

    @property
    def client(self) -> NodeSnapshot:
        """The client's slot as it is now."""
        node = self.root.snapshot().find("/residents/client")
        assert node is not None
        return node

    def seen(self, kind: str) -> list[Event]:
        """Return the events of *kind* so far."""
        return [event for event in self.events if event.kind == kind]

    async def wait(self, kind: str, times: int = 1) -> list[Event]:
        """Wait until *kind* has been told *times* times."""
        with trio.fail_after(LONG):
            while len(self.seen(kind)) < times:
                self._news = trio.Event()
                await self._news.wait()
        return self.seen(kind)

    def _take(self, event: Event) -> None:
        self.events.append(event)
        self._token.run_sync_soon(lambda: self._news.set())


async def heard(connection: WebSocketConnection) -> str | bytes:
    """Wait for the next message that *connection* brings."""
    with trio.fail_after(LONG):
        return await connection.get_message()


async def closed_with(connection: WebSocketConnection) -> int:
    """Wait for the end of *connection*, over what still comes, and return its code."""
    with trio.fail_after(LONG):
        try:
            while True:
                await connection.get_message()
        except ConnectionClosed as closed:
            return closed.reason.code if closed.reason else 0


async def serve_raw(
    nursery: trio.Nursery, handler: Callable[[trio.SocketStream], Awaitable[object]]
) -> str:
    """Serve plain TCP with *handler* and return the URL."""
    serve = partial(trio.serve_tcp, host="127.0.0.1")
    listeners: list[trio.SocketListener] = await nursery.start(serve, handler, 0)
    return f"ws://127.0.0.1:{listeners[0].socket.getsockname()[1]}/"


async def listen(stream: trio.SocketStream) -> None:
    """Read and say nothing, until the end."""
    try:
        while await stream.receive_some():
            pass
    except trio.BrokenResourceError:
        pass


async def acceptance(stream: trio.SocketStream) -> bytes:
    """Read a handshake and return the answer that accepts it."""
    server = WSConnection(ConnectionType.SERVER)
    server.receive_data(bytes(await stream.receive_some()))
    list(server.events())
    return server.send(AcceptConnection())
