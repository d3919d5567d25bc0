# OTP's strategies: reference scenarios 28 to 32, 36 to 41.

import pytest
from conformance.kit import Journal, member, supervisor, tree
from trio.testing import MockClock


async def test_28_one_for_one(clock: MockClock, journal: Journal) -> None:
    """
    one_for_one: the crashed child has a new incarnation, its sibling keeps its own.
    """
    async with tree(journal, [member(journal, "a"), member(journal, "b")]) as t:
        t.tell("a", "crash")
        await t.calm()
        assert t.epochs() == {"a": 2, "b": 1}
        counts = t.s.counts()
        assert (counts.specs, counts.active, counts.workers, counts.supervisors) == (2, 2, 2, 0)


async def test_29_one_for_all(clock: MockClock, journal: Journal) -> None:
    """
    one_for_all: the sibling is stopped, and both have new incarnations under their references.
    """
    children = [member(journal, "a"), member(journal, "b")]
    async with tree(journal, children, strategy="one_for_all") as t:
        before = t.ref("b")
        t.tell("a", "crash")
        await t.calm()
        assert journal.since(2) == ["-b", "+a", "+b"]
        assert t.epochs() == {"a": 2, "b": 2}
        assert t.ref("b") == before
        assert await before.call({"type": "epoch"}) == 2


async def test_30_rest_for_one(clock: MockClock, journal: Journal) -> None:
    """
    rest_for_one: who was started after the crashed child is new, who was before is not.
    """
    children = [member(journal, name) for name in "abc"]
    async with tree(journal, children, strategy="rest_for_one") as t:
        t.tell("b", "crash")
        await t.calm()
        assert t.epochs() == {"a": 1, "b": 2, "c": 2}


async def test_31_order(clock: MockClock, journal: Journal) -> None:
    """
    rest_for_one with five: the later ones stop in reverse, all start in order; S stops in reverse.
    """
    children = [member(journal, name) for name in "abcde"]
    async with tree(journal, children, strategy="rest_for_one") as t:
        assert journal.lines == ["+a", "+b", "+c", "+d", "+e"]
        t.tell("c", "crash")
        await t.calm()
        assert journal.since(5) == ["-e", "-d", "+c", "+d", "+e"]
        mark = len(journal.lines)
    assert journal.since(mark) == ["-e", "-d", "-c", "-b", "-a"]


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
async def test_32_temporary_bystander(clock: MockClock, journal: Journal, strategy: str) -> None:
    """
    A temporary sibling is stopped with the group, not restarted, and forgotten.
    """
    children = [member(journal, "a"), member(journal, "b", restart="temporary")]
    async with tree(journal, children, strategy=strategy) as t:
        t.tell("a", "stop")
        await t.calm(0.35)
        assert t.epochs() == {"a": 2}
        assert not t.s.ended.is_set()


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
async def test_36_intensity(clock: MockClock, journal: Journal, strategy: str) -> None:
    """
    The third exit that would need a restart makes S stop its children and give up, once.
    """
    children = [member(journal, "a"), member(journal, "b")]
    async with tree(journal, children, strategy=strategy, max_restarts=2) as t:
        for _ in range(3):
            t.tell("a", "crash")
            await t.calm(1)
        assert t.told("supervisor.gave_up") == [""]
        # Its own supervisor has begun it anew, with all children in their first incarnation.
        assert t.epoch() == 2
        assert t.epochs() == {"a": 1, "b": 1}


async def test_36_a_group_restart_counts_once(clock: MockClock, journal: Journal) -> None:
    """
    The restart of a group of three is one restart of the budget.
    """
    children = [member(journal, name) for name in "abc"]
    async with tree(journal, children, strategy="one_for_all", max_restarts=2) as t:
        t.tell("a", "crash")
        await t.calm()
        assert {child.restarts_left for child in t.node().children} == {1}


async def test_37_spaced_crashes(clock: MockClock, journal: Journal) -> None:
    """
    One restart in a second is allowed: crashes 2.1 s apart never end S.
    """
    child = member(journal, "a")
    async with tree(journal, [child], max_restarts=1, max_seconds=1) as t:
        for _ in range(4):
            t.tell("a", "crash")
            await t.calm(2.1)
        assert t.epochs() == {"a": 5}
        assert t.told("supervisor.gave_up") == []


async def test_39_a_restart_that_fails_is_tried_again(clock: MockClock, journal: Journal) -> None:
    """
    A start that fails once is tried again: the child is up in the end.
    """
    async with tree(journal, [member(journal, "a")], max_restarts=2) as t:
        journal.fail("a", True, False)
        t.tell("a", "crash")
        await t.calm(1)
        assert t.epochs() == {"a": 3}
        assert t.states() == {"a": "running"}


async def test_39_rest_for_one_resumes_at_the_child_that_failed(
    clock: MockClock, journal: Journal
) -> None:
    """
    When a later child fails to start, the retry begins with it; those that are up stay up.
    """
    children = [member(journal, name) for name in "abc"]
    async with tree(journal, children, strategy="rest_for_one", max_restarts=5) as t:
        journal.fail("b", True, False)
        t.tell("a", "crash")
        await t.calm(1)
        assert journal.since(3) == ["-c", "-b", "+a", "+b", "+c"]
        assert t.epochs() == {"a": 2, "b": 3, "c": 2}


async def test_39_one_for_all_begins_again(clock: MockClock, journal: Journal) -> None:
    """
    When a member fails to start under one_for_all, those that had started make room again.
    """
    children = [member(journal, name) for name in "abc"]
    async with tree(journal, children, strategy="one_for_all", max_restarts=5) as t:
        journal.fail("b", True, False)
        t.tell("c", "crash")
        await t.calm(1)
        assert journal.since(3) == ["-b", "-a", "+a", "-a", "+a", "+b", "+c"]
        assert t.states() == dict.fromkeys("abc", "running")


@pytest.mark.parametrize("max_restarts", [1, 10])
@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all"])
async def test_40_a_restart_that_always_fails(
    clock: MockClock, journal: Journal, max_restarts: int, strategy: str
) -> None:
    """
    A child that never starts again makes S give up, whatever its budget.
    """
    options = {"backoff_max_seconds": 0.1}
    children = [member(journal, "a"), member(journal, "b")]
    spec = {"strategy": strategy, "max_restarts": max_restarts, "on_exceeded": "stop"}
    async with tree(journal, children, options=options, **spec) as t:
        journal.fail("a", *[True] * 50)
        s = t.s
        t.tell("a", "crash")
        await t.calm(20)
        assert s.ended.is_set()
        assert len(journal.fails["a"]) == 50 - max_restarts
        assert t.problems() == ["s"]


async def test_41_no_restarts(clock: MockClock, journal: Journal) -> None:
    """
    max_restarts=0: the first crash ends S.
    """
    async with tree(journal, [member(journal, "a")], max_restarts=0, on_exceeded="stop") as t:
        s = t.s
        t.tell("a", "crash")
        await t.calm()
        assert s.ended.is_set()


async def test_an_earlier_crash_takes_the_restart_over(clock: MockClock, journal: Journal) -> None:
    """
    Who crashes before the group, while that backs off, has the restart begin with it.
    """
    children = [member(journal, name) for name in "abc"]
    options = {"backoff_min_seconds": 10}
    spec = {"strategy": "rest_for_one", "max_restarts": 9}
    async with tree(journal, children, options=options, **spec) as t:
        t.tell("c", "crash")
        await t.calm(1)
        t.tell("b", "crash")  # the second in the window: 10 s
        await t.calm(1)
        t.tell("a", "crash")
        await t.calm(60)
        assert t.states() == dict.fromkeys("abc", "running")
        assert t.epochs() == {"a": 2, "b": 2, "c": 3}


async def test_a_nested_supervisor_rests_with_its_group(clock: MockClock, journal: Journal) -> None:
    """
    Under one_for_all a supervisor among the children stops its own, waits, and begins anew.
    """
    inner = supervisor("in", [member(journal, "x"), member(journal, "y")])
    children = [member(journal, "a"), inner, member(journal, "z")]
    async with tree(journal, children, strategy="one_for_all") as t:
        t.tell("a", "crash")
        await t.calm(1)
        assert journal.since(4) == ["-z", "-y", "-x", "+a", "+x", "+y", "+z"]
        assert t.states() == {"a": "running", "in": "running", "z": "running"}
        assert t.epoch("in") == 2
        assert await t.ref("in/x").call({"type": "epoch"}) == 1
        counts = t.s.counts()
        assert (counts.active, counts.supervisors, counts.workers) == (3, 1, 2)


async def test_an_unkillable_sibling_does_not_hold_up_the_group(
    clock: MockClock, journal: Journal
) -> None:
    """
    A sibling that does not make room is reported, given up, and followed by a new one.
    """
    children = [member(journal, "a"), member(journal, "b", shutdown_seconds=1)]
    async with tree(journal, children, strategy="one_for_all") as t:
        old = t.ref("b")
        t.tell("b", "busy", seconds=60)
        await t.calm()
        t.tell("a", "crash")
        await t.calm(30)
        assert t.told("slot.unkillable") == ["b"]
        assert t.states() == {"a": "running", "b": "running"}
        assert t.ref("b") != old
        await t.calm(60)  # the old one ends, and nobody minds
        assert t.states() == {"a": "running", "b": "running"}
        assert await t.ref("b").call({"type": "epoch"}) == 1


async def test_a_busy_sibling_keeps_its_place(clock: MockClock, journal: Journal) -> None:
    """
    A sibling whose handler is cut off at its deadline keeps its reference and its mail.
    """
    children = [member(journal, "a"), member(journal, "b", shutdown_seconds=1)]
    async with tree(journal, children, strategy="one_for_all") as t:
        ref = t.ref("b")
        t.tell("b", "wait", seconds=1000)
        await t.calm()
        t.tell("a", "crash")
        assert await ref.call({"type": "epoch"}, timeout=30) == 2
        assert t.ref("b") == ref
        assert journal.since(2) == ["-b", "+a", "+b"]


async def test_an_init_timeout_in_a_group(clock: MockClock, journal: Journal) -> None:
    """
    A member that hangs in its restart is cut off, and counts as one that failed to start.
    """
    slow = member(journal, "b", init_seconds=1, waits=True)
    children = [member(journal, "a"), slow, member(journal, "c")]
    async with tree(journal, children, strategy="rest_for_one", max_restarts=9) as t:
        journal.hang("b", 1)
        t.tell("a", "crash")
        await t.calm(20)
        assert t.states() == dict.fromkeys("abc", "running")
        assert t.epochs() == {"a": 2, "b": 3, "c": 2}


async def test_a_directive_ends_a_member(clock: MockClock, journal: Journal) -> None:
    """
    supervise = {...: "stop"} ends who crashed, and no sibling; "escalate" ends S.
    """
    child = member(journal, "a", supervise={ValueError: "stop", OSError: "escalate"})
    async with tree(journal, [child, member(journal, "b")], strategy="one_for_all") as t:
        t.tell("a", "crash")
        await t.calm(1)
        assert t.states() == {"a": "ended", "b": "running"}
        assert t.epochs()["b"] == 1
        await t.s.start_child("a")
        t.tell("a", "crash", os=True)
        await t.calm(1)
        assert t.told("supervisor.gave_up") == [""]
        assert t.states() == {"a": "running", "b": "running"}
