# The connections of a user, as an operator ends them: see bridges/django/_operators.py.

from typing import Any

import pytest
import trio
from django_sessions import cookie, in_db, log_in, make_user, served
from helpers import settle

from greenroom.actors import WebsocketConsumer
from greenroom.bridges.django import _operators
from greenroom.bridges.inspection import Inspector
from greenroom.bridges.testing import virtual_clock

pytestmark = pytest.mark.usefixtures("rolled_back")


class Who(WebsocketConsumer):
    def receive(self, text):
        self.send(text=str(self.user))


@pytest.fixture
def clock() -> Any:
    """
    A clock that knows of worker threads.
    """
    return virtual_clock()


async def act(server: Any, user: Any, **fields: Any) -> dict[str, Any]:
    """Have the connections of *user* ended, or counted."""
    question = {"ask": "act", "action": "disconnect-user", "user": str(user.pk), "by": "ada"}
    return await Inspector(server.root).answer({**question, **fields})


async def test_known_and_unknown(clock: Any) -> None:
    """
    Sockets of whom it is known whose they are end, and so do those whose session says so.
    """
    async with served(Who) as server:
        bob, eve = await in_db(make_user, "bob"), await in_db(make_user, "eve")
        his, hers = await in_db(log_in, bob), await in_db(log_in, eve)
        async with (
            server.websocket("/who/", headers=cookie(his)) as known,
            server.websocket("/who/", headers=cookie(his)) as unknown,
            server.websocket("/who/", headers=cookie(hers)) as other,
            server.websocket("/who/") as nobody,
        ):
            known.send_text("")
            assert await known.receive_text() == "bob"
            assert await act(server, bob, preview=True) == {
                "preview": {"connections": 1, "unread": 2}
            }
            assert await act(server, bob) == {"done": {"touched": 2, "unread": 0}}
            assert (await known.closed()).code == 4401
            assert (await unknown.closed()).code == 4401
            other.send_text("")
            assert await other.receive_text() == "eve"
            nobody.send_text("")
            assert await nobody.receive_text() == "AnonymousUser"


async def test_steps(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    However many there are, so many and no more are looked at, or ended, between two turns.
    """
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.sleep(0)

    monkeypatch.setattr(_operators, "SLICE", 2)
    async with served(Who) as server:
        bob = await in_db(make_user, "bob")
        his = await in_db(log_in, bob)
        sockets = [server.dial("/who/", headers=cookie(his)) for _ in range(11)]
        for each in sockets:
            await each.handshake()
            each.send_text("")
            assert await each.receive_text() == "bob"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(others)
            assert (await act(server, bob, preview=True))["preview"]["connections"] == 11
            assert turns >= 5
            turns = 0
            assert (await act(server, bob))["done"]["touched"] == 11
            assert turns >= 11
            nursery.cancel_scope.cancel()
        for each in sockets:
            assert (await each.closed()).code == 4401


async def test_a_database_that_is_away(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Those who are known end all the same, and it is said how many could not be looked at.
    """
    from django.db import DatabaseError

    def refuse(*_: object) -> list[Any]:
        raise DatabaseError("it is away")

    async with served(Who) as server:
        bob = await in_db(make_user, "bob")
        his = await in_db(log_in, bob)
        async with (
            server.websocket("/who/", headers=cookie(his)) as known,
            server.websocket("/who/", headers=cookie(his)) as unknown,
        ):
            known.send_text("")
            assert await known.receive_text() == "bob"
            monkeypatch.setattr(_operators, "those_of", refuse)
            assert await act(server, bob) == {"done": {"touched": 1, "unread": 1}}
            assert (await known.closed()).code == 4401
            unknown.disconnect()
        await settle(lambda: server.root.connections.open == 0)
