# What sessions are counted as, and how long an ended one is remembered.

import gc
import weakref

import pytest
import trio
import trio.testing
from helpers import requested
from poll_chat import Chat, posted
from trio.testing import MockClock, wait_all_tasks_blocked

from greenroom.bridges.longpoll import _sessions
from greenroom.bridges.longpoll._sessions import Sessions


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remember 3 ended sessions, and 100 bytes of them."""
    monkeypatch.setattr(_sessions, "_REMEMBERED", 3)
    monkeypatch.setattr(_sessions, "_REMEMBERED_BYTES", 100)


async def test_a_tree_and_its_sessions_are_gone_together(clock: MockClock) -> None:
    """
    Nothing of the process holds a tree that has stopped, though its sessions are remembered.
    """
    async with requested(chat=Chat) as server:
        async with server.long_poll("/chat"):
            pass
        root = weakref.ref(server.root)
    del server
    for _ in range(3):
        await trio.testing.wait_all_tasks_blocked()
        gc.collect()
    assert root() is None


async def test_capped(clock: MockClock) -> None:
    """
    Counts go up with an opening and down with an end, whatever kind of end, and then are none.
    """
    async with requested(chat=Chat) as server:
        sessions = Sessions.of(server.root)
        assert Sessions.of(server.root) is sessions
        async with server.long_poll("/chat"), server.long_poll("/chat", polling=False):
            assert len(sessions) == 2
            assert sessions.refusal(Chat, "127.0.0.1") is None
            await trio.sleep(61)
            assert len(sessions) == 1
        await wait_all_tasks_blocked()
        assert len(sessions) == 0
        assert not sessions._of_class
        assert not sessions._of_address
        assert not sessions._due


async def test_forgotten(clock: MockClock, few: None) -> None:
    """
    Of more ended sessions than are remembered the oldest is unknown; bytes count as well.
    """
    async with requested(chat=Chat) as server:
        sessions = Sessions.of(server.root)
        clients = []
        for _ in range(5):
            async with server.long_poll("/chat", polling=False) as client:
                clients.append(client)
        await wait_all_tasks_blocked()
        errors = [(await client.request("GET")).json["error"] for client in clients]
        assert errors == ["unknown", "unknown", "ended", "ended", "ended"]

        async with server.long_poll("/chat", polling=False) as client:
            await client.request("POST", posted((1, "x" * 90), (2, "bye")))
            await wait_all_tasks_blocked()
            assert (await client.request("GET")).json["error"] == "unknown"
        assert sessions._kept == 0

        await trio.sleep(Chat.expiry_seconds)
        assert (await clients[4].request("GET")).json["error"] == "unknown"
        assert not sessions._ended
