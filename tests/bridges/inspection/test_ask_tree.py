# Pages of the tree: in order, behind a cursor, looked for, and in steps that hold nobody up.

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from helpers import running, settle

from greenroom.actors import Actor, WebsocketConsumer, handles
from greenroom.bridges.inspection import Inspector
from greenroom.bridges.inspection._ask_tree import SLICE
from greenroom.bridges.testing import ServerDriver
from greenroom.supervisor import ChildSpec, SupervisorSpec
from greenroom.supervisor._look import Look


class Room(WebsocketConsumer):
    async def receive(self, text: str) -> None:
        raise KeyError("sold out")


class Greeter(Actor):
    @handles("greet")
    async def greet(self) -> None:
        pass


TREE = SupervisorSpec(
    name="shop", children=[ChildSpec(actor=Greeter, name="a"), ChildSpec(actor=Greeter, name="b")]
)


@asynccontextmanager
async def opened(count: int, sockets: list[Any] | None = None) -> AsyncGenerator[ServerDriver]:
    """A tree with *count* *sockets* and some residents."""
    sockets = [] if sockets is None else sockets
    async with running(TREE, Greeter, room=Room) as server:
        sockets += [server.dial("/room") for _ in range(count)]
        await settle(lambda: server.root.connections.open == count)
        yield server
        for each in sockets:
            each.disconnect()


async def ask(server: ServerDriver, **fields: object) -> dict[str, Any]:
    """Ask for a page."""
    return await Inspector(server.root).answer({"ask": "tree", **fields})


def paths(answer: dict[str, Any]) -> list[str]:
    return [row["path"] for row in answer["rows"]]


async def test_from_the_top() -> None:
    """
    The root has two children, and each level below says what it has.
    """
    async with opened(2) as server:
        top = await ask(server)
        assert top["node"]["path"] == "/"
        assert paths(top) == ["/connections", "/residents"]
        assert paths(await ask(server, path="/connections")) == ["/connections/room"]
        room = await ask(server, path="/connections/room")
        assert paths(room) == ["/connections/room/1", "/connections/room/2"]
        assert room["node"]["below"] == {"total": 2}
        assert room["rows"][0]["actor"] == "Room"
        assert paths(await ask(server, path="/residents")) == [
            "/residents/shop", "/residents/greeter",
        ]  # fmt: skip
        assert paths(await ask(server, path="/residents/shop")) == [
            "/residents/shop/a", "/residents/shop/b",
        ]  # fmt: skip
        leaf = await ask(server, path="/residents/shop/a")
        assert (leaf["node"]["state"], leaf["rows"], leaf["next"]) == ("running", [], None)


@pytest.mark.parametrize("path", ["/nowhere", "/connections/room/99", "/residents/shop/c", "x", ""])
async def test_nothing_there(path: str) -> None:
    """
    A path that leads nowhere is told so.
    """
    async with opened(1) as server:
        assert (await ask(server, path=path))["error"]["code"] == "not-found"


async def test_pages_while_others_come_and_go() -> None:
    """
    Whoever is there all the time comes once, whoever has left or come between two pages.
    """
    sockets: list[Any] = []
    async with opened(25, sockets) as server:
        first = await ask(server, path="/connections/room", limit=10)
        drivers = server.root.connections.paths_of("room")
        assert paths(first) == drivers[:10]
        for at in (3, 9, 12):
            sockets[at].disconnect()
        sockets.append(server.dial("/room"))
        await settle(lambda: server.root.connections.open == 23)
        left = server.root.connections.paths_of("room")
        rest = [each for each in left if each not in drivers[:10]]
        second = await ask(server, path="/connections/room", limit=10, after=first["next"])
        assert paths(second) == rest[:10]
        third = await ask(server, path="/connections/room", limit=10, after=second["next"])
        assert paths(third) == rest[10:]
        assert rest[-1] == "/connections/room/26"
        assert third["next"] is None


async def test_what_is_looked_for() -> None:
    """
    A search goes through all levels, page by page; so does the question for what is unwell.
    """
    async with opened(5) as server:
        assert paths(await ask(server, search="GREET")) == [
            "/residents/shop/a", "/residents/shop/b", "/residents/greeter",
        ]  # fmt: skip
        found = await ask(server, search="greeter", limit=2)
        assert paths(found) == ["/residents/shop/a", "/residents/shop/b"]
        rest = await ask(server, search="greeter", limit=2, after=found["next"])
        assert (paths(rest), rest["next"]) == (["/residents/greeter"], None)
        assert paths(await ask(server, unhealthy=True)) == []


async def test_what_has_crashed_is_unwell() -> None:
    """
    A consumer that was restarted lately is found, with its crash and its budget.
    """
    async with running(TREE, room=Room) as server, server.websocket("/room") as one:
        async with server.websocket("/room"):
            one.send_text("buy")
            await settle(lambda: server.root.snapshot().find("/connections/room/1").epoch == 2)  # pyright: ignore[reportOptionalMemberAccess]
            answer = await ask(server, unhealthy=True)
            [row] = answer["rows"]
            assert row["path"] == "/connections/room/1"
            assert (row["restarts"], row["restarts_left"], row["healthy"]) == (1, 2, False)
            assert row["crash"]["exception"] == "KeyError"
            assert paths(await ask(server, restarted=True)) == [row["path"]]


@pytest.mark.parametrize("after", ["x", "bnVsbA", "WyJhIl0", "WzEuNV0", "Wzx4Il0", "W1sxXV0", "é"])
async def test_a_cursor_that_is_none(after: str) -> None:
    """
    A cursor that no answer has given is refused.
    """
    async with opened(1) as server:
        assert (await ask(server, after=after))["error"]["code"] == "bad-question"


@pytest.fixture
async def steps(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[list[int]]:
    """How many places were looked at in each turn of the task."""
    turns, node = [0], Look.node

    def counted(look: Look, path: str) -> Any:
        turns[-1] += 1
        return node(look, path)

    class Instrument(trio.abc.Instrument):
        def before_task_step(self, task: Any) -> None:
            turns.append(0)

    instrument = Instrument()
    monkeypatch.setattr(Look, "node", counted)
    trio.lowlevel.add_instrument(instrument)
    yield turns
    trio.lowlevel.remove_instrument(instrument)


@pytest.mark.parametrize("fields", [{"search": "nobody"}, {"unhealthy": True}])
async def test_it_holds_nobody_up(steps: list[int], fields: dict[str, Any]) -> None:
    """
    However many places are looked through, so many and no more are between two turns.
    """
    async with opened(2000) as server:
        steps.append(0)
        assert paths(await ask(server, **fields)) == []
        assert sum(steps) > 2000
        assert max(steps) <= SLICE
