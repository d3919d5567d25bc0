# Ten times as many children cost ten times as much, never a hundred times: measured in lines
# of Python that were executed, so that no machine's mood is in it. The same in small in the
# usual suite, and with a hundred thousand by `make test-long`, which prints the seconds as well.

import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest
import trio
from helpers import counted, running
from longevity._lives import CRASH, OPTIONS
from trio.testing import MockClock

from greenroom.actors import Actor, ActorRef, Down, WebsocketConsumer, handles
from greenroom.bridges.testing import ServerDriver, WebsocketDriver
from greenroom.supervisor import ChildSpec, DynamicSpec, Options, Supervisor, SupervisorSpec

pytestmark = pytest.mark.slow

S = "/residents/s"
SMALL = pytest.param((50, 200), id="small")  # 20 at the least varied by a fifth themselves
LARGE = pytest.param((1000, 10_000), id="large", marks=pytest.mark.long)
IN_ORDER = [
    pytest.param((20, 200), "random", id="small"),
    pytest.param((1000, 10_000), "reverse", id="large-reverse", marks=pytest.mark.long),
    pytest.param((1000, 10_000), "random", id="large-random", marks=pytest.mark.long),
]
FORWARD = [  # with as many as there may be; of connections the driver takes most of the time
    pytest.param((1000, 10_000), "forward", id="large-forward", marks=pytest.mark.long),
    pytest.param((1000, 10_000, 100_000), "forward", id="huge-forward", marks=pytest.mark.long),
]
AT_REST = Options(total_shutdown_seconds=1e6, backoff_min_seconds=0, storm_restarts=None)


class Idle(Actor):
    @handles("crash")
    async def on_crash(self, message: object) -> None:
        raise ValueError("boom")

    @handles("end")
    async def on_end(self, message: object) -> None:
        self.stop()

    @handles("busy")
    async def on_busy(self, message: object) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(100)


class Listed(Idle):
    """One of many that share a key, a group and somebody who looks at them, and they at him."""

    async def started(self) -> None:
        self.enlist("pool")
        self.join("room")
        self.monitor(self.find("/residents/center"))
        self.cast("/residents/center", self.ref)

    @handles(Down)
    async def on_down(self, message: Down) -> None:
        raise AssertionError("the center never ends before them")


class Center(Actor):
    """Looks at all that have come to it."""

    @handles(ActorRef)
    async def on_ref(self, message: ActorRef) -> None:
        self.monitor(message)

    @handles(Down)
    async def on_down(self, message: Down) -> None:
        pass


class Idler(WebsocketConsumer):
    pass


class Bill:
    """What each part of a test has cost, for each size."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.costs: dict[str, list[tuple[int, int]]] = {}

    @contextmanager
    def of(self, part: str, number: int) -> Iterator[None]:
        """Count one part, which is done to *number* children."""
        began = time.process_time()
        with counted() as work:
            yield
        seconds = time.process_time() - began
        self.costs.setdefault(part, []).append((number, work.steps))
        print(
            f"{self.title}: {part}, {number}: {work.steps / number:.0f} lines and"
            f" {seconds / number * 1e6:.0f} us each"
        )

    def too_much(self) -> list[str]:
        """
        Say what has cost more than in proportion, by a fifth and a little for all.

        Few children vary more among themselves, by an eighth either way: by a half there.
        """
        return [
            f"{part}: {costs}"
            for part, costs in self.costs.items()
            for (few, cheap), (many, dear) in pairwise(costs)
            if dear > (1.2 if few >= 1000 else 1.5) * (cheap + 300) * many / few
        ]


def in_order(names: list[str], order: str) -> list[str]:
    """Return *names* in the order in which they shall go."""
    if order == "random":
        return random.Random(len(names)).sample(names, len(names))
    return names if order == "forward" else names[::-1]


async def each(act: Callable[[Any], Awaitable[object]], things: Any) -> None:
    """Do *act* to one after the other."""
    for thing in things:
        await act(thing)


async def at_once(act: Callable[[Any], Awaitable[object]], things: Any) -> None:
    """Do *act* to all together."""
    async with trio.open_nursery() as nursery:
        for thing in things:
            nursery.start_soon(act, thing)


def child(number: int, actor: type[Actor] = Idle, **options: Any) -> ChildSpec:
    return ChildSpec(actor=actor, name=f"c{number}", **options)


async def dialed(server: ServerDriver) -> WebsocketDriver:
    driver = server.dial("/idle")
    await driver.handshake()
    return driver


def supervisor(server: ServerDriver) -> Supervisor:
    return server.root.supervisor(S)


@pytest.mark.parametrize(("sizes", "order"), [*IN_ORDER, FORWARD[1]])
async def test_dynamic_children(clock: MockClock, sizes: tuple[int, ...], order: str) -> None:
    """
    Dynamic children, added and stopped one by one and all at once, cost the same among many.
    """
    bill = Bill(f"dynamic, {order}")
    for n in (10, *sizes):
        async with running(Center, DynamicSpec(name="s"), options=AT_REST) as server:
            s = supervisor(server)
            with bill.of("add one by one", n):
                await each(s.add, (child(number, Listed) for number in range(n)))
            with bill.of("counts and a page", 1):
                assert s.counts().active == n
                assert len(s.children(n // 2, 5)) == 5
            with bill.of("stop one by one", n):
                await each(s.stop_child, in_order(list(s._entries), order))
            with bill.of("add at once", n):
                await at_once(s.add, [child(number) for number in range(n)])
            with bill.of("stop at once", n):
                await at_once(s.stop_child, in_order(list(s._entries), order))
            await at_once(s.add, [Idle] * n)
            with bill.of("stop the supervisor", n):
                await server.root.supervisor("/residents").stop_child("s")
            assert s.counts().specs == len(server.root.registry.members("pool")) == 0
        if n == 10:
            bill.costs.clear()
    assert bill.too_much() == []


@pytest.mark.parametrize(("sizes", "order"), [*IN_ORDER, FORWARD[1]])
async def test_static_children(clock: MockClock, sizes: tuple[int, ...], order: str) -> None:
    """
    So do static ones: started with the tree, stopped, deleted, added, restarted, by operators.
    """
    bill = Bill(f"static, {order}")
    for n in (10, *sizes):
        with bill.of("a spec", n):
            spec = SupervisorSpec(name="s", children=[child(number) for number in range(n)])
        with bill.of("start the tree", n):
            served = running(spec, options=AT_REST)
            server = await served.__aenter__()
        s = supervisor(server)
        names = in_order(list(s._entries), order)
        with bill.of("stop one by one", n):
            await each(s.stop_child, names)
        with bill.of("delete the first of many", 1):
            await s.delete_child(names[0])
        with bill.of("delete one by one", n):
            await each(s.delete_child, names[1:])
        with bill.of("counts and a page", 1):
            assert s.counts().specs == len(s.children()) == 0
        with bill.of("add one by one", n):
            await each(s.add, (child(number) for number in range(n)))
        with bill.of("restart one by one", n):
            await each(s.restart_child, names)
        with bill.of("restart at once", n):
            await at_once(s.restart_child, names)
        with bill.of("pages of a hundred", n):
            seen = [node.name for at in range(0, n, 100) for node in s.children(at)]
        assert seen == list(s._entries)
        with bill.of("a snapshot", n):
            server.root.snapshot()
        with bill.of("stop the tree", n):
            await served.__aexit__(None, None, None)
        if n == 10:
            bill.costs.clear()
    assert bill.too_much() == []


@pytest.mark.parametrize(("sizes", "order"), [*IN_ORDER, FORWARD[1]])
async def test_ends_by_themselves(clock: MockClock, sizes: tuple[int, ...], order: str) -> None:
    """
    So do ends by themselves of significant children, the last of which ends the supervisor.
    """
    bill = Bill(f"significant, {order}")
    for n in (10, *sizes):
        children = [child(i, restart="transient", significant=True) for i in range(n)]
        spec = SupervisorSpec(
            name="s", children=children, auto_shutdown="all_significant", restart="transient"
        )
        async with running(spec, options=AT_REST) as server:
            s = supervisor(server)
            with bill.of("end", n):
                for name in in_order(list(s._entries), order):
                    assert s.state == "running"
                    server.root.find(f"{S}/{name}").cast({"type": "end"})
                await s.ended.wait()
        if n == 10:
            bill.costs.clear()
    assert bill.too_much() == []


@pytest.mark.parametrize("sizes", [SMALL, LARGE])
@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
async def test_a_group_that_crashes(
    clock: MockClock, sizes: tuple[int, ...], strategy: str
) -> None:
    """
    A group's restart costs what its members do, also when they have all crashed.
    """
    bill = Bill(strategy)
    for n in (10, *sizes):
        spec = SupervisorSpec(
            name="s", children=[child(i) for i in range(n)], strategy=strategy, max_restarts=None
        )
        async with running(spec, options=OPTIONS) as server:
            s = supervisor(server)
            with bill.of("all crash", n):
                for name in s._entries:
                    server.root.find(f"{S}/{name}").cast(CRASH)
                await trio.sleep(1)
            with bill.of("the first crashes", n):
                server.root.find(f"{S}/c0").cast(CRASH)
                await trio.sleep(1)
            assert s.counts().active == n
            assert len(s._crashed) == 0
        if n == 10:
            bill.costs.clear()
    assert bill.too_much() == []


@pytest.mark.parametrize("sizes", [SMALL, LARGE])
async def test_unkillable_children(clock: MockClock, sizes: tuple[int, ...]) -> None:
    """
    Children that are given up, all of them, cost no more among many; once they end, nothing.
    """
    bill = Bill("unkillable")
    for n in (10, *sizes):
        async with running(DynamicSpec(name="s"), options=AT_REST) as server:
            s = supervisor(server)
            await at_once(s.add, [child(number, shutdown_seconds=0) for number in range(n)])
            for name in s._entries:
                server.root.find(f"{S}/{name}").cast({"type": "busy"})
            await trio.sleep(0)
            with bill.of("give up", n):
                await at_once(s.stop_child, list(s._entries))
            assert len(s._abandoned) == n
            await trio.sleep(200)
            assert len(s._abandoned) == 0
        if n == 10:
            bill.costs.clear()
    assert bill.too_much() == []


@pytest.mark.parametrize(("sizes", "order"), [*IN_ORDER, FORWARD[0]])
async def test_connections(clock: MockClock, sizes: tuple[int, ...], order: str) -> None:
    """
    So do connections: opened, closed one by one in any order, and drained.
    """
    bill = Bill(f"connections, {order}")
    for n in (10, *sizes):
        async with running(idle=Idler, options=AT_REST) as server:
            with bill.of("open", n):
                drivers = [await dialed(server) for _ in range(n)]
            assert server.root.connections.open == n
            numbered = {str(number): driver for number, driver in enumerate(drivers)}
            with bill.of("close one by one", n):
                for number in in_order(list(numbered), order):
                    numbered[number].disconnect()
                    await numbered[number].application_done.wait()
            assert server.root.connections.open == 0
            drivers = [await dialed(server) for _ in range(n)]
            with bill.of("drain", n):
                await server.root.drain()
        if n == 10:
            bill.costs.clear()
    assert bill.too_much() == []


class Name(str):
    """One that counts how often names are compared."""

    __slots__ = ()
    compared = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        Name.compared += 1
        return str.__eq__(self, other)


def test_names_of_a_spec_are_not_compared_in_pairs() -> None:
    """
    That no two of many children have one name is found without comparing each with each.
    """
    children = [ChildSpec(actor=Idle, name=Name(f"c{number}")) for number in range(300)]
    Name.compared = 0
    SupervisorSpec(name="s", children=children)
    assert Name.compared < 3000


async def test_askers_that_leave(clock: MockClock) -> None:
    """
    Those who wait for a busy supervisor and are cancelled leave its line, and change nothing.
    """
    async with running(SupervisorSpec(name="s", children=[child(0)]), options=AT_REST) as server:
        s = supervisor(server)
        server.root.find(f"{S}/c0").cast({"type": "busy"})
        await trio.sleep(0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(s.stop_child, "c0")
            await trio.sleep(0.1)
            with trio.move_on_after(1):
                await at_once(s.stop_child, ["c0"] * 100)
            assert not s._requests.waiting
            await s.add(child(1))
        assert list(s._entries) == ["c0", "c1"]
