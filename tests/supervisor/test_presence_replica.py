# What is known of another process, through a wire that loses things.

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from greenroom.actors import Presence
from greenroom.supervisor._presence_replica import NOTHING, Entry, Replica, Step


def entry(ref: str, meta: Any = None) -> Entry:
    return Entry("room", Presence(f"key {ref}", meta or {}, 0.0, "/", ref))


def known(version: int, *entries: Entry) -> Replica:
    """One that holds *entries*."""
    replica = Replica(0)
    replica.state(version, 0, 1, entries)
    assert not replica.stale
    return replica


def test_a_state_and_what_follows_it() -> None:
    """
    Behind a state each next change is applied, and told as what there is to do.
    """
    replica = Replica(0)
    assert replica.stale
    assert replica.state(3, 0, 1, [entry("1")]) == Step((entry("1"),))
    assert replica.changed(4, [entry("2")], [], False) == Step((entry("2"),))
    assert replica.changed(5, [], ["1"], True) == Step((), (entry("1"),), True)
    assert list(replica.entries) == ["2"]
    assert repr(replica) == "<Replica 1 presences, version 5>"


def test_in_order() -> None:
    """
    A change that is not the next one changes nothing, and marks it stale, as do those behind it.
    """
    replica = known(3)
    assert replica.changed(5, [entry("1")], [], False) == NOTHING
    assert replica.stale
    assert replica.changed(4, [entry("1")], [], False) == NOTHING
    assert replica.changed(6, [entry("1")], [], False) == NOTHING
    assert not replica.entries
    assert repr(replica) == "<Replica 0 presences, stale>"


def test_a_heartbeat_tells_what_was_missed() -> None:
    """
    A heartbeat of another version marks it stale, one of the same does not.
    """
    replica = known(3)
    replica.alive(3)
    assert not replica.stale
    replica.alive(4)
    assert replica.stale


def test_a_process_that_has_nothing_yet() -> None:
    """
    Of who says that it is at its beginning nothing is asked: its first change is the next one.
    """
    replica = Replica(0)
    replica.alive(0)
    assert not replica.stale
    assert replica.changed(1, [entry("1")], [], False).put
    replica.alive(0)
    assert replica.stale


def test_a_state_for_others() -> None:
    """
    Who is up to date passes over a state that others have asked for.
    """
    replica = known(3, entry("1"))
    assert replica.state(3, 0, 2, [entry("1")]) == NOTHING
    assert replica.state(3, 1, 2, []) == NOTHING
    assert not replica.stale


def test_what_is_missing_in_a_state_goes() -> None:
    """
    What a whole state has not is gone; until its last part has come nothing goes.
    """
    replica = known(3, entry("1"), entry("2"), entry("3"))
    assert replica.state(9, 0, 2, [entry("1")]) == Step((entry("1"),))
    assert replica.stale
    assert replica.state(9, 1, 2, [entry("3")]) == Step((entry("3"),), (entry("2"),))
    assert not replica.stale


def test_no_ghost() -> None:
    """
    What goes, or changes, between two parts of a state is not undone by a later part.
    """
    replica = Replica(0)
    replica.state(1, 0, 2, [])
    assert replica.changed(2, [], ["1"], True) == Step((), (), True)
    assert replica.changed(3, [entry("2", {"new": 1})], [], False).put
    assert replica.state(1, 1, 2, [entry("1"), entry("2")]) == Step()
    assert replica.entries == {"2": entry("2", {"new": 1})}
    assert replica.changed(4, [entry("3")], [], False).put


def test_a_part_that_is_lost() -> None:
    """
    Of a state of which a part or a change is lost nothing comes, but that it is asked for again.
    """
    replica = Replica(0)
    replica.state(1, 0, 3, [entry("1")])
    assert replica.state(1, 2, 3, [entry("3")]) == NOTHING
    assert replica.stale

    replica.state(2, 0, 2, [entry("1")])
    assert replica.changed(4, [], [], False) == NOTHING
    assert replica.state(2, 1, 2, [entry("2")]) == NOTHING
    assert replica.stale


class Other:
    """The process on the other side: what it has, and what it says of that."""

    def __init__(self) -> None:
        self.version, self.number = 0, 0
        self.entries: dict[str, Entry] = {}
        self.state: list[tuple[Any, ...]] = []  # parts that are to be said yet

    def change(self, ref: str, *, goes: bool) -> tuple[Any, ...]:
        self.version += 1
        if goes:
            gone = self.entries.pop(ref, None)
            return ("changed", self.version, [], [ref] if gone else [], True)
        self.number += 1
        self.entries[ref] = entry(ref, {"number": self.number})
        return ("changed", self.version, [self.entries[ref]], [], False)

    def answer(self) -> None:
        listed = list(self.entries.values())
        parts = [listed[:2], listed[2:4], listed[4:]]
        self.state = [("state", self.version, n, 3, part) for n, part in enumerate(parts)]


CHANGES = st.tuples(st.sampled_from(["1", "2", "3", "4", "5"]), st.booleans(), st.booleans())
WIRE = st.lists(st.one_of(CHANGES, st.just("answer"), st.just("part"), st.just("lose part")))


@given(WIRE)
def test_converges(steps: list[Any]) -> None:
    """
    Whatever is lost, behind a heartbeat and a whole state it holds what the other process holds.
    """
    other, replica, topics = Other(), Replica(0), dict[str, Entry]()

    def hear(message: tuple[Any, ...]) -> None:
        kind, *fields = message
        step = replica.changed(*fields) if kind == "changed" else replica.state(*fields)
        topics.update({each.presence.ref: each for each in step.put})
        for each in step.drop:
            del topics[each.presence.ref]
        assert topics == replica.entries

    for step in steps:
        if step == "answer":
            other.answer()
        elif step in ("part", "lose part"):
            if other.state and (part := other.state.pop(0)) and step == "part":
                hear(part)
        else:
            ref, goes, lost = step
            message = other.change(ref, goes=goes)
            if not lost:
                hear(message)
    replica.alive(other.version)
    if not replica.stale:
        assert replica.entries == other.entries
    other.answer()
    for part in other.state:
        hear(part)
    assert replica.entries == other.entries
    replica.alive(other.version)
    assert not replica.stale
