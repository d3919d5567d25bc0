# Children that come and go: reference scenarios 5, 26, 44, 48 to 50, 58, 60, 61, 63, 66, 77.

import weakref
from collections.abc import Callable
from typing import Any

import pytest
import trio
from conformance.kit import (
    ActorNotFound,
    AlreadyStarted,
    ChildNotFound,
    Journal,
    StartFailed,
    SupervisorStopping,
    TooManyChildren,
    collected,
    counted,
    dynamic,
    idle,
    marked,
    member,
    partitions,
    tree,
)
from trio.testing import MockClock


async def test_beside(clock: MockClock, journal: Journal) -> None:
    """
    BESIDE: ten slow starts take as long as one; so do ten slow ends.
    """
    async with tree(journal, s=dynamic("s")) as t, trio.open_nursery() as nursery:
        began = trio.current_time()
        async with trio.open_nursery() as starts:
            for n in range(10):
                starts.start_soon(t.s.add, member(journal, f"c{n}", slow=3, stubborn=2))
        assert trio.current_time() - began < 4
        assert t.s.counts().active == 10
        began = trio.current_time()
        nursery.cancel_scope.cancel()
    assert trio.current_time() - began < 3
    assert len(journal.lines) == 20


async def test_bounded(clock: MockClock, journal: Journal) -> None:
    """
    BOUNDED: of three that start at once one is refused, and who backs off counts.
    """
    refused: list[str] = []

    async def add(name: str) -> None:
        try:
            await t.s.add(member(journal, name, slow=1))
        except TooManyChildren as error:
            refused.append(str(error))

    async with tree(journal, s=dynamic("s", max_children=2)) as t:
        async with trio.open_nursery() as starts:
            for name in "abc":
                starts.start_soon(add, name)
        assert len(refused) == 1
        assert "has 2 children" in refused[0]
        for _ in range(2):
            t.tell(t.s.children()[0].name, "crash")
            await trio.sleep(0.02)
        assert t.s.counts().active == 1
        await add("late")
        assert len(refused) == 2


@pytest.mark.parametrize("how", ["stop", "crash", "kill"])
@pytest.mark.parametrize("restart", ["transient", "temporary"])
async def test_26_forgotten(clock: MockClock, journal: Journal, how: str, restart: str) -> None:
    """
    FORGOTTEN: who has ended for good has left the tree; a transient one that crashes has not.
    """
    async with tree(journal, s=dynamic("s")) as t:
        await t.s.add(member(journal, "a", restart=restart))
        t.tell("a", how)
        await trio.sleep(1)
        lives = restart == "transient" and how == "crash"
        assert t.counts() == ((1, 1) if lives else (0, 0))
        if not lives:
            with pytest.raises(ActorNotFound):
                t.ref("a")
            await t.s.add(member(journal, "a"))
            assert t.ref("a").alive


async def test_44_children_that_cannot_restart_are_counted(
    clock: MockClock, journal: Journal
) -> None:
    """
    Two of three can't restart: one is active, three are there; when they can, three are active.
    """
    options = {"backoff_max_seconds": 1}
    async with tree(journal, s=dynamic("s"), options=options) as t:
        for name in "abc":
            await t.s.add(member(journal, name, max_restarts=None))
        for name in "ab":
            journal.fail(name, *[True] * 5)
            t.tell(name, "crash")
        await trio.sleep(0.05)
        assert (t.s.counts().active, t.s.counts().workers) == (1, 3)
        await trio.sleep(60)
        assert (t.s.counts().active, t.s.counts().workers) == (3, 3)


async def test_49_stopping_takes_as_long_as_the_slowest(clock: MockClock, journal: Journal) -> None:
    """
    Three children with 2 s to stop, of which one is busy for ever: all are down in about two.
    """
    async with tree(journal, s=dynamic("s")) as t:
        for name in "abc":
            await t.s.add(member(journal, name, shutdown_seconds=2))
        t.tell("c", "wait", seconds=1000)
        await trio.sleep(0.1)
        began = trio.current_time()
    assert 2 <= trio.current_time() - began < 3
    assert t.told("slot.unkillable") == []


async def test_an_unkillable_child_holds_up_nobody(clock: MockClock, journal: Journal) -> None:
    """
    One that shields itself is reported unkillable; the others have stopped long before.
    """
    async with tree(journal, s=dynamic("s")) as t:
        for name in "abc":
            await t.s.add(member(journal, name, shutdown_seconds=1))
        t.tell("a", "busy", seconds=20)
        await trio.sleep(0.1)
        await t.stop_s()
        assert sorted(journal.lines[3:]) == ["-b", "-c"]
        assert t.told("slot.unkillable") == ["a"]


async def test_58_administration(clock: MockClock, journal: Journal) -> None:
    """
    A stop by name works once; then there is no such child, and nobody else is touched.
    """
    async with tree(journal, s=dynamic("s")) as t:
        await t.s.add(member(journal, "a"))
        await t.s.add(member(journal, "b"))
        with pytest.raises(AlreadyStarted):
            await t.s.add(member(journal, "b"))
        with pytest.raises(AlreadyStarted):
            await t.s.start_child("b")
        await t.s.stop_child("a")
        with pytest.raises(ChildNotFound):
            await t.s.stop_child("a")
        await t.s.restart_child("b")
        assert journal.lines == ["+a", "+b", "-a", "-b", "+b"]


async def test_a_failed_start_leaves_nothing(clock: MockClock, journal: Journal) -> None:
    """
    A child that fails to start, or not in time, is forgotten when add() raises.
    """
    journal.fail("a", True)
    async with tree(journal, s=dynamic("s")) as t:
        with pytest.raises(StartFailed, match="a can't start"):
            await t.s.add(member(journal, "a"))
        with pytest.raises(StartFailed, match="within 0.1 s"):
            await t.s.add(member(journal, "b", slow=5, init_seconds=0.1))
        assert t.counts() == (0, 0)


async def test_one_that_stops_takes_no_child(clock: MockClock, journal: Journal) -> None:
    """
    Adding to a dynamic supervisor that stops, or has, is refused.
    """
    async with tree(journal, s=dynamic("s")) as t:
        s = t.s
        await s.add(member(journal, "a", stubborn=2))
        t.start_soon(t.stop_s)
        await trio.sleep(1)
        for _ in range(2):
            with pytest.raises(SupervisorStopping):
                await s.add(member(journal, "late"))
            await trio.sleep(5)


REFUSED: dict[str, Callable[[], object]] = {
    "auto_shutdown": lambda: dynamic("s", auto_shutdown="any_significant"),
    "auto_shutdown of partitions": lambda: partitions(
        "s", idle(), 2, auto_shutdown="any_significant"
    ),
    "strategy": lambda: dynamic("s", strategy="one_for_all"),
    "strategy of partitions": lambda: partitions("s", idle(), 2, strategy="rest_for_one"),
    "no children": lambda: dynamic("s", max_children=0),
    "no partitions": lambda: partitions("s", idle(), 0),
}


@pytest.mark.parametrize("case", REFUSED)
def test_77_refused(case: str) -> None:
    """
    What makes no sense for children that come and go, or stand for keys, is refused.
    """
    with pytest.raises((TypeError, ValueError)):
        REFUSED[case]()


async def test_66_partitions(clock: MockClock, journal: Journal) -> None:
    """
    Each key has its partition, always the same one; numbers go round, other keys are spread.
    """
    async with tree(journal, s=partitions("s", member(journal, "shard"), 8)) as t:
        assert t.s.counts().active == 8
        for number in (-9, 0, 7, 8, 1_000_001):
            path = await t.s.partition(number).call({"type": "path"})
            assert path.rpartition("/")[2] == str(abs(number) % 8)
        keys = [f"room {n}" for n in range(1000)]
        spread = {t.s.partition(key).path for key in keys}
        assert len(spread) == 8
        assert t.s.partition("room 1") == t.s.partition("room 1") == t.s.partition(b"room 1")
        with pytest.raises(TypeError, match="1.5"):
            t.s.partition(1.5)  # type: ignore[arg-type]
        await t.s.stop_child("3")
        with pytest.raises(ActorNotFound):
            t.s.partition(3)
    async with tree(journal, s=dynamic("s")) as t:
        with pytest.raises(TypeError, match="has no partitions"):
            t.s.partition("x")


async def test_63_ten_times_as_many_cost_about_ten_times() -> None:
    """
    Starting and stopping 1,000 children takes about ten times the work of 100: no square.
    """

    async def many(n: int) -> int:
        async with tree(Journal(), s=dynamic("s")) as t:
            with counted() as work:
                async with trio.open_nursery() as starts:
                    for _ in range(n):
                        starts.start_soon(t.s.add, idle())
                assert t.s.counts().active == n
                s = t.s
                await t.stop_s()
                assert s.counts().specs == 0
            return work.steps

    await many(50)
    assert await many(1000) < 12 * await many(100)


async def test_two_stop_one_that_is_unkillable(clock: MockClock, journal: Journal) -> None:
    """
    A child that two stop at once, and then all, is given up once, and holds up nobody.
    """
    async with tree(journal, s=dynamic("s")) as t:
        s = t.s
        for name in "ab":
            await s.add(member(journal, name, shutdown_seconds=1))
        t.tell("a", "busy", seconds=100)
        await trio.sleep(0.1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(t.s.stop_child, "a")
            nursery.start_soon(t.s.stop_child, "a")
            await trio.sleep(1)
            nursery.start_soon(t.stop_s)
        assert t.told("slot.unkillable") == ["a"]
        assert journal.lines[2:] == ["-b"]
        assert t.told("supervisor.crashed") == []
        assert s.state == "ended"


async def test_a_start_that_nobody_waits_for(clock: MockClock, journal: Journal) -> None:
    """
    A child whose add() is cancelled before it serves is stopped again, and forgotten.
    """
    async with tree(journal, s=dynamic("s")) as t:
        with trio.move_on_after(1):
            await t.s.add(member(journal, "a", slow=1000))
        await trio.sleep(1)
        assert t.counts() == (0, 0)
        assert "+a" not in journal.lines


async def test_48_ten_brutal_children(clock: MockClock, journal: Journal) -> None:
    """
    Ten busy dynamic children without time to stop are cancelled at once.
    """
    async with tree(journal, s=dynamic("s")) as t:
        for n in range(10):
            await t.s.add(member(journal, f"c{n}", shutdown_seconds=0))
            t.tell(f"c{n}", "wait", seconds=1000)
        await t.calm()
        began = trio.current_time()
        await t.stop_s()
        assert trio.current_time() == began
        assert t.told("slot.unkillable") == []


async def test_50_mixed(clock: MockClock, journal: Journal) -> None:
    """
    Of two dynamic children that are busy one is waited for, the other cut off.
    """
    async with tree(journal, s=dynamic("s")) as t:
        await t.s.add(member(journal, "patient", shutdown_seconds=20))
        await t.s.add(member(journal, "brutal", shutdown_seconds=0))
        for name in ("patient", "brutal"):
            t.tell(name, "wait", seconds=10)
            t.tell(name, "note", text="not reached")
        await t.calm(1)
        began = trio.current_time()
        await t.stop_s()
        assert trio.current_time() - began == 9
        assert journal.since(2) == ["-brutal", "-patient"]


class Load:
    """Something large among the start arguments of a child."""


async def test_60_nothing_is_kept_of_a_temporary_child(clock: MockClock) -> None:
    """
    The start arguments of a temporary child are let go with it; those of a permanent one stay.
    """
    async with tree(Journal(), []) as t:
        refs: dict[str, weakref.ref[Load]] = {}
        for restart in ("temporary", "transient"):
            load = Load()
            refs[restart] = weakref.ref(load)
            await t.s.add(marked(load, restart, restart=restart))
            del load
            t.tell(restart, "stop")
        await t.calm()
        assert collected(refs["temporary"])
        assert not collected(refs["transient"])
        assert t.counts() == (1, 0)


@pytest.mark.parametrize("many", [1000, 2000])
async def test_61_counts_are_exact(clock: MockClock, many: int) -> None:
    """
    A thousand children are counted as such, and none when all have ended.
    """
    async with tree(Journal(), s=dynamic("s")) as t:
        for n in range(many):
            await t.s.add(marked(None, f"c{n}", restart="temporary"))
        counts = t.s.counts()
        assert (counts.specs, counts.active, counts.workers) == (many, many, many)
        for n in range(many):
            t.tell(f"c{n}", "stop")
        await t.calm()
        assert t.counts() == (0, 0)


async def test_a_child_that_stops_itself_by_name(clock: MockClock, journal: Journal) -> None:
    """
    A handler that has its own child stopped is cut off at its deadline: it is not unkillable.
    """
    async with tree(journal, s=dynamic("s")) as t:
        await t.s.add(member(journal, "a", shutdown_seconds=1))
        t.tell("a", "quit", supervisor=t.s)
        await trio.sleep(2)
        assert journal.lines == ["+a", "-a"]
        await trio.sleep(60)
        assert t.counts() == (0, 0)
        assert t.told("slot.unkillable") == []


async def test_a_start_that_somebody_stops(clock: MockClock, journal: Journal) -> None:
    """
    add() tells of a child that was stopped before it served, by name or with its supervisor.
    """
    refused: list[str] = []

    async def add(s: Any, name: str) -> None:
        try:
            await s.add(member(journal, name, slow=30, init_seconds=60))
        except StartFailed as error:
            refused.append(str(error).partition(": ")[2])

    async with tree(journal, s=dynamic("s")) as t:
        s = t.s
        for name in "ab":
            t.start_soon(add, s, name)
        await trio.sleep(1)
        await s.stop_child("a")
        await t.stop_s()
    assert refused == [
        "it was to stop meanwhile: stopped by hand",
        "it was to stop meanwhile: shutdown",
    ]
