# Restart types: reference scenarios 19 to 27.

import pytest
from conformance.kit import Journal, member, tree
from trio.testing import MockClock


async def test_19_permanent_normal(clock: MockClock, journal: Journal) -> None:
    """
    A permanent child that ends by itself is restarted, and says its last words before.
    """
    async with tree(journal, [member(journal, "a")], max_restarts=2) as t:
        t.tell("a", "stop")
        await t.calm()
        assert journal.lines == ["+a", "-a", "+a"]
        assert t.epochs() == {"a": 2}
        assert t.counts() == (1, 1)


@pytest.mark.parametrize("reason", ["shutdown", "shutdown: maintenance"])
async def test_20_permanent_shutdown(clock: MockClock, journal: Journal, reason: str) -> None:
    """
    Whatever reason a permanent child gives for its end, it is restarted.
    """
    async with tree(journal, [member(journal, "a")]) as t:
        t.tell("a", "stop", reason=reason)
        await t.calm()
        assert t.epochs() == {"a": 2}


async def test_20_a_permanent_child_that_keeps_ending_spends_the_budget(
    clock: MockClock, journal: Journal
) -> None:
    """
    Restarts behind an end by itself are counted like those behind crashes.
    """
    async with tree(journal, [member(journal, "a")], max_restarts=1, on_exceeded="stop") as t:
        s = t.s
        for _ in range(2):
            t.tell("a", "stop")
            await t.calm()
        assert s.ended.is_set()


async def test_21_permanent_abnormal(clock: MockClock, journal: Journal) -> None:
    """
    A permanent child that crashes is restarted, without last words of the one that crashed.
    """
    async with tree(journal, [member(journal, "a")]) as t:
        t.tell("a", "crash")
        await t.calm()
        assert journal.lines == ["+a", "+a"]


async def test_22_transient_normal(clock: MockClock, journal: Journal) -> None:
    """
    A transient child that ends by itself stays listed, and is not running.
    """
    async with tree(journal, [member(journal, "a", restart="transient")]) as t:
        t.tell("a", "stop")
        await t.calm()
        assert t.counts() == (1, 0)
        assert t.states() == {"a": "ended"}
        assert t.problems() == []


async def test_23_transient_is_started_by_hand(clock: MockClock, journal: Journal) -> None:
    """
    A transient child that has ended is started again by hand.
    """
    async with tree(journal, [member(journal, "a", restart="transient")]) as t:
        t.tell("a", "stop")
        await t.calm()
        await t.s.start_child("a")
        assert t.states() == {"a": "running"}


async def test_24_transient_abnormal(clock: MockClock, journal: Journal) -> None:
    """
    A transient child that crashes is restarted.
    """
    async with tree(journal, [member(journal, "a", restart="transient")]) as t:
        t.tell("a", "crash")
        await t.calm()
        assert t.epochs() == {"a": 2}


@pytest.mark.parametrize("how", ["stop", "crash", "kill"])
@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
async def test_25_temporary(clock: MockClock, journal: Journal, how: str, strategy: str) -> None:
    """
    A temporary child is never restarted and forgotten at its end; its spec can be added again.
    """
    children = [member(journal, "a", restart="temporary"), member(journal, "b")]
    async with tree(journal, children, strategy=strategy) as t:
        t.tell("a", how)
        await t.calm()
        assert t.epochs() == {"b": 1}
        await t.s.add(member(journal, "a", restart="temporary"))
        assert t.epochs() == {"b": 1, "a": 1}


async def test_n9_fatal(clock: MockClock, journal: Journal) -> None:
    """
    SystemExit in a handler is no crash: not restarted, not counted, its siblings go on.
    """
    children = [member(journal, "a"), member(journal, "b")]
    async with tree(journal, children, strategy="one_for_all") as t:
        t.tell("a", "kill")
        await t.calm()
        assert t.states() == {"a": "ended", "b": "running"}
        assert t.epochs()["b"] == 1
        assert t.node("b").restarts_left == 3
