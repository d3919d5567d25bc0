# HTTP/3 on the real server, whose QUIC stays hypercorn's: whatever one connection does, others go
# on, and so does the process. Without the boundary those marked with a + end the whole server.

import asyncio
import http.client
import json
import random
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e._http3 import Http3, QuicServer, http3, speak
from e2e._server import APPS, WAIT_SECONDS, in_thread

pytestmark = pytest.mark.slow
STOPPED, CANCELLED, FAILED = 0x10C, 0x10C, 0x102  # codes of RFC 9114
Attack = Callable[[QuicServer, Http3], Awaitable[object]]


@pytest.fixture(scope="module", params=["", "0"], ids=["with our connections", "without"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[QuicServer]:
    """One server for the whole file, which must not notice any of it."""
    environment = {"GREENROOM_FAST_CONNECTIONS": request.param}
    folder = tmp_path_factory.mktemp("certificate")
    with QuicServer("http3:application", folder, environment) as server:
        pid = server.worker_pid()
        yield server
        assert server.worker_pid() == pid
        assert "trio_worker" not in server.output  # in a traceback: that of a crash


@pytest.fixture(scope="module")
def innocent(server: QuicServer) -> Iterator[http.client.HTTPConnection]:
    """A TCP connection that was there before."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=WAIT_SECONDS)
    connection.request("GET", "/facts")
    connection.getresponse().read()
    yield connection
    connection.close()


async def no_answer_wanted(server: QuicServer, client: Http3) -> None:
    """+ A browser that leaves the page."""
    number = client.ask(b"/bare/later")
    client.quic.stop_stream(number, STOPPED)
    client.transmit()
    assert (await client.answers[number].whole()).end == "reset"
    await client.get(b"/knock")


async def request_taken_back(server: QuicServer, client: Http3) -> None:
    told = await asyncio.to_thread(server.count, "told")
    number = client.ask(b"/late", b"POST", more=True)
    client.quic.reset_stream(number, CANCELLED)
    client.transmit()
    assert (await client.answers[number].whole()).end == "reset"
    await asyncio.to_thread(server.until_count, "told", told + 1)


async def stream_taken_back(server: QuicServer, client: Http3) -> None:
    told = await asyncio.to_thread(server.count, "told")
    number = client.ask(b"/stream")
    assert (await client.get(b"/read")).body == b"0"
    client.quic.stop_stream(number, STOPPED)
    client.transmit()
    assert (await client.answers[number].whole()).end == "reset"
    await asyncio.to_thread(server.until_count, "told", told + 1)


async def body_behind_the_answer(server: QuicServer, client: Http3) -> None:
    """+ A large upload, refused at once."""
    number = client.ask(b"/bare/early", b"POST", more=True)
    answer = await client.answers[number].whole()
    client.send(number, b"x" * 1000)
    assert (answer.status, answer.body) == (413, b'"too much"')
    assert (await client.get(b"/read")).body == b"0"  # behind it, so the server has seen it


async def trailers(server: QuicServer, client: Http3) -> None:
    """+ What gRPC sends, for one."""
    number = client.ask(b"/read", b"POST", more=True)
    client.send(number, b"x" * 1000, more=True)
    client.h3.send_headers(number, [(b"checksum", b"17")], end_stream=True)
    client.transmit()
    assert (await client.answers[number].whole()).body == b"1000"


async def no_ascii_in_the_path(server: QuicServer, client: Http3) -> None:
    """+ It is percent-encoded by all but a few."""
    client.ask(b"/\xff")
    assert await client.until_closed() == FAILED


async def no_ascii_in_the_method(server: QuicServer, client: Http3) -> None:
    """+"""
    client.ask(b"/read", b"G\xcbT")
    assert await client.until_closed() == FAILED


async def a_tunnel(server: QuicServer, client: Http3) -> None:
    """+ CONNECT, which has no path."""
    number = client.quic.get_next_available_stream_id()
    headers = [(b":method", b"CONNECT"), (b":authority", b"x:1")]
    client.h3.send_headers(number, headers, end_stream=True)
    client.transmit()
    assert await client.until_closed() == FAILED


async def an_error(server: QuicServer, client: Http3) -> None:
    answer = await client.get(b"/fail")
    assert (answer.status, answer.end) == (500, "whole")


async def an_error_within_the_answer(server: QuicServer, client: Http3) -> None:
    answer = await client.get(b"/fail_behind")
    assert (answer.status, answer.end) == (200, "reset")


async def a_header_that_is_two(server: QuicServer, client: Http3) -> None:
    answer = await client.get(b"/newline")
    assert answer.status == 500
    assert b"set-cookie" not in answer.headers


async def frames_out_of_order(server: QuicServer, client: Http3) -> None:
    number = client.quic.get_next_available_stream_id()
    client.quic.send_stream_data(number, b"\x00\x05hello", end_stream=True)
    client.transmit()
    assert await client.until_closed() == 0x105  # H3_FRAME_UNEXPECTED


async def frames_at_random(server: QuicServer, client: Http3) -> None:
    dice = random.Random(4)
    for _ in range(30):
        number = client.quic.get_next_available_stream_id()
        client.quic.send_stream_data(number, dice.randbytes(dice.randrange(1, 200)), True)
        client.transmit()
    assert await client.until_closed()


async def garbage(server: QuicServer, client: Http3) -> None:
    """Datagrams at random, every other one with the beginning of a first packet."""
    dice = random.Random(5)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((server.host, server.quic_port))
        for number in range(300):
            data = dice.randbytes(dice.choice([0, 1, 5, 7, 20, 100, 1200, 1472]))
            start = bytes([0xC0 | dice.randrange(64)]) + b"\0\0\0\1\x08"
            sock.send(start + data if number % 2 else data)


async def its_own_datagrams_damaged(server: QuicServer, client: Http3) -> None:
    dice = random.Random(3)
    whole = client._transport.sendto

    def sendto(data: bytes, *address: Any) -> None:
        for _ in range(3):
            damaged = bytearray(data)
            damaged[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
            whole(bytes(damaged), *address)
        whole(data, *address)

    client._transport.sendto = sendto
    assert (await client.get(b"/read")).body == b"0"


async def closed_within_an_answer(server: QuicServer, client: Http3) -> None:
    told = await asyncio.to_thread(server.count, "told")
    number = client.ask(b"/stream")
    assert (await client.get(b"/read")).body == b"0"
    client.close()
    assert (await client.answers[number].whole()).end == "closed"
    await asyncio.to_thread(server.until_count, "told", told + 1)


ATTACKS = [
    no_answer_wanted, request_taken_back, stream_taken_back, body_behind_the_answer, trailers,
    no_ascii_in_the_path, no_ascii_in_the_method, a_tunnel, an_error, an_error_within_the_answer,
    a_header_that_is_two, frames_out_of_order, frames_at_random, garbage,
    its_own_datagrams_damaged, closed_within_an_answer,
]  # fmt: skip


async def test_a_request_is_answered(server: QuicServer) -> None:
    """
    A Greenroom application answers over HTTP/3, and so does the same process over TCP.
    """

    async def client() -> Any:
        async with http3(server.quic_port) as client:
            return await client.get(b"/facts")

    answer = await speak(client)
    assert (answer.status, answer.end) == (200, "whole")
    assert json.loads(answer.body)["pid"] == await in_thread(server.worker_pid)


async def test_a_django_view_is_answered(tmp_path: Path) -> None:
    """
    Django's view, whose headers have capitals, answers over HTTP/3.
    """
    server = QuicServer("mysite.asgi:application", tmp_path, {}, cwd=APPS.parent / "project")

    async def client() -> Any:
        async with http3(server.quic_port) as client:
            return await client.get(b"/")

    with server:
        answer = await speak(client)

    assert (answer.status, answer.end) == (200, "whole")
    assert answer.body.startswith(b"hello from ")


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
async def test_others_go_on(
    server: QuicServer, innocent: http.client.HTTPConnection, attack: Attack
) -> None:
    """
    Whatever a connection does, one over HTTP/3 and one over TCP that were there before go on.
    """

    async def clients() -> None:
        async with http3(server.quic_port) as other:
            before = await other.get(b"/facts")
            async with http3(server.quic_port) as client:
                await attack(server, client)
            after = await other.get(b"/facts")
        assert json.loads(before.body)["pid"] == json.loads(after.body)["pid"]

    await speak(clients)
    innocent.request("GET", "/facts")
    assert (await in_thread(innocent.getresponse)).read()


async def test_who_vanishes_is_forgotten(server: QuicServer) -> None:
    """
    A client that is gone without a word takes its requests and its tasks with it.
    """
    told = await in_thread(server.count, "told")
    fresh = await in_thread(server.facts)

    async def client() -> None:
        async with http3(server.quic_port, idle_seconds=1.0) as client:
            client.ask(b"/late")
            client.ask(b"/stream")
            await client.get(b"/read")
            client.vanish()

    await speak(client)
    await in_thread(server.until_count, "told", told + 2)
    await in_thread(server.until_fresh, fresh)


async def test_who_waits_holds_up_nobody(server: QuicServer) -> None:
    """
    While an application does not read a body, other connections are answered.
    """
    fresh = await in_thread(server.facts)

    async def clients() -> Any:
        async with http3(server.quic_port) as other:
            async with http3(server.quic_port, idle_seconds=1.0) as client:
                number = client.ask(b"/stuck", b"POST", more=True)
                for _ in range(40):
                    client.send(number, b"x" * 1000, more=True)
                    assert (await other.get(b"/read")).body == b"0"
                client.vanish()
            assert (await other.get(b"/open")).status == 200

    await speak(clients)
    await in_thread(server.until_fresh, fresh)
