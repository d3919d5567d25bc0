# What a consumer says of its sockets, against the real server, both with the connection handler
# and where hypercorn serves by itself; the client is trio-websocket.

from collections.abc import Iterator
from contextlib import suppress

import pytest
import trio
from e2e._server import WAIT_SECONDS, Server, ask, close_code, dial, in_thread
from trio_websocket import ConnectionClosed, ConnectionRejected, open_websocket, wrap_client_stream

pytestmark = pytest.mark.usefixtures("settled")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One server for the whole file."""
    with Server("declared:application") as server:
        yield server


async def rejected(server: Server, path: str) -> ConnectionRejected:
    """Return how *path* is refused."""
    with trio.fail_after(WAIT_SECONDS):
        # Not by dial(): the library leaves the stream of who is rejected to the collector.
        async with await trio.open_tcp_stream(server.host, server.port) as stream:
            with pytest.RaisesGroup(ConnectionRejected) as refused:
                async with trio.open_nursery() as nursery:
                    await wrap_client_stream(nursery, stream, server.host, path)
    (refusal,) = refused.value.exceptions
    assert isinstance(refusal, ConnectionRejected)
    return refusal


async def test_a_message_too_long(server: Server) -> None:
    """
    A message above the class's limit closes with 1009, text or bytes; the next socket is fine.
    """
    for message in ("x" * 1001, b"x" * 1001):
        async with dial(server, "/small") as socket:
            assert await ask(socket, "y" * 1000) == "1000"
            await socket.send_message(message)
            assert await close_code(socket) == 1009


async def test_a_flood_is_slowed_down_and_ended(server: Server) -> None:
    """
    Who floods is read from slowly, and closed with 1008 in the end; he gets no more through.
    """
    begun = trio.current_time()
    async with dial(server, "/slow") as socket, trio.open_nursery() as nursery:

        async def flood() -> None:
            with suppress(ConnectionClosed, trio.BrokenResourceError):
                while True:
                    await socket.send_message("x" * 100)

        nursery.start_soon(flood)
        assert await close_code(socket) == 1008
        nursery.cancel_scope.cancel()
    await in_thread(server.until_count, "slow disconnect 1008 sends too fast", 1)
    # The burst, 50 a second, and what one read brings.
    assert server.count("slow") <= 5 + 50 * (trio.current_time() - begun) + 16


async def test_silence_and_age(server: Server) -> None:
    """
    A silent peer is closed with 1001; a socket that has lived its time with the class's code.
    """
    async with dial(server, "/idle") as socket:
        assert await close_code(socket) == 1001
    async with dial(server, "/mayfly") as socket:
        assert await close_code(socket) == 4000


async def test_denials(server: Server) -> None:
    """
    A refusal has its status, its headers and its body, from whatever depth.
    """
    refused = await rejected(server, "/doorman")
    assert (refused.status_code, refused.body) == (401, b"Who are you?\n")
    assert (b"www-authenticate", b"Bearer") in [(n.lower(), v) for n, v in refused.headers or ()]
    refused = await rejected(server, "/denier")
    assert (refused.status_code, refused.body) == (418, b"short and stout")


async def test_subprotocol_and_headers(server: Server) -> None:
    """
    The class's first choice of what was offered is agreed on, and accept() adds headers.
    """
    async with open_websocket(
        "127.0.0.1", server.port, "/spoken", use_ssl=False, subprotocols=["chat.v1", "chat.v2"]
    ) as socket:
        assert socket.subprotocol == "chat.v2"
        assert (b"x-room", b"lobby") in [(n.lower(), v) for n, v in socket.handshake_headers]
        await socket.aclose()
        await socket._stream.aclose()


async def test_connections_per_address(server: Server) -> None:
    """
    The third socket from one address gets 429; when one has gone, another may come.
    """
    async with dial(server, "/pair"):
        async with dial(server, "/pair"):
            refused = await rejected(server, "/pair")
            assert refused.status_code == 429
            assert b"too many connections of Pair from this address" in (refused.body or b"")
        await in_thread(server.until, "one has gone", lambda: len(server.slots("pair")) == 1)
        async with dial(server, "/pair"):
            pass


@pytest.mark.parametrize("path", ["/parallel", "/blocking"])
async def test_frames_beside_each_other(server: Server, path: str) -> None:
    """
    A concurrent receive answers the second frame while the first one waits, in threads as well.
    """
    async with dial(server, path) as socket:
        with trio.fail_after(WAIT_SECONDS):
            await socket.send_message("first")
            await socket.send_message("second")
            assert [await socket.get_message() for _ in range(2)] == ["second", "first"]


async def test_a_timeout_keeps_the_socket(server: Server) -> None:
    """
    A handler that overruns its timeout has crashed; the socket stays open.
    """
    mark = server.mark()
    async with dial(server, "/overruns") as socket:
        await socket.send_message("sleep")
        assert await ask(socket, "awake") == "awake 2"
    said = r"HandlerTimeout: receive\(\) of /connections/overruns/"
    await in_thread(server.wait_for_line, said, mark)  # it is read by a thread


async def test_the_client_s_code_and_reason(server: Server) -> None:
    """
    `disconnect` is told what the client's close said: 1006 only where nothing came.
    """
    async with dial(server, "/farewell") as socket:
        await socket.aclose(4001, "bye")
    await in_thread(server.until_count, "farewell 4001 bye", 1)
    stream = await trio.open_tcp_stream("127.0.0.1", server.port)
    await stream.send_all(
        b"GET /farewell HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    assert (await stream.receive_some()).startswith(b"HTTP/1.1 101")
    await stream.aclose()
    await in_thread(
        server.until,
        "1006",
        lambda: any(name.startswith("farewell 1006") for name in server.facts()["counts"]),
    )
