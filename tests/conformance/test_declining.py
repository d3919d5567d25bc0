# Declining to start: reference scenarios 2 to 5, 17 and 27.

import pytest
from conformance.kit import ActorNotFound, Journal, dynamic, member, supervisor, tree
from trio.testing import MockClock


@pytest.mark.parametrize("added", [False, True])
@pytest.mark.parametrize("restart", ["permanent", "transient"])
async def test_3_a_child_that_declines(
    clock: MockClock, journal: Journal, restart: str, added: bool
) -> None:
    """
    C1 declines and C2 runs: C1 stays listed as declined; specs 2, active 1, workers 2.
    """
    journal.decline("c1", 1)
    children = [member(journal, "c1", restart=restart), member(journal, "c2")]
    async with tree(journal, [] if added else children) as t:
        if added:
            for child in children:
                await t.s.add(child)
        assert t.states() == {"c1": "declined", "c2": "running"}
        counts = t.s.counts()
        assert (counts.specs, counts.active, counts.workers) == (2, 1, 2)
        assert t.told("slot.crashed") == []
        assert journal.lines == ["no c1", "+c2"]


@pytest.mark.parametrize("added", [False, True])
async def test_4_a_temporary_child_that_declines(
    clock: MockClock, journal: Journal, added: bool
) -> None:
    """
    The spec of a temporary child that declines is forgotten: counts 1/1.
    """
    journal.decline("c1", 1)
    children = [member(journal, "c1", restart="temporary"), member(journal, "c2")]
    async with tree(journal, [] if added else children) as t:
        if added:
            for child in children:
                await t.s.add(child)
        assert t.states() == {"c2": "running"}
        assert t.counts() == (1, 1)


async def test_3_it_can_be_started_later(clock: MockClock, journal: Journal) -> None:
    """
    A child that declined is started by hand when its mood has changed.
    """
    journal.decline("c1", 1)
    async with tree(journal, [member(journal, "c1")]) as t:
        journal.decline("c1")
        await t.s.start_child("c1")
        assert t.states() == {"c1": "running"}


async def test_17_no_cleanup_and_a_free_name(clock: MockClock, journal: Journal) -> None:
    """
    The cleanup hook of one that declines does not run, and its name is free, 100 times of 100.
    """
    journal.decline("c1", 1)
    async with tree(journal, []) as t:
        for _ in range(100):
            await t.s.add(member(journal, "c1"))
            with pytest.raises(ActorNotFound):
                t.ref("c1")
            await t.s.delete_child("c1")

    assert journal.lines == ["no c1"] * 100


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
async def test_27_a_restart_that_declines(
    clock: MockClock, journal: Journal, strategy: str
) -> None:
    """
    A child that declines when it is restarted ends; its siblings run, S counts one restart.
    """
    journal.decline("c1", 2)
    children = [member(journal, "c1"), member(journal, "c2")]
    async with tree(journal, children, strategy=strategy, max_restarts=1) as t:
        t.tell("c1", "crash")
        await t.calm(1)
        assert t.states() == {"c1": "declined", "c2": "running"}
        assert t.problems() == []


async def test_a_significant_child_that_declines(clock: MockClock, journal: Journal) -> None:
    """
    Declining is no end of a child that was: it does not shut its supervisor down.
    """
    journal.decline("c1", 1)
    child = member(journal, "c1", restart="transient", significant=True)
    children = [child, member(journal, "c2")]
    async with tree(journal, children, restart="temporary", auto_shutdown="any_significant") as t:
        await t.calm(1)
        assert t.states() == {"c1": "declined", "c2": "running"}


async def test_2_nobody_under_it_starts(clock: MockClock, journal: Journal) -> None:
    """
    A supervisor has no init that could decline; if all its children do, it is idle, not failed.
    """
    for name in "xy":
        journal.decline(name, 1)
    inner = supervisor("in", [member(journal, name) for name in "xy"])
    async with tree(journal, []) as t:
        await t.s.add(inner)
        assert t.states() == {"in": "running"}
        assert {child.state for child in t.node("in").children} == {"declined"}
        assert t.told("slot.crashed") == t.told("supervisor.start_failed") == []
        assert t.problems() == []
    assert journal.lines == ["no x", "no y"]


@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
async def test_5_a_dynamic_child_that_declines(
    clock: MockClock, journal: Journal, restart: str
) -> None:
    """
    Of a dynamic child that declines nothing is kept, whatever its restart type.
    """
    journal.decline("c1", 1)
    async with tree(journal, s=dynamic("s")) as t:
        s = t.s
        await s.add(member(journal, "c1", restart=restart))
        await t.calm()
        assert t.counts() == (0, 0)
        assert t.told("slot.crashed") == []
    assert s.end == "shutdown"
    assert journal.lines == ["no c1"]
