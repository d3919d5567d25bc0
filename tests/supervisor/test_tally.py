# How many are in which state: what is counted is what a look at each would say.

from collections import Counter

import pytest
import trio
from helpers import running, settle, watch
from trio.testing import MockClock

from greenroom.actors import Actor, WebsocketConsumer, handles
from greenroom.bridges.testing import ServerDriver, virtual_clock
from greenroom.supervisor import (
    ChildSpec,
    DynamicSpec,
    NodeSnapshot,
    Options,
    SupervisorSpec,
    TaskPoolSpec,
)
from greenroom.supervisor._look import Look


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


class Room(WebsocketConsumer):
    async def receive(self, text):
        if text == "boom":
            raise ValueError
        if text == "done":
            self.close()


class Clerk(Actor):
    @handles("boom")
    async def on_boom(self, message):
        raise ValueError


def looked_at(node: NodeSnapshot) -> dict[str, int]:
    """Count the children of *node* by looking at each."""
    return dict(Counter(child.state for child in node.children))


def agrees(server: ServerDriver) -> None:
    """Check each tally, and the census, against the whole tree."""
    root, look = server.root, Look(server.root)
    whole = root.snapshot()
    for node in whole.walk():
        assert look.states(node.path) == looked_at(node), node.path
    actors = Counter(
        (each.actor, "running" if each.state == "suspended" else each.state)
        for each in whole.walk()
        if each.kind == "slot"
    )
    census = Counter[tuple[str, str]]()
    for (actor, state), number in root.census.counts().items():
        name = actor if actor != "PoolTask" else "test_exact.<locals>.work"
        census[name.rpartition(".")[2], state] += number
    assert census == {(name.rpartition(".")[2], state): n for (name, state), n in actors.items()}


async def test_exact(clock: MockClock) -> None:
    """
    EXACT: through crashes, backoff, rests, parking, stops by hand and new children.
    """

    async def work():
        await trio.sleep(1000)

    options = Options(backoff_min_seconds=10, park_seconds=100)
    group = SupervisorSpec(
        name="group",
        strategy="one_for_all",
        children=[ChildSpec(actor=Clerk, name="a"), ChildSpec(actor=Clerk, name="b")],
    )
    shop = SupervisorSpec(name="shop", children=[ChildSpec(actor=Clerk, name="a", max_restarts=0)])
    residents = (group, shop, DynamicSpec(name="crew"), TaskPoolSpec(name="tasks"))
    async with (
        running(*residents, options=options, room=Room) as server,
        server.websocket("/room") as one,
        server.websocket("/room") as two,
    ):
        root = server.root
        agrees(server)
        crew = root.supervisor("/residents/crew")
        first = await crew.add(Clerk)
        await crew.add(Clerk)
        root.task_pool("/residents/tasks").start(work)
        agrees(server)
        for path in ("/residents/group/a", "/residents/shop/a", first):
            for _ in range(2):
                if path in root._refs:
                    root.find(path).cast({"type": "boom"})
                await trio.sleep(0.1)
                agrees(server)
        one.send_text("boom")
        one.send_text("boom")
        await one.wait_restarted(2)
        agrees(server)
        root.suspensions.begin("/connections/room/2", 5)
        agrees(server)
        two.send_text("done")
        await trio.sleep(20)
        agrees(server)
        await root.supervisor("/residents/group").stop_child("a")
        agrees(server)
        await root.supervisor("/residents/group").start_child("a")
        await crew.stop_child(first.rpartition("/")[2]) if root.supervisor("/residents/crew").entry(
            first.rpartition("/")[2]
        ) else None
        await root.supervisor("/residents").restart_child("shop")
        agrees(server)
        await trio.sleep(200)
        agrees(server)


async def test_no_left() -> None:
    """
    NO LEFT: what has ended, with all that was below it, is counted nowhere.
    """
    outer = DynamicSpec(name="outer")
    async with running(outer, room=Room) as server:
        root = server.root
        before = root.census.counts()
        for _ in range(3):
            inner = SupervisorSpec(name="inner", children=[Clerk])
            path = await root.supervisor("/residents/outer").add(inner)
            assert root.census.counts() == {**before, ("Clerk", "running"): 1}
            await root.supervisor("/residents/outer").stop_child(path.rpartition("/")[2])
        async with server.websocket("/room"):
            assert root.census.counts() == {**before, ("Room", "running"): 1}
        await settle(lambda: not root.connections.open)
        assert root.census.counts() == before
    assert root.census.counts() == {}


async def test_renewed(clock: MockClock) -> None:
    """
    A supervisor that begins anew counts its new children, and not the old ones.
    """
    shop = SupervisorSpec(
        name="shop", children=[ChildSpec(actor=Clerk, name="a"), Clerk], max_restarts=0
    )
    async with running(shop) as server:
        anew = watch(server, "supervisor.started", "/residents/shop")
        server.root.find("/residents/shop/a").cast({"type": "boom"})
        await anew.until()
        agrees(server)
        assert server.root.census.counts() == {("Clerk", "running"): 2}
