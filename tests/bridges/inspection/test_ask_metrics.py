# Metrics as data: true, counted from the beginning, and with labels of few values.

import json
from contextlib import ExitStack

import pytest
import trio
from helpers import running, settle
from inspection_trees import Greeter, Room, ask, attached
from trio.testing import MockClock

from greenroom.actors import Actor, handles
from greenroom.bridges.testing import ServerDriver, virtual_clock
from greenroom.supervisor import SupervisorSpec
from greenroom.supervisor._look import Look


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


class Clerk(Actor):
    mailbox_capacity = 10

    @handles("nap")
    async def on_nap(self, message):
        await trio.sleep(1000)


class Boomer(Actor):
    @handles("boom")
    async def on_boom(self, message):
        raise ValueError


async def values(server: ServerDriver) -> dict[str, dict[tuple[str, ...], float]]:
    """Return each metric's samples by the values of their labels."""
    answer = await ask(server, "metrics")
    json.dumps(answer, allow_nan=False)
    return {
        metric["name"].removeprefix("greenroom_"): {
            tuple(sample["labels"].values()): sample.get("value", sample.get("count"))
            for sample in metric["samples"]
        }
        for metric in answer["metrics"]
    }


async def test_what_is_there() -> None:
    """
    Gauges say what there is now, by class, state and route.
    """
    async with running(Greeter, room=Room) as server, server.websocket("/room"):
        now = await values(server)
        assert now["actors"] == {("Room", "running"): 1, ("Greeter", "running"): 1}
        assert now["supervisors"] == {(): 1}
        assert now["connections_open"] == {("room",): 1}
        assert now["ready"] == {(): 1}
        assert now["draining"] == {(): 0}
        assert now["places_in_trouble"] == {(): 0}
        assert now["thread_jobs"]["consumers", "running"] == 0
        assert now["trio_tasks"][()] > 3
        assert now["events_total"][("connection.opened",)] == 1


async def test_what_was_before_anybody_asked() -> None:
    """
    Counters have counted from the beginning: a crash before the first question is in them.
    """
    async with running(room=Room) as server:
        async with server.websocket("/room") as one:
            one.send_text("buy")
            await one.wait_restarted(2)
        await settle(lambda: not server.root.connections.open)
        now = await values(server)
        assert now["crashes_total"] == {("Room", "KeyError"): 1}
        assert now["restarts_total"] == {("Room",): 1}
        assert sum(now["connections_closed_total"].values()) == 1
        assert now["restart_gap_seconds"] == {(): 1}
        assert now["connections_open"] == {}


async def test_what_went_through_groups() -> None:
    """
    What was sent to groups is counted, and what members got or dropped; also of groups that are
    gone, and of what nobody was there for.
    """
    async with running(Greeter, room=Room) as server:
        groups = server.root.groups
        groups.send("lobby", text="nobody hears it")
        resident = Look(server.root).slot("/residents/greeter")
        assert resident is not None
        groups.join("lobby", resident)
        async with server.websocket("/room"):
            groups.join("lobby", server.root.connections.find("/connections/room/1"))
            groups.send("lobby", text="hello")
            groups.deliver("group:lobby", "from another process")
        await settle(lambda: len(groups.members("lobby")) == 1)
        groups.leave_all(resident)
        assert groups.count == 0
        now = await values(server)
        assert now["groups_sent_total"] == {(): 3}
        assert now["groups_delivered_total"] == {(): 2}
        assert now["groups_dropped_total"] == {(): 2}  # a resident has no socket


async def test_mailboxes_that_are_high(clock: MockClock) -> None:
    """
    Of full mailboxes the number and the deepest are told, by class.
    """
    async with running(Clerk) as server:
        for _ in range(10):
            server.root.find("/residents/clerk").cast({"type": "nap"})
            await trio.sleep(0.1)
        now = await values(server)
        assert now["mailboxes_high"] == {("Clerk",): 1}
        assert now["mailbox_depth_max"] == {("Clerk",): 9}


async def test_labels_are_few() -> None:
    """
    However many connections, users and paths there are, the samples are as many as before.
    """

    def counted(answer: dict[str, dict[tuple[str, ...], float]]) -> dict[str, int]:
        answer["events_total"].pop(("loop.blocked",), None)  # of a machine that is busy elsewhere
        return {name: len(samples) for name, samples in answer.items()}

    async with running(room=Room) as server:
        with attached(server.root, 1):
            few = counted(await values(server))
        with attached(server.root, 5000):
            answer = await values(server)
            assert counted(answer) == few
            assert answer["actors"] == {("Room", "running"): 5000}
            assert "user-" not in json.dumps(await ask(server, "metrics"))


async def test_no_label_is_a_peers() -> None:
    """
    What a peer calls its messages is in no label: he could make as many as he likes.
    """
    async with running(Clerk) as server:
        for number in range(3):
            server.root.find("/residents/clerk").cast({"type": f"made-up-{number}"})
        await settle(lambda: sum(server.root.dead_letters.counts().values()) == 3)
        assert (await values(server))["dead_letters_total"] == {("no handler",): 3}
        assert "made-up" not in json.dumps(await ask(server, "metrics"))


async def test_too_many_labels() -> None:
    """
    Routes beyond two hundred are one sample together.
    """
    async with running() as server:
        with ExitStack() as stack:
            for number in range(250):
                stack.enter_context(attached(server.root, 2, f"route-{number:03}"))
            now = await values(server)
            assert len(now["connections_open"]) == 201
            assert now["connections_open"][("(other)",)] == 100


async def test_too_many_labels_of_what_is_no_sum(clock: MockClock) -> None:
    """
    Of what can't be added up, the sample for those beyond two hundred is the greatest of them.
    """
    shops = [
        SupervisorSpec(
            name=f"shop-{number:03}",
            strategy="one_for_all",
            children=[Boomer],
            max_restarts=2,
            max_seconds=600,
        )
        for number in range(210)
    ]
    async with running(*shops) as server:
        for number in range(205, 210):
            server.root.find(f"/residents/shop-{number}/boomer").cast({"type": "boom"})
        await trio.sleep(10)
        ratios = (await values(server))["supervisor_budget_used_ratio"]
        assert len(ratios) == 201
        assert ratios["(other)",] == 0.5
