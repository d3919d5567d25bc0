# Snapshots of the tree, as data and as text.

import dataclasses
import json
import math
from typing import Any

import pytest

from greenroom.supervisor._tree import CrashReport, NodeSnapshot, render

CRASH = CrashReport(
    epoch=1,
    at=1_790_000_000.0,
    exception="ValueError",
    text="no room",
    traceback="Traceback ...",
    message="chat.message (text: str of 2 characters)",
)


def slot(path: str, **changes: Any) -> NodeSnapshot:
    """Return a healthy consumer at *path*, with *changes*."""
    healthy: dict[str, Any] = {
        "path": path,
        "kind": "slot",
        "name": path.removeprefix("/connections/").removeprefix("/residents/"),
        "actor": "ChatConsumer",
        "epoch": 1,
        "restarts_left": 3,
        "mailbox": (0, 256),
    }
    return NodeSnapshot(**healthy | changes)


def tree() -> NodeSnapshot:
    """Return a small tree with one consumer that has crashed."""
    crashed = slot(
        "/connections/chat/2",
        state="backing off",
        epoch=2,
        restarts_left=2,
        mailbox=(4, 256),
        groups=("chat.lobby",),
        crashes=(CRASH,),
    )
    connections = NodeSnapshot(
        "/connections",
        "supervisor",
        "connections",
        children=(slot("/connections/chat/1"), crashed),
    )
    residents = NodeSnapshot(
        "/residents",
        "supervisor",
        "residents",
        children=(slot("/residents/ticker", actor="Ticker", restarts_left=None),),
    )
    return NodeSnapshot("/", "root", "", facts={"pid": 7}, children=(connections, residents))


def test_render() -> None:
    """
    One line a node, with state, epoch, budget, mailbox and groups; a crash below its node.
    """
    assert render(tree()).splitlines() == [
        "/  running  pid 7  2 below",
        "├─ connections  running  2 below",
        "│  ├─ chat/1  ChatConsumer  running  epoch 1  restarts left 3  mailbox 0/256",
        "│  └─ chat/2  ChatConsumer  backing off  epoch 2  restarts left 2  mailbox 4/256"
        "  groups chat.lobby",
        "│         crashed 2026-09-21 14:13:20Z in epoch 1: ValueError: no room, handling"
        " chat.message (text: str of 2 characters)",
        "└─ residents  running  1 below",
        "   └─ ticker  Ticker  running  epoch 1  restarts left unlimited  mailbox 0/256",
    ]


def test_a_crashed_supervisor_keeps_its_bar() -> None:
    """
    A crash of a node with children does not cut the lines that lead to them.
    """
    node = dataclasses.replace(tree(), crashes=(CRASH,), children=(slot("/residents/a"),))

    lines = render(node).splitlines()

    assert lines[1].startswith("│   crashed")
    assert lines[2].startswith("└─ a")


def test_trouble_comes_first() -> None:
    """
    Of too many children those in trouble are shown, and the others counted by state.
    """
    children = [slot(f"/connections/chat/{number}") for number in range(100)]
    children[70] = dataclasses.replace(children[70], state="parked")
    children[80] = dataclasses.replace(children[80], crashes=(CRASH,))
    node = NodeSnapshot("/connections", "supervisor", "connections", children=tuple(children))

    lines = render(node, children=3).splitlines()

    assert lines[0] == "connections  running  100 below"
    assert [line.split("  ")[0] for line in lines[1:]] == [
        "├─ chat/70",
        "├─ chat/80",
        "│",
        "├─ chat/0",
        "└─ ... and 97 more: 97 running",
    ]


def test_many_groups_are_counted() -> None:
    """
    Five groups are named, and the rest counted.
    """
    line = render(slot("/connections/chat/1", groups=tuple("abcdefg")))

    assert line.endswith("groups a, b, c, d, e and 2 more")


def test_outside_text_cannot_move_the_cursor() -> None:
    """
    Escape codes and line breaks in names, states and errors are shown as text.
    """
    hostile = dataclasses.replace(CRASH, text="\x1b[2J\r\nroot  stopped", message="\u202e\x07")
    text = render(slot("/connections/\x1b[31m", crashes=(hostile,), facts={"user": "\x1b]0;x\x07"}))

    assert all(character.isprintable() or character == "\n" for character in text)
    assert len(text.splitlines()) == 2
    assert "\\x1b[2J\\r\\nroot  stopped" in text


def test_long_text_is_cut() -> None:
    """
    An endless error text does not fill the screen.
    """
    node = slot("/a", crashes=(dataclasses.replace(CRASH, text="x" * 10_000),))

    assert max(map(len, render(node).splitlines())) < 250


def test_deep_trees_are_rendered() -> None:
    """
    A supervisor below a supervisor, fifty times, is only indented further.
    """
    node = slot("/leaf")
    for depth in range(50):
        node = NodeSnapshot(f"/{depth}", "supervisor", str(depth), children=(node,))

    assert len(render(node).splitlines()) == 51


def test_as_dict_is_json() -> None:
    """
    A snapshot can be dumped as JSON whatever its facts are, and holds every field.
    """
    node = slot(
        "/a",
        crashes=(CRASH,),
        groups=("g",),
        facts={"who": ValueError("x"), "left": math.inf, "codes": {1}},
        children=(slot("/a/b"),),
    )

    data = json.loads(json.dumps(node.as_dict(), allow_nan=False))

    assert data.keys() == {field.name for field in dataclasses.fields(NodeSnapshot)}
    assert data["facts"] == {"who": "ValueError: x", "left": "inf", "codes": [1]}
    assert data["mailbox"] == {"queued": 0, "capacity": 256}
    assert data["crashes"] == [dataclasses.asdict(CRASH) | {"recent": []}]
    assert data["children"][0]["path"] == "/a/b"
    assert NodeSnapshot("/", "root", "").as_dict()["mailbox"] is None


def test_find() -> None:
    """
    find() returns the node at a path, wherever it is, or None.
    """
    node = tree()

    assert node.find("/") is node
    found = node.find("/connections/chat/2")
    assert found is not None
    assert found.crashes == (CRASH,)
    assert node.find("/connections/chat/3") is None


def test_walk_is_in_order() -> None:
    """
    walk() gives parents before their children, and siblings in start order.
    """
    assert [node.path for node in tree().walk()] == [
        "/",
        "/connections",
        "/connections/chat/1",
        "/connections/chat/2",
        "/residents",
        "/residents/ticker",
    ]


def test_snapshots_are_frozen() -> None:
    """
    A snapshot cannot be changed, and later changes of the facts given do not show.
    """
    facts: dict[str, object] = {"pid": 7}
    node = NodeSnapshot("/", "root", "", facts=facts)
    facts["pid"] = 8
    frozen: Any = node

    assert node.facts == {"pid": 7}
    with pytest.raises(dataclasses.FrozenInstanceError):
        frozen.state = "stopped"
    with pytest.raises(TypeError):
        frozen.facts["pid"] = 9
