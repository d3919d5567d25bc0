# A storm, played: many consumers that crash in one moment, on a virtual clock.

import logging
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
from helpers import Watch, happened, running, settle, task_names, watch
from trio.testing import MockClock

from greenroom.actors import Actor, WebsocketConsumer, handles
from greenroom.bridges.engines import LocalEngine
from greenroom.bridges.testing import HandshakeRefused, ServerDriver, WebsocketDriver, virtual_clock
from greenroom.supervisor import Event, Options, Root
from greenroom.supervisor._storms import Storms


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


class Chat(WebsocketConsumer):
    """Needs the database, which may be down."""

    down = False

    async def connect(self, message):
        await self.accept()

    async def receive(self, text):
        if type(self).down:
            raise OSError("the database is down")
        await self.send(text=f"{self.epoch}: {text}")


def chat() -> type[Chat]:
    return type("Chat", (Chat,), {})


async def many(server: ServerDriver, number: int) -> list[WebsocketDriver]:
    """Open *number* WebSockets."""
    sockets = [server.dial("/chat") for _ in range(number)]
    for ws in sockets:
        await ws.handshake()
    return sockets


async def crash(server: ServerDriver, sockets: list[WebsocketDriver], kind: type[Chat]) -> None:
    """Have the consumers of *sockets* crash in one moment."""
    crashed = watch(server, "slot.crashed")
    kind.down = True
    for ws in sockets:
        ws.send_text("boom")
    await crashed.until(len(sockets), seconds=1)
    kind.down = False


async def answers(sockets: list[WebsocketDriver], epoch: int) -> None:
    """Have the consumers of *sockets* answer, in their incarnation *epoch*."""
    for ws in sockets:
        ws.send_text("hi")
    for ws in sockets:
        assert await ws.receive() == f"{epoch}: hi"


def storm_of(server: ServerDriver) -> dict[str, object]:
    """Return what the tree shows of the storm."""
    facts = server.root.connections.snapshot().facts
    return {name: fact for name, fact in facts.items() if name.startswith("storm")}


async def test_a_thousand_crash_at_once(clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    """
    N4: no socket closes, restarts are spread, new ones get 503, then all is as before.
    """
    caplog.set_level(logging.INFO, "greenroom")
    kind, options = chat(), Options(seed=1)
    async with running(chat=kind, options=options) as server:
        crowd, innocent = await many(server, 1000), await many(server, 10)
        restarted, ended = watch(server, "slot.restarted"), watch(server, "storm.ended")
        began = trio.current_time()
        await crash(server, crowd, kind)

        assert trio.current_time() == began
        at_once = sum(ws.slot.state == "running" for ws in crowd)
        assert at_once <= 100
        assert server.root.up
        (problem,) = server.root.readiness()
        assert problem.startswith("/connections: too many consumers crash at the same time")
        assert storm_of(server) == {
            "storm": True, "storm_seconds_left": 5.0, "storm_restarts": 1000,
            "storm_put_off": 900, "storms": 1,
        }  # fmt: skip
        with pytest.raises(HandshakeRefused) as refused:
            async with server.websocket("/chat"):
                pass
        assert refused.value.status == 503
        assert (b"retry-after", b"5") in refused.value.headers
        assert (await server.http("GET", "/")).status == 404  # a request is served
        await answers(innocent, 1)

        times = await moments(restarted, 1000)
        await ended.until()

        assert trio.current_time() - began == 5.0
        seconds = Counter(int(each - began) for each in times if each > began)
        assert sorted(seconds) == [0, 1, 2, 3, 4]
        assert max(seconds.values()) < 300
        assert server.root.readiness() == []
        await answers(crowd, 2)
        await answers(await many(server, 1), 1)
        assert happened(server, "connection.closed") == []
        assert {ws.slot.epoch for ws in crowd} == {2}
        (one,) = ended.seen
        assert one.facts == {"restarts": 1000, "put_off": 900}
        counts = server.root.events.counts()
        assert (counts["storm.began"], counts["storm.ended"]) == (1, 1)
        assert not any("storm" in name for name in task_names())
        assert len(caplog.records) < 60  # of three thousand events
        for ws in (*crowd, *innocent):
            ws.disconnect()


async def moments(restarted: Watch, count: int) -> list[float]:
    """Wait for *count* restarts; return when each was, on trio's clock."""
    times: list[float] = []
    for number in range(1, count + 1):
        await restarted.until(number)
        times.append(trio.current_time())
    return times


async def test_a_hundred_are_no_storm(clock: MockClock) -> None:
    """
    As many restarts as storm_restarts come at once, and the tree shows nothing of a storm.
    """
    kind = chat()
    async with running(chat=kind) as server:
        crowd = await many(server, 100)
        await crash(server, crowd, kind)
        for ws in crowd:
            await ws.wait_restarted(2)

        assert storm_of(server) == {}
        assert happened(server, "storm.began") == []
        for ws in crowd:
            ws.disconnect()


async def test_a_storm_that_does_not_end(clock: MockClock) -> None:
    """
    Consumers that crash at once again prolong it: one storm, and each has its own budget.
    """
    kind, options = chat(), Options(storm_restarts=5, max_restarts=20)
    async with running(chat=kind, options=options) as server:
        crowd = await many(server, 50)
        ended = watch(server, "storm.ended")
        began = trio.current_time()
        for epoch in (2, 3):
            await crash(server, crowd, kind)
            for ws in crowd:
                await ws.wait_restarted(epoch)
        assert 5 < trio.current_time() - began < 10
        await ended.until()

        assert ended.seen[0].facts == {"restarts": 100, "put_off": 95}
        assert len(happened(server, "storm.began")) == 1
        assert storm_of(server)["storm"] is False
        for ws in crowd:
            ws.disconnect()


async def test_a_second_storm(clock: MockClock) -> None:
    """
    After the end of a storm the next one begins anew, with counts of its own.
    """
    kind, options = chat(), Options(storm_restarts=5)
    async with running(chat=kind, options=options) as server:
        ended = watch(server, "storm.ended")
        for number, size in enumerate((10, 20), start=1):
            crowd = await many(server, size)
            await crash(server, crowd, kind)
            event = await ended.until(number)
            assert event.facts == {"restarts": size, "put_off": size - 5}
            for ws in crowd:
                ws.disconnect()
        assert storm_of(server)["storms"] == 2


async def test_a_stop_ends_a_storm(clock: MockClock) -> None:
    """
    A shutdown in a storm waits for no restart: consumers say goodbye, the storm ends.
    """
    kind, options = chat(), Options(storm_restarts=5, storm_delay_seconds=60.0, close_seconds=0)
    async with running(chat=kind, options=options) as server:
        root, crowd = server.root, await many(server, 50)
        await crash(server, crowd, kind)
        began = trio.current_time()
        root.stop()
        await root.stopped.wait()

        assert trio.current_time() - began < 1
        for ws in crowd:
            assert (await ws.closed()).code == 1012
        assert root.events.counts()["storm.ended"] == 1
        assert root.connections.refusal() == "the server is shutting down"


async def test_a_breaker_switched_off(clock: MockClock) -> None:
    """
    storm_restarts=None puts nothing off, however many crash.
    """
    kind, options = chat(), Options(storm_restarts=None)
    async with running(chat=kind, options=options) as server:
        crowd = await many(server, 200)
        began = trio.current_time()
        await crash(server, crowd, kind)
        await settle(lambda: all(ws.slot.state == "running" for ws in crowd))

        assert trio.current_time() == began
        assert storm_of(server) == {}
        for ws in crowd:
            ws.disconnect()


async def test_residents_do_not_count(clock: MockClock) -> None:
    """
    A resident's restarts make no storm: it has no crowd to return with.
    """

    class Bad(Actor):
        max_restarts = None

        @handles("boom")
        async def on_boom(self, message):
            raise ValueError

    options = Options(storm_restarts=1, backoff_min_seconds=0, backoff_max_seconds=0)
    async with running(Bad, options=options) as server:
        restarted = watch(server, "slot.restarted")
        for _ in range(10):
            server.root.find("/residents/bad").cast({"type": "boom"})
        await restarted.until(10)

        assert happened(server, "storm.began") == []


@asynccontextmanager
async def lone_storms() -> AsyncGenerator[tuple[Root, Storms]]:
    """Run a root of nothing, and yield it with its breaker, at work."""
    root = Root(LocalEngine(), options=Options(storm_restarts=5))
    async with trio.open_nursery() as nursery:
        await nursery.start(root.run)
        try:
            yield root, root.connections.storms
        finally:
            nursery.cancel_scope.cancel()


def told(root: Root) -> list[tuple[str, object]]:
    """Return the events of storms, each with its count of restarts."""
    storms = [each for each in root.events.recent() if each.kind.startswith("storm.")]
    return [(each.kind, each.facts["restarts"]) for each in storms]


async def test_an_end_is_told_before_the_next_begins(clock: MockClock) -> None:
    """
    A restart in the very moment in which a storm is over belongs to the next one.
    """
    clock.autojump_threshold = float("inf")  # moved by hand: nobody runs between jump and restart
    async with lone_storms() as (root, storms):
        for _ in range(8):
            storms.spread(0)
        clock.jump(5)
        for _ in range(6):
            storms.spread(0)

        assert told(root) == [("storm.began", 6), ("storm.ended", 8), ("storm.began", 6)]
        assert storms.breaker.open


async def test_a_tree_that_stops_has_no_storms(clock: MockClock) -> None:
    """
    Once it drains nothing is put off and nothing begins, whatever still crashes.
    """
    async with lone_storms() as (root, storms):
        await root.drain()

        assert {storms.spread(0.5) for _ in range(20)} == {0.5}
        assert told(root) == []


async def test_a_cancelled_tree_tells_the_end_once(clock: MockClock) -> None:
    """
    The end of the tree's nursery ends the storm, and no other can begin in it.
    """
    for _ in range(20):  # who is cancelled first, the tree or the storm, is trio's dice
        with trio.CancelScope() as scope:
            async with lone_storms() as (root, storms):
                root.events.subscribe(partial(more, storms, "storm.ended"))
                more(storms)
                await settle(lambda: any("storm" in name for name in task_names()))
                await trio.lowlevel.checkpoint()  # it sleeps
                scope.cancel()

        assert [kind for kind, _ in told(root)] == ["storm.began", "storm.ended"]


def more(storms: Storms, kind: str = "", event: Event | None = None) -> None:
    """Have ten more restarts; as a subscriber, at events of *kind*."""
    if event is None or event.kind == kind:
        for _ in range(10):
            storms.spread(0)
