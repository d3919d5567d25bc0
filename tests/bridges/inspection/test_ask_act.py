# How an act is asked for and told: see bridges/inspection/_ask_act.py.

import json
from typing import Any

import pytest
import trio
from helpers import happened, settle
from helpers import running as running_with

from greenroom.actors import Actor, WebsocketConsumer, handles
from greenroom.bridges.inspection import Inspector, _ask_act
from greenroom.bridges.inspection._act import ACTS, Act
from greenroom.bridges.testing import ServerDriver
from greenroom.supervisor import ChildSpec, Options, SupervisorSpec


class Room(WebsocketConsumer):
    async def receive(self, text: str) -> None:
        self.send(text=text)


class Greeter(Actor):
    @handles("greet")
    async def greet(self, message: object) -> str:
        return "hello"


def running(*residents: object, **consumers: Any) -> Any:
    """Serve *consumers* beside *residents*; peers that say nothing are waited for by nobody."""
    return running_with(*residents, options=Options(close_seconds=0), **consumers)


SHOP = SupervisorSpec(
    name="shop",
    children=[ChildSpec(actor=Greeter, name="a"), ChildSpec(actor=Greeter, name="b")],
)


async def ask(server: ServerDriver, **fields: Any) -> dict[str, Any]:
    """Ask, and see that the answer is plain data."""
    answer = await Inspector(server.root).answer({"ask": "act", **fields})
    assert json.loads(json.dumps(answer)) == answer
    return answer


async def test_told_when_it_is_done() -> None:
    """
    TOLD: what was done is an event with who, what, why and how many.
    """
    async with running(SHOP) as server:
        await ask(server, action="restart", path="/residents/shop/a", by="ada", reason="stuck")
        [event] = happened(server, "admin.action")
        assert event.path == "/residents/shop/a"
        assert dict(event.facts) == {
            "action": "restart", "by": "ada", "outcome": "done", "reason": "stuck", "touched": 1,
        }  # fmt: skip


async def test_told_when_it_is_refused() -> None:
    """
    TOLD: what was refused is an event as well, which says why.
    """
    async with running(SHOP) as server:
        answer = await ask(server, action="stop", path="/residents", by="ada")
        [event] = happened(server, "admin.action", "/residents")
        assert event.facts["outcome"] == f"refused: {answer['error']['text']}"


async def test_told_when_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    TOLD: a fault of Greenroom's own is an event, and an answer, and not the end of anything.
    """

    async def broken(root: object, order: object) -> dict[str, Any]:
        await trio.lowlevel.checkpoint()
        raise RuntimeError("a fault")

    monkeypatch.setitem(ACTS, "restart", Act("path", lambda fields: {}, broken))
    async with running(SHOP) as server:
        answer = await ask(server, action="restart", path="/residents/shop/a", by="ada")
        assert answer["error"]["code"] == "failed"
        [event] = happened(server, "admin.action")
        assert event.facts["outcome"] == "failed: RuntimeError"


async def test_told_when_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    TOLD: an act that is cut off, as its process was told to end, is an event.
    """

    async def endless(root: object, order: object) -> dict[str, Any]:
        await trio.sleep_forever()
        return {}

    monkeypatch.setitem(ACTS, "restart", Act("path", lambda fields: {}, endless))
    async with running(SHOP) as server:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                question = {"action": "restart", "path": "/residents/shop/a", "by": "ada"}
                nursery.start_soon(lambda: ask(server, **question))
                await trio.testing.wait_all_tasks_blocked()
                scope.cancel()
        [event] = happened(server, "admin.action")
        assert str(event.facts["outcome"]).startswith("cut off")


async def test_it_takes_too_long(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    """
    An act that does not end is answered when its time is over.
    """

    async def endless(root: object, order: object) -> dict[str, Any]:
        await trio.sleep_forever()
        return {}

    monkeypatch.setitem(ACTS, "stop", Act("path", lambda fields: {}, endless))
    async with running(SHOP) as server:
        answer = await ask(server, action="stop", path="/residents/shop/a", by="ada")
        assert answer["error"]["code"] == "timeout"


@pytest.mark.parametrize(("until", "code"), [(1, "refused"), (2**53, None)])
async def test_in_time(until: int, code: str | None) -> None:
    """
    IN TIME: what nobody waits for any more is not done, and that is told.
    """
    async with running(SHOP) as server:
        ref = server.root.find("/residents/shop/a")
        fields = {"action": "stop", "path": "/residents/shop/a", "by": "ada", "until_ms": until}
        answer = await ask(server, **fields)
        assert answer.get("error", {}).get("code") == code
        assert ref.alive is (code is not None)
        [event] = happened(server, "admin.action")
        assert ("too late" in str(event.facts["outcome"])) is (code is not None)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, "action"),
        ({"action": "explode"}, "action"),
        ({"action": "restart"}, "path"),
        ({"action": "restart", "path": "/x", "user": "7"}, "user"),
        ({"action": "disconnect-user"}, "user"),
        ({"action": "disconnect-user", "user": "7", "path": "/x"}, "path"),
        ({"action": "drain", "path": "/"}, "path"),
        ({"action": "restart", "path": 7}, "path"),
        ({"action": "restart", "path": "/x", "arguments": []}, "arguments"),
        ({"action": "restart", "path": "/x", "force": True}, "force"),
        ({"action": "restart", "path": "/x", "by": ""}, "by"),
        ({"action": "restart", "path": "/x", "reason": "x" * 501}, "reason"),
    ],
)
async def test_badly_asked(fields: dict[str, Any], named: str) -> None:
    """
    A question with a mistake is refused, the field is named, and nothing is told.
    """
    async with running(SHOP) as server:
        answer = await ask(server, **{"by": "ada", **fields})
        assert answer["error"]["code"] == "bad-question"
        assert named in answer["error"]["text"]
        assert happened(server, "admin.action") == []


async def test_the_incarnation_that_was_seen() -> None:
    """
    A restart that says which incarnation it means restarts no other.
    """
    async with running(SHOP) as server:
        one = {"action": "restart", "by": "ada", "arguments": {"epoch": 1}}
        assert (await ask(server, path="/residents/shop/a", **one))["done"]["epoch"] == 2
        answer = await ask(server, path="/residents/shop/a", **one)
        assert answer["error"]["code"] == "refused"
        assert "it is in epoch 2, not 1" in answer["error"]["text"]
        assert "done" in await ask(server, path="/residents/shop", **one)


async def test_harmless() -> None:
    """
    HARMLESS: a preview says what is there and below, and changes nothing.
    """
    async with running(SHOP, room=Room) as server:
        for _ in range(12):
            server.dial("/room")
        await settle(lambda: server.root.connections.open == 12)
        answer = await ask(server, action="restart", path="/residents/shop", preview=True)
        assert answer["preview"] == {
            "path": "/residents/shop", "kind": "supervisor", "actor": "", "state": "running",
            "epoch": 0, "actors": 2, "connections": 0, "supervisors": 1, "waiting": 0,
            "named": ["/residents/shop/a", "/residents/shop/b"],
        }  # fmt: skip
        route = await ask(server, action="disconnect-path", path="/connections", preview=True)
        assert route["preview"]["connections"] == 12
        assert len(route["preview"]["named"]) == 10
        process = await ask(server, action="drain", preview=True)
        assert process["preview"]["actors"] == 2
        assert process["preview"]["can_leave"] is False
        user = await ask(server, action="disconnect-user", user="7", preview=True)
        assert user["preview"] == {"connections": 0, "unread": 0}
        missing = await ask(server, action="stop", path="/nowhere", preview=True)
        assert missing["error"]["code"] == "not-found"
        assert happened(server, "admin.action") == []
        assert server.root.connections.open == 12


async def test_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A branch of many is gone through with a turn for others at every two hundredth place.
    """
    turns = 0
    sleep = trio.sleep

    async def counted(seconds: float) -> None:
        nonlocal turns
        turns += 1
        await sleep(seconds)

    async with running(room=Room) as server:
        for _ in range(1000):
            server.dial("/room")
        await settle(lambda: server.root.connections.open == 1000)
        monkeypatch.setattr(trio, "sleep", counted)
        await ask(server, action="disconnect-path", path="/connections", by="ada")
        monkeypatch.undo()
        assert turns >= 10  # both to list them, and to end them


def test_every_act_has_a_word_in_the_documentation() -> None:
    """
    The names of acts are those that the table of permissions lists.
    """
    from pathlib import Path

    page = Path(__file__).resolve().parents[3] / "docs" / "reference" / "permissions.md"
    text = page.read_text()
    assert [name for name in ACTS if f"`{name}`" not in text] == []


def test_the_module_is_the_question() -> None:
    """
    The question "act" is answered by this module.
    """
    from greenroom.bridges.inspection._inspector import QUESTIONS

    assert QUESTIONS["act"] is _ask_act.ask_act
