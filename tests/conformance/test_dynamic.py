# Children that come and go: reference scenarios 5, 26, 44, 49, 50, 58, 61, 63, 66, 68, 77.

from contextvars import ContextVar
from typing import Any

import pytest
import trio
from conformance.kit import Journal, Member, member
from helpers import counted, happened, running, settle
from trio.testing import MockClock

from greenroom.actors import Actor, ActorNotFound, StartFailed, handles
from greenroom.supervisor import (
    AlreadyStarted,
    ChildNotFound,
    ChildSpec,
    DynamicSpec,
    Options,
    PartitionSpec,
    SupervisorStopping,
    TooManyChildren,
    current_root,
)

PATH = "/residents/d"
MINE: ContextVar[str] = ContextVar("mine", default="nobody's")
QUIET = Options(backoff_jitter=0)


async def test_beside(clock: MockClock, journal: Journal) -> None:
    """
    BESIDE: ten slow starts take as long as one; so do ten slow ends.
    """
    async with running(DynamicSpec(name="d")) as server, trio.open_nursery() as nursery:
        d = server.root.supervisor(PATH)
        began = trio.current_time()
        async with trio.open_nursery() as starts:
            for n in range(10):
                starts.start_soon(d.add, member(journal, f"c{n}", slow=3, stubborn=2))
        assert trio.current_time() - began < 4
        assert d.counts().active == 10
        began = trio.current_time()
        nursery.cancel_scope.cancel()
    assert trio.current_time() - began < 3
    assert len(journal.lines) == 20


async def test_bounded(clock: MockClock, journal: Journal) -> None:
    """
    BOUNDED: of three that start at once one is refused, and who backs off counts.
    """
    refused: list[str] = []

    async def add(d: Any, name: str) -> None:
        try:
            await d.add(member(journal, name, slow=1))
        except TooManyChildren as error:
            refused.append(str(error))

    async with running(DynamicSpec(name="d", max_children=2), options=QUIET) as server:
        d = server.root.supervisor(PATH)
        async with trio.open_nursery() as starts:
            for name in "abc":
                starts.start_soon(add, d, name)
        assert len(refused) == 1
        assert refused[0] == "/residents/d has 2 children, as many as it may (max_children)"
        for _ in range(2):
            d_child = next(iter(d.children())).name
            server.root.find(f"{PATH}/{d_child}").cast({"type": "crash"})
            await trio.sleep(0.02)
        assert d.counts().active == 1
        await add(d, "late")
        assert len(refused) == 2


@pytest.mark.parametrize("how", ["stop", "crash", "kill"])
@pytest.mark.parametrize("restart", ["transient", "temporary"])
async def test_forgotten(clock: MockClock, journal: Journal, how: str, restart: str) -> None:
    """
    FORGOTTEN: who has ended for good has left the tree; a transient one that crashes has not.
    """
    async with running(DynamicSpec(name="d"), options=QUIET) as server:
        d = server.root.supervisor(PATH)
        await d.add(member(journal, "a", restart=restart))
        server.root.find(f"{PATH}/a").cast({"type": how})
        await trio.sleep(1)
        lives = restart == "transient" and how == "crash"
        assert (d.counts().specs, d.counts().active) == ((1, 1) if lives else (0, 0))
        if not lives:
            with pytest.raises(ActorNotFound):
                server.root.find(f"{PATH}/a")
            assert await d.add(member(journal, "a")) == f"{PATH}/a"


async def test_44_children_that_cannot_restart_are_counted(
    clock: MockClock, journal: Journal
) -> None:
    """
    Two of three can't restart: one is active, three are there; when they can, three are active.
    """
    options = Options(backoff_jitter=0, backoff_max_seconds=1)
    async with running(DynamicSpec(name="d"), options=options) as server:
        d = server.root.supervisor(PATH)
        for name in "abc":
            await d.add(member(journal, name, max_restarts=None))
        for name in "ab":
            journal.fail(name, *[True] * 5)
            server.root.find(f"{PATH}/{name}").cast({"type": "crash"})
        await trio.sleep(0.05)
        assert (d.counts().active, d.counts().workers) == (1, 3)
        await trio.sleep(60)
        assert (d.counts().active, d.counts().workers) == (3, 3)


async def test_49_stopping_takes_as_long_as_the_slowest(clock: MockClock, journal: Journal) -> None:
    """
    Three children with 2 s to stop, of which one is busy for ever: all are down in about two.
    """
    async with running(DynamicSpec(name="d")) as server:
        d = server.root.supervisor(PATH)
        for name in "abc":
            await d.add(member(journal, name, shutdown_seconds=2))
        server.root.find(f"{PATH}/c").cast({"type": "wait", "seconds": 1000})
        await trio.sleep(0.1)
        began = trio.current_time()
    assert 2 <= trio.current_time() - began < 3
    assert happened(server, "slot.unkillable") == []


async def test_an_unkillable_child_holds_up_nobody(clock: MockClock, journal: Journal) -> None:
    """
    One that shields itself is reported unkillable; the others have stopped long before.
    """
    async with running(DynamicSpec(name="d")) as server:
        d = server.root.supervisor(PATH)
        for name in "abc":
            await d.add(member(journal, name, shutdown_seconds=1))
        server.root.find(f"{PATH}/a").cast({"type": "busy", "seconds": 20})
        await trio.sleep(0.1)
        await server.root.supervisor("/residents").stop_child("d")
        assert sorted(journal.lines[3:]) == ["-b", "-c"]
        [event] = happened(server, "slot.unkillable")
        assert event.path == f"{PATH}/a"


async def test_58_administration(clock: MockClock, journal: Journal) -> None:
    """
    A stop by name works once; then there is no such child, and nobody else is touched.
    """
    async with running(DynamicSpec(name="d")) as server:
        d = server.root.supervisor(PATH)
        await d.add(member(journal, "a"))
        await d.add(member(journal, "b"))
        with pytest.raises(AlreadyStarted):
            await d.add(member(journal, "b"))
        with pytest.raises(AlreadyStarted):
            await d.start_child("b")
        await d.stop_child("a")
        with pytest.raises(ChildNotFound):
            await d.stop_child("a")
        assert await d.restart_child("b") == f"{PATH}/b"
        assert journal.lines == ["+a", "+b", "-a", "-b", "+b"]


async def test_a_failed_start_leaves_nothing(clock: MockClock, journal: Journal) -> None:
    """
    A child that fails to start, or not in time, is forgotten when add() raises.
    """
    journal.fail("a", True)
    async with running(DynamicSpec(name="d")) as server:
        d = server.root.supervisor(PATH)
        with pytest.raises(StartFailed, match="a can't start"):
            await d.add(member(journal, "a"))
        with pytest.raises(StartFailed, match="within 0.1 s"):
            await d.add(member(journal, "b", slow=5, init_seconds=0.1))
        assert d.counts().specs == 0


async def test_classes_get_numbers() -> None:
    """
    A class that is added has a name with a number of its own.
    """

    class Session(Actor):
        pass

    async with running(DynamicSpec(name="d")) as server:
        d = server.root.supervisor(PATH)
        assert [await d.add(Session) for _ in range(2)] == [
            f"{PATH}/session-1",
            f"{PATH}/session-2",
        ]


class Looker(Actor):
    """Says what it sees of the context it runs in."""

    @handles("look")
    async def on_look(self, message: object) -> tuple[object, str]:
        return current_root(), MINE.get()


async def test_children_run_in_the_context_of_the_tree(clock: MockClock) -> None:
    """
    A child finds its tree, whoever has added it, and sees nothing of his context.
    """
    async with running(DynamicSpec(name="d")) as server:
        MINE.set("a request's")
        path = await server.root.supervisor(PATH).add(Looker)
        seen = await server.root.find(path).call({"type": "look"})
        assert seen == (server.root, "nobody's")


async def test_one_that_stops_takes_no_child(clock: MockClock, journal: Journal) -> None:
    """
    Adding to a dynamic supervisor that stops, or has, is refused.
    """
    async with running(DynamicSpec(name="d")) as server:
        d = server.root.supervisor(PATH)
        await d.add(member(journal, "a", stubborn=2))
        server.start_soon(server.root.supervisor("/residents").stop_child, "d")
        await trio.sleep(1)
        for _ in range(2):
            with pytest.raises(SupervisorStopping):
                await d.add(member(journal, "late"))
            await trio.sleep(5)


REFUSED: dict[str, tuple[type, dict[str, Any], str]] = {
    "children": (DynamicSpec, {"children": [Member]}, "starts without children.* Got: 1"),
    "strategy": (DynamicSpec, {"strategy": "one_for_all"}, "strategy 'one_for_one'"),
    "auto_shutdown": (DynamicSpec, {"auto_shutdown": "any_significant"}, "auto_shutdown 'never'"),
    "no children": (DynamicSpec, {"max_children": 0}, "max_children must be at least 1. Got: 0"),
    "partitions": (PartitionSpec, {"child": Member, "partitions": 0}, "at least 1. Got: 0"),
    "no child": (PartitionSpec, {"partitions": 2}, "a child must be .* Got: None"),
    "partition strategy": (
        PartitionSpec,
        {"child": Member, "budget": "supervisor", "strategy": "rest_for_one"},
        "strategy 'one_for_one'. Got: 'rest_for_one'",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_77_refused(case: str) -> None:
    """
    What makes no sense for children that come and go, or stand for keys, is refused.
    """
    kind, options, message = REFUSED[case]
    with pytest.raises((TypeError, ValueError), match=message):
        kind(name="d", **options)


class Shard(Actor):
    """Says which one it is."""

    @handles("who")
    async def on_who(self, message: object) -> str:
        return self.path


_whose: ContextVar[str] = ContextVar("whose", default="the tree's")


async def test_a_child_lives_in_the_context_of_its_tree() -> None:
    """
    A child has its tree for the current one, and nothing of the context of who added it.
    """

    class Curious(Actor):
        @handles("look")
        async def on_look(self, message: object) -> str:
            return f"{_whose.get()}, {current_root().state}"

    async with running(DynamicSpec(name="d")) as server:
        _whose.set("a request's")
        path = await server.root.supervisor(PATH).add(Curious)
        assert await server.root.find(path).call({"type": "look"}) == "the tree's, running"


async def test_66_partitions(clock: MockClock) -> None:
    """
    Each key has its partition, always the same one; numbers go round, other keys are spread.
    """
    async with running(PartitionSpec(name="d", child=Shard, partitions=8)) as server:
        d = server.root.supervisor(PATH)
        assert d.counts().active == 8
        for number in (-9, 0, 7, 8, 1_000_001):
            ref = d.partition(number)
            assert await ref.call({"type": "who"}) == f"{PATH}/{abs(number) % 8}"
        keys = [f"room {n}" for n in range(1000)]
        spread = {d.partition(key).path for key in keys}
        assert len(spread) == 8
        assert d.partition("room 1") == d.partition("room 1") == d.partition(b"room 1")
        with pytest.raises(TypeError, match="a key must be .* Got: 1.5"):
            d.partition(1.5)  # type: ignore[arg-type]
        await d.stop_child("3")
        with pytest.raises(ActorNotFound):
            d.partition(3)
    async with running(DynamicSpec(name="d")) as server:
        with pytest.raises(TypeError, match="has no partitions"):
            server.root.supervisor(PATH).partition("x")


async def test_63_ten_times_as_many_cost_about_ten_times() -> None:
    """
    Starting and stopping 2,000 children takes about ten times the work of 200: no square.
    """

    class Idle(Actor):
        pass

    async def many(n: int) -> int:
        async with running(DynamicSpec(name="d")) as server:
            d = server.root.supervisor(PATH)
            with counted() as work:
                async with trio.open_nursery() as starts:
                    for _ in range(n):
                        starts.start_soon(d.add, Idle)
                assert d.counts().active == n
                await server.root.supervisor("/residents").stop_child("d")
                assert d.counts().specs == 0
            return work.steps

    await many(50)
    assert await many(2000) < 12 * await many(200)


async def test_restarts_leak_nothing(journal: Journal) -> None:
    """
    A thousand restarts of one child leave the tree with what one has.
    """
    options = Options(backoff_min_seconds=0)
    async with running(DynamicSpec(name="d"), options=options) as server:
        d = server.root.supervisor(PATH)
        await d.add(member(journal, "a", max_restarts=None))
        ref = server.root.find(f"{PATH}/a")
        for epoch in range(2, 1002):
            ref.cast({"type": "crash"})
            await settle(lambda epoch=epoch: d.children()[0].epoch == epoch)
        await settle(lambda: d.counts().active == 1)
        assert len(d._entries) == 1
        assert len(d._abandoned) == len(d._crashed) == 0
        assert len(d.children()[0].crashes) == 5


async def test_two_stop_one_that_is_unkillable(clock: MockClock, journal: Journal) -> None:
    """
    A child that two stop at once, and then all, is given up once, and holds up nobody.
    """
    async with running(DynamicSpec(name="d")) as server:
        d = server.root.supervisor(PATH)
        for name in "ab":
            await d.add(member(journal, name, shutdown_seconds=1))
        server.root.find(f"{PATH}/a").cast({"type": "busy", "seconds": 100})
        await trio.sleep(0.1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(d.stop_child, "a")
            nursery.start_soon(d.stop_child, "a")
            await trio.sleep(1)
            nursery.start_soon(server.root.supervisor("/residents").stop_child, "d")
        assert [event.path for event in happened(server, "slot.unkillable")] == [f"{PATH}/a"]
        assert journal.lines[2:] == ["-b"]
        assert happened(server, "supervisor.crashed") == []
        assert d.state == "ended"


async def test_a_start_that_nobody_waits_for(clock: MockClock, journal: Journal) -> None:
    """
    A child whose add() is cancelled before it serves is stopped again, and forgotten.
    """
    async with running(DynamicSpec(name="d")) as server:
        d = server.root.supervisor(PATH)
        with trio.move_on_after(1):
            await d.add(member(journal, "a", slow=1000))
        await trio.sleep(1)
        assert d.counts().specs == 0
        assert "+a" not in journal.lines


async def test_a_child_that_stops_itself_by_name(clock: MockClock, journal: Journal) -> None:
    """
    A handler that has its own child stopped is cut off at its deadline: it is not unkillable.
    """

    class Leaver(Member):
        @handles("leave")
        async def on_leave(self, message: object) -> None:
            await current_root().supervisor(PATH).stop_child("a")

    async with running(DynamicSpec(name="d")) as server:
        d = server.root.supervisor(PATH)
        kwargs = {"journal": journal, "name": "a"}
        await d.add(ChildSpec(actor=Leaver, name="a", kwargs=kwargs, shutdown_seconds=1))
        server.root.find(f"{PATH}/a").cast({"type": "leave"})
        await trio.sleep(2)
        assert journal.lines == ["+a", "-a"]
        await trio.sleep(60)
        assert d.counts().specs == 0
        assert happened(server, "slot.unkillable") == []


async def test_a_start_that_somebody_stops(clock: MockClock, journal: Journal) -> None:
    """
    add() tells of a child that was stopped before it served, by name or with its supervisor.
    """
    refused: list[str] = []

    async def add(d: Any, name: str) -> None:
        try:
            await d.add(member(journal, name, slow=30, init_seconds=60))
        except StartFailed as error:
            refused.append(str(error).partition(": ")[2])

    async with running(DynamicSpec(name="d")) as server:
        d = server.root.supervisor(PATH)
        for name in "ab":
            server.start_soon(add, d, name)
        await trio.sleep(1)
        await d.stop_child("a")
        await server.root.supervisor("/residents").stop_child("d")
    assert refused == [
        "it was to stop meanwhile: stopped by hand",
        "it was to stop meanwhile: shutdown",
    ]
