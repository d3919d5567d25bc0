# What was handled by class: added up when asked, never twice, and nothing is missing in the end.

import random

import pytest
import trio
from helpers import running, settle, watch
from inspection_trees import Idle, attached
from trio.testing import MockClock

from greenroom.actors import Actor, WebsocketConsumer, handles
from greenroom.bridges.testing import ServerDriver, virtual_clock
from greenroom.supervisor import DynamicSpec
from greenroom.supervisor._flow import Flow

handled: list[str] = []


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


class Clerk(Actor):
    @handles("work")
    async def on_work(self, message):
        handled.append("Clerk")

    @handles("boom")
    async def on_boom(self, message):
        raise ValueError


class Threaded(Actor):
    @handles("work")
    def on_work(self, message):
        handled.append("Threaded")


class Room(WebsocketConsumer):
    async def receive(self, text):
        handled.append("Room")
        if text == "nap":
            await trio.sleep(100)


def looked(server: ServerDriver) -> dict[str, int]:
    """Go through all actors once; return what was handled, by class."""
    flow = server.root.meter.flow
    while not flow.look(3):
        pass
    return {name.rpartition(".")[2]: number for name, number in flow.handled().items()}


async def test_exact(clock: MockClock) -> None:
    """
    EXACT: of those that live, that begin anew, that work in threads, and that have ended.
    """
    handled.clear()
    async with running(Clerk, Threaded, room=Room) as server:
        assert looked(server) == {}
        for _ in range(3):
            await server.root.find("/residents/clerk").call({"type": "work"})
            await server.root.find("/residents/threaded").call({"type": "work"})
        assert looked(server) == {"Clerk": 3, "Threaded": 3}
        assert looked(server) == {"Clerk": 3, "Threaded": 3}
        restarted = watch(server, "slot.restarted")
        server.root.find("/residents/clerk").cast({"type": "boom"})
        await restarted.until()
        await server.root.find("/residents/clerk").call({"type": "work"})
        async with server.websocket("/room") as one:
            one.send_text("hello")
            one.send_text("hello")
            await settle(lambda: handled.count("Room") == 2)
        await settle(lambda: not server.root.connections.open)
        now = looked(server)
        assert (now["Room"], now["Threaded"]) == (2, 3)
        assert now["Clerk"] in (4, 5)  # the one that crashed was handled, or was not


async def test_rising(clock: MockClock) -> None:
    """
    RISING: whoever comes and goes between two looks, of which none is whole, no sum falls; and in
    the end nothing is missing.
    """
    dice, last = random.Random(7), 0
    handled.clear()
    async with running(DynamicSpec(name="crew")) as server:
        crew, flow, sent = server.root.supervisor("/residents/crew"), server.root.meter.flow, 0
        names: list[str] = []
        for _ in range(300):
            if len(names) < 3 or (len(names) < 12 and dice.random() < 0.5):
                path = await crew.add(Clerk)
                names.append(path)
            elif dice.random() < 0.4:
                gone = names.pop(dice.randrange(len(names))).rpartition("/")[2]
                await crew.stop_child(gone)
            for path in dice.sample(names, min(2, len(names))):
                await server.root.find(path).call({"type": "work"})
                sent += 1
            flow.look(dice.randrange(1, 4))
            now = sum(flow.handled().values())
            assert last <= now <= sent == len(handled)
            last = now
        looked(server)
        assert looked(server) == {"Clerk": sent}


async def test_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    BOUNDED: so many are looked at, and the next look goes on behind them.
    """
    seen: list[str] = []
    monkeypatch.setattr(Flow, "_take", lambda _, slot: seen.append(slot.path))
    async with running(Clerk) as server:
        with attached(server.root, 5):
            assert not server.root.meter.flow.look(4)
            assert len(seen) == 4
            assert server.root.meter.flow.look(4)
        assert len(seen) == len(set(seen)) == 6


async def test_what_waits(clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What waits in mailboxes, and on the way to peers, is told as the last whole round has seen it.
    """
    monkeypatch.setattr(Idle, "traffic", lambda _: {"output_bytes": 7})
    async with running(Clerk, room=Room) as server, server.websocket("/room") as one:
        for _ in range(4):
            one.send_text("nap")
        slot = server.root.connections.find("/connections/room/1")
        await settle(lambda: slot.queued == 3)
        monkeypatch.setattr(slot.mailbox.__class__, "waited", lambda *_: 30.0)
        looked(server)
        assert dict(server.root.meter.flow.waiting()) == {"Clerk": 0, "Room": 3}
        assert dict(server.root.meter.flow.unsent()) == {"Room": 0}
        assert dict(server.root.meter.flow.oldest()) == {
            "Clerk": 0.0,
            "Room": pytest.approx(30, abs=9),
        }
        with attached(server.root, 3):
            assert not server.root.meter.flow.look(2)
            assert dict(server.root.meter.flow.waiting()) == {"Clerk": 0, "Room": 3}
            looked(server)
            assert sum(server.root.meter.flow.unsent().values()) == 21
