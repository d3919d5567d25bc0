# How a process is: who it is, whether it is ready, and its last minute while somebody looks.

import os
import platform
import threading

import pytest
import trio
from helpers import running, settle, task_names
from inspection_trees import Greeter, Room, ask
from trio.testing import MockClock, wait_all_tasks_blocked

from greenroom.actors import Actor, WebsocketConsumer, handles
from greenroom.bridges.inspection._samples import COLUMNS, KEPT, UNSEEN_SECONDS, Samples
from greenroom.bridges.testing import virtual_clock
from greenroom.supervisor import ChildSpec, Options

NAME = "greenroom inspection"


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


@pytest.fixture
def by_hand() -> MockClock:
    """A clock that a test moves, whose threads wait meanwhile."""
    return MockClock()


class Clerk(Actor):
    @handles("boom")
    async def on_boom(self, message):
        raise ValueError


class Small(Actor):
    mailbox_capacity = 1
    overflow = "drop_newest"


def taken() -> bool:
    """Whether a task takes samples."""
    return any("Samples" in name for name in task_names())


async def test_who_it_is() -> None:
    """
    A process tells its pid, its versions, what it holds, and that it is ready.
    """
    async with running(Greeter, room=Room) as server, server.websocket("/room"):
        process = await ask(server, "process")
        assert process["pid"] == os.getpid()
        assert str(os.getpid()) in process["id"]
        assert process["versions"]["python"] == platform.python_version()
        assert {"trio", "greenroom"} <= process["versions"].keys()
        assert (process["state"], process["ready"], process["problems"]) == ("running", True, [])
        assert process["draining"] is False
        assert process["connections"]["open"] == 1
        assert process["connections"]["routes"] == {"room": 1}
        assert process["residents"] == {"running": 1}
        assert process["tasks"] > 5
        assert process["memory"]["rss"] is None or process["memory"]["rss"] > 10**6
        assert process["counters"]["connection.opened"] == 1
        assert process["loop_lag"]["worst"] >= process["loop_lag"]["last"] >= 0
        assert [each["pool"] for each in process["threads"]] == ["consumers"]


async def test_what_keeps_it_from_being_ready(clock: MockClock) -> None:
    """
    What is down is named.
    """
    options = Options(park_seconds=1000, max_restarts=0)
    async with running(Clerk, options=options) as server:
        server.root.find("/residents/clerk").cast({"type": "boom"})
        await trio.sleep(1)
        process = await ask(server, "process", samples=False)
        assert process["ready"] is False
        assert process["problems"] == ["/residents/clerk is not up"]
        assert process["trouble"] == 1
        assert process["residents"] == {"parked": 1}


async def test_while_it_drains(clock: MockClock) -> None:
    """
    A process that drains says so, and how many connections have not ended yet.
    """

    class Slow(WebsocketConsumer):
        async def disconnect(self) -> None:
            await trio.sleep(3)

    async with running(room=Slow, quick=Room) as server:
        async with server.websocket("/room"), server.websocket("/quick") as quick:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(server.root.drain)
                assert (await quick.closed()).code == 1012
                await settle(lambda: server.root.connections.open == 1)
                process = await ask(server, "process", samples=False)
        assert (process["draining"], process["ready"]) == (True, False)
        assert process["connections"]["routes"] == {"room": 1}


async def test_unseen(clock: MockClock) -> None:
    """
    UNSEEN: samples are taken from the first question on, and until a minute after the last.
    """
    async with running(ChildSpec(actor=Clerk, name="clerk", max_restarts=None)) as server:
        await ask(server, "metrics")
        await ask(server, "process", samples=False)
        assert not taken()
        assert (await ask(server, "process"))["samples"] == []
        await trio.sleep(0.1)
        assert taken()
        await trio.sleep(10)
        server.root.find("/residents/clerk").cast({"type": "boom"})
        await trio.sleep(1)
        process = await ask(server, "process")
        assert len(process["samples"]) == 11
        rows = [dict(zip(process["columns"], row, strict=True)) for row in process["samples"]]
        assert [row["restarts"] for row in rows[-2:]] == [0, 1]
        assert rows[-1]["events"] >= 2
        assert rows[0]["at"] == pytest.approx(-10.1, abs=0.01)
        await trio.sleep(UNSEEN_SECONDS - 1)
        assert len((await ask(server, "process"))["samples"]) == KEPT
        await trio.sleep(UNSEEN_SECONDS + 2)
        assert not taken()
        assert (await ask(server, "process"))["samples"] == []


async def test_what_a_sample_tells(by_hand: MockClock) -> None:
    """
    A sample has what was opened, closed, lost and what crashed in its second, and the jobs that
    have a thread or wait for one.
    """
    begun, gate = threading.Event(), threading.Event()

    class Slow(WebsocketConsumer):
        def receive(self, text):
            if text == "crash":
                raise ValueError
            begun.set()
            gate.wait()

    async with running(Small, slow=Slow, options=Options(consumer_threads=1)) as server:
        samples = Samples.of(server.root)

        async def sample() -> dict[str, float]:
            taken = len(samples.read())
            await wait_all_tasks_blocked()
            by_hand.jump(1)
            await settle(lambda: len(samples.read()) == taken + 1)
            return dict(zip(COLUMNS, samples.read()[-1], strict=True))

        assert quiet(await sample())
        async with server.websocket("/slow") as one, server.websocket("/slow") as two:
            one.send_text("wait")
            await settle(begun.is_set)
            two.send_text("crash")
            await settle(lambda: server.root.pool.statistics().queued == 1)
            for _ in range(2):
                server.root.find("/residents/small").cast({"type": "nobody handles this"})
            await settle(lambda: server.root.events.counts()["message.dead_letter"] == 2)
            told = await sample()
            assert (told["connections"], told["opened"], told["closed"]) == (2, 2, 0)
            assert (told["letters"], told["overflows"], told["crashes"]) == (2, 1, 0)
            assert (told["busy"], told["waiting"]) == (1, 1)
            gate.set()
            await server.wait_event("slot.crashed")
            told = await sample()
            assert (told["crashes"], told["busy"], told["waiting"]) == (1, 0, 0)
        assert (await sample())["closed"] == 2


def quiet(told: dict[str, float]) -> bool:
    """Whether nothing happened, and nothing is under way."""
    return not any(told[name] for name in COLUMNS if name not in ("at", "lag", "rss"))


async def test_only_one_takes_them(clock: MockClock) -> None:
    """
    However many look, there is one task.
    """
    async with running() as server:
        for _ in range(5):
            await ask(server, "process")
        await trio.sleep(3.5)
        assert len([name for name in task_names() if "Samples" in name]) == 1
        assert len((await ask(server, "process"))["samples"]) == 3


async def test_ends(clock: MockClock) -> None:
    """
    ENDS: a tree that stops does not wait for who takes samples.
    """
    async with running() as server:
        await ask(server, "process")
        await trio.sleep(0.5)
        began = trio.current_time()
    assert trio.current_time() - began < 0.4
    assert not Samples.of(server.root).running


async def test_after_its_end() -> None:
    """
    A tree that has stopped is told of as it is, and begins nothing.
    """
    async with running() as server:
        pass
    process = await ask(server, "process")
    assert (process["state"], process["ready"]) == ("stopped", False)
    await settle(lambda: not taken())
