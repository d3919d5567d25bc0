# Connections that have ended and had crashed: what is kept of them, and for how long.

from itertools import count
from types import SimpleNamespace
from typing import Any

from greenroom.supervisor._fallen import KEPT, Graveyard
from greenroom.supervisor._standing import Left

_numbers = count(1)


class Desk:
    """A class of consumers."""


class Other:
    """Another one."""


def ended(graveyard: Graveyard, actor: type, reason: str = "crashed: ValueError", at: float = 50.0):
    """Have a connection of *actor* end; return its path."""
    path = f"/connections/{actor.__name__.lower()}/{next(_numbers)}"
    slot: Any = SimpleNamespace(path=path, actor=actor, epoch=2)
    brief = SimpleNamespace(exception="ValueError", text="sold out")
    crash: Any = SimpleNamespace(brief=brief)
    graveyard.bury(slot, (crash,), Left(reason, at))
    return path


def test_bounded() -> None:
    """
    BOUNDED: the last few of a class are kept, whatever becomes of another.
    """
    graveyard = Graveyard()
    first = ended(graveyard, Other)
    paths = [ended(graveyard, Desk) for _ in range(KEPT + 3)]
    kept = [path for path in paths if graveyard.find(path)]
    assert kept == paths[-KEPT:]
    assert graveyard.find(first)


def test_found() -> None:
    """
    FOUND: one that is kept is found by its path, and no other.
    """
    graveyard = Graveyard()
    path = ended(graveyard, Desk, "client left")
    found = graveyard.find(path)
    assert found is not None
    assert (found.actor, found.epoch, found.left.reason) == ("Desk", 2, "client left")
    assert graveyard.find("/connections/desk/0") is None


def test_failed() -> None:
    """
    FAILED: of each class the last one that a crash has ended is told, with how many there were,
    in an order that stays.
    """
    graveyard = Graveyard()
    ended(graveyard, Other, "client left")
    ended(graveyard, Desk)
    last = ended(graveyard, Desk)
    ended(graveyard, Desk, "client left")
    [told] = graveyard.lately(since=40.0, most=10)
    assert (told["path"], told["failed"], told["exception"]) == (last, 2, "ValueError")
    assert graveyard.lately(since=60.0, most=10) == []
    newer = ended(graveyard, Other)
    assert [each["path"] for each in graveyard.lately(since=40.0, most=10)] == [last, newer]
    assert [each["path"] for each in graveyard.lately(since=40.0, most=1)] == [newer]
