# Stopping: reference scenarios 46 to 56, N6 and N7.

import trio
from conformance.kit import Journal, member, tree
from trio.testing import MockClock

from greenroom.supervisor import ChildSpec, SupervisorSpec, SupervisorStopping


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
        t.tell("b", "busy", seconds=40)
        await t.calm()
        s = t.s
        await trio.sleep(0)
        t.server.start_soon(_stop, t)
        await trio.sleep(30)
        [event] = t.events("slot.unkillable")
        assert event.path == "/residents/s/b"
        assert "in on_busy" in event.facts["stack"]
        assert journal.since(3) == ["-c", "-a"]
        assert s.ended.is_set()
    assert journal.lines[-1] == "-b"  # in its own time, and nobody waited for it


async def _stop(t) -> None:
    await t.server.root.supervisor("/residents").stop_child("s")


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
        t.server.start_soon(_stop, t)
        await trio.sleep(1)
        await add(s)
        await trio.sleep(5)
        await add(s)
    assert refused == ["/residents/s is stopping: it takes no requests"] * 2
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
    assert SupervisorSpec(name="s") == SupervisorSpec(name="s")
    assert isinstance(SupervisorSpec(name="s", children=[]).children, tuple)
    assert ChildSpec.__dataclass_params__.frozen
