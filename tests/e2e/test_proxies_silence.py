# Silence behind a proxy: the server's pings keep what lives, and end what does not answer. The
# printed configurations, but for how long a proxy bears silence: two seconds instead of an hour.

from collections.abc import Iterator
from typing import Any

import pytest
from e2e._proxy import Proxy
from e2e._rude import PING, PONG, Ended, RudeClient, frame, text
from e2e._server import Server, in_thread

pytestmark = [pytest.mark.slow, pytest.mark.handler, pytest.mark.usefixtures("settled")]

SILENCE = {
    "proxy_read_timeout 1h": "proxy_read_timeout 2s",
    "timeout tunnel 1h": "timeout tunnel 2s",
}
BEATING = {"E2E_OPTIONS": "ping_seconds=0.1 pong_seconds=20"}
STILL = {"E2E_OPTIONS": "ping_seconds=0"}
IMPATIENT = {"E2E_OPTIONS": "ping_seconds=0.2 pong_seconds=0.2"}


@pytest.fixture(scope="module", params=[BEATING], ids=["beating"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """The server behind the door, with a heartbeat of the test's choice."""
    with Server("sockets:application", env=request.param) as server:
        yield server


@pytest.fixture(scope="module")
def changes() -> dict[str, str]:
    """
    What a test can wait for.
    """
    return SILENCE


async def test_pings_keep_an_idle_socket(door: Any) -> None:
    """
    A client that only answers pings is there still when the proxy would have ended it.
    """
    async with RudeClient(door, "/echo") as client:
        assert await client.handshake() == 101
        for _ in range(30):  # three seconds of them, with nothing else
            assert await client.frame() == (PING, b"")
            await client.send(frame(PONG, b""))
        await client.send(text("hi"))
        while (answer := await client.frame())[0] == PING:
            pass
        assert answer[1] == b"hi"


@pytest.mark.parametrize(
    "server", [{"E2E_OPTIONS": "ping_seconds=0"}], indirect=True, ids=["still"]
)
@pytest.mark.parametrize("door", ["nginx", "haproxy"], indirect=True)
async def test_without_pings_the_proxy_ends_it(door: Proxy, server: Server) -> None:
    """
    With PING_SECONDS = 0 the proxy gives an idle socket up, and the consumer is told 1006.
    """
    before = server.count("echo disconnect 1006")
    async with RudeClient(door, "/echo") as client:
        assert await client.handshake() == 101
        await client.end()
        assert client.received == b""
    await in_thread(server.until_count, "echo disconnect 1006", before + 1)


@pytest.mark.parametrize("server", [IMPATIENT], indirect=True, ids=["impatient"])
async def test_a_client_that_answers_no_ping_is_given_up(door: Any, server: Server) -> None:
    """
    Who reads and never answers is pinged once, then its consumer ends with 1006, and its socket.
    """
    before = server.count("echo disconnect 1006")
    async with RudeClient(door, "/echo") as client:
        assert await client.handshake() == 101
        assert await client.frame() == (PING, b"")
        with pytest.raises(Ended):
            await client.frame()
        await in_thread(server.until_count, "echo disconnect 1006", before + 1)
    await in_thread(server.until, "no slot", lambda: not server.slots("echo"))


@pytest.mark.parametrize("server", [IMPATIENT], indirect=True, ids=["impatient"])
async def test_a_client_that_reads_nothing_is_given_up(door: Any, server: Server) -> None:
    """
    A client that has stopped reading and writing, as one whose machine hangs, ends the same way.
    """
    before = server.count("echo disconnect 1006")
    async with RudeClient(door, "/echo") as client:
        assert await client.handshake() == 101
        await in_thread(server.until_count, "echo disconnect 1006", before + 1)
        await in_thread(server.until, "no slot", lambda: not server.slots("echo"))
        await client.end()
        assert client.received == bytes([0x80 | PING, 0])


@pytest.mark.parametrize("server", [IMPATIENT], indirect=True, ids=["impatient"])
async def test_a_client_that_stops_reading_a_flood_is_given_up(door: Any, server: Server) -> None:
    """
    A consumer that sends without end to a client that reads nothing ends, and leaves nothing.
    """
    before = server.count("hose disconnect")
    async with RudeClient(door, "/hose", receive_buffer=4096) as client:
        assert await client.handshake() == 101
        await client.send(text("wait"))
        await in_thread(server.until_count, "hose disconnect", before + 1)
        await in_thread(server.until, "no slot", lambda: not server.slots("hose"))
