# What is told of a supervisor as a whole: that it rests, waits, begins anew, and has ended.

import pytest
from conformance.kit import Journal, Tree, member, supervisor, tree
from trio.testing import MockClock

from greenroom.bridges.testing import virtual_clock


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


@pytest.fixture
def journal() -> Journal:
    return Journal()


def told_of(t: Tree, path: str) -> list[str]:
    """What was told of a supervisor, in order."""
    return [event.kind for event in t.server.root.events.recent(1000, path=path)]


async def test_it_is_parked(clock: MockClock, journal: Journal) -> None:
    """
    A supervisor that gives up and rests says for how long, and that it has begun anew.
    """
    async with tree(journal, [member(journal, "a")], max_restarts=0, on_exceeded="park") as t:
        t.tell("a", "crash")
        await t.calm(1)
        [event] = t.events("supervisor.parked")
        assert event.facts["seconds"] == t.server.root.options.park_seconds
        await t.calm(t.server.root.options.park_seconds)
        assert told_of(t, "/residents/s") == [
            "supervisor.started", "supervisor.gave_up", "supervisor.parked", "supervisor.started",
        ]  # fmt: skip


async def test_it_waits_and_ends(clock: MockClock, journal: Journal) -> None:
    """
    A supervisor whose restart is put off says for how long; one that is stopped, that it ended.
    """
    inner = supervisor("in", children=[member(journal, "x")], max_restarts=0)
    async with tree(journal, [inner], max_restarts=5) as t:
        for _ in range(2):
            t.tell("in/x", "crash")
            await t.calm(1)
        [event] = t.events("supervisor.backing_off")
        assert event.facts["seconds"] > 0
        await t.s.stop_child("in")
        assert told_of(t, "/residents/s/in")[-2:] == ["supervisor.started", "supervisor.ended"]


async def test_a_significant_child_ends_it(clock: MockClock, journal: Journal) -> None:
    """
    A supervisor that ends because a significant child has says which.
    """
    child = member(journal, "a", restart="temporary", significant=True)
    async with tree(journal, [child], auto_shutdown="any_significant", restart="transient") as t:
        t.tell("a", "stop")
        await t.calm()
        [event] = t.events("supervisor.auto_shutdown")
        assert event.facts["child"] == "/residents/s/a"
        assert told_of(t, "/residents/s")[-1] == "supervisor.ended"
