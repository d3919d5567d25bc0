# What a consumer says of its sockets holds on both ways to them: sizes, speeds, silence, age.

from typing import Any

import pytest
import trio
from helpers import happened, running, settle
from trio.testing import MockClock

from greenroom.actors import WebsocketConsumer, concurrent
from greenroom.bridges.asgi._keeper import Keeper
from greenroom.bridges.hypercorn._heartbeats import Heartbeats
from greenroom.bridges.testing import HandshakeRefused
from greenroom.supervisor import Options

from ._two_ways import WAYS, opened

pytestmark = pytest.mark.parametrize("way", WAYS)


class Echo(WebsocketConsumer):
    """Sends back what comes, and notes how it ends."""

    ends: list[tuple[int, str]]

    async def receive(self, text: str) -> None:
        await self.send(text=text)

    async def disconnect(self, code: int, reason: str) -> None:
        self.ends.append((code, reason))


def echo(**members: Any) -> type[Echo]:
    return type("Echo", (Echo,), {"ends": [], **members})


async def test_a_message_too_long(way: str) -> None:
    """
    A message above the class's own limit closes with 1009; one at the limit is handled.
    """
    chat = echo(message_bytes=200)
    async with running(chat=chat) as server, opened(way, server) as client:
        await client.send("x" * 200)
        assert await client.text() == "x" * 200
        await client.send("x" * 201)
        assert await client.closed() == (1009, "message over 200 bytes")
        await settle(lambda: chat.ends)
        assert chat.ends == [(1009, "message over 200 bytes")]
        assert len(happened(server, "connection.violation")) == 1


async def test_a_class_may_allow_more_than_the_tree(way: str) -> None:
    """
    The class's limit goes before the tree's, upwards as well.
    """
    async with (
        running(chat=echo(message_bytes=300), options=Options(message_bytes=100)) as server,
        opened(way, server) as client,
    ):
        await client.send("y" * 250)
        assert await client.text() == "y" * 250


async def test_the_tree_s_limit(way: str) -> None:
    """
    A class that says nothing has the tree's limit of a message.
    """
    options = Options(message_bytes=100)
    async with running(chat=echo(), options=options) as server, opened(way, server) as client:
        await client.send("z" * 101)
        assert (await client.closed())[0] == 1009


async def test_too_fast_is_slowed_down(way: str, autojump_clock: MockClock) -> None:
    """
    A peer that sends a burst gets it through as fast as the rate says, and is not closed.
    """
    chat = echo(messages_per_second=10, rate_burst_seconds=0.2, rate_patience_seconds=60)
    async with running(chat=chat) as server, opened(way, server) as client:
        began = trio.current_time()
        await client.send(*map(str, range(8)))
        times: list[float] = []
        for number in range(8):
            assert await client.text() == str(number)
            times.append(trio.current_time() - began)
        assert times[1] < 0.05
        for number in range(2, 8):  # two at once, and then one each tenth of a second
            assert times[number] >= (number - 1) * 0.1 - 0.01
        assert times[7] < 2
        assert happened(server, "connection.violation") == []


async def test_too_fast_for_too_long(way: str, autojump_clock: MockClock) -> None:
    """
    Who sends more than the rate for longer than the patience is closed with 1008.
    """
    chat = echo(messages_per_second=1, rate_burst_seconds=1, rate_patience_seconds=3)
    async with running(chat=chat) as server, opened(way, server) as client:
        began = trio.current_time()
        await client.send(*map(str, range(30)))
        assert await client.closed() == (1008, "sends too fast")
        assert 2 <= trio.current_time() - began <= 5
        await settle(lambda: chat.ends)
        assert chat.ends == [(1008, "sends too fast")]
        (event,) = happened(server, "connection.violation")
        assert event.facts["code"] == 1008


async def test_bytes_a_second(way: str, autojump_clock: MockClock) -> None:
    """
    Bytes count as well: behind a large message nothing is read until its debt is paid.
    """
    chat = echo(bytes_per_second=100, rate_burst_seconds=1, rate_patience_seconds=60)
    async with running(chat=chat) as server, opened(way, server) as client:
        began = trio.current_time()
        await client.send("x" * 600)
        assert len(await client.text()) == 600
        await client.send("later")
        assert await client.text() == "later"
        assert 4.9 <= trio.current_time() - began <= 7


async def test_idle(way: str, autojump_clock: MockClock) -> None:
    """
    A peer that says nothing is closed with 1001; each message begins the silence anew.
    """
    chat = echo(idle_limit_seconds=10)
    async with running(chat=chat) as server, opened(way, server) as client:
        for _ in range(3):
            await trio.sleep(9)
            await client.send("still here")
            assert await client.text() == "still here"
        began = trio.current_time()
        assert await client.closed() == (1001, "idle")
        assert 9.9 <= trio.current_time() - began <= 12
        await settle(lambda: chat.ends)
        assert chat.ends == [(1001, "idle")]


async def test_a_busy_consumer_is_no_silence(way: str, autojump_clock: MockClock) -> None:
    """
    While a handler runs, the peer waits: that is no silence of its own.
    """
    gate = trio.Event()

    class Slow(WebsocketConsumer):
        idle_limit_seconds = 10
        ping_seconds = 0  # this client answers none while it waits

        async def receive(self, text: str) -> None:
            await gate.wait()
            await self.send(text=text)

    async with running(chat=Slow) as server, opened(way, server) as client:
        await client.send("x")
        await settle(lambda: any("handling" in n.facts for n in server.root.snapshot().walk()))
        await trio.sleep(45)
        gate.set()
        assert await client.text() == "x"
        await trio.sleep(5)
        await client.send("y")
        assert await client.text() == "y"


async def test_lifetime(way: str, autojump_clock: MockClock) -> None:
    """
    At the end of its lifetime a socket is closed with the class's code, however busy it is.
    """
    chat = echo(lifetime_seconds=100, lifetime_code=4000, lifetime_jitter=0.5, ping_seconds=0)
    options = Options(seed=1)
    async with running(chat=chat, options=options) as server, opened(way, server) as client:
        await trio.sleep(49)
        await client.send("x")
        assert await client.text() == "x"
        assert await client.closed() == (4000, "lifetime over")
        assert trio.current_time() <= 102
        await settle(lambda: chat.ends)
        assert chat.ends == [(4000, "lifetime over")]


async def test_no_limits_no_keeper(way: str) -> None:
    """
    A class without such limits has nobody who looks after them.
    """
    async with running(chat=echo()) as server, opened(way, server):
        (slot,) = server.root.connections.newest_first()
        limits = server.root.connections.limits_of(slot.actor)  # type: ignore[attr-defined]
        assert not limits.watched
        assert not limits.counted
        assert not limits.own_ends


async def test_a_handshake_of_its_own(way: str, autojump_clock: MockClock) -> None:
    """
    The class says how long connect() may take.
    """

    class Undecided(WebsocketConsumer):
        handshake_seconds = 3

        async def connect(self) -> None:
            await trio.sleep_forever()

    async with running(chat=Undecided) as server:
        with pytest.raises(HandshakeRefused) as refused:
            async with opened(way, server):
                pass
        assert refused.value.status == 500
        (event,) = happened(server, "slot.crashed")
        assert "within 3 s" in str(event.facts["exception"])


async def test_pings_of_its_own(way: str, autojump_clock: MockClock) -> None:
    """
    With the connection handler a class says when its peers are pinged, and given up.
    """
    chat = echo(ping_seconds=3, pong_seconds=4)
    async with running(chat=chat) as server, opened(way, server):
        if way == "plain":
            await trio.sleep(60)
            assert chat.ends == []  # nobody pings there
            return
        await trio.sleep(6.9)
        assert chat.ends == []
        await trio.sleep(0.3)
        assert chat.ends == [(1006, "no sign of life within 4 s after a ping")]


async def test_what_runs_beside_is_no_silence(way: str, autojump_clock: MockClock) -> None:
    """
    A peer whose question is still being handled, beside the loop, is not idle.
    """

    class Searches(WebsocketConsumer):
        idle_limit_seconds = 10
        ping_seconds = 0

        @concurrent(2)
        async def receive(self, text: str) -> None:
            await trio.sleep(45)
            await self.send(text=text)

    async with running(chat=Searches) as server, opened(way, server) as client:
        await client.send("x")
        assert await client.text() == "x"
        assert await client.closed() == (1001, "idle")


async def test_the_keeper_goes_with_its_socket(way: str) -> None:
    """
    Nobody looks after a socket that is over: nothing of it is kept until its time.
    """
    chat = echo(lifetime_seconds=3600)
    async with running(chat=chat) as server:
        async with opened(way, server):
            assert len(Heartbeats.current()._deadlines._times) >= 1
        await settle(lambda: not server.root.connections.open)
        kept = [each for each in Heartbeats.current()._deadlines._times if type(each) is Keeper]
        assert kept == []
