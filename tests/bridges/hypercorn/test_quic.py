# The boundary around QUIC connections, with aioquic's own client over a real socket. What it is
# good for is seen on the real server, in tests/e2e/test_http3.py.

import logging
import socket
import sys
from types import SimpleNamespace
from typing import Any

import pytest
import trio
from aioquic.quic.connection import QuicConnection as Engine
from e2e._http3 import Http3, http3, speak
from helpers import settle
from hypercorn.config import Config
from hypercorn.events import RawData
from hypercorn.protocol.events import StreamClosed
from hypercorn.protocol.quic import QuicProtocol

from greenroom.bridges.hypercorn._h3 import GuardedH3Protocol
from greenroom.bridges.hypercorn._quic import GuardedUDPServer
from greenroom.bridges.hypercorn._state import STATE

from ._quic_serving import config as config  # noqa: PLC0414 - a fixture
from ._quic_serving import quic_tasks, respond, serving

NO_ERROR, FAILED = 0x100, 0x102  # codes of RFC 9114


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the path; wait behind /wait, forever."""
    if scope["path"] == "/wait":
        await trio.sleep_forever()
    await respond(send, scope["path"].encode())


def in_the_protocol(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Have it raised for what comes from the peer."""
    handle = GuardedH3Protocol.handle

    async def fail(self: GuardedH3Protocol, event: Any) -> None:
        if b"/bad" in getattr(event, "data", b""):
            raise error
        await handle(self, event)

    monkeypatch.setattr(GuardedH3Protocol, "handle", fail)


def in_the_engine(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Have it raised by a turn of the timer, and what makes one turn."""
    handle_timer, get_timer, bad = Engine.handle_timer, Engine.get_timer, set[Engine]()

    async def turn(self: GuardedH3Protocol, event: Any) -> None:
        if b"/bad" in getattr(event, "data", b""):
            bad.add(self._quic)

    def fail(self: Engine, now: float) -> None:
        if self in bad:
            raise error
        handle_timer(self, now)

    def due(self: Engine) -> float | None:
        return 0.0 if self in bad else get_timer(self)

    handle = GuardedH3Protocol.handle

    async def both(self: GuardedH3Protocol, event: Any) -> None:
        await turn(self, event)
        await handle(self, event)

    monkeypatch.setattr(GuardedH3Protocol, "handle", both)
    monkeypatch.setattr(Engine, "handle_timer", fail)
    monkeypatch.setattr(Engine, "get_timer", due)


def behind_a_request(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Have it raised when a request's application has returned."""
    stream_send = GuardedH3Protocol.stream_send

    async def fail(self: GuardedH3Protocol, event: Any) -> None:
        stream = self.streams.get(event.stream_id)
        if isinstance(event, StreamClosed) and stream and "bad" in stream.scope["path"]:
            raise error
        await stream_send(self, event)

    monkeypatch.setattr(GuardedH3Protocol, "stream_send", fail)


@pytest.mark.parametrize("fault", [in_the_protocol, in_the_engine, behind_a_request])
async def test_alone(
    fault: Any, config: Config, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """
    An error ends its connection, whose peer is told so, and is logged; the others go on.
    """
    fault(monkeypatch, KeyError("stream"))
    seen: dict[str, Any] = {}

    async def clients() -> None:
        async with http3(quic.port) as other, http3(quic.port) as client:
            assert (await other.get(b"/")).body == b"/"
            number = client.ask(b"/bad", b"POST", more=True)
            client.send(number, b"/bad", more=True)
            seen["code"] = await client.until_closed()
            assert (await other.get(b"/")).body == b"/"

    with caplog.at_level(logging.ERROR, "greenroom.hypercorn"):
        async with serving(echo, config) as quic:
            await speak(clients)

    assert seen["code"] == FAILED
    (record,) = [each for each in caplog.records if each.name == "greenroom.hypercorn"]
    assert "KeyError: 'stream'" in record.getMessage()
    assert record.exc_info


async def test_what_is_no_exception_goes_through(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Ctrl-C and its like are not the boundary's to absorb.
    """
    in_the_protocol(monkeypatch, KeyboardInterrupt())

    async def client() -> None:
        async with http3(quic.port) as client:
            client.send(client.ask(b"/", b"POST", more=True), b"/bad")
            await client.until_closed()

    with pytest.raises(BaseExceptionGroup) as raised:
        async with serving(echo, config) as quic:
            await speak(client)

    assert raised.group_contains(KeyboardInterrupt)


@pytest.mark.parametrize("how", ["closed", "vanished", "vanished while nobody reads", "failed"])
async def test_forgotten(how: str, config: Config, caplog: pytest.LogCaptureFixture) -> None:
    """
    However a connection ends, its requests are told, and no task and no ID of it is left.
    """
    told, gate = [], trio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/stuck":
            await gate.wait()
        while (event := await receive())["type"] != "http.disconnect":
            pass
        told.append(event)

    async def client() -> None:
        # Who vanishes is forgotten after so long; a busy machine may need a second for less.
        async with http3(quic.port, idle_seconds=3.0) as client:
            if how == "vanished while nobody reads":
                number = client.ask(b"/stuck", b"POST", more=True)
                for _ in range(40):
                    client.send(number, b"x", more=True)
                client.vanish()
                return
            client.ask(b"/")
            await client.ping()
            if how == "vanished":
                client.vanish()
            elif how == "failed":
                client.ask(b"/\xff")
                await client.until_closed()

    async with serving(app, config) as quic:
        await speak(client)
        await settle(lambda: not quic_tasks() or how == "vanished while nobody reads")
        gate.set()
        await settle(lambda: not quic_tasks())
        await quic.end_worker()
        await quic.over.wait()  # which waits for every ID to be forgotten

    assert len(told) == (how != "failed")  # whose requests are cancelled


async def test_what_begins_no_handshake_is_forgotten(config: Config) -> None:
    """
    What looks like a first packet, and can't be decrypted, leaves nothing behind.
    """

    async def client() -> None:
        async with http3(quic.port) as client:
            await client.ping()

    async with serving(echo, config) as quic:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("127.0.0.1", quic.port))
            for number in range(10):
                ids = b"\x08%08d\x08%08d" % (number, number)
                sock.send(b"\xc3\0\0\0\1" + ids + b"\0\x44\x9c" + b"?" * 1180)
        await speak(client)
        await settle(lambda: not quic_tasks())
        await quic.end_worker()
        await quic.over.wait()


async def test_no_wait(config: Config) -> None:
    """
    A connection whose application does not read holds up nobody else.
    """

    async def clients() -> None:
        async with http3(quic.port) as client, http3(quic.port) as other:
            number = client.ask(b"/wait", b"POST", more=True)
            for _ in range(40):
                client.send(number, b"x" * 1000, more=True)
                assert (await other.get(b"/other")).body == b"/other"

    async with serving(echo, config) as quic:
        await speak(clients)


async def test_nothing_waits_for_who_has_returned(config: Config) -> None:
    """
    A body behind the answer of an application that did not read it holds up no other request.
    """
    answered = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, scope["path"].encode())
        answered.append(scope["path"])

    async def client() -> None:
        async with http3(quic.port) as client:
            number = client.ask(b"/upload", b"POST", more=True)
            for _ in range(40):
                client.send(number, b"x" * 1000, more=True)
                assert (await client.get(b"/other")).body == b"/other"

    async with serving(app, config) as quic:
        await speak(client)
        await settle(lambda: answered.count("/other") == 40)  # who has the last may be ahead of it

    assert answered.count("/other") == 40


async def test_it_ends_with_the_worker(config: Config) -> None:
    """
    The root of the tree is told of the worker's end, and a server without connections ends.
    """
    told: list[str] = []
    root = SimpleNamespace(stop=lambda: told.append("stop"))
    async with serving(echo, config, {STATE: root}) as quic:
        await quic.end_worker()
        await quic.over.wait()

    assert told == ["stop"]


async def test_it_ends_with_its_last_connection(config: Config) -> None:
    """
    What was there at the worker's end is served on; what comes behind it is not.
    """
    ready, go = trio.Event(), trio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        ready.set()
        await go.wait()
        await respond(send, b"at last")

    async def client() -> bytes:
        async with http3(quic.port) as client:
            return (await client.get(b"/")).body

    async def visit() -> None:
        assert await speak(client) == b"at last"

    async with serving(app, config) as quic:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(visit)
            await ready.wait()
            await quic.end_worker()
            assert not quic.over.is_set()
            go.set()
        await quic.over.wait()


async def test_peers_are_told_of_the_end(config: Config) -> None:
    """
    Peers of a server that is cancelled are told at once, and not of an error.
    """
    ready = trio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        ready.set()
        await trio.sleep_forever()

    async def client() -> int | None:
        async with http3(quic.port) as client:
            client.ask(b"/")
            return await client.until_closed()

    async def visit() -> None:
        assert await speak(client) == NO_ERROR

    async with trio.open_nursery() as nursery:
        async with serving(app, config) as quic:
            nursery.start_soon(visit)
            await ready.wait()


async def test_a_datagram_that_the_system_refuses_is_lost(config: Config) -> None:
    """
    An address to which nothing can be sent is no error.
    """
    async with serving(echo, config) as quic:
        await quic.server.protocol_send(RawData(b"x" * 100_000, ("127.0.0.1", 9)))


async def test_an_unknown_inside_is_left_alone(
    config: Config, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Where what is needed for QUIC is missing hypercorn serves by itself, and a warning names it.
    """
    handle = QuicProtocol.handle
    monkeypatch.setattr(QuicProtocol, "handle", lambda self, data: handle(self, data))

    async def client() -> bytes:
        async with http3(quic.port) as client:
            return (await client.get(b"/plain")).body

    async with serving(echo, config) as quic:
        assert quic.server.protocol.__class__.__name__ == "QuicProtocol"
        assert await speak(client) == b"/plain"

    assert "hypercorn.protocol.quic: async QuicProtocol.handle(self, event)" in caplog.text


async def test_without_aioquic_it_fails_as_hypercorn_does(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Who asks for QUIC without hypercorn's extra is told by the import that fails.
    """
    monkeypatch.setitem(sys.modules, "hypercorn.protocol.quic", None)
    no: Any = None
    server = GuardedUDPServer.__new__(GuardedUDPServer)
    with pytest.raises(ModuleNotFoundError):
        await server.run(no)


def test_the_client_is_aioquics() -> None:
    """
    What these tests speak with is nobody's here.
    """
    assert Http3.__mro__[1].__module__.startswith("aioquic.")
