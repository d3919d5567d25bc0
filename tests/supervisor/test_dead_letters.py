# Messages that reached nobody.

import json
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from greenroom.supervisor._dead_letters import (
    DeadLetterKey,
    DeadLetters,
    message_type,
    summarize,
)
from greenroom.supervisor._events import EventStream


class Rename(msgspec.Struct):
    name: str
    count: int = 0


@dataclass
class Moved:
    where: tuple[int, int]


class Opaque:
    pass


@pytest.mark.parametrize(
    ("message", "kind", "summary"),
    [
        ("hello", "str", "str of 5 characters"),
        (b"hello", "bytes", "bytes of 5 bytes"),
        (memoryview(b"hello"), "memoryview", "memoryview of 5 bytes"),
        ([1, 2], "list", "list of 2 items"),
        ({}, "dict", "dict"),
        ({"type": "chat.message"}, "chat.message", "chat.message"),
        (
            {"type": "chat.message", "text": "hi", "user": 7, "data": b"abc", "to": ["a"]},
            "chat.message",
            "chat.message (text: str of 2 characters, user: int, data: bytes of 3 bytes,"
            " to: list of 1 items)",
        ),
        ({1: 2}, "dict", "dict (a int: int)"),
        (Rename("Ann"), "Rename", "Rename (name: str of 3 characters, count: int)"),
        (Moved((1, 2)), "Moved", "Moved (where: tuple of 2 items)"),
        (Opaque(), "Opaque", "Opaque"),
        (None, "NoneType", "NoneType"),
    ],
)
def test_summaries(message: object, kind: str, summary: str) -> None:
    """
    A summary names the type, the fields and the sizes.
    """
    assert message_type(message) == kind
    assert summarize(message) == summary


def test_many_fields_are_counted() -> None:
    """
    Past ten fields the rest are counted, and long names are cut.
    """
    message = {"k" * 100: 1} | {str(number): number for number in range(14)}

    summary = summarize(message)

    assert summary.startswith(f"dict ({'k' * 40}: int, 0: int")
    assert summary.endswith(", 5 more)")


def test_no_body() -> None:
    """
    Neither the ring nor the event holds anything of what a message says.
    """
    events = EventStream()
    letters = DeadLetters(events)
    letters.add("/connections/chat/7", {"type": "chat.message", "text": "secret"}, "stopped", 2)
    letters.add("/connections/chat/7", Rename("secret"), "stopped")

    told = [event.as_dict() for event in events.recent()]
    kept = [letter.as_dict() for letter in letters.recent()]
    assert "secret" not in json.dumps([told, kept])


def test_a_letter_is_told_and_kept() -> None:
    """
    add() emits message.dead_letter and remembers where, when, why and what.
    """
    events = EventStream()
    letters = DeadLetters(events)

    letters.add("/connections/chat/7", {"type": "chat.message"}, "no handler", epoch=2)

    [event], [letter] = events.recent(kind="message.dead_letter"), letters.recent()
    assert (event.path, event.epoch) == ("/connections/chat/7", 2)
    assert event.facts == {
        "reason": "no handler",
        "message_type": "chat.message",
        "summary": "chat.message",
    }
    assert (letter.target_path, letter.epoch, letter.reason) == (
        "/connections/chat/7",
        2,
        "no handler",
    )
    assert letter.at == pytest.approx(event.at, abs=5)


def test_counted_by_reason_target_and_type() -> None:
    """
    Connections of one kind are counted together, residents one by one.
    """
    letters = DeadLetters(EventStream())
    for path in ("/connections/chat/7", "/connections/chat/8", "/residents/ticker"):
        letters.add(path, {"type": "chat.message"}, "stopped")

    assert letters.counts() == {
        DeadLetterKey("stopped", "/connections/chat", "chat.message"): 2,
        DeadLetterKey("stopped", "/residents/ticker", "chat.message"): 1,
    }


def test_bounded() -> None:
    """
    The ring and the counters are bounded, even when a peer makes up types.
    """
    letters = DeadLetters(EventStream(), capacity=5)
    for number in range(3000):
        letters.add("/connections/chat/7", {"type": f"made-up-{number}"}, "no handler")

    assert [letter.message_type for letter in letters.recent()] == [
        f"made-up-{number}" for number in range(2995, 3000)
    ]
    counts = letters.counts()
    assert len(counts) == 1001
    assert counts[DeadLetterKey("other", "other", "other")] == 2000
    assert sum(counts.values()) == 3000


def test_recent_is_limited() -> None:
    """
    recent(n) gives the latest n, and none for 0.
    """
    letters = DeadLetters(EventStream())
    for number in range(3):
        letters.add(f"/residents/{number}", "x", "stopped")

    assert [letter.target_path for letter in letters.recent(2)] == ["/residents/1", "/residents/2"]
    assert letters.recent(0) == []
    assert repr(letters) == "<DeadLetters 3 so far>"


def test_never_raises() -> None:
    """
    A message whose attributes raise is a dead letter like any other.
    """

    class Hostile:
        __dataclass_fields__ = ("a",)

        def __getattribute__(self, name: str) -> Any:
            raise RuntimeError(name)

    letters = DeadLetters(EventStream())
    letters.add("/residents/ticker", Hostile(), "stopped")

    assert letters.recent()[0].summary == "Hostile"
