# WebSockets as clients have them, well-behaved and rude, against the real server; and what is
# left of them in the process afterwards: nothing.

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

import pytest
import trio
from e2e._rude import CLOSE, PING, PONG, TEXT, Ended, RudeClient, frame, text
from e2e._server import WAIT_SECONDS, Server, ask, dial, in_thread
from trio_websocket import ConnectionRejected, open_websocket, wrap_client_stream

SMALL = 4096  # bytes of a receive buffer that is soon full


pytestmark = pytest.mark.usefixtures("settled")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One server for the whole file."""
    # A loaded machine is slow: no test here should meet a deadline that is not its subject.
    options = {"E2E_OPTIONS": "close_seconds=25"}
    with Server("sockets:application", "--keep-alive", "1", env=options) as server:
        server.fresh = server.facts()
        pid = server.worker_pid()
        yield server
        assert server.worker_pid() == pid
        assert "Traceback" not in server.output


# -- well-behaved ----------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/echo", "/plain"])
async def test_text_and_binary(server: Server, path: str) -> None:
    """
    Text and binary messages of all sizes come back as they went, in order.
    """
    messages: list[str | bytes] = [
        "", "a", "grün 🦜", b"", b"\x00\xff", "x" * 125, "y" * 126, "z" * 70_000, b"w" * 200_000,
    ]  # fmt: skip
    async with dial(server, path) as socket, trio.open_nursery() as nursery:

        async def send_all() -> None:
            for message in messages:
                await socket.send_message(message)

        nursery.start_soon(send_all)
        with trio.fail_after(WAIT_SECONDS):
            assert [await socket.get_message() for _ in messages] == messages


async def test_pings_fragments_and_subprotocols(server: Server) -> None:
    """
    What the protocol allows works: subprotocols, pings, messages in fragments.
    """
    async with open_websocket(
        server.host, server.port, "/plain", use_ssl=False, subprotocols=["chat", "other"]
    ) as socket:
        assert socket.subprotocol == "chat"
        with trio.fail_after(WAIT_SECONDS):
            await socket.ping(b"payload")
        assert await ask(socket, "hi") == "hi"

    async with RudeClient(server, "/echo") as client:
        await client.handshake()
        first, middle, last = frame(TEXT, b"one "), frame(0, b"two "), frame(0, b"three")
        first, middle = bytes([first[0] & 0x7F]) + first[1:], bytes([0]) + middle[1:]
        await client.send(first + middle + frame(PING, b"?") + last)
        assert await client.frame() == (PONG, b"?")
        assert await client.frame() == (TEXT, b"one two three")


async def test_the_peers_close(server: Server) -> None:
    """
    A close by the peer is answered, frames before it are handled, disconnect runs once.
    """
    before = server.count("echo disconnect")
    async with RudeClient(server, "/echo") as client:
        await client.handshake()
        await client.send(text("last") + frame(CLOSE, (4001).to_bytes(2, "big") + b"bye"))
        opcode, payload = await client.frame()
        while opcode != CLOSE:
            assert payload == b"last"
            opcode, payload = await client.frame()
        assert payload[:2] == (4001).to_bytes(2, "big")
        assert not (await client.end()).reset

    await in_thread(server.until_count, "echo disconnect", before + 1)


async def test_unknown_path(server: Server) -> None:
    """
    A path without a consumer is refused with 404, and a client library says so.
    """
    async with await trio.open_tcp_stream(server.host, server.port) as stream:
        with pytest.RaisesGroup(ConnectionRejected) as refused:
            async with trio.open_nursery() as nursery:
                await wrap_client_stream(nursery, stream, server.host, "/nowhere")
    (refusal,) = refused.value.exceptions
    assert refusal.status_code == 404
    assert refusal.body == b"No WebSocket here.\n"


async def test_group_frames_reach_all(server: Server) -> None:
    """
    A frame to a group arrives at each of its sockets, once.
    """
    async with dial(server, "/member") as one, dial(server, "/member") as two:
        for sender, other, word in ((one, two, "first"), (two, one, "second")):
            assert await ask(sender, word) == word
            assert await other.get_message() == word


# -- slow readers, floods ----------------------------------------------------------------------


async def test_back_pressure(server: Server) -> None:
    """
    A handler that awaits its sends stops when its client stops reading, and ends with it.
    """
    before = server.count("hose disconnect")
    async with RudeClient(server, "/hose", receive_buffer=SMALL) as client:
        await client.handshake()
        await client.send(text("wait"))
        slot = await in_thread(
            server.until,
            "the handler waits for room",
            lambda: (s := server.slot("hose"))["facts"]["output_bytes"] > 65_536 and s,
        )
        assert slot["facts"]["output_bytes"] < 65_536 + 2_000
        async with dial(server, "/echo") as socket:
            assert await ask(socket, "hi") == "hi"
        client.reset()

    await in_thread(server.until_count, "hose disconnect", before + 1)
    await in_thread(server.until, "the slot is gone", lambda: not server.slots("hose"))


async def test_back_pressure_in_a_thread(server: Server) -> None:
    """
    A send in a worker thread waits there for its client, and ends with it.
    """
    before = server.count("thread hose disconnect")
    async with RudeClient(server, "/thread-hose", receive_buffer=SMALL) as client:
        await client.handshake()
        await client.send(text("go"))
        await in_thread(
            server.until,
            "the thread waits for room",
            lambda: server.slot("thread-hose")["facts"]["output_bytes"] > 65_536,
        )
        client.reset()

    await in_thread(server.until_count, "thread hose disconnect", before + 1)
    await in_thread(server.until, "the slot is gone", lambda: not server.slots("thread-hose"))


@pytest.mark.parametrize("path", ["/hose", "/member"])
async def test_slow_reader_is_dropped(server: Server, path: str) -> None:
    """
    Who does not read what is sent without waiting is dropped with 1013; the others go on.
    """
    before = (await in_thread(server.facts))["events"].get("output.slow", 0)
    async with dial(server, "/member") as neighbour:
        async with RudeClient(server, path, receive_buffer=SMALL) as client:
            await client.handshake()
            if path == "/hose":
                await client.send(text("rush"))
            else:
                for _ in range(20):
                    assert await in_thread(server.get, "/shout") in ((200, b"2"), (200, b"1"))
                    assert len(str(await neighbour.get_message())) == 300_000
            facts = await in_thread(
                server.until,
                "it is dropped",
                lambda: (f := server.facts())["events"].get("output.slow", 0) > before and f,
            )
            assert facts["events"]["output.slow"] == before + 1
            assert await ask(neighbour, "still here") == "still here"
            # A client that reads again in time finds the close behind what it was sent.
            assert await client.close_code() == 1013

    await in_thread(server.until, "no slot", lambda: not server.slots(path.strip("/")))


@pytest.mark.parametrize("path", ["/hose", "/member"])
async def test_deaf_peer_is_reset(path: str) -> None:
    """
    Who does not even take its close frame is reset once `close_seconds` are over.
    """
    name = path.strip("/")
    with Server(
        "sockets:application", env={"E2E_OPTIONS": "close_seconds=0.2 shutdown_seconds=0.2"}
    ) as server:
        fresh = server.facts()
        async with RudeClient(server, path, receive_buffer=SMALL) as client:
            await client.handshake()
            if path == "/member":  # a group fills it until it is dropped, with 1013
                await in_thread(
                    server.until, "it is dropped", lambda: server.get("/shout") == (200, b"0")
                )
            else:  # its own handler has filled it and waits for room; somebody stops it
                await client.send(text("wait"))
                await in_thread(
                    server.until,
                    "the handler waits for room",
                    lambda: server.slot(name)["facts"]["output_bytes"] > 65_536,
                )
                await in_thread(server.get, "/stop-hoses")
            await in_thread(server.until, "its slot is gone", lambda: not server.slots(name))
            assert (await client.end()).reset
        await in_thread(server.until_fresh, fresh)
        assert "Traceback" not in server.output


async def test_flood_is_held_back(server: Server) -> None:
    """
    While a handler is busy a flood waits in the client: 8 to 16 frames are read ahead, no more.
    """
    before = server.count("stuck disconnect")
    client = await RudeClient(server, "/stuck").__aenter__()
    async with trio.open_nursery() as nursery:
        await client.handshake()
        flood = text(*["x" * 1000] * 10_000)
        nursery.start_soon(client.send, flood)
        await in_thread(
            server.until, "read ahead", lambda: server.slot("stuck")["mailbox"]["queued"] >= 8
        )
        async with dial(server, "/echo") as socket:
            assert await ask(socket, "hi") == "hi"
        assert 8 <= server.slot("stuck")["mailbox"]["queued"] <= 16
        assert server.count("stuck received") == 1
        nursery.cancel_scope.cancel()
    # A reset shows only when reading goes on: see docs/explanation/plain-asgi.md.
    client.reset()
    assert 8 <= server.slot("stuck")["mailbox"]["queued"] <= 16
    assert await in_thread(server.get, "/release") == (200, b'"released"')

    await in_thread(server.until_count, "stuck disconnect", before + 1)
    await in_thread(server.until, "the slot is gone", lambda: not server.slots("stuck"))


async def test_flood_after_the_close() -> None:
    """
    Who floods a socket that the server has closed is cut off after `close_seconds`, for good.
    """
    with Server("sockets:application", env={"E2E_OPTIONS": "close_seconds=0.2"}) as server:
        fresh = server.facts()
        async with RudeClient(server, "/closer") as client, trio.open_nursery() as nursery:
            await client.handshake()

            async def flood() -> None:
                with suppress(OSError):
                    while True:
                        await client.send(text(*["x"] * 5000))

            nursery.start_soon(flood)
            assert await client.close_code() == 4000
            await client.end()
        await in_thread(server.until_fresh, fresh)


@pytest.mark.handler
async def test_data_together_with_the_handshake_waits(server: Server) -> None:
    """
    A frame in the handshake's own segment is handled once the socket is open.
    """
    async with RudeClient(server, "/echo") as client:
        await client.ask(text("early"))
        assert await client.answer() == 101
        assert await client.frame() == (1, b"early")


@pytest.mark.plain_asgi
async def test_data_together_with_the_handshake() -> None:
    """
    A frame in the handshake's own segment is a 400 for who sent it; the others go on.
    """
    with Server("sockets:application", env={"E2E_OPTIONS": "close_seconds=0.2"}) as server:
        async with dial(server, "/echo") as neighbour:
            for _ in range(10):
                async with RudeClient(server, "/echo") as client:
                    await client.ask(text("early"))
                    with suppress(Ended):
                        assert await client.answer() == 400
            assert await ask(neighbour, "still here") == "still here"
        await in_thread(server.until, "no slot", lambda: not server.slots("echo"))


@pytest.mark.handler
async def test_early_data_waits() -> None:
    """
    Data before the handshake's answer waits until connect() has accepted.
    """
    with Server("sockets:application") as server:
        async with RudeClient(server, "/thoughtful") as client:
            await client.ask()
            await in_thread(server.until, "its slot", lambda: server.slots("thoughtful"))
            await client.send(text("early"))
            await in_thread(server.get, "/open")
            assert await client.answer() == 101


@pytest.mark.plain_asgi
async def test_early_data() -> None:
    """
    Data before the handshake's answer is a 400; its slot ends, though hypercorn tells nobody.
    """
    with Server("sockets:application") as server:
        fresh = server.facts()
        async with RudeClient(server, "/thoughtful") as client:
            await client.ask()
            await in_thread(server.until, "its slot", lambda: server.slots("thoughtful"))
            await client.send(text("early"))
            assert await client.answer() == 400
            await in_thread(server.get, "/open")
            await in_thread(server.until_count, "thoughtful disconnect", 1)
        await in_thread(server.until_fresh, fresh)


async def test_gone_before_connect_returns(server: Server) -> None:
    """
    Clients that vanish while connect() runs: its accept is refused, disconnect runs once each.
    """
    before = server.count("thinking"), server.count("thoughtful disconnect")
    seen = set[str]()
    for _ in range(10):
        async with RudeClient(server, "/thoughtful") as client:
            await client.ask()
            seen |= await in_thread(
                server.until,
                "a slot of its own",
                lambda old=frozenset(seen): (
                    {slot["path"] for slot in server.slots("thoughtful")} - old
                ),
            )
            client.reset()
    await in_thread(server.get, "/open")

    await in_thread(server.until_count, "thoughtful disconnect", before[1] + 10)
    await in_thread(server.until, "no slot is left", lambda: not server.slots("thoughtful"))
    assert server.count("thinking") == before[0] + 10
    assert "Disconnected" not in server.output


# -- rude ----------------------------------------------------------------------------------------


async def rude(server: Server, nth: int) -> None:
    """Connect, misbehave in one of ten ways, and be gone."""
    path = ("/echo", "/plain", "/thoughtful")[nth % 3]
    async with RudeClient(server, path) as client:
        match nth % 10:
            case 0:  # gone at once
                client.reset()
            case 1:  # half a handshake
                await client.send(b"GET /echo HTTP/1.1\r\nHost: x\r\nUpg")
                client.reset()
            case 2:  # gone while the handshake is answered
                await client.ask()
                client.reset()
            case 3:
                await client.ask()
                client.half_close()
                await client.end()
            case 4:
                await client.handshake()
                client.reset()
            case 5:
                await client.handshake()
                client.half_close()
                await client.end()
            case 6:  # half a frame
                await client.handshake()
                await client.send(text("half a frame")[:-3])
                client.reset()
            case 7:  # not masked, a fault
                await client.handshake()
                await client.send(b"\x81\x02hi")
                await client.end()
            case 8:  # asks much and leaves
                await client.handshake()
                await client.send(text(*["echo this"] * 100))
                client.reset()
            case _:  # says good-bye and does not wait for the answer
                await client.handshake()
                await client.send(text("hi") + frame(CLOSE, b"\x03\xe8"))
                client.reset()


async def crowd_of_rude(server: Server, size: int) -> None:
    """Let *size* rude clients loose, 50 at a time."""
    limit = trio.CapacityLimiter(50)

    async def limited(nth: int) -> None:
        async with limit:
            with suppress(Ended):
                await rude(server, nth)

    async with trio.open_nursery() as nursery:
        for nth in range(size):
            nursery.start_soon(limited, nth)


async def test_nothing_is_left_of_rude_clients(server: Server) -> None:
    """
    After 300 rude clients the tree is empty, and tasks and descriptors are as many as before.
    """
    assert await in_thread(server.get, "/open") == (200, b'"open"')
    async with dial(server, "/echo") as neighbour:
        await crowd_of_rude(server, 300)
        assert await ask(neighbour, "still here") == "still here"

    def left() -> tuple[Counter[str], int]:
        facts = server.facts()
        more = Counter(facts["tasks"]) - Counter(server.fresh["tasks"])
        return more, facts["descriptors"] - server.fresh["descriptors"]

    await in_thread(server.until, "alone", lambda: server.facts()["open"] == 1)
    await in_thread(server.until, "as fresh", lambda: left() == (Counter(), 0))
    facts = await in_thread(server.facts)
    workers = [name for name in facts["threads"] if "consumers" in name]
    assert len(workers) <= 8
    assert len(facts["threads"]) - len(workers) <= len(server.fresh["threads"])
    events = facts["events"]
    assert events["connection.opened"] == events["connection.closed"] == events["slot.ended"]
