# One topic: who is listed, and what is told of it.

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from greenroom.actors import Presence, PresenceDiff
from greenroom.supervisor._presence_topic import PresenceTopic

GRACE = 5.0
METAS = st.sampled_from([{}, {"away": True}])
REFS = st.sampled_from(["1", "2", "3", "4"])
STEPS = st.one_of(
    st.tuples(st.just("put"), REFS, METAS),
    st.tuples(st.just("drop"), REFS, st.booleans()),
    st.tuples(st.just("wait"), st.sampled_from([1.0, 5.0]), st.none()),
    st.tuples(st.just("watch"), st.none(), st.none()),
)


MADE: dict[tuple[str, str, str], Presence] = {}


def presence(ref: str, key: str = "ann", meta: Any = None) -> Presence:
    """The presence that is so: the same object each time."""
    made = Presence(key, meta or {}, 0.0, f"/{ref}", ref)
    return MADE.setdefault((ref, key, repr(meta)), made)


def told(topic: PresenceTopic, now: float) -> PresenceDiff | None:
    topic.expire(now)
    return topic.changes()


def test_what_is_told() -> None:
    """
    A key has joined with its first presence, changed with each further one, and left with the last.
    """
    topic, first, second = PresenceTopic("room", GRACE), presence("1"), presence("2")
    topic.put(first)
    assert told(topic, 0) == PresenceDiff("room", {"ann": (first,)}, {}, {})
    topic.put(second)
    assert told(topic, 0) == PresenceDiff("room", {}, {}, {"ann": (first, second)})
    topic.drop(first, at_once=True)
    assert told(topic, 0) == PresenceDiff("room", {}, {}, {"ann": (second,)})
    assert repr(topic) == "<PresenceTopic room 1 keys>"
    topic.drop(second, at_once=True)
    assert told(topic, 0) == PresenceDiff("room", {}, {"ann": (second,)}, {})
    assert told(topic, 0) is None


def test_no_flicker() -> None:
    """
    Who goes with grace is listed for so long yet, and if he comes again within was never away.
    """
    topic = PresenceTopic("room", GRACE)
    topic.put(presence("1"))
    told(topic, 0)
    topic.drop(presence("1"), at_once=False)
    assert topic.expire(10) == 15
    assert (topic.changes(), list(topic.listed()), topic.keys) == (None, ["ann"], 1)
    topic.put(presence("2"))
    assert told(topic, 14) is None
    assert told(topic, 99) is None
    assert topic.listed() == {"ann": (presence("2"),)}


def test_the_grace_is_over() -> None:
    """
    Who does not come again has left when the grace is over, not before.
    """
    topic = PresenceTopic("room", GRACE)
    topic.put(presence("1"))
    told(topic, 0)
    topic.drop(presence("1"), at_once=False)
    assert told(topic, 10) is None
    assert told(topic, 14.9) is None
    assert told(topic, 15) == PresenceDiff("room", {}, {"ann": (presence("1"),)}, {})


def test_without_grace() -> None:
    """
    A grace of none has who goes be gone at once.
    """
    topic = PresenceTopic("room", 0)
    topic.put(presence("1"))
    told(topic, 0)
    topic.drop(presence("1"), at_once=False)
    assert topic.listed() == {}
    assert told(topic, 0) == PresenceDiff("room", {}, {"ann": (presence("1"),)}, {})


def test_what_came_and_went_is_not_told() -> None:
    """
    Of what is as it was when it is told nothing is said; nor of what was never there.
    """
    topic = PresenceTopic("room", GRACE)
    topic.put(presence("1"))
    topic.drop(presence("1"), at_once=True)
    assert told(topic, 0) is None
    topic.drop(presence("1"), at_once=True)
    topic.drop(presence("9", "bob"), at_once=False)
    assert told(topic, 0) is None
    assert topic.is_empty


def test_who_saw_it_is_told() -> None:
    """
    Who begins to watch between two tellings is told what became of what he has seen.
    """
    topic = PresenceTopic("room", GRACE)
    topic.put(presence("1"))
    assert list(topic.shown()) == ["ann"]
    topic.drop(presence("1"), at_once=True)
    assert told(topic, 0) == PresenceDiff("room", {}, {"ann": (presence("1"),)}, {})

    topic.put(presence("2"))
    told(topic, 0)
    topic.put(presence("2", meta={"away": True}))
    topic.shown()
    topic.put(presence("2"))
    assert told(topic, 0) == PresenceDiff("room", {}, {}, {"ann": (presence("2"),)})


def keys_of(ref: str) -> str:
    return "ann" if ref in "12" else "bob"


@given(st.lists(STEPS, max_size=40))
def test_converges(steps: list[tuple[str, Any, Any]]) -> None:
    """
    Who applies every diff behind what was listed when he began sees, once told, what is listed.
    """
    topic, now = PresenceTopic("room", GRACE), 0.0
    there: dict[str, Presence] = {}
    seen: list[dict[str, Any]] = []

    def tell() -> None:
        diff = told(topic, now)
        for each in seen if diff else ():
            assert diff
            for key in diff.left:
                each.pop(key, None)
            each.update(diff.joined | diff.changed)

    for kind, what, how in steps:
        if kind == "put":
            there[what] = presence(what, keys_of(what), how)
            topic.put(there[what])
        elif kind == "drop" and what in there:
            topic.drop(there.pop(what), at_once=how)
        elif kind == "wait":
            now += what
            tell()
        elif kind == "watch":
            seen.append(topic.shown())
    tell()
    listed = said(topic.listed())
    assert [said(each) for each in seen] == [listed] * len(seen)
    assert set(listed) >= {each.key for each in there.values()}


def said(listed: dict[str, Any]) -> dict[str, Any]:
    """What of it is to be seen by a client."""
    return {key: [each.meta for each in presences] for key, presences in listed.items()}


def test_what_was_put_later_stays() -> None:
    """
    Who drops what was there before drops nothing of what took its place.
    """
    topic = PresenceTopic("room", GRACE)
    topic.put(presence("1"))
    topic.put(presence("1", meta={"away": True}))
    topic.drop(presence("1"), at_once=True)
    assert topic.listed() == {"ann": (presence("1", meta={"away": True}),)}


def test_a_list_keeps_its_order() -> None:
    """
    A key stays in its place while it lingers, and when it comes again within the grace.
    """
    topic = PresenceTopic("room", GRACE)
    topic.put(presence("1"))
    topic.put(presence("3", "bob"))
    topic.drop(presence("1"), at_once=False)
    assert list(topic.listed()) == ["ann", "bob"]
    topic.put(presence("2"))
    assert list(topic.listed()) == ["ann", "bob"]
    assert list(topic.told()) == []


def test_so_many_at_once() -> None:
    """
    So many keys as are asked for are let go, and told, in one step; the rest is due at once.
    """
    topic = PresenceTopic("room", GRACE)
    made = [presence(str(number), f"key {number}") for number in range(10)]
    for each in made:
        topic.put(each)
    assert [len(diff.joined) for _ in range(3) if (diff := topic.changes(4))] == [4, 4, 2]
    for each in made:
        topic.drop(each, at_once=False)
    assert [topic.expire(0, 4) for _ in range(3)] == [0, 0, GRACE]
    assert [topic.expire(GRACE, 4) for _ in range(3)] == [GRACE, GRACE, math.inf]
    assert len((topic.changes() or PresenceDiff("")).left) == 10


def test_true_is_not_one() -> None:
    """
    A meta that differs in the kind of a value only has changed.
    """
    topic = PresenceTopic("room", GRACE)
    topic.put(presence("1", meta={"n": 1}))
    topic.changes()
    topic.put(presence("1", meta={"n": True}))
    assert (topic.changes() or PresenceDiff("")).changed


@given(st.lists(STEPS, max_size=40))
def test_idle(steps: list[tuple[str, Any, Any]]) -> None:
    """
    When all have gone and all is told a topic holds nothing, and nothing of it is due.
    """
    topic, now = PresenceTopic("room", GRACE), 0.0
    there: dict[str, Presence] = {}
    for kind, what, how in steps:
        if kind == "put":
            there[what] = presence(what, keys_of(what), how)
            topic.put(there[what])
        elif kind == "drop" and what in there:
            topic.drop(there.pop(what), at_once=how)
        elif kind == "wait":
            now += what
            told(topic, now)
        elif kind == "watch":
            topic.shown()
    for each in there.values():
        topic.drop(each, at_once=False)
    told(topic, now)
    told(topic, now + GRACE)
    assert (topic.is_empty, topic.expire(now + GRACE), topic.changes()) == (True, math.inf, None)
    assert (topic.listed(), topic.keys) == ({}, 0)
