# What must hold of a supervisor whatever happens. What OTP's suites ask is in tests/conformance.

from contextlib import suppress

import pytest
import trio
from conformance.kit import Journal, Member, member, tree
from trio.testing import MockClock

from greenroom.actors import StartFailed, handles
from greenroom.bridges.testing import virtual_clock
from greenroom.supervisor import (
    ChildSpec,
    DynamicSpec,
    Options,
    Supervisor,
    SupervisorSpec,
    SupervisorStopping,
    current_root,
)


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


@pytest.fixture
def journal() -> Journal:
    return Journal()


async def test_reverse(clock: MockClock, journal: Journal) -> None:
    """
    REVERSE: a tree stops in reverse start order, each level before the one above goes on.
    """
    inner = SupervisorSpec(name="in", children=[member(journal, "x"), member(journal, "y")])
    deep = SupervisorSpec(name="mid", children=[member(journal, "m"), inner])
    async with tree(journal, [member(journal, "a"), deep, member(journal, "z")]):
        assert journal.lines == ["+a", "+m", "+x", "+y", "+z"]
    assert journal.since(5) == ["-z", "-y", "-x", "-m", "-a"]


async def test_once(clock: MockClock, journal: Journal) -> None:
    """
    ONCE: two members that crash in one moment are restarted together, once.
    """
    children = [member(journal, name) for name in "abc"]
    async with tree(journal, children, strategy="one_for_all", max_restarts=5) as t:
        t.tell("a", "crash")
        t.tell("c", "crash")
        await t.calm(1)
        assert t.epochs() == {"a": 2, "b": 2, "c": 2}
        assert len(t.events("supervisor.restarting")) == 1


async def test_no_orphan(clock: MockClock, journal: Journal) -> None:
    """
    NO ORPHAN: when a supervisor itself fails, its children are stopped, and it begins anew.
    """
    children = [member(journal, "a"), member(journal, "b")]
    async with tree(journal, children, strategy="one_for_all") as t:
        s = t.s

        async def fail(*crash: object) -> None:
            raise RuntimeError("a bug")

        s._answer = fail
        t.tell("a", "crash")
        await t.calm()
        del s._answer
        await t.calm(1)
        assert journal.since(2) == ["-b", "-a", "+a", "+b"]
        assert t.states() == {"a": "running", "b": "running"}
        assert len(t.events("supervisor.crashed")) == 1


@pytest.mark.parametrize("whose", ["/residents/s", "/residents"])
@pytest.mark.parametrize("fault", ["_stop", "_ask_to_stop", "_stop_all", "_child_ended"])
async def test_no_orphan_of_two_faults(
    clock: MockClock, journal: Journal, fault: str, whose: str
) -> None:
    """
    NO ORPHAN: nor when what ends the children, or notes their end, fails as well.
    """
    async with tree(journal, [member(journal, "a"), member(journal, "b")]) as t:
        faulty = t.server.root.supervisor(whose)

        def fail(*_: object) -> None:
            faulty.__dict__.pop("_is_over", None)
            raise RuntimeError("a bug")

        setattr(faulty, fault, fail)
        faulty._is_over = fail
        faulty._bell.wake()
        await t.calm(1)
        delattr(faulty, fault)
        await t.calm(60)
        assert journal.since(2)[:4] == ["-b", "-a", "+a", "+b"]
        assert t.states() == {"a": "running", "b": "running"}
    assert journal.lines[-2:] == ["-b", "-a"]
    assert sum(line[0] == "+" for line in journal.lines) == len(journal.lines) / 2


@pytest.mark.parametrize("fault", ["_has_next", "_ordered"])
async def test_a_fault_of_the_topmost(clock: MockClock, journal: Journal, fault: str) -> None:
    """
    NO ORPHAN: the residents' own supervisor has nobody above; the root is down, and can be stopped.
    """

    def fail(*_: object) -> None:
        raise RuntimeError("a bug")

    async with tree(journal, [member(journal, "a"), member(journal, "b")]) as t:
        residents = t.server.root.residents
        residents._serve = residents._is_over = fail
        setattr(residents, fault, fail)
        residents._bell.wake()
        await t.calm(1)
        assert journal.since(2) == ["-b", "-a"]
        assert t.server.root.state == "down"
        began = trio.current_time()
    assert trio.current_time() - began < 1


async def test_asked(clock: MockClock, journal: Journal) -> None:
    """
    ASKED: a stop while a group backs off or starts is obeyed at once; nobody is left.
    """
    children = [member(journal, name, slow=1) for name in "abc"]
    async with tree(journal, children, strategy="one_for_all") as t:
        s = t.s
        t.tell("b", "crash")
        await trio.sleep(1.5)  # a is up again, b is starting
        assert t.states() == {"a": "running", "b": "starting", "c": "waiting"}
    assert s.end == "shutdown"
    assert journal.lines[-1] == "-a"
    assert not any(node.state == "running" for node in s.snapshot().walk())


async def test_asked_while_a_sibling_is_slow_to_make_room(
    clock: MockClock, journal: Journal
) -> None:
    """
    ASKED: a stop does not wait for a sibling that takes its time to make room for the group.
    """
    children = [member(journal, "a"), member(journal, "b", shutdown_seconds=3)]
    async with tree(journal, children, strategy="one_for_all") as t:
        t.tell("b", "wait", seconds=1000)
        await t.calm()
        t.tell("a", "crash")
        await t.calm(1)
        assert t.states() == {"a": "waiting", "b": "running"}
        s, began = t.s, trio.current_time()
    assert trio.current_time() - began < 4
    assert s.end == "shutdown"
    assert t.events("slot.unkillable") == []
    assert [line for line in journal.lines if line.startswith("-")] == ["-b", "-a"]


async def test_asked_while_it_gives_up(clock: MockClock, journal: Journal) -> None:
    """
    ASKED: a stop that comes while a supervisor stops its children to begin anew ends it.
    """
    children = [member(journal, "a"), member(journal, "b", stubborn=2)]
    async with tree(journal, children, max_restarts=0) as t:
        s = t.s
        t.tell("a", "crash")
        await t.calm(1)
        assert s.state == "stopping"
        await t.server.root.supervisor("/residents").stop_child("s")
        assert s.state == "ended"
        await t.calm(60)
        assert journal.lines.count("+b") == 1
        assert t.events("slot.unkillable") == []


async def test_asked_while_a_child_makes_room(clock: MockClock, journal: Journal) -> None:
    """
    ASKED: so does one that comes while a permanent child, which had stopped itself, cleans up.
    """
    async with tree(journal, [member(journal, "a", stubborn=2)]) as t:
        t.tell("a", "stop")
        await t.calm(1)
        await t.s.stop_child("a")
        await t.calm(60)
        assert journal.lines == ["+a", "-a"]
        assert t.states() == {"a": "ended"}
        assert t.events("slot.unkillable") == []


async def test_a_start_that_a_stop_cuts_short(clock: MockClock, journal: Journal) -> None:
    """
    add() does not return as if a child served whose supervisor was asked to stop meanwhile.
    """
    refused: list[str] = []

    async def add(s: Supervisor) -> None:
        try:
            await s.add(member(journal, "slow", slow=5))
        except StartFailed as error:
            refused.append(str(error))

    async with tree(journal, []) as t:
        t.server.start_soon(add, t.s)
        await t.calm(1)
        await t.server.root.supervisor("/residents").stop_child("s")
        await t.calm()
    assert len(refused) == 1
    assert refused[0].endswith("failed to start: its supervisor was asked to stop meanwhile")


class Client(Member):
    """Calls its sibling *a*, for as long as that takes."""

    @handles("ask")
    async def on_ask(self, message: dict[str, object]) -> None:
        await self.find("/residents/s/a").call({"type": "epoch"}, timeout=3600)
        self.journal.write("answered")


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
async def test_who_waits_for_a_crashed_sibling(
    strategy: str, clock: MockClock, journal: Journal
) -> None:
    """
    A group's restart does not wait for a handler that waits for the sibling which has crashed.
    """
    client = ChildSpec(actor=Client, name="b", kwargs={"journal": journal, "name": "b"})
    async with tree(journal, [member(journal, "a"), client], strategy=strategy) as t:
        t.tell("a", "wait", seconds=1)
        t.tell("a", "crash")
        await t.calm()
        t.tell("b", "ask")
        await t.calm()
        assert t.node("b").facts["calls"] == "/residents/s/a"
        await t.calm(1)
        assert journal.since(2) == ["-b", "+a", "+b"]
        assert t.epochs() == {"a": 2, "b": 2}
        assert [event.path for event in t.events("slot.crashed")] == ["/residents/s/a"]
        assert [event.path for event in t.events("call.skipped")] == ["/residents/s/a"]
        t.tell("b", "ask")
        await t.calm()
        assert journal.lines[-1] == "answered"
        assert "calls" not in t.node("b").facts


async def test_an_end_says_how_long_it_took(clock: MockClock, journal: Journal) -> None:
    """
    The event of an end says how long it took since it was asked for; of one by itself it does not.
    """
    children = [member(journal, "a", stubborn=2), member(journal, "b", restart="transient")]
    async with tree(journal, children) as t:
        t.tell("b", "stop")
        await t.s.stop_child("a")
        b, a = t.events("slot.ended")
        assert (a.path, a.facts["seconds"]) == (f"{t.s.path}/a", 2)
        assert "seconds" not in b.facts


async def test_asked_while_an_operator_stops_a_stubborn_child(
    clock: MockClock, journal: Journal
) -> None:
    """
    ASKED: a stop by hand that takes its time does not take that of the others at the end.
    """
    children = [member(journal, "a"), member(journal, "b")]
    options = Options(total_shutdown_seconds=8)
    refused: list[str] = []

    async def stop(s: Supervisor) -> None:
        try:
            await s.stop_child("b")
        except SupervisorStopping as error:
            refused.append(str(error))

    async with tree(journal, children, options=options) as t:
        t.tell("b", "busy", seconds=30)
        await t.calm()
        t.server.start_soon(stop, t.s)
        await t.calm()
        t.server.root.stop()
        await trio.sleep(7)
        assert journal.since(2) == ["-a"]
        assert refused == ["/residents/s is stopping: it takes no requests"]


async def test_a_hurry_reaches_every_level(clock: MockClock, journal: Journal) -> None:
    """
    The end of all time is kept by a supervisor, too, that was stopped by hand before it came.
    """
    inner = SupervisorSpec(name="in", children=[member(journal, "x"), member(journal, "y")])
    options = Options(total_shutdown_seconds=8)
    async with tree(journal, [member(journal, "a"), inner], options=options) as t:
        t.tell("in/y", "busy", seconds=60)
        await t.calm()
        t.server.start_soon(_stop_inner, t.s)
        await t.calm()
        t.server.root.stop()
        await trio.sleep(7)
        assert journal.since(3) == ["-x", "-a"]
        unkillable = [event.path for event in t.events("slot.unkillable")]
        assert unkillable == ["/residents/s/in/y"]


async def _stop_inner(s: Supervisor) -> None:
    with suppress(SupervisorStopping):
        await s.stop_child("in")


class Asker(Member):
    """Asks its supervisor for a sibling, as it starts or right behind that."""

    async def started(self) -> None:
        if self.name == "early":
            await self.ask()

    async def after_start(self) -> None:
        if self.name == "late":
            await self.ask()
            self.journal.write("asked")

    async def ask(self) -> None:
        s = current_root().supervisor("/residents/s")
        await s.add(member(self.journal, "sibling"))


async def test_asked_by_a_child_that_starts(clock: MockClock, journal: Journal) -> None:
    """
    What a child asks its supervisor for in started() is refused, at once; in after_start() not.
    """
    early, late = (
        ChildSpec(actor=Asker, name=name, kwargs={"journal": journal, "name": name})
        for name in ("early", "late")
    )
    async with tree(journal, []) as t:
        began = trio.current_time()
        with pytest.raises(StartFailed, match="/s/early asked /residents/s .* in after_start()"):
            await t.s.add(early)
        assert trio.current_time() == began
        await t.s.add(late)
        await t.calm()
        assert journal.lines == ["-early", "+sibling", "asked"]
        assert t.states() == {"late": "running", "sibling": "running"}


async def test_all_are_in_a_hurry(clock: MockClock, journal: Journal) -> None:
    """
    Supervisors below a dynamic one, which all stop, learn at once that there is less time.
    """
    below = [
        SupervisorSpec(
            name=name,
            children=[
                member(journal, f"{name}1", stubborn=0.5),
                member(journal, f"{name}2", stubborn=8),
            ],
        )
        for name in "abc"
    ]
    async with tree(journal, [DynamicSpec(name="d")]) as t:
        d = t.server.root.supervisor("/residents/s/d")
        for each in below:
            await d.add(each)
        t.server.start_soon(t.s.stop_child, "d")
        await trio.sleep(1)
        d.hurry(trio.current_time() + 2)
        await d.ended.wait()
        paths = sorted(event.path for event in t.events("slot.unkillable"))
        assert paths == [f"{d.path}/{name}/{name}2" for name in "abc"]
