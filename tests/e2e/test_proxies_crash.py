# A consumer that crashes behind a proxy: the proxy's connection stays, too.

import json
from collections.abc import Iterator
from typing import Any

import pytest
from e2e._rude import RudeClient, text
from e2e._server import Server, ask, dial, in_thread

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("settled")]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """The server behind all of them; none of the crashes ends it."""
    with Server("crashers:application") as server:
        pid = server.worker_pid()
        yield server
        assert server.worker_pid() == pid


@pytest.mark.parametrize("kind", ["def", "async"])
async def test_the_socket_stays_open(door: Any, server: Server, kind: str) -> None:
    """
    m1, a message that raises and m3 at once: the next incarnation answers m3 on the same socket.
    """
    async with RudeClient(door, f"/{kind}") as client:
        assert await client.handshake() == 101
        await client.send(text("m1", "boom", "m3"))
        replies = [await client.text() for _ in range(3)]
        slot = await in_thread(server.slot, kind)

    assert json.loads(replies[0])[:2] == ["m1", 1]
    assert replies[1] == "last words"
    assert json.loads(replies[2])[:2] == ["m3", 2]
    assert client.received == b"".join(bytes([0x81, len(each)]) + each.encode() for each in replies)
    assert slot["epoch"] == 2


async def test_a_neighbour_loses_nothing(door: Any) -> None:
    """
    A hundred messages of a neighbour, sent around three crashes, are answered in order.
    """
    async with RudeClient(door, "/echo") as neighbour, dial(door, "/async") as socket:
        assert await neighbour.handshake() == 101
        for part in range(4):
            await neighbour.send(text(*(f"{part} {n}" for n in range(25))))
            if part < 3:
                assert await ask(socket, "boom") == "last words"
        assert json.loads(await ask(socket, "m"))[:2] == ["m", 4]
        answers = [await neighbour.text() for _ in range(100)]

    assert answers == [f"{part} {n}" for part in range(4) for n in range(25)]


async def test_a_crash_elsewhere_is_not_seen_outside(door: Any, server: Server) -> None:
    """
    A background task that raises while nothing is under way: the socket stays, epoch 2 answers.
    """
    async with dial(door, "/mixed") as socket:
        assert json.loads(await ask(socket, "m1"))[:2] == ["m1", 1]
        await socket.send_message("task")
        await in_thread(server.until, "epoch 2", lambda: server.slot("mixed")["epoch"] == 2)
        assert json.loads(await ask(socket, "m2"))[:2] == ["m2", 2]
        assert socket.closed is None
