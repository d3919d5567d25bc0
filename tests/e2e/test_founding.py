# The class of the founding document, unchanged, under the literal command.

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e._rude import BINARY, RudeClient, frame, text
from e2e._server import APPS, Server, ask, dial, in_thread

DEMO = Path(__file__).resolve().parents[2] / "docs" / "examples" / "chat" / "chat"
WELCOME = "[Welcome Anonymous!]"


@pytest.fixture(scope="module")
def alone() -> Iterator[Server]:
    """`ChatConsumer.as_asgi()` and nothing else."""
    with Server("founding:application") as server:
        yield server


def test_word_for_word() -> None:
    """
    The class that is served here is, letter by letter, the one that the demo shows.
    """
    founding = (DEMO / "founding.py").read_text().strip()

    assert founding in (APPS / "founding.py").read_text()
    assert founding == (APPS / "design" / "chat" / "consumers.py").read_text().strip()


async def test_alone_is_a_server(alone: Server) -> None:
    """
    The class's as_asgi() alone under hypercorn answers as the founding document says.
    """
    async with dial(alone) as socket:
        assert await socket.get_message() == WELCOME
        assert await ask(socket, "/name Bob") == "[set your username to Bob]"
        assert await ask(socket, "hi") == "Bob: hi"


async def test_crash_goes_back_to_connect(alone: Server) -> None:
    """
    A binary frame crashes the class; the same socket then answers as connect left it.
    """
    mark = alone.mark()
    async with dial(alone) as socket:
        assert await socket.get_message() == WELCOME
        assert await ask(socket, "/name Bob") == "[set your username to Bob]"
        await socket.send_message(b"\x00\x01")
        assert await ask(socket, "hi") == "Anonymous: hi"
        assert socket.closed is None

    assert await in_thread(alone.wait_for_line, "AttributeError: 'NoneType' object", mark)
    assert alone.said(mark).count("Traceback") == 1


async def test_crash_sends_nothing_to_the_peer(alone: Server) -> None:
    """
    Name, crash and greeting in one segment: three text frames come back, and not one byte more.
    """
    async with RudeClient(alone, "/") as client:
        assert await client.handshake() == 101
        assert await client.text() == WELCOME
        await client.send(text("/name Bob") + frame(BINARY, b"\x00") + text("hi", "there"))
        replies = [await client.text() for _ in range(3)]

    assert replies == ["[set your username to Bob]", "Anonymous: hi", "Anonymous: there"]
    sent = [WELCOME, *replies]
    assert client.received == b"".join(bytes([0x81, len(each)]) + each.encode() for each in sent)


async def test_kept_name_survives() -> None:
    """
    With `keep = ["username"]` and nothing else changed, the name survives the crash.
    """
    with Server("founding:keeping") as server:
        async with dial(server) as socket:
            assert await socket.get_message() == WELCOME
            assert await ask(socket, "/name Bob") == "[set your username to Bob]"
            await socket.send_message(b"\x00\x01")
            assert await ask(socket, "hi") == "Bob: hi"


async def test_in_a_django_project() -> None:
    """
    The asgi.py of the design, letter by letter: a Django path and dotted names, crash and all.
    """
    with Server("mysite.asgi:application", cwd=APPS / "design") as server:
        async with dial(server, "/ws/chat/lobby/") as socket:
            assert await socket.get_message() == WELCOME
            assert await ask(socket, "/name Bob") == "[set your username to Bob]"
            await socket.send_message(b"\x00\x01")
            assert await ask(socket, "hi") == "Anonymous: hi"
            (resident,) = (await in_thread(server.tree))["children"][1]["children"]
            slot = await in_thread(server.slot, "chat")

    assert (slot["epoch"], len(slot["crashes"])) == (2, 1)
    assert (resident["path"], resident["actor"]) == ("/residents/ticker", "Ticker")
