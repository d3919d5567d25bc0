# The registry by itself, with owners that are no slots. Actors use it in test_slot_registry.py.

import logging
import threading
from itertools import pairwise
from typing import Any

import pytest
from helpers import counted
from hypothesis import given
from hypothesis import strategies as st

from greenroom.actors import AlreadyRegistered, NotRegistered, TooManyKeys
from greenroom.supervisor import EventStream, Registration, Registry, RegistryChange


class Ref:
    def __init__(self) -> None:
        self.alive = True


class Owner:
    """Stands for a slot."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.ref: Any = Ref()

    def __repr__(self) -> str:
        return self.path


@pytest.fixture
def registry() -> Registry:
    return Registry(EventStream())


A, B = "/residents/a", "/residents/b"


def test_one_owner(registry: Registry) -> None:
    """
    A second registration, by another or the same, is refused with the owner; nothing changes.
    """
    a, b = Owner(A), Owner(B)
    registry.register("key", a, 1)
    registry.register("other", b)
    for again in (a, b):
        with pytest.raises(AlreadyRegistered, match=rf"{A} is registered as 'key' already"):
            registry.register("key", again, 2)

    assert registry.lookup("key") == Registration("key", a.ref, 1)
    assert registry.keys_of(b) == ("other",)
    assert registry.names() == {"key": A, "other": B}


def test_one_owner_is_a_living_one(registry: Registry) -> None:
    """
    The key of a dead owner is found no more and may be taken, before its clean-up has come.
    """
    a, b = Owner(A), Owner(B)
    heard: list[RegistryChange] = []
    registry.register("key", a, 1)
    registry.enlist("shared", a)
    registry.listen(heard.append)
    a.ref.alive = False

    assert registry.find("key") is None
    assert registry.members("shared") == ()
    registry.register("key", b, 2)
    registry.release(a)
    assert registry.find("key") is b.ref
    assert heard == [
        RegistryChange("unregistered", Registration("key", a.ref, 1)),
        RegistryChange("registered", Registration("key", b.ref, 2)),
    ]


def test_a_key_given_back_is_free(registry: Registry) -> None:
    """
    unregister() by the owner frees the key; by another, or without a key, it does nothing.
    """
    a, b = Owner(A), Owner(B)
    registry.register("key", a)
    registry.unregister("key", b)
    registry.unregister("nobody's", a)
    assert registry.find("key") is a.ref
    registry.unregister("key", a)
    assert registry.find("key") is None
    registry.register("key", b)


def test_own_value(registry: Registry) -> None:
    """
    The owner updates its value; for others, and keys of nobody, the function is not run.
    """
    a, b = Owner(A), Owner(B)
    registry.register("key", a, 1)

    def wrong(value: object) -> object:
        raise AssertionError("it was run")

    assert registry.update("key", a, lambda value: [value, 2]) == [1, 2]
    with pytest.raises(NotRegistered, match=rf"{B} is not registered as 'key', {A} is"):
        registry.update("key", b, wrong)
    with pytest.raises(NotRegistered, match="nobody is"):
        registry.update("none", a, wrong)
    with pytest.raises(ZeroDivisionError):
        registry.update("key", a, lambda value: 1 / 0)
    assert registry.lookup("key") == Registration("key", a.ref, [1, 2])


def test_own_value_is_never_lost(registry: Registry) -> None:
    """
    A value changed while the function ran is given to the function, once more.
    """
    a = Owner(A)
    registry.register("key", a, 1)
    given_: list[object] = []

    def add(value: Any) -> object:
        given_.append(value)
        if len(given_) == 1:
            registry.update("key", a, lambda _: 11)  # as another thread would
        return value + 1

    assert registry.update("key", a, add) == 12
    assert given_ == [1, 11]


def test_in_order(registry: Registry) -> None:
    """
    Listeners hear of names with key, owner and value; a change they make is told behind.
    """
    a, b = Owner(A), Owner(B)
    first: list[RegistryChange] = []
    second: list[RegistryChange] = []

    def heir(change: RegistryChange) -> None:
        first.append(change)
        if change.kind == "unregistered":
            registry.register("key", b, 2)

    stop = registry.listen(heir)
    registry.listen(second.append)
    registry.register("key", a, 1)
    registry.release(a)

    assert (
        first
        == second
        == [
            RegistryChange("registered", Registration("key", a.ref, 1)),
            RegistryChange("unregistered", Registration("key", a.ref, 1)),
            RegistryChange("registered", Registration("key", b.ref, 2)),
        ]
    )
    stop()
    stop()
    registry.release(b)
    assert (len(first), len(second)) == (3, 4)


def test_in_order_from_the_listing(registry: Registry) -> None:
    """
    A subscriber gets the listing at once, then one for each change of its key, until it stops.
    """
    a, b = Owner(A), Owner(B)
    registry.enlist("key", a, 1)
    heard: list[list[object]] = []
    stop = registry.subscribe("key", lambda members: heard.append([m.value for m in members]))
    assert heard == [[1]]

    registry.enlist("key", b, 2)
    registry.enlist("key", a, 3)
    registry.enlist("other", a, 4)
    registry.delist("other", b)
    registry.release(a)  # two entries here, one change
    registry.delist("key", b)
    registry.delist("key", b)
    assert heard == [[1], [1, 2], [1, 2, 3], [2], []]
    stop()
    stop()
    registry.enlist("key", b)
    assert len(heard) == 5


def test_in_order_with_threads(registry: Registry) -> None:
    """
    However threads mix, each listing differs from the one before by one change, and the last holds.
    """
    owners = [Owner(f"/residents/{n}") for n in range(4)]
    heard: list[int] = []
    registry.subscribe("key", lambda members: heard.append(len(members)))

    def work(owner: Owner) -> None:
        for _ in range(50):
            registry.enlist("key", owner)
            registry.delist("key", owner)

    threads = [threading.Thread(target=work, args=(owner,)) for owner in owners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(heard) == 1 + 4 * 50 * 2
    assert {abs(one - two) for one, two in pairwise(heard)} == {1}
    assert heard[-1] == 0


def test_a_listener_that_fails_is_logged(
    registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    """
    What a listener raises goes to the log; the change stands, and the others are told.
    """
    heard: list[RegistryChange] = []
    registry.listen(lambda change: 1 / 0)
    registry.listen(heard.append)
    with caplog.at_level(logging.ERROR, "greenroom"):
        registry.register("key", Owner(A))

    assert len(heard) == 1
    assert "a listener of the registry failed" in caplog.text


def test_snapshot(registry: Registry) -> None:
    """
    dispatch() hands over all entries of its key once, and they may be ended meanwhile.
    """
    a, b = Owner(A), Owner(B)
    registry.enlist("key", a, 1)
    registry.enlist("key", b, 2)
    registry.enlist("key", a, 3)
    registry.enlist("other", b, 4)
    seen: list[object] = []

    def leave(members: tuple[Registration, ...]) -> None:
        for each in members:
            registry.delist("key", a)
            registry.delist("key", b)
            seen.append(each.value)

    assert registry.dispatch("key", leave) == 3
    assert seen == [1, 2, 3]
    assert registry.members("key") == ()
    assert registry.dispatch("key", leave) == 0  # nobody: it is not called
    assert len(seen) == 3
    assert [each.value for each in registry.members("other")] == [4]


def test_too_many_keys(registry: Registry) -> None:
    """
    Past its limit an owner gets no further key, unique or shared, until it gives one back.
    """
    a = Owner(A)
    registry.register("one", a, None, 3)
    registry.enlist("two", a, None, 3)
    registry.enlist("two", a, None, 3)
    for take in (registry.register, registry.enlist):
        with pytest.raises(TooManyKeys, match=rf"{A} may hold 3 keys.*Got one more: 'more'"):
            take("more", a, None, 3)
    registry.delist("two", a)
    registry.register("more", a, None, 3)

    assert registry.keys_of(a) == ("one", "more")


@pytest.mark.parametrize(
    ("key", "error", "told"),
    [
        (3, TypeError, "a key of the registry must be a string. Got: 3"),
        ("", ValueError, "must have 1 to 200 characters"),
        ("x" * 201, ValueError, "Got: 201"),
        ("\ud800", ValueError, "must be valid text"),
    ],
)
def test_a_bad_key_is_refused(
    registry: Registry, key: Any, error: type[Exception], told: str
) -> None:
    """
    A key is a string of 1 to 200 characters, as a group's name is.
    """
    a = Owner(A)
    for use in (
        lambda: registry.register(key, a),
        lambda: registry.unregister(key, a),
        lambda: registry.update(key, a, str),
        lambda: registry.enlist(key, a),
        lambda: registry.delist(key, a),
        lambda: registry.subscribe(key, print),
    ):
        with pytest.raises(error, match=told):
            use()


def test_events_name_the_key_and_not_the_value() -> None:
    """
    A name taken or freed is one event, with the key as its fact.
    """
    events = EventStream()
    registry, a = Registry(events), Owner(A)
    registry.register("key", a, "secret")
    registry.release(a)

    assert [(each.kind, each.path, dict(each.facts)) for each in events.recent()] == [
        ("registry.registered", A, {"key": "key"}),
        ("registry.unregistered", A, {"key": "key"}),
    ]


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["register", "unregister", "enlist", "delist", "release"]),
        st.integers(0, 2),
        st.sampled_from("xyz"),
    )
)


@given(ACTIONS)
def test_released(actions: list[tuple[str, int, str]]) -> None:
    """
    After any sequence it agrees with a model of two lists, and released owners leave nothing.
    """
    registry = Registry(EventStream())
    owners = [Owner(f"/residents/{n}") for n in range(3)]
    unique: dict[str, Owner] = {}
    shared: list[tuple[str, Owner]] = []
    for what, number, key in actions:
        owner = owners[number]
        if what == "register" and key in unique:
            with pytest.raises(AlreadyRegistered):
                registry.register(key, owner)
            continue
        if what == "release":
            registry.release(owner)
        else:
            getattr(registry, what)(key, owner)
        if what == "register":
            unique[key] = owner
        elif what == "unregister" and unique.get(key) is owner:
            del unique[key]
        elif what == "enlist":
            shared.append((key, owner))
        elif what == "delist":
            shared = [each for each in shared if each != (key, owner)]
        elif what == "release":
            unique = {key: each for key, each in unique.items() if each is not owner}
            shared = [each for each in shared if each[1] is not owner]
    assert registry.names() == {key: owner.path for key, owner in unique.items()}
    for key in "xyz":
        expected = [owner.ref for each, owner in shared if each == key]
        assert [each.ref for each in registry.members(key)] == expected

    for owner in owners:
        registry.release(owner)
        assert registry.keys_of(owner) == ()
    assert repr(registry) == "<Registry 0 names, 0 shared keys, 0 owners>"


@pytest.mark.parametrize("end", ["release", "delist"])
def test_an_end_costs_the_same_among_many(end: str) -> None:
    """
    Who shares a key with a thousand others leaves it at the price of sharing it with ten.
    """

    def work(n: int) -> int:
        registry = Registry(EventStream())
        owners = [Owner(f"/residents/{number}") for number in range(n)]
        for owner in (*owners, owners[0]):
            registry.enlist("key", owner)
        with counted() as counting:
            if end == "release":
                registry.release(owners[0])
            else:
                registry.delist("key", owners[0])
        assert [each.ref for each in registry.members("key")] == [each.ref for each in owners[1:]]
        return counting.steps

    work(10)
    assert work(1000) == work(10)
