# A connection of ours over a real socket in the test's own loop, and its peer.

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.worker_context import WorkerContext

from greenroom.bridges.hypercorn import Limits
from greenroom.bridges.hypercorn._connection import FastTCPServer

UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)

App = Callable[[Any, Any, Any], Awaitable[None]]


class Peer:
    """The client's end of a connection."""

    def __init__(self, stream: trio.SocketStream, context: WorkerContext) -> None:
        self.stream = stream
        self.context = context
        self.over = trio.Event()
        """Set when the server's end of it has been served."""

    async def send(self, data: bytes) -> None:
        """Send *data*."""
        await self.stream.send_all(data)

    async def open(self, header: bytes = b"") -> bytes:
        """Ask for a WebSocket, with one more *header*; the answer, which has to be yes."""
        end = header + b"\r\n\r\n"
        await self.send(UPGRADE.replace(b"\r\n\r\n", b"\r\n" + end if header else end))
        answer = await self.until(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 101"), answer
        return answer

    async def until(self, end: bytes) -> bytes:
        """Read until *end* has come; all that was read."""
        data = b""
        while end not in data:
            more = await self.stream.receive_some()
            assert more, f"the connection ended behind {data!r}"
            data += more
        return data

    async def rest(self) -> bytes:
        """Read until the server's end; all that was read."""
        data = b""
        while more := await self.stream.receive_some():
            data += more
        return data


@asynccontextmanager
async def connected(
    app: App,
    limits: Limits | None = None,
    *,
    config: Config | None = None,
    state: dict[str, Any] | None = None,
) -> AsyncIterator[Peer]:
    """Serve one connection with *app*; at the end the peer is closed and it must end, too."""
    config = config or Config()
    context = WorkerContext(None)
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    address = listener.socket.getsockname()
    async with trio.open_nursery() as nursery:
        client = await trio.open_tcp_stream(*address)
        peer = Peer(client, context)

        async def serve() -> None:
            stream = await listener.accept()
            server = FastTCPServer(
                ASGIWrapper(cast("Any", app)), config, context, cast("Any", state or {}), stream
            )
            server.limits = limits or Limits()
            await server
            peer.over.set()

        nursery.start_soon(serve)
        try:
            yield peer
            await client.aclose()
            with trio.fail_after(60):
                await peer.over.wait()
        finally:
            with trio.move_on_after(1, shield=True):
                await trio.aclose_forcefully(client)
                await trio.aclose_forcefully(listener)
            nursery.cancel_scope.cancel()


async def turns_while(act: Callable[[], Awaitable[object]]) -> int:
    """Count the turns that others have while *act* is under way."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await trio.sleep(0)
            turns += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(others)
        await act()
        nursery.cancel_scope.cancel()
    return turns


class Greedy:
    """An application and a receiver that always has room; notes in which turn each message came."""

    greenroom_native = True
    room = 1000

    def __init__(self, enough: int) -> None:
        self.taken: list[int] = []
        self._enough = enough
        self._turn = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Take *enough* messages."""
        transport = receive.__self__.greenroom_transport
        transport.take_over(self)
        transport.accept(None, ())
        while len(self.taken) < self._enough:
            await trio.sleep(0)
            self._turn += 1

    def take(self, messages: Sequence[str | bytes]) -> bool:
        """Note them."""
        self.taken.extend(self._turn for _ in messages)
        return True

    def most_in_a_turn(self) -> int:
        """How many messages came in the turn in which most came."""
        return max(Counter(self.taken).values())

    def nothing(self, *_: object) -> None:
        """Take note of nothing."""

    on_read_room = ended = violated = sent = cancelled = nothing
