# Significant children and auto_shutdown: reference scenarios 69 to 77.

import pytest
from conformance.kit import Journal, StartFailed, StartupFailed, member, supervisor, tree
from trio.testing import MockClock


def test_69_never_and_significant(journal: Journal) -> None:
    """
    A significant child below a supervisor that never shuts down is refused.
    """
    child = member(journal, "a", restart="transient", significant=True)
    with pytest.raises(ValueError, match="'a' is significant.*'never'"):
        supervisor("s", [child])


async def test_69_never_and_significant_added(clock: MockClock, journal: Journal) -> None:
    """
    The same is refused when the child is added later.
    """
    async with tree(journal, []) as t:
        with pytest.raises(ValueError, match="'a' is significant"):
            await t.s.add(member(journal, "a", restart="transient", significant=True))


def test_70_permanent_and_significant(journal: Journal) -> None:
    """
    A permanent child can't be significant, be it an actor or a supervisor.
    """
    with pytest.raises(ValueError, match="restart='permanent'"):
        member(journal, "a", significant=True)
    with pytest.raises(ValueError, match="restart='permanent'"):
        supervisor("s", significant=True)


@pytest.mark.parametrize("how", ["stop", "crash", "kill"])
async def test_71_any_significant_temporary(clock: MockClock, journal: Journal, how: str) -> None:
    """
    any_significant: the end of a significant temporary child, however, ends S and all others.
    """
    children = [
        member(journal, "a", restart="temporary", significant=True),
        member(journal, "b"),
    ]
    spec = {"auto_shutdown": "any_significant", "restart": "transient"}
    async with tree(journal, children, **spec) as t:
        s = t.s
        t.tell("a", how)
        await t.calm()
        assert s.ended.is_set()
        assert journal.lines[-1] == "-b"
        assert t.problems() == []


async def test_72_any_significant_transient(clock: MockClock, journal: Journal) -> None:
    """
    any_significant: a crash of a transient one is restarted, S stays; its normal end ends S.
    """
    children = [member(journal, "a", restart="transient", significant=True)]
    spec = {"auto_shutdown": "any_significant", "restart": "transient"}
    async with tree(journal, children, **spec) as t:
        s = t.s
        t.tell("a", "crash")
        await t.calm(1)
        assert (s.state, t.epochs()) == ("running", {"a": 2})
        t.tell("a", "stop")
        await t.calm()
        assert s.ended.is_set()


async def test_73_all_significant(clock: MockClock, journal: Journal) -> None:
    """
    all_significant: S ends with the last of them, not with the first.
    """
    children = [
        member(journal, "a", restart="transient", significant=True),
        member(journal, "b", restart="temporary", significant=True),
        member(journal, "c"),
    ]
    spec = {"auto_shutdown": "all_significant", "restart": "transient"}
    async with tree(journal, children, **spec) as t:
        s = t.s
        t.tell("a", "stop")
        await t.calm(1)
        assert s.state == "running"
        t.tell("b", "stop")
        await t.calm(1)
        assert s.ended.is_set()
        assert journal.lines[-1] == "-c"


async def test_an_end_by_hand_does_not_count(clock: MockClock, journal: Journal) -> None:
    """
    A significant child that an operator stops, or a sibling's restart, does not end S.
    """
    children = [
        member(journal, "a"),
        member(journal, "b", restart="transient", significant=True),
    ]
    spec = {"auto_shutdown": "any_significant", "strategy": "one_for_all"}
    async with tree(journal, children, **spec) as t:
        t.tell("a", "crash")
        await t.calm()
        assert t.epochs() == {"a": 2, "b": 2}
        await t.s.stop_child("b")
        await t.calm()
        assert t.states() == {"a": "running", "b": "ended"}


async def test_a_permanent_supervisor_that_shut_down_is_restarted(
    clock: MockClock, journal: Journal
) -> None:
    """
    As in OTP: an automatic shutdown is an end by itself, which permanent answers by a restart.
    """
    children = [member(journal, "a", restart="transient", significant=True)]
    async with tree(journal, children, auto_shutdown="any_significant") as t:
        t.tell("a", "stop")
        await t.calm()
        assert t.states() == {"a": "running"}
        assert journal.lines == ["+a", "-a", "+a"]


async def test_a_significant_child_that_fails_to_start(clock: MockClock, journal: Journal) -> None:
    """
    One that never served has not ended: add() tells of it, and S stays.
    """
    spec = {"auto_shutdown": "any_significant", "restart": "transient"}
    async with tree(journal, [member(journal, "a")], **spec) as t:
        journal.fail("b", True)
        with pytest.raises(StartFailed, match="b can't start"):
            await t.s.add(member(journal, "b", restart="transient", significant=True))
        await t.calm()
        assert t.states() == {"a": "running"}


async def test_a_significant_child_that_fails_the_first_start(
    clock: MockClock, journal: Journal
) -> None:
    """
    It fails the start of the whole tree, as any child does.
    """
    journal.fail("a", True)
    children = [member(journal, "a", restart="transient", significant=True)]
    with pytest.raises(StartupFailed, match="/a failed to start: OSError"):
        async with tree(journal, children, auto_shutdown="any_significant"):
            pytest.fail("it started")


async def test_73_all_significant_are_not_all_started(clock: MockClock, journal: Journal) -> None:
    """
    all_significant: one that is to be started yet counts; S ends with it.
    """
    children = [
        member(journal, "a", brief=True, restart="transient", significant=True),
        member(journal, "b", slow=1),
        member(journal, "c", restart="transient", significant=True),
    ]
    spec = {"auto_shutdown": "all_significant", "restart": "transient"}
    async with tree(journal, children, **spec) as t:
        s = t.s
        assert t.states() == {"a": "ended", "b": "running", "c": "running"}
        t.tell("c", "stop")
        await t.calm()
        assert s.ended.is_set()


async def test_a_temporary_child_that_ends_while_others_start(
    clock: MockClock, journal: Journal
) -> None:
    """
    It is forgotten, as it is at any other time.
    """
    children = [
        member(journal, "a", brief=True, restart="temporary"),
        member(journal, "b", slow=1),
    ]
    async with tree(journal, children) as t:
        assert t.states() == {"b": "running"}
        assert t.counts() == (1, 1)
