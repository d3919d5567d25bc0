# The end of a server, in every way that it is told to end: each socket's `disconnect` runs,
# each client is told, no traceback is printed, and nobody makes it hang.

import signal
from collections import Counter
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest
from e2e._rude import Ended, RudeClient, text
from e2e._server import Server, ask, close_code, dial, in_thread

TERM, INT = signal.SIGTERM, signal.SIGINT
GRACE = ("--graceful-timeout", "1")  # seconds of hypercorn's, which it waits before it cancels
LONG_GRACE = ("--graceful-timeout", "20")
# No `disconnect` here takes its time; one that a busy machine has cut short would be missed.
SHORT = "shutdown_seconds=0.3 disconnect_seconds=10 close_seconds=0.3 total_shutdown_seconds=15"


def logged(log: Path) -> Counter[str]:
    """What the consumers have written down."""
    return Counter(log.read_text().splitlines()) if log.exists() else Counter()


@pytest.mark.parametrize(
    ("number", "to", "status"),
    [
        (TERM, "master", 0),  # kill; systemd with KillMode=mixed
        (TERM, "worker", 0),  # hypercorn ends with 0 whatever its worker ended with
        (TERM, "group", 0),  # systemd's default
        (INT, "master", 0),
        (INT, "group", 0),  # Ctrl-C in a terminal
    ],
)
async def test_everybody_is_told(
    tmp_path: Path, number: signal.Signals, to: str, status: int
) -> None:
    """
    A signal ends the server: 1012 for each client, `disconnect` for each socket, no traceback.
    """
    log = tmp_path / "log"
    with Server("sockets:application", *GRACE, env={"E2E_LOG": str(log)}) as server:
        async with AsyncExitStack() as stack:
            paths = ["/echo", "/plain", "/member"] * 5
            sockets = [await stack.enter_async_context(dial(server, path)) for path in paths]
            for socket in sockets:
                assert await ask(socket, "hi") == "hi"
            server.signal(number, to)
            codes = [await close_code(socket) for socket in sockets]
        ended = await in_thread(server.wait_end)

    assert Counter(codes) == Counter({1012: 15})
    assert logged(log) == {"echo 1012": 5, "plain 1012": 5, "member 1012": 5}
    assert "Traceback" not in server.output, server.explain("a raw traceback")
    assert ended == status, server.explain("another exit status")


@pytest.mark.parametrize("to", ["master", "group"])
async def test_busy_handlers_do_not_delay_it(tmp_path: Path, to: str) -> None:
    """
    A handler that waits for ever, on trio or in a thread, is given up after its deadline.
    """
    log = tmp_path / "log"
    environment = {"E2E_LOG": str(log), "E2E_OPTIONS": SHORT}
    with Server("sockets:application", *GRACE, env=environment) as server:
        async with (
            dial(server, "/stuck") as stuck,
            dial(server, "/blocked") as blocked,
            dial(server, "/echo") as idle,
        ):
            await stuck.send_message("wait")
            await blocked.send_message("wait")
            await in_thread(server.until_count, "stuck received", 1)
            await in_thread(server.until_count, "blocked received", 1)
            server.signal(TERM, to)
            codes = [await close_code(socket) for socket in (stuck, blocked, idle)]
        ended = await in_thread(server.wait_end)

    assert codes == [1012, 1012, 1012]
    assert logged(log) == {"stuck 1012": 1, "blocked 1012": 1, "echo 1012": 1}
    assert "Traceback" not in server.output, server.explain("a raw traceback")
    assert ended == 0


@pytest.mark.parametrize("to", ["master", "worker", "group"])
async def test_clients_that_never_read(tmp_path: Path, to: str) -> None:
    """
    Clients that never read what fills their sockets cannot keep the server from ending.
    """
    log = tmp_path / "log"
    environment = {"E2E_LOG": str(log), "E2E_OPTIONS": SHORT}
    with Server("sockets:application", *GRACE, env=environment) as server:
        async with AsyncExitStack() as stack:
            deaf = [
                await stack.enter_async_context(RudeClient(server, "/hose", receive_buffer=4096))
                for _ in range(5)
            ]
            for client in deaf:
                await client.handshake()
                await client.send(text("wait"))
            await in_thread(
                server.until,
                "all are full",
                lambda: all(
                    slot["facts"]["output_bytes"] > 65_536 for slot in server.slots("hose")
                ),
            )
            socket = await stack.enter_async_context(dial(server, "/echo"))
            server.signal(TERM, to)
            assert await close_code(socket) == 1012
            ended = await in_thread(server.wait_end)

    assert logged(log) == {"hose 1012": 5, "echo 1012": 1}
    assert "Traceback" not in server.output, server.explain("a raw traceback")
    assert ended == 0


@pytest.mark.parametrize(
    ("to", "seconds", "status"), [("group", "0.3", 503), ("master", "0.3", 503), ("master", "9", 0)]
)
async def test_a_request_that_is_not_answered_yet(to: str, seconds: str, status: int) -> None:
    """
    A request that runs too long for a stop gets 503; where hypercorn is quicker, nothing.
    """
    options = SHORT.replace("shutdown_seconds=0.3", f"shutdown_seconds={seconds}", 1)
    grace = LONG_GRACE if status else GRACE  # it is clear whose time is over first
    with Server("sockets:application", *grace, env={"E2E_OPTIONS": options}) as server:
        async with RudeClient(server, "/wait") as client:
            await client.send(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
            await in_thread(server.until, "two requests", lambda: len(server.slots("http")) == 2)
            server.signal(TERM, to)
            with suppress(Ended):
                await client.answer()
        ended = await in_thread(server.wait_end)

    assert client.status == status
    assert "Traceback" not in server.output, server.explain("a raw traceback")
    assert ended == 0


@pytest.mark.parametrize("to", ["master", "worker", "group"])
async def test_a_response_that_nobody_reads(to: str) -> None:
    """
    A client that does not read its response cannot keep the server from ending.
    """
    options = SHORT.replace("total_shutdown_seconds=15", "total_shutdown_seconds=1")
    with Server("sockets:application", *GRACE, env={"E2E_OPTIONS": options}) as server:
        async with RudeClient(server, "/big", receive_buffer=4096) as client:
            await client.send(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await client.answer() == 200
            server.signal(TERM, to)
            assert await in_thread(server.wait_end) == 0
    assert "Traceback" not in server.output, server.explain("a raw traceback")


# -- servers that cannot serve -----------------------------------------------------------------


async def test_no_lifespan() -> None:
    """
    Behind an application that keeps lifespan to itself: 503 with a sentence that says so.
    """
    with Server("no_lifespan:application") as server:
        status, body = await in_thread(server.get, "/")
        async with RudeClient(server, "/") as client:
            refused = await client.handshake()
            await client.end()

    assert (status, refused) == (503, 503)
    assert body == client.received
    assert b"did not start the application's lifespan" in body
    assert b"retry-after: 5" in client.head.encode().lower()
    assert "Traceback" not in server.output


# hypercorn's master process ends with 0 whatever its workers ended with; without one there is
# the status that a service manager needs: see docs/explanation/plain-asgi.md.
@pytest.mark.parametrize(("workers", "status"), [("0", 1), ("1", 0)])
async def test_another_loop(workers: str, status: int) -> None:
    """
    hypercorn -k asyncio: it ends at once, with one clear sentence and no traceback.
    """
    server = Server("founding:application", "--workers", workers, worker="asyncio")
    server.start()
    ended = await in_thread(server.wait_end)

    assert server.output.splitlines() == [
        "greenroom: Greenroom runs on trio, but this server runs another event loop."
        " Start it with: hypercorn -k trio mysite.asgi:application"
    ]
    assert ended == status
