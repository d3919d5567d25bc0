# The real server in the test's own process, and the client that does not read.

import socket
import threading
import urllib.request
from typing import Any

import pytest
import trio
from helpers import Routes
from trio_websocket import open_websocket_url

from greenroom.actors import WebsocketConsumer
from greenroom.bridges.asgi import Application
from greenroom.bridges.testing import (
    HandshakeRefused,
    NothingCame,
    SlowReader,
    SocketClosed,
    StartupFailed,
    live_server,
)
from greenroom.supervisor import Options


class Frail(WebsocketConsumer):
    async def receive(self, text, bytes):
        if text == "boom":
            raise ValueError("boom")
        if text == "much":
            while True:
                await self.send(bytes=b"x" * 65536)
        if text == "close":
            await self.close(4000, "enough")
        elif bytes is not None:
            await self.send(bytes=bytes)
        elif text != "quiet":
            await self.send(text=f"{self.epoch}: {text}")


def application(**options: Any) -> Application:
    return Application(router=Routes({"frail": Frail}), options=Options(**options))


def ours() -> set[threading.Thread]:
    """Return the threads that bear our name."""
    return {each for each in threading.enumerate() if each.name.startswith("greenroom")}


def test_a_real_socket() -> None:
    """
    Any client talks to it; the test crashes the consumer by its path meanwhile.
    """

    async def client(url: str) -> str:
        async with open_websocket_url(url) as socket:
            await socket.send_message("a")
            assert await socket.get_message() == "1: a"
            [slot] = await trio.to_thread.run_sync(server.sockets, "frail")
            await trio.to_thread.run_sync(server.crash, slot.path, KeyError("x"))
            await trio.to_thread.run_sync(server.wait_restarted, slot.path)
            await socket.send_message("b")
            return str(await socket.get_message())

    before = ours()
    with live_server(application()) as server:
        assert server.url == f"http://127.0.0.1:{server.port}"
        assert trio.run(client, f"{server.ws_url}/frail") == "2: b"
        server.wait_closed()
    for each in ours() - before:
        each.join(30)  # one that watches a loop ends by itself
    assert ours() <= before


def test_a_crash_is_the_tests_error() -> None:
    """
    Nobody asked for it: it is raised when the block is left, down to the consumer's line.
    """
    with pytest.raises(ValueError, match="boom") as failed:
        with live_server(application()) as server:
            with SlowReader(f"{server.ws_url}/frail") as client:
                client.send_text("boom")
                client.send_text("b")
                assert client.receive() == "2: b"
    assert failed.traceback[-1].name == "receive"


def test_a_start_that_fails() -> None:
    """
    The application's reason is raised; an address that is taken is an OSError.
    """

    async def fails(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    with pytest.raises(StartupFailed, match="no database"), live_server(fails):
        pytest.fail("it started")
    with live_server(application()) as server:
        with pytest.raises(OSError, match="in use"):
            with live_server(application(), port=server.port):
                pytest.fail("it started")


def test_somebody_elses_application() -> None:
    """
    An application without a tree is served all the same.
    """

    async def plain(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})

    async def knows_no_lifespan(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            raise RuntimeError("what is that?")
        await plain(scope, receive, send)

    with live_server(knows_no_lifespan) as server:
        with urllib.request.urlopen(server.url, timeout=20) as answer:
            assert answer.read() == b"hello"
    with live_server(plain) as server:
        with urllib.request.urlopen(server.url, timeout=20) as answer:
            assert answer.read() == b"hello"
        with pytest.raises(LookupError, match="no tree"):
            server.root  # noqa: B018


def test_a_slow_reader() -> None:
    """
    It fills its socket and the server's output; the server drops it, and it sees that.
    """
    with live_server(application(output_stall_seconds=0.1)) as server:
        with SlowReader(f"{server.ws_url}/frail") as client:
            client.send_text("much")
            server.wait_event("output.slow", timeout=60)
            assert client.drain().code in (1006, 1013)
            assert client.bytes_read > 0


def test_a_slow_reader_is_a_client() -> None:
    """
    It sends text and bytes of every length, reads what comes, and tells of closes and refusals.
    """
    with live_server(application()) as server:
        url = f"{server.ws_url}/frail?x=1"
        with SlowReader(url, headers={"X-One": "1"}, timeout=20) as client:
            for size in (0, 5, 125, 126, 65535, 65536, 200000):
                client.send_bytes(b"y" * size)
                assert client.receive() == b"y" * size
            client.send_text("text")
            assert client.receive() == "1: text"
            client.send_text("close")
            with pytest.raises(SocketClosed, match="4000 'enough'"):
                client.receive()
        with pytest.raises(HandshakeRefused) as refused, SlowReader(f"{server.ws_url}/nowhere"):
            pytest.fail("it was accepted")
        assert refused.value.status == 404
        # Its handshake has the same time, which a busy machine may need for it.
        with SlowReader(url, timeout=2) as client, pytest.raises(NothingCame, match="within 2 s"):
            client.receive()
    with pytest.raises(ValueError, match=r"url must be like ws://.* Got: 'http://x'"):
        SlowReader("http://x")


def test_a_server_that_goes_away() -> None:
    """
    A connection that ends without a close is 1006.
    """
    listening = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        peer, _ = listening.accept()
        with peer:
            peer.recv(4096)
            peer.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")

    thread = threading.Thread(target=answer)
    thread.start()
    with listening, SlowReader(f"ws://127.0.0.1:{listening.getsockname()[1]}") as client:
        with pytest.raises(SocketClosed, match="1006"):
            client.receive()
    thread.join(20)


async def test_the_awaited_flavour() -> None:
    """
    In a test on trio its methods are coroutines.
    """
    with live_server(application(), flavour="async") as server:
        async with open_websocket_url(f"{server.ws_url}/frail") as client:
            await client.send_message("a")
            assert await client.get_message() == "1: a"
            await server.wait_event("connection.opened")
        await server.wait_closed()
