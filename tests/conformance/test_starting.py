# Starting: reference scenarios 7 to 18.

import gc
import weakref
from contextlib import suppress
from typing import Any, ClassVar

import pytest
import trio
from conformance.kit import Journal, Member, Tree, member, tree
from trio.testing import MockClock

from greenroom.actors import Actor, StartFailed
from greenroom.bridges.asgi import Application
from greenroom.bridges.testing import StartupFailed, serve
from greenroom.supervisor import AlreadyStarted, ChildSpec, SupervisorSpec


async def test_7_order(clock: MockClock, journal: Journal) -> None:
    """
    Children start exactly in the order of the list, each behind the one before.
    """
    children = [member(journal, f"n{n}", slow=10 - n) for n in (7, 3, 10, 2, 5)]
    async with tree(journal, children):
        assert journal.lines == ["+n7", "+n3", "+n10", "+n2", "+n5"]


async def test_8_a_start_that_fails_stops_the_started_siblings(
    clock: MockClock, journal: Journal
) -> None:
    """
    A failing start names the child and its cause; the siblings started before stop in reverse.
    """
    journal.fail("c", True)
    children = [member(journal, name) for name in "abcd"]
    with pytest.raises(StartupFailed) as failed:
        async with tree(journal, children, beside=[member(journal, "never")]):
            pytest.fail("it started")

    assert str(failed.value) == "/residents/s/c failed to start: OSError: c can't start"
    assert journal.lines == ["+a", "+b", "-c", "-b", "-a"]


async def test_9_a_child_that_fails_is_not_added(clock: MockClock, journal: Journal) -> None:
    """
    add() raises what the start failed with; S has no such child, and lives.
    """
    journal.fail("x", True, False)
    async with tree(journal, []) as t:
        with pytest.raises(StartFailed, match="/residents/s/x failed to start: OSError"):
            await t.s.add(member(journal, "x"))
        assert t.s.counts().specs == 0
        assert await t.s.add(member(journal, "x")) == "/residents/s/x"
        assert await t.ref("x").call({"type": "epoch"}) == 1


async def test_10_a_manual_restart_that_fails(clock: MockClock, journal: Journal) -> None:
    """
    A stopped child whose next start fails stays listed, not running; S lives.
    """
    async with tree(journal, [member(journal, "a")]) as t:
        await t.s.stop_child("a")
        journal.fail("a", True, False)
        with pytest.raises(StartFailed):
            await t.s.start_child("a")
        counts = t.s.counts()
        assert (counts.specs, counts.active) == (1, 0)
        await t.s.start_child("a")
        assert t.s.counts().active == 1


def test_11_defaults() -> None:
    """
    A spec with only an actor is permanent, has 5 s to stop, 10 s to start, and 3 restarts in 5 s.
    """
    spec = ChildSpec(actor=Member)
    assert (spec.name, str(spec.restart), spec.shutdown_seconds) == ("member", "permanent", 5.0)
    assert (spec.init_seconds, spec.max_restarts, spec.max_seconds) == (10.0, 3, 5.0)
    assert not spec.significant


CHILD: dict[str, tuple[dict[str, Any], str]] = {
    "restart": ({"restart": "often"}, "restart must be one of .* Got: 'often'"),
    "shutdown": ({"shutdown_seconds": -10}, "shutdown_seconds must be .* Got: -10"),
    "init": ({"init_seconds": 0}, "init_seconds must be .* Got: 0"),
    "significant": ({"significant": 1}, "significant must be True or False. Got: 1"),
    "name": ({"name": "a/b"}, "a name must have .* Got: 'a/b'"),
    "unknown": ({"shutdown": 5}, "unexpected keyword argument 'shutdown'"),
    "permanent": ({"significant": True}, "transient.* Got: restart='permanent'"),
}


@pytest.mark.parametrize("case", CHILD)
def test_12_wrong_child_specs(case: str) -> None:
    """
    A wrong option of a child is refused when the spec is made, by name, with what came.
    """
    options, message = CHILD[case]
    with pytest.raises((TypeError, ValueError), match=message):
        ChildSpec(actor=Member, **options)


def test_13_two_of_one_name() -> None:
    """
    Two children of one name are refused before anything starts.
    """
    with pytest.raises(ValueError, match="two children are named twin"):
        SupervisorSpec(name="s", children=[ChildSpec(actor=Member, name="twin")] * 2)


FLAGS: dict[str, tuple[dict[str, Any], str]] = {
    "strategy": ({"strategy": "one_for_some"}, "strategy must be one of 'one_for_one', .* Got:"),
    "intensity": ({"max_restarts": -1}, "max_restarts must be at least 0. Got: -1"),
    "endless": ({"max_restarts": float("inf")}, "max_restarts must be a whole number. Got: inf"),
    "no period": ({"max_seconds": 0}, "max_seconds must be finite and more than 0"),
    "endless period": ({"max_seconds": float("inf")}, "max_seconds must be finite"),
    "auto_shutdown": ({"auto_shutdown": "some"}, "auto_shutdown must be one of 'never'"),
    "budget": ({"budget": "everybody"}, "budget must be one of 'child', 'supervisor'. Got:"),
    "contradiction": (
        {"budget": "child", "strategy": "one_for_all"},
        "budget 'child' goes with strategy 'one_for_one'.* Got: strategy='one_for_all'",
    ),
    "children": ({"children": "ticker"}, "children must be a list .* Got: 'ticker'"),
    "child": ({"children": [3]}, "a child must be an Actor subclass or a ChildSpec. Got: 3"),
    "unknown": ({"intensity": 3}, "unexpected keyword argument 'intensity'"),
}


@pytest.mark.parametrize("case", FLAGS)
def test_14_wrong_flags(case: str) -> None:
    """
    A wrong option of a supervisor is refused when the spec is made, by name, with what came.
    """
    options, message = FLAGS[case]
    with pytest.raises((TypeError, ValueError), match=message):
        SupervisorSpec(name="s", **options)


def test_14_no_restarts_are_legal() -> None:
    """
    max_restarts=0 is a budget like any.
    """
    assert SupervisorSpec(name="s", max_restarts=0).max_restarts == 0


async def test_15_init_timeout(clock: MockClock, journal: Journal) -> None:
    """
    A start that takes longer than its init_seconds fails, and no actor remains.
    """
    async with tree(journal, []) as t:
        with pytest.raises(StartFailed, match=r"started\(\) did not return within 0.1 s"):
            await t.s.add(member(journal, "a", slow=3, init_seconds=0.1))
        assert t.s.counts().specs == 0
        assert journal.lines == ["-a"]


async def test_16_already_started(clock: MockClock, journal: Journal) -> None:
    """
    A second child of one name is refused and the first untouched; a stopped one's name is free.
    """
    async with tree(journal, [member(journal, "a", restart="temporary")]) as t:
        first = t.ref("a")
        with pytest.raises(AlreadyStarted, match="/residents/s/a runs already"):
            await t.s.add(member(journal, "a"))
        assert t.ref("a") == first
        await t.s.stop_child("a")
        await t.s.add(member(journal, "a"))
        assert t.ref("a") != first


async def test_17_the_name_is_free_when_the_start_has_failed(
    clock: MockClock, journal: Journal
) -> None:
    """
    When add() has raised, the name is free: the next attempt never meets the one before.
    """
    journal.fail("a", *[True] * 100)
    async with tree(journal, []) as t:
        for _ in range(100):
            with pytest.raises(StartFailed):
                await t.s.add(member(journal, "a"))
        await t.s.add(member(journal, "a"))


class Broken(Actor):
    """Can't even be made."""

    def __init__(self) -> None:
        raise LookupError("no such thing")


async def test_18_an_init_that_raises(clock: MockClock, journal: Journal) -> None:
    """
    A child whose __init__ raises fails its start with that; S lives.
    """
    async with tree(journal, []) as t:
        with pytest.raises(StartFailed, match="LookupError"):
            await t.s.add(Broken)
        assert t.node().state == "running"


async def test_1_a_supervisor_without_children(clock: MockClock) -> None:
    """
    A supervisor without children starts, and stops when it is asked to.
    """
    async with serve(Application(children=[SupervisorSpec(name="s")])) as server:
        s = server.root.supervisor("/residents/s")
        assert s.state == "running"
    assert s.end == "shutdown"


class Weak(Member):
    """A member of which no object is kept by the tests, nor its tracebacks by the log."""

    expected_errors = (OSError, ValueError)
    made: ClassVar[list[Any]] = []

    async def started(self) -> None:
        self.made.append(weakref.ref(self))
        await super().started()


def weak(journal: Journal, name: str) -> ChildSpec:
    """Return the spec of a :class:`Weak`."""
    Weak.made.clear()
    kwargs = {"journal": journal, "name": name}
    return ChildSpec(actor=Weak, name=name, kwargs=kwargs, restart="permanent")


def living() -> int:
    """How many of them live."""
    gc.collect()
    return sum(ref() is not None for ref in Weak.made)


async def test_what_failed_to_start_is_not_kept(clock: MockClock, journal: Journal) -> None:
    """
    A supervisor whose child failed to start, and which goes on, keeps nothing of that attempt.
    """
    inner = SupervisorSpec(name="in", children=[weak(journal, "x")], max_restarts=0)
    async with tree(journal, [inner], max_restarts=100) as t:
        journal.fail("x", True)
        t.tell("in/x", "crash")
        await t.calm(10)
        assert (len(Weak.made), t.states()) == (3, {"in": "running"})
        assert living() == 1


async def test_what_failed_to_start_by_hand_is_not_kept(clock: MockClock, journal: Journal) -> None:
    """
    Nor does the place of a child that could not be started by hand.
    """
    async with tree(journal, [weak(journal, "a")]) as t:
        await t.s.stop_child("a")
        journal.fail("a", True)
        with suppress(StartFailed):
            await t.s.start_child("a")
        assert t.states() == {"a": "ended"}
        assert living() == 0


async def test_a_child_stopped_before_it_serves(clock: MockClock, journal: Journal) -> None:
    """
    add() does not return as if a child served that somebody has stopped in the middle of its start.
    """

    async def stop(t: Tree) -> None:
        await trio.sleep(1)
        t.ref("a").stop()

    async with tree(journal, []) as t:
        t.server.start_soon(stop, t)
        with pytest.raises(StartFailed, match="it was to stop meanwhile: asked by its reference"):
            await t.s.add(member(journal, "a", slow=30, init_seconds=60))
        assert t.s.counts().specs == 0


async def test_a_supervisor_that_was_not_started(clock: MockClock, journal: Journal) -> None:
    """
    It is shown as one, though there is nothing of it yet.
    """

    async def restart(t: Tree) -> None:
        with suppress(StartFailed):  # the end comes before
            await t.server.root.supervisor("/residents").restart_child("s")

    children = [member(journal, "a"), SupervisorSpec(name="in", children=[member(journal, "x")])]
    async with tree(journal, children) as t:
        journal.hang("a", 1)
        t.server.start_soon(restart, t)
        await t.calm(1)
        [a, inner] = t.node().children
        assert (a.kind, a.state) == ("slot", "starting")
        assert (inner.kind, inner.state) == ("supervisor", "not started")
