# Each figure of the metrics moves when that happens which it is about.

import threading
from collections.abc import Generator

import pytest
import trio
from helpers import running, settle, watch
from inspection_trees import Greeter, Room, ask
from trio.testing import MockClock

from greenroom.actors import Actor, handles
from greenroom.bridges.testing import ServerDriver, virtual_clock
from greenroom.supervisor import ChildSpec, Options, SupervisorSpec
from greenroom.supervisor._look import Look


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


@pytest.fixture
def gate() -> Generator[threading.Event]:
    """What the handlers of a test wait for; open at its end."""
    event = threading.Event()
    yield event
    event.set()


class Clerk(Actor):
    @handles("boom")
    async def on_boom(self, message):
        raise ValueError

    @handles("hang")
    async def on_hang(self, message):
        with trio.CancelScope(shield=True):
            await trio.sleep(300)


def clerk(name: str = "clerk", **options: object) -> ChildSpec:
    return ChildSpec(actor=Clerk, name=name, **options)


async def values(server: ServerDriver, name: str) -> dict[tuple[str, ...], float]:
    """Return the samples of the metric *name* by the values of their labels."""
    metrics = (await ask(server, "metrics"))["metrics"]
    [found] = [each for each in metrics if each["name"] == f"greenroom_{name}"]
    return {
        tuple(sample["labels"].values()): sample.get("value", sample.get("count"))
        for sample in found["samples"]
    }


async def test_budgets(clock: MockClock) -> None:
    """
    A supervisor whose children share a budget says how much of it they have used.
    """
    shop = SupervisorSpec(
        name="shop", strategy="one_for_all", children=[clerk("a"), clerk("b")], max_restarts=4
    )
    async with running(shop) as server:
        path = ("/residents/shop",)
        assert (await values(server, "supervisor_budget_used_ratio"))[path] == 0
        server.root.find("/residents/shop/a").cast({"type": "boom"})
        await trio.sleep(1)
        assert (await values(server, "supervisor_budget_used_ratio"))[path] == 0.25


async def test_threads(gate: threading.Event) -> None:
    """
    A pool says how many jobs run, wait and are abandoned, and how many may run.
    """
    begun = threading.Event()

    class Slow(Actor):
        @handles("x")
        def on_x(self, message):
            begun.set()
            gate.wait()

    slow = [ChildSpec(actor=Slow, name=name, shutdown_seconds=0.01) for name in "ab"]
    async with running(*slow, options=Options(consumer_threads=1)) as server:
        server.root.find("/residents/a").cast({"type": "x"})
        await settle(begun.is_set)
        server.root.find("/residents/b").cast({"type": "x"})
        await settle(lambda: server.root.pool.statistics().queued == 1)
        jobs = await values(server, "thread_jobs")
        assert (jobs["consumers", "running"], jobs["consumers", "waiting"]) == (1, 1)
        assert (await values(server, "threads_size"))["consumers",] == 1
        assert (await values(server, "thread_waiting_seconds"))["consumers",] >= 0
        abandoned = watch(server, "thread.abandoned")
        server.root.find("/residents/a").stop()
        await abandoned.until()
        assert (await values(server, "thread_jobs"))["consumers", "abandoned"] == 1
        assert (await values(server, "threads_abandoned_total")) == {(Slow.__qualname__,): 1}
        gate.set()
        await settle(lambda: server.root.pool.statistics().running == 0)


async def test_of_the_process() -> None:
    """
    Of the process its tasks, its memory, and how late its loop is are told.
    """
    async with running(Greeter) as server:
        before = (await values(server, "trio_tasks"))[()]
        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(trio.sleep_forever)
            assert (await values(server, "trio_tasks"))[()] == before + 10
            nursery.cancel_scope.cancel()
        assert (await values(server, "resident_memory_bytes"))[()] > 10**6
        last = (await values(server, "loop_lag_seconds"))[()]
        assert (await values(server, "loop_lag_worst_seconds"))[()] >= last >= 0


async def test_what_is_in_trouble(clock: MockClock) -> None:
    """
    What is in trouble is counted, and what did not end in time apart from it.
    """
    async with running(clerk(shutdown_seconds=1), clerk("other")) as server:
        server.root.suspensions.begin("/residents/other", 1000)
        assert await values(server, "places_in_trouble") == {(): 1}
        assert await values(server, "actors_unkillable") == {(): 0}
        server.root.find("/residents/clerk").cast({"type": "hang"})
        await trio.sleep(0.1)
        with trio.move_on_after(60):
            await server.root.supervisor("/residents").stop_child("clerk")
        assert await values(server, "places_in_trouble") == {(): 2}
        assert await values(server, "actors_unkillable") == {(): 1}
        await trio.sleep(300)
        assert await values(server, "actors_unkillable") == {(): 0}


async def test_who_has_given_up(clock: MockClock) -> None:
    """
    Who has spent a budget is counted: actors by class, supervisors by path, ends by how.
    """
    shop = SupervisorSpec(
        name="shop", strategy="one_for_all", children=[clerk()], max_restarts=0, on_exceeded="park"
    )
    async with running(shop, clerk("alone", max_restarts=0, on_exceeded="stop")) as server:
        for path in ("/residents/alone", "/residents/shop/clerk"):
            server.root.find(path).cast({"type": "boom"})
            await trio.sleep(1)
        assert (await values(server, "gave_up_total"))["Clerk",] >= 1
        assert await values(server, "supervisors_gave_up_total") == {("/residents/shop",): 1}
        assert (await values(server, "ended_total"))["Clerk", "crashed"] >= 1


async def test_what_operators_and_peers_did() -> None:
    """
    Acts, dead letters and refusals are counted by outcome and reason.
    """
    async with running(Greeter, room=Room, options=Options(max_connections=1)) as server:
        await ask(server, "act", action="reset-budget", path="/residents/greeter", by="ada")
        await ask(server, "act", action="stop", path="/residents", by="ada")
        acts = await values(server, "admin_actions_total")
        assert acts["reset-budget", "done"] == 1
        assert sum(number for (name, _), number in acts.items() if name == "stop") == 1
        server.root.find("/residents/greeter").cast({"type": "unheard of"})
        await settle(lambda: server.root.dead_letters.counts())
        [(reason, number)] = (await values(server, "dead_letters_total")).items()
        assert reason[0].startswith("no handler")
        assert number == 1
        async with server.websocket("/room"):
            refused = watch(server, "connection.refused")
            server.dial("/room")
            await refused.until()
        assert sum((await values(server, "connections_refused_total")).values()) == 1


async def test_how_long_a_stop_takes(clock: MockClock) -> None:
    """
    A stop is counted with the seconds that it took.
    """
    async with running(clerk(shutdown_seconds=5)) as server:
        assert await values(server, "stop_seconds") == {(): 0}
        await server.root.supervisor("/residents").stop_child("clerk")
        assert await values(server, "stop_seconds") == {(): 1}


@pytest.mark.parametrize("what", ["metrics", "process"])
async def test_who_is_well_again(clock: MockClock, what: str) -> None:
    """
    Who was in trouble and is well again is counted no more, though nobody has looked at the tree.
    """
    async with running(clerk()) as server:
        restarted = watch(server, "slot.restarted")
        server.root.find("/residents/clerk").cast({"type": "boom"})
        await restarted.until()

        async def trouble() -> float:
            if what == "process":
                return (await ask(server, "process"))["trouble"]
            return (await values(server, "places_in_trouble"))[()]

        assert await trouble() == 1
        await trio.sleep(10)
        assert await trouble() == 0


async def test_what_went_through_actors(clock: MockClock) -> None:
    """
    What actors have handled is counted by class, also of those that have ended; what waits is told.
    """
    async with running(Greeter, clerk(), room=Room) as server:
        for _ in range(3):
            await server.root.find("/residents/greeter").call({"type": "greet"})
        handled = await values(server, "messages_handled_total")
        assert handled["Greeter",] == 3
        await server.root.supervisor("/residents").stop_child("greeter")
        assert await values(server, "messages_handled_total") == handled
        for _ in range(3):
            server.root.find("/residents/clerk").cast({"type": "hang"})
        await trio.sleep(1)
        assert (await values(server, "mailbox_items"))["Clerk",] == 2
        assert (await values(server, "mailbox_oldest_seconds"))["Clerk",] >= 0
        async with server.websocket("/room"):
            assert await values(server, "output_bytes") == {("Room",): 0}


async def test_presence() -> None:
    """
    How many presences there are here, and in how many topics anybody is, moves with each.
    """
    async with running(Greeter) as server:
        presences, slot = server.root.presences, Look(server.root).slot("/residents/greeter")
        assert slot is not None
        for topic, key in (("hall", "ann"), ("lobby", "ann"), ("lobby", "bob")):
            presences.track(topic, key, slot, {"at": 1}, 100)
        presences.update("hall", "ann", slot, {"at": 2})
        assert await values(server, "presences") == {(): 3}
        assert await values(server, "presence_topics") == {(): 2}
        presences.untrack("hall", None, slot)
        await settle(lambda: "hall" not in presences.topics())
        assert await values(server, "presences") == {(): 2}
        assert await values(server, "presence_topics") == {(): 1}
        await server.root.supervisor("/residents").stop_child("greeter")
        assert await values(server, "presences") == {(): 0}
