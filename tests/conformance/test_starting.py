# Starting: reference scenarios 1, 6 to 18, 64.

from contextlib import suppress
from typing import Any

import pytest
import trio
from conformance.kit import (
    AlreadyStarted,
    Journal,
    StartFailed,
    StartupFailed,
    Tree,
    defaults,
    member,
    supervisor,
    tree,
)
from trio.testing import MockClock


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

    assert "/c failed to start" in str(failed.value)
    assert "OSError: c can't start" in str(failed.value)
    assert journal.lines == ["+a", "+b", "-c", "-b", "-a"]


async def test_9_a_child_that_fails_is_not_added(clock: MockClock, journal: Journal) -> None:
    """
    add() raises what the start failed with; S has no such child, and lives.
    """
    journal.fail("x", True, False)
    async with tree(journal, []) as t:
        with pytest.raises(StartFailed, match="/x failed to start: OSError"):
            await t.s.add(member(journal, "x"))
        assert t.counts() == (0, 0)
        await t.s.add(member(journal, "x"))
        assert await t.ask("x", "epoch") == 1


async def test_10_a_manual_restart_that_fails(clock: MockClock, journal: Journal) -> None:
    """
    A stopped child whose next start fails stays listed, not running; S lives.
    """
    async with tree(journal, [member(journal, "a")]) as t:
        await t.s.stop_child("a")
        journal.fail("a", True, False)
        with pytest.raises(StartFailed):
            await t.s.start_child("a")
        assert t.counts() == (1, 0)
        await t.s.start_child("a")
        assert t.counts() == (1, 1)


def test_11_defaults() -> None:
    """
    A spec with only an actor is permanent, has 5 s to stop, 10 s to start, and 3 restarts in 5 s.
    """
    assert defaults() == {
        "restart": "permanent",
        "stop": 5.0,
        "start": 10.0,
        "restarts": (3, 5.0),
        "significant": False,
    }


CHILD: dict[str, tuple[dict[str, Any], str]] = {
    "restart": ({"restart": "often"}, "restart.*'often'"),
    "shutdown": ({"shutdown_seconds": -10}, "shutdown_seconds.*-10"),
    "init": ({"init_seconds": 0}, "init_seconds.*0"),
    "significant": ({"significant": 1}, "significant.*1"),
    "name": ({"name": "a/b"}, "name.*'a/b'"),
    "unknown": ({"shutdown": 5}, "'shutdown'"),
    "permanent": ({"significant": True}, "restart='permanent'"),
}


@pytest.mark.parametrize("case", CHILD)
def test_12_wrong_child_specs(case: str) -> None:
    """
    A wrong option of a child is refused when the spec is made, by name, with what came.
    """
    options, message = CHILD[case]
    with pytest.raises((TypeError, ValueError), match=message):
        member(Journal(), **{"name": "a", **options})


def test_13_two_of_one_name() -> None:
    """
    Two children of one name are refused before anything starts.
    """
    with pytest.raises(ValueError, match="two children are named twin"):
        supervisor("s", children=[member(Journal(), "twin")] * 2)


FLAGS: dict[str, tuple[dict[str, Any], str]] = {
    "strategy": ({"strategy": "one_for_some"}, "strategy.*'one_for_some'"),
    "intensity": ({"max_restarts": -1}, "max_restarts.*-1"),
    "endless": ({"max_restarts": float("inf")}, "max_restarts.*inf"),
    "no period": ({"max_seconds": 0}, "max_seconds.*0"),
    "endless period": ({"max_seconds": float("inf")}, "max_seconds.*inf"),
    "auto_shutdown": ({"auto_shutdown": "some"}, "auto_shutdown.*'some'"),
    "budget": ({"budget": "everybody"}, "budget.*'everybody'"),
    "contradiction": ({"budget": "child", "strategy": "one_for_all"}, "strategy='one_for_all'"),
    "children": ({"children": "ticker"}, "children.*'ticker'"),
    "child": ({"children": [3]}, "child.*3"),
    "unknown": ({"intensity": 3}, "'intensity'"),
}


@pytest.mark.parametrize("case", FLAGS)
def test_14_wrong_flags(case: str) -> None:
    """
    A wrong option of a supervisor is refused when the spec is made, by name, with what came.
    """
    options, message = FLAGS[case]
    with pytest.raises((TypeError, ValueError), match=message):
        supervisor("s", **options)


def test_14_no_restarts_are_legal() -> None:
    """
    max_restarts=0 is a budget like any.
    """
    supervisor("s", max_restarts=0)


async def test_15_init_timeout(clock: MockClock, journal: Journal) -> None:
    """
    A start that takes longer than its init_seconds fails, and no actor remains.
    """
    async with tree(journal, []) as t:
        with pytest.raises(StartFailed, match="within 0.1 s"):
            await t.s.add(member(journal, "a", slow=3, init_seconds=0.1))
        assert t.counts() == (0, 0)
        assert journal.lines == ["-a"]


async def test_16_already_started(clock: MockClock, journal: Journal) -> None:
    """
    A second child of one name is refused and the first untouched; a stopped one's name is free.
    """
    async with tree(journal, [member(journal, "a", restart="temporary")]) as t:
        first = t.ref("a")
        with pytest.raises(AlreadyStarted, match="/a runs already"):
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


async def test_18_an_init_that_raises(clock: MockClock, journal: Journal) -> None:
    """
    A child whose __init__ raises fails its start with that; S lives.
    """
    async with tree(journal, []) as t:
        with pytest.raises(StartFailed, match="LookupError: no such thing"):
            await t.s.add(member(journal, "a", broken=True))
        assert t.s.state == "running"
        assert t.counts() == (0, 0)


async def test_1_a_supervisor_without_children(clock: MockClock) -> None:
    """
    A supervisor without children starts, and stops when it is asked to.
    """
    async with tree(Journal()) as t:
        s = t.s
        assert s.state == "running"
    assert s.end == "shutdown"


async def test_6_a_supervisor_that_cannot_start(clock: MockClock, journal: Journal) -> None:
    """
    A spec that is none starts nothing; a supervisor whose child fails is an error that names it.
    """
    journal.fail("y", True)
    async with tree(journal, []) as t:
        for garbage in (None, 3, "a", [member(journal, "a")]):
            with pytest.raises(TypeError, match="a child must be"):
                await t.s.add(garbage)
        with pytest.raises(StartFailed, match="/in/y failed to start: OSError: y can't start"):
            await t.s.add(supervisor("in", [member(journal, "x"), member(journal, "y")]))
        assert t.counts() == (0, 0)
        assert journal.lines == ["+x", "-y", "-x"]


async def test_64_what_a_start_returns(clock: MockClock, journal: Journal) -> None:
    """
    What an init returns is nobody's: the caller of add() gets a path, and restarts work as ever.
    """
    async with tree(journal, []) as t:
        path = await t.s.add(member(journal, "a", returns={"extra": "info"}))
        assert path.rpartition("/")[2] == "a"
        t.tell("a", "crash")
        await t.calm()
        assert t.epochs() == {"a": 2}
        assert journal.lines == ["+a", "+a"]


async def test_what_failed_to_start_is_not_kept(clock: MockClock, journal: Journal) -> None:
    """
    A supervisor whose child failed to start, and which goes on, keeps nothing of that attempt.
    """
    x = member(journal, "x", expected_errors=(OSError, ValueError))  # the log keeps tracebacks
    inner = supervisor("in", [x], max_restarts=0)
    async with tree(journal, [inner], max_restarts=100) as t:
        journal.fail("x", True)
        t.tell("in/x", "crash")
        await t.calm(10)
        assert len(journal.made) >= 3
        assert t.states() == {"in": "running"}
        assert journal.living() == 1


async def test_what_failed_to_start_by_hand_is_not_kept(clock: MockClock, journal: Journal) -> None:
    """
    Nor does the place of a child that could not be started by hand.
    """
    async with tree(journal, [member(journal, "a", expected_errors=(OSError,))]) as t:
        await t.s.stop_child("a")
        journal.fail("a", True)
        with suppress(StartFailed):
            await t.s.start_child("a")
        assert t.states() == {"a": "ended"}
        assert journal.living() == 0


async def test_a_child_stopped_before_it_serves(clock: MockClock, journal: Journal) -> None:
    """
    add() does not return as if a child served that somebody has stopped in the middle of its start.
    """

    async def stop(t: Tree) -> None:
        await trio.sleep(1)
        t.ref("a").stop()

    async with tree(journal, []) as t:
        t.start_soon(stop, t)
        with pytest.raises(StartFailed, match="it was to stop meanwhile: asked by its reference"):
            await t.s.add(member(journal, "a", slow=30, init_seconds=60))
        assert t.counts() == (0, 0)


async def test_a_supervisor_that_was_not_started(clock: MockClock, journal: Journal) -> None:
    """
    It is shown as one, though there is nothing of it yet.
    """

    async def restart(t: Tree) -> None:
        with suppress(StartFailed):  # the end comes before
            await t.restart_s()

    children = [member(journal, "a", waits=True), supervisor("in", [member(journal, "x")])]
    async with tree(journal, children) as t:
        journal.hang("a", 1)
        t.start_soon(restart, t)
        await t.calm(1)
        [a, inner] = t.node().children
        assert (a.kind, a.state) == ("slot", "starting")
        assert (inner.kind, inner.state) == ("supervisor", "not started")
