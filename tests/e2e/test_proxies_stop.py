# A proxy that is stopped, killed and started again while WebSockets are open through it.

import signal
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from e2e._proxy import GENTLE, Proxy
from e2e._rude import CLOSE, RudeClient, frame, text
from e2e._server import Server, ask, dial, in_thread

SOCKETS = 20

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("settled")]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """The server behind them; it knows what it holds when nothing is open."""
    with Server("sockets:application") as server:
        server.fresh = server.facts()
        yield server


@pytest.fixture
def door(door: Any) -> Iterator[Proxy]:
    """The proxy, started again behind a test that has ended it."""
    yield door
    if door.process.poll() is not None:
        door.start()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
@pytest.mark.parametrize("door", ["nginx", "haproxy"], indirect=True)
async def test_a_proxy_that_ends_at_once(door: Proxy, server: Server, how: signal.Signals) -> None:
    """
    Each consumer is told 1006 once, nothing is left, and the next proxy's connections work.
    """
    before = server.count("echo disconnect")
    told = server.count("echo disconnect 1006")
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(RudeClient(door, "/echo")) for _ in range(SOCKETS)
        ]
        for nth, client in enumerate(clients):
            assert await client.handshake() == 101
            await client.send(text(f"{nth}"))
            assert await client.text() == f"{nth}"
        assert len(await in_thread(server.slots, "echo")) == SOCKETS

        door.signal(how)
        await in_thread(door.wait_ended)
        for client in clients:
            await client.end()
        await in_thread(server.until_count, "echo disconnect", before + SOCKETS)
    assert server.count("echo disconnect 1006") == told + SOCKETS
    await in_thread(server.until, "no slot", lambda: not server.slots("echo"))
    await in_thread(server.until_fresh, server.fresh)

    await in_thread(door.start)
    async with dial(door, "/echo") as socket:
        assert await ask(socket, "hi") == "hi"


@pytest.mark.parametrize("door", ["nginx", "haproxy"], indirect=True)
async def test_a_flood_when_the_proxy_is_killed(door: Proxy, server: Server) -> None:
    """
    A consumer that sends without end through a proxy that is killed ends, and leaves nothing.
    """
    before = server.count("hose disconnect")
    async with RudeClient(door, "/hose") as client:
        assert await client.handshake() == 101
        await client.send(text("wait"))
        await client.text()
        door.signal(signal.SIGKILL)
        await client.end()
    await in_thread(server.until_count, "hose disconnect", before + 1)
    await in_thread(server.until, "no slot", lambda: not server.slots("hose"))
    await in_thread(server.until_fresh, server.fresh)


@pytest.mark.handler
@pytest.mark.parametrize("door", ["nginx", "haproxy"], indirect=True)
async def test_a_proxy_that_leaves_gently(door: Proxy, server: Server) -> None:
    """
    The proxy takes nothing new, open sockets go on to their own end and code, then it leaves.
    """
    before = server.count("echo disconnect 4001")
    async with RudeClient(door, "/echo") as client:
        assert await client.handshake() == 101
        door.signal(GENTLE[door.name])
        await in_thread(server.until, "it takes nothing new", lambda: not door.listens())
        await client.send(text("still here"))
        assert await client.text() == "still here"
        await client.send(frame(CLOSE, (4001).to_bytes(2, "big")))
        assert await client.close_code() == 4001
    assert await in_thread(door.wait_ended) == 0
    await in_thread(server.until_count, "echo disconnect 4001", before + 1)
    await in_thread(server.until, "no slot", lambda: not server.slots("echo"))
    await in_thread(server.until_fresh, server.fresh)


@pytest.mark.parametrize("door", ["nginx", "haproxy"], indirect=True)
async def test_requests_when_the_proxy_is_killed(door: Proxy, server: Server) -> None:
    """
    A request that waits for its answer is told that the proxy was killed, and leaves nothing.
    """
    begun, before = server.count("watch"), server.count("watch disconnect")
    async with RudeClient(door, "/watch") as client:
        await client.send(b"GET /watch HTTP/1.1\r\nHost: x\r\n\r\n")
        await in_thread(server.until_count, "watch", begun + 1)
        door.signal(signal.SIGKILL)
        await client.end()
    await in_thread(server.until_count, "watch disconnect", before + 1)
    await in_thread(server.settle)
    await in_thread(server.until_fresh, server.fresh)
