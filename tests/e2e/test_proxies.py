# Behind the proxies that people have: nginx and HAProxy, both from Debian, and nothing.

import http.client
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from e2e._rude import CLOSE, PING, PONG, TEXT, RudeClient, frame, text
from e2e._server import Server, ask, dial, in_thread
from e2e.hostile._corpus import PROBES
from e2e.hostile._peer import throw

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("settled")]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """The server behind all of them."""
    with Server("sockets:application") as server:
        yield server


async def test_messages(door: Any) -> None:
    """
    Text, fragments and pings go through, one in flight and a hundred.
    """
    async with dial(door, "/echo") as socket:
        assert await ask(socket, "hi") == "hi"
        assert await ask(socket, "x" * 300_000) == "x" * 300_000

    async with RudeClient(door, "/echo") as client:
        await client.handshake()
        first, last = frame(TEXT, b"one "), frame(0, b"two")
        await client.send(bytes([first[0] & 0x7F]) + first[1:] + frame(PING, b"?") + last)
        assert await client.frame() == (PONG, b"?")
        assert await client.text() == "one two"
        await client.send(text(*map(str, range(100))))
        assert [await client.text() for _ in range(100)] == [str(n) for n in range(100)]


@pytest.mark.handler
async def test_close_codes_both_ways(door: Any, server: Server) -> None:
    """
    The client's close code reaches `disconnect`, the server's code and reason the client.
    """
    before = server.count("echo disconnect 4001")
    async with RudeClient(door, "/echo") as client:
        await client.handshake()
        await client.send(frame(CLOSE, (4001).to_bytes(2, "big")))
        assert await client.close_code() == 4001
    await in_thread(server.until_count, "echo disconnect 4001", before + 1)

    async with RudeClient(door, "/closer") as client:
        await client.handshake()
        await client.send(text("go"))
        opcode, payload = await client.frame()
        assert (opcode, payload) == (CLOSE, (4000).to_bytes(2, "big") + b"enough")


async def test_a_peer_that_resets(door: Any, server: Server) -> None:
    """
    A reset at the client's side ends the consumer once, and leaves nothing.
    """
    before = server.count("echo disconnect")
    async with RudeClient(door, "/echo") as client:
        await client.handshake()
        await client.send(text("hi"))
        assert await client.text() == "hi"
        client.reset()
    await in_thread(server.until_count, "echo disconnect", before + 1)
    await in_thread(server.until, "no slot", lambda: not server.slots("echo"))


async def test_an_unknown_path(door: Any) -> None:
    """
    A WebSocket that is refused is refused with its status and body.
    """
    async with RudeClient(door, "/nowhere") as client:
        await client.ask()
        assert await client.answer() == 404


def test_requests(door: Any) -> None:
    """
    Requests on one connection, a long response among them, are answered whole and in order.
    """
    with closing(http.client.HTTPConnection("127.0.0.1", door.port, timeout=30)) as client:
        for _ in range(3):
            client.request("GET", "/facts")
            response = client.getresponse()
            assert response.status == 200
            assert b'"descriptors"' in response.read()
        client.request("GET", "/big")
        assert len(client.getresponse().read()) == 64 * 2**20


@pytest.mark.handler
def test_a_chunked_body_that_nobody_reads(door: Any) -> None:
    """
    A request whose body is not read is answered all the same, and sent whole.
    """
    with closing(http.client.HTTPConnection("127.0.0.1", door.port, timeout=30)) as client:
        client.request("POST", "/facts", body=iter([b"x" * 1000] * 50))
        response = client.getresponse()
        assert response.status == 200
        response.read()


@pytest.mark.handler
def test_hostile_peers(door: Any, server: Server) -> None:
    """
    Whatever hostile peers get past the door, the server lives, and smuggles nothing.
    """
    for name, probe in PROBES.items():
        if not (probe.shaken or probe.theirs):  # hypercorn leaks clear-text HTTP/2
            throw(door.port, probe, seconds=0.05)
        assert server.process.poll() is None, server.explain(f"it died of {name}")
    assert server.get("/facts")[0] == 200
    assert server.count("smuggled") == 0
