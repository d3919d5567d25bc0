# Stopping: reference scenarios 46 to 48, 51, 55, 56, N6 and N7.

import pytest
import trio
from conformance.kit import Journal, SupervisorStopping, member, supervisor, tree
from trio.testing import MockClock


async def test_47_a_busy_child_is_cancelled(clock: MockClock, journal: Journal) -> None:
    """
    A child busy for 200 s is cancelled after its second; the cooperative one stops as ever.
    """
    children = [member(journal, "a"), member(journal, "b", stubborn=0, shutdown_seconds=1)]
    async with tree(journal, children) as t:
        t.tell("b", "wait", seconds=200)
        await t.calm()
        began = trio.current_time()
    assert trio.current_time() - began < 2
    assert journal.lines == ["+a", "+b", "-b", "-a"]


async def test_n7_an_unkillable_child(clock: MockClock, journal: Journal) -> None:
    """
    A child that shields itself is reported with its stack, and its siblings have their cleanup.
    """
    children = [
        member(journal, "a"),
        member(journal, "b", shutdown_seconds=1),
        member(journal, "c"),
    ]
    async with tree(journal, children) as t:
        t.tell("b", "busy", seconds=20)
        await t.calm()
        s = t.s
        t.start_soon(t.stop_s)
        await trio.sleep(30)
        [event] = t.events("slot.unkillable")
        assert t.told("slot.unkillable") == ["b"]
        assert "in on_busy" in event.facts["stack"]
        assert s.ended.is_set()
        assert journal.since(3) == ["-c", "-a", "-b"]  # which in its own time, and nobody waited


async def test_n6_an_outer_cancellation(clock: MockClock, journal: Journal) -> None:
    """
    A cancelled server stops its children one by one, in reverse, each with its cleanup done.
    """
    children = [member(journal, name, stubborn=0.3) for name in "abc"]
    with trio.CancelScope() as scope:
        async with tree(journal, children):
            scope.cancel()
            await trio.sleep_forever()
    assert journal.lines == ["+a", "+b", "+c", "-c", "-b", "-a"]


async def test_a_stopping_supervisor_takes_no_child(clock: MockClock, journal: Journal) -> None:
    """
    Adding to a supervisor that stops is refused, and also to one that has ended.
    """
    children = [member(journal, "a", stubborn=2)]
    refused: list[str] = []

    async def add(s) -> None:
        try:
            await s.add(member(journal, "late"))
        except SupervisorStopping as error:
            refused.append(str(error))

    async with tree(journal, children) as t:
        s = t.s
        t.start_soon(t.stop_s)
        await trio.sleep(1)
        await add(s)
        await trio.sleep(5)
        await add(s)
    assert len(refused) == 2
    assert "+late" not in journal.lines


async def test_56_stopping_what_has_stopped(clock: MockClock, journal: Journal) -> None:
    """
    Stopping a stopped child again is harmless; an unknown one is refused by name.
    """
    async with tree(journal, [member(journal, "a")]) as t:
        await t.s.stop_child("a")
        await t.s.stop_child("a")
        assert t.states() == {"a": "ended"}
        assert journal.lines == ["+a", "-a"]


def test_a_spec_holds_no_actor() -> None:
    """
    A supervisor's spec is data: equal specs are equal, and nothing of them lives.
    """
    assert supervisor("s") == supervisor("s")
    for spec in (supervisor("s"), member(Journal(), "a")):
        with pytest.raises(AttributeError):
            spec.name = "b"  # type: ignore[misc]


def test_46_no_deadline_is_infinite() -> None:
    """
    Unlike in OTP a child without a deadline to stop is refused.
    """
    with pytest.raises(ValueError, match=r"shutdown_seconds.*inf"):
        member(Journal(), "a", shutdown_seconds=float("inf"))


async def test_46_a_long_deadline(clock: MockClock, journal: Journal) -> None:
    """
    A child, and a supervisor, with hours to stop are given what they need, and end as asked.
    """
    inner = supervisor("in", [member(journal, "x", stubborn=600, shutdown_seconds=7200)])
    children = [member(journal, "a", stubborn=600, shutdown_seconds=7200), inner]
    options = {"disconnect_seconds": 3600, "total_shutdown_seconds": 20000}
    async with tree(journal, children, options=options) as t:
        s, began = t.s, trio.current_time()
        await t.stop_s()
        assert trio.current_time() - began == 1200
        assert s.end == "stopped by hand"
        assert t.told("slot.unkillable") == []
    assert journal.lines == ["+a", "+x", "-x", "-a"]


async def test_48_a_brutal_stop(clock: MockClock, journal: Journal) -> None:
    """
    A child without time to stop is cancelled at once; unlike in OTP it has its cleanup, too.
    """
    children = [member(journal, "a"), member(journal, "b", shutdown_seconds=0)]
    async with tree(journal, children) as t:
        t.tell("b", "wait", seconds=1000)
        await t.calm()
        began = trio.current_time()
        await t.stop_s()
        assert trio.current_time() == began
        assert journal.since(2) == ["-b", "-a"]
        assert t.told("slot.unkillable") == []


async def test_51_a_millisecond(clock: MockClock, journal: Journal) -> None:
    """
    With 1 ms to stop cooperative children end as ever; who ignores the request is given up.
    """
    children = [member(journal, name, shutdown_seconds=0.001) for name in "abc"]
    async with tree(journal, children) as t:
        t.tell("b", "busy", seconds=100)
        await t.calm()
        await t.stop_s()
        assert journal.since(3) == ["-c", "-a"]
        assert t.told("slot.unkillable") == ["b"]


async def test_55_no_time_to_close(clock: MockClock, journal: Journal) -> None:
    """
    A busy actor that has 0 seconds is cancelled in its handler; again is harmless.
    """
    async with tree(journal, [member(journal, "a", shutdown_seconds=0)]) as t:
        ref = t.ref("a")
        t.tell("a", "wait", seconds=1000)
        await t.calm()
        for _ in range(2):
            await t.s.stop_child("a")
        assert not ref.alive
        assert journal.lines == ["+a", "-a"]
