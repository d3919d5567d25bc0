# Openings that fail or refuse: a slot that never came to serve is not restarted.

import pytest
import trio
from helpers import happened, running, settle, watch

from greenroom.actors import WebsocketConsumer
from greenroom.bridges.testing import (
    HandshakeRefused,
    virtual_clock,
)


@pytest.fixture
def clock() -> trio.testing.MockClock:
    return virtual_clock()


async def test_connect_that_neither_accepts_nor_closes() -> None:
    """
    A connect() that returns without either refuses the socket with 403, and is no crash.
    """
    ends: list[int] = []

    class Chat(WebsocketConsumer):
        def connect(self, message):
            pass

        def disconnect(self, code):
            ends.append(code)

    async with running(chat=Chat) as server:
        watched = watch(server, "slot.ended")
        with pytest.raises(HandshakeRefused) as refused:
            async with server.websocket("/chat"):
                pass
        ended = await watched.until()
        assert happened(server, "slot.crashed") == []

    assert refused.value.status == 403
    assert ends == [1000]
    assert ended.facts["reason"] == "connect() neither accepted nor closed"


async def test_connect_that_closes() -> None:
    """
    close() in connect() refuses with 403 and runs `disconnect` once.
    """
    ends: list[int] = []

    class Chat(WebsocketConsumer):
        async def connect(self, message):
            await self.close()

        async def disconnect(self, code):
            ends.append(code)

    async with running(chat=Chat) as server:
        with pytest.raises(HandshakeRefused) as refused:
            async with server.websocket("/chat"):
                pass
        await settle(lambda: ends)

    assert refused.value.status == 403
    assert ends == [1000]


async def test_init_that_raises() -> None:
    """
    __init__ raising the first time is a denial, and no `disconnect`: nothing was begun.
    """
    ends: list[int] = []

    class Chat(WebsocketConsumer):
        def __init__(self):
            raise ValueError("no")

        def disconnect(self, code):
            ends.append(code)

    async with running(chat=Chat) as server:
        ended = watch(server, "slot.ended")
        with pytest.raises(HandshakeRefused) as refused:
            async with server.websocket("/chat"):
                pass
        await ended.until()

    assert refused.value.status == 500
    assert ends == []


async def test_a_task_that_fails_while_connect_runs_fails_the_opening() -> None:
    """
    A task of started() that raises while connect() runs refuses the socket: no endless restart.
    """
    ends: list[int] = []

    class Chat(WebsocketConsumer):
        async def started(self):
            self.start_soon(self.fail)

        async def fail(self):
            raise ValueError("no")

        async def connect(self, message):
            await trio.sleep_forever()

        async def disconnect(self, code):
            ends.append(code)

    async with running(chat=Chat) as server:
        with pytest.raises(HandshakeRefused) as refused:
            async with server.websocket("/chat"):
                pass
        await settle(lambda: ends)
        assert happened(server, "slot.restarted") == []

    assert refused.value.status == 500
    assert ends == [1011]


async def test_restarted_that_raises_counts(clock: trio.testing.MockClock) -> None:
    """
    restarted() raising is a crash like any other, and spends the budget.
    """
    runs: list[object] = []

    class Chat(WebsocketConsumer):
        async def restarted(self, reason):
            runs.append(str(reason))
            raise ValueError(f"again {len(runs)}")

        async def receive(self, text):
            raise ValueError("boom")

    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        ws.send_text("boom")
        assert (await ws.closed(100)).code == 1011
        assert [crash.message for crash in ws.slot.crashes] == ["text frame of 4"] + [
            "restarted"
        ] * 3

    assert runs == ["boom", "again 1", "again 2"]
