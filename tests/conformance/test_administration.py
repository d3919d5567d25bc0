# Administration: reference scenarios 44, 58, 59, 89; and nested supervisors as children.

import pytest
import trio
from conformance.kit import (
    ActorNotFound,
    AlreadyStarted,
    ChildNotFound,
    DescribeFailed,
    Journal,
    member,
    supervisor,
    tree,
)
from trio.testing import MockClock


async def test_58_not_found(clock: MockClock, journal: Journal) -> None:
    """
    Whatever is asked about a child that S does not have is refused by its name.
    """
    async with tree(journal, [member(journal, "a")]) as t:
        for act in (t.s.stop_child, t.s.start_child, t.s.restart_child, t.s.delete_child):
            with pytest.raises(ChildNotFound, match="'x'"):
                await act("x")
        assert t.states() == {"a": "running"}


@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
async def test_59_a_stop_by_hand(clock: MockClock, journal: Journal, restart: str) -> None:
    """
    A child that was stopped by hand keeps its spec; a temporary one is forgotten.
    """
    async with tree(journal, [member(journal, "a", restart=restart)]) as t:
        await t.s.stop_child("a")
        assert t.counts() == (0 if restart == "temporary" else 1, 0)
        with pytest.raises(ActorNotFound):
            t.ref("a")


async def test_89_inspecting_state(clock: MockClock, journal: Journal) -> None:
    """
    State is shown between messages and while suspended; an error of that is the operator's only.
    """
    async with tree(journal, [member(journal, "a")]) as t:
        t.tell("a", "wait", seconds=2)
        await t.calm()
        began = trio.current_time()
        assert await t.describe("a") == {"name": "a", "epoch": 1}
        assert trio.current_time() - began == pytest.approx(1.95)
        t.suspend("a", 60)
        t.tell("a", "crash")
        assert await t.describe("a") == {"name": "a", "epoch": 1}
        assert t.states() == {"a": "suspended"}
        journal.blind = True
        with pytest.raises(DescribeFailed, match="OSError: can't see"):
            await t.describe("a")
        assert (t.states(), t.epochs()) == ({"a": "suspended"}, {"a": 1})
        journal.blind = False
        t.resume("a")
        await t.calm()
        assert await t.describe("a") == {"name": "a", "epoch": 2}


async def test_a_child_stopped_by_hand_stays_down(clock: MockClock, journal: Journal) -> None:
    """
    Unlike in OTP a sibling's restart does not bring back what an operator has stopped.
    """
    children = [member(journal, "a"), member(journal, "b")]
    async with tree(journal, children, strategy="one_for_all") as t:
        await t.s.stop_child("b")
        t.tell("a", "crash")
        await t.calm()
        assert t.states() == {"a": "running", "b": "ended"}
        await t.s.start_child("b")
        assert t.states() == {"a": "running", "b": "running"}


async def test_an_ended_transient_comes_back_with_its_group(
    clock: MockClock, journal: Journal
) -> None:
    """
    As in OTP a group's restart starts all but temporary ones, also one that had ended.
    """
    children = [member(journal, "a"), member(journal, "b", restart="transient")]
    async with tree(journal, children, strategy="one_for_all") as t:
        t.tell("b", "stop")
        await t.calm()
        t.tell("a", "crash")
        await t.calm()
        assert t.states() == {"a": "running", "b": "running"}


async def test_restart_by_hand(clock: MockClock, journal: Journal) -> None:
    """
    A restart by hand stops and starts, costs no budget, and gives a new reference.
    """
    async with tree(journal, [member(journal, "a")]) as t:
        old = t.ref("a")
        await t.s.restart_child("a")
        assert journal.lines == ["+a", "-a", "+a"]
        assert not old.alive
        assert t.ref("a") != old
        assert t.node("a").restarts_left == 3


async def test_delete(clock: MockClock, journal: Journal) -> None:
    """
    Only a stopped child can be deleted, which forgets it.
    """
    async with tree(journal, [member(journal, "a")]) as t:
        with pytest.raises(AlreadyStarted):
            await t.s.delete_child("a")
        await t.s.stop_child("a")
        await t.s.delete_child("a")
        assert t.counts() == (0, 0)


async def test_added_children_are_last(clock: MockClock, journal: Journal) -> None:
    """
    An added child stands behind the others: under rest_for_one it goes with each of them.
    """
    async with tree(journal, [member(journal, "a")], strategy="rest_for_one") as t:
        await t.s.add(member(journal, "b"))
        t.tell("a", "crash")
        await t.calm()
        assert journal.lines == ["+a", "+b", "-b", "+a", "+b"]


async def test_pages(clock: MockClock, journal: Journal) -> None:
    """
    Children are listed in pages, in start order.
    """
    async with tree(journal, [member(journal, f"n{n}") for n in range(25)]) as t:
        pages = [[child.name for child in t.s.children(at, 10)] for at in (0, 10, 20, 30)]
        assert [len(page) for page in pages] == [10, 10, 5, 0]
        assert [*pages[0], *pages[1], *pages[2]] == [f"n{n}" for n in range(25)]
        with pytest.raises(ValueError, match="-1"):
            t.s.children(-1)


async def test_requests_are_served_in_turn(clock: MockClock, journal: Journal) -> None:
    """
    Requests of several tasks are served one after the other; a cancelled one leaves the line.
    """
    async with tree(journal, []) as t, trio.open_nursery() as nursery:
        for name in "ab":
            nursery.start_soon(t.s.add, member(journal, name, slow=1))
        await t.calm()
        with trio.move_on_after(0.5):
            await t.s.add(member(journal, "never"))
    assert sorted(journal.lines[:2]) == ["+a", "+b"]
    assert "+never" not in journal.lines


async def test_a_crash_below_a_nested_supervisor(clock: MockClock, journal: Journal) -> None:
    """
    A nested supervisor that gives up is restarted by the one above, whole; its sibling stays.
    """
    inner = supervisor("in", children=[member(journal, "x"), member(journal, "y")], max_restarts=0)
    async with tree(journal, [member(journal, "a"), inner]) as t:
        t.tell("in/x", "crash")
        await t.calm(1)
        assert journal.since(3) == ["-x", "-y", "+x", "+y"]
        assert t.epochs()["a"] == 1
        assert t.states() == {"a": "running", "in": "running"}


async def test_giving_up_climbs(clock: MockClock, journal: Journal) -> None:
    """
    A supervisor whose child supervisor gives up too often gives up itself; the root stands.
    """
    inner = supervisor("in", children=[member(journal, "x")], max_restarts=0)
    async with tree(journal, [inner], max_restarts=1) as t:
        for _ in range(2):
            t.tell("in/x", "crash")
            await t.calm(1)
        assert t.told("supervisor.gave_up") == ["in", "in", ""]
        assert t.up
        assert t.states() == {"in": "running"}


async def test_parking(clock: MockClock, journal: Journal) -> None:
    """
    on_exceeded="park": S stops its children, rests, and begins anew with a fresh budget.
    """
    async with tree(journal, [member(journal, "a")], max_restarts=0, on_exceeded="park") as t:
        t.tell("a", "crash")
        await t.calm(1)
        assert t.s.state == "parked"
        assert t.problems() == ["s"]
        assert t.above() == 0
        await t.calm(30)
        assert t.states() == {"a": "running"}
        assert t.problems() == []


async def test_escalation_of_one_child(clock: MockClock, journal: Journal) -> None:
    """
    A child that escalates, where budgets are each child's own, makes S give up.
    """
    child = member(journal, "a", max_restarts=0, on_exceeded="escalate")
    async with tree(journal, [child, member(journal, "b")], budget="child") as t:
        t.tell("a", "crash")
        await t.calm(1)
        assert t.told("supervisor.gave_up") == [""]
        assert t.states() == {"a": "running", "b": "running"}
        assert t.epoch() == 2


async def test_44_a_child_that_cannot_restart_is_stopped(
    clock: MockClock, journal: Journal
) -> None:
    """
    While a group backs off its supervisor answers: who fails for ever is stopped, the rest go on.
    """
    children = [member(journal, "a"), member(journal, "b"), member(journal, "c")]
    spec = {"strategy": "one_for_all", "max_restarts": 1000}
    async with tree(journal, children, **spec) as t:
        journal.fail("b", *[True] * 1000)
        t.tell("b", "crash")
        await t.calm(60)
        assert t.states() == dict.fromkeys("abc", "waiting")
        await t.s.stop_child("b")
        await t.s.delete_child("b")
        await t.s.add(member(journal, "d"))
        await t.calm(31)
        assert t.states() == dict.fromkeys("acd", "running")
        assert journal.lines[-3:] == ["+d", "+a", "+c"]


async def test_a_member_restarted_by_hand_while_its_group_backs_off(
    clock: MockClock, journal: Journal
) -> None:
    """
    It serves at once; the group goes on around it.
    """
    children = [member(journal, "a"), member(journal, "b")]
    options = {"backoff_min_seconds": 10, "backoff_max_seconds": 10}
    async with tree(journal, children, options=options, strategy="one_for_all") as t:
        for _ in range(2):
            t.tell("b", "crash")  # the second in the window: 10 s
            await t.calm(1)
        assert t.states() == {"a": "waiting", "b": "waiting"}
        await t.s.restart_child("b")
        assert t.states() == {"a": "waiting", "b": "running"}
        await t.calm(10)
        assert t.states() == {"a": "running", "b": "running"}
        assert journal.lines.count("+b") == 3


async def test_a_child_added_while_a_group_backs_off_crashes(
    clock: MockClock, journal: Journal
) -> None:
    """
    Its crash, or that of a member restarted by hand, leaves nobody of the group behind.
    """
    children = [member(journal, name) for name in "abc"]
    options = {"backoff_min_seconds": 10, "backoff_max_seconds": 10}
    spec = {"strategy": "rest_for_one", "max_restarts": 1000}
    async with tree(journal, children, options=options, **spec) as t:
        for _ in range(2):
            t.tell("b", "crash")  # the second in the window: 10 s
            await t.calm(1)
        await t.s.add(member(journal, "d"))
        await t.s.restart_child("c")
        t.tell("d", "crash")
        t.tell("c", "crash")
        await t.calm(1)
        assert t.states() == {"a": "running", "b": "waiting", "c": "waiting", "d": "waiting"}
        await t.calm(30)
        assert t.states() == dict.fromkeys("abcd", "running")
