# The engine on Redis: the contract of engines, on one server and on two, and what is its own.

from collections.abc import Iterator
from typing import Any

import pytest
import trio
from layer_mailbox import until
from redis_server import RedisServer, running_redis

from greenroom.bridges.engines import _redis_engine
from greenroom.bridges.engines._redis_engine import RedisEngine
from greenroom.bridges.engines._redis_outbox import Outbox
from greenroom.bridges.engines._redis_ring import shard_of
from greenroom.bridges.testing._recorder import Recorder
from greenroom.bridges.testing.engine_suite import DistributedEngineSuite
from greenroom.supervisor import Engine

hosts: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def servers() -> Iterator[list[RedisServer]]:
    with running_redis() as first, running_redis() as second:
        hosts[:] = [first.url, second.url]
        yield [first, second]


class TestRedisEngine(DistributedEngineSuite):
    """On one server."""

    def make_engine(self) -> Engine:
        return RedisEngine(hosts[:1], prefix="suite")

    async def lose_connection(self, engine: Any) -> None:
        links = [lane.pubsub.link for lane in engine._lanes]
        before = [link.connections for link in links]
        for link in links:
            link.break_off()
        pairs = list(zip(links, before, strict=True))  # it may be back before anybody looks
        await until(lambda: all(not link.is_up or link.connections > was for link, was in pairs))


class TestRedisEngineOnTwoServers(TestRedisEngine):
    """
    On two. The topics of a test lie on the second one: the suite takes it that what is published to
    one topic first has passed before what is published to another, which no engine has to promise.
    """

    def make_engine(self) -> Engine:
        return RedisEngine(hosts, prefix="suite2")

    def new_topic(self) -> str:
        while shard_of(topic := super().new_topic(), 2) != 1:
            pass
        return topic


async def test_past_the_bound_is_a_gap_to_the_others(servers: list[RedisServer]) -> None:
    """
    While Redis is away messages wait, up to the bound; the others learn that some are lost.
    """
    publisher = RedisEngine(hosts[:1], prefix="bound", max_lag_messages=3)
    listener = RedisEngine(hosts[:1], prefix="bound")
    listener.subscribe("topic")
    heard = Recorder()
    async with trio.open_nursery() as nursery:
        await nursery.start(listener.run, heard)
        await until(lambda: listener.statistics().connected)
        for number in range(5):
            publisher.publish("topic", str(number))
        assert publisher.statistics().dropped == 2
        assert publisher.statistics().lag_messages == 3
        assert not heard.gaps

        await nursery.start(publisher.run, Recorder())
        await until(lambda: heard.gaps)
        nursery.cancel_scope.cancel()

    assert heard.of("topic") == ["0", "1", "2"]
    assert publisher.statistics().lag_messages == 0


@pytest.fixture
def long_end(monkeypatch: pytest.MonkeyPatch) -> float:
    """
    How long the end of an engine may take: more than a busy machine needs for it.
    """
    monkeypatch.setattr(_redis_engine, "LAST_SECONDS", 60.0)
    return 60.0


@pytest.mark.usefixtures("long_end")
async def test_the_last_words_are_sent(servers: list[RedisServer]) -> None:
    """
    What was published just before its end is heard, all of it, on each server.
    """
    listener = RedisEngine(hosts, prefix="last")
    heard = Recorder()
    topics = [next(f"{n}" for n in range(99) if shard_of(f"{n}", 2) == each) for each in (0, 1)]
    async with trio.open_nursery() as nursery:
        await nursery.start(listener.run, heard)
        for topic in topics:
            listener.subscribe(topic)
        publisher = RedisEngine(hosts, prefix="last")
        async with trio.open_nursery() as shorter:
            await shorter.start(publisher.run, Recorder())
            # They may know of each other by one server, and not be at the other one yet.
            for each in (publisher, listener):
                await until(lambda each=each: each.statistics().connected and each.peers())
            for number in range(2000):
                for topic in topics:
                    publisher.publish(topic, str(number))
            shorter.cancel_scope.cancel()
        await until(lambda: all(len(heard.of(topic)) == 2000 for topic in topics))
        nursery.cancel_scope.cancel()

    assert publisher.statistics().dropped == 0


async def test_without_redis_the_end_is_at_once(long_end: float) -> None:
    """
    An engine whose Redis is away has nobody to tell, and waits for nobody.
    """
    with running_redis() as server:
        engine = RedisEngine([server.url])
        server.halt()
        async with trio.open_nursery() as nursery:
            await nursery.start(engine.run, Recorder())
            engine.publish("topic", "unheard")
            began = trio.current_time()
            nursery.cancel_scope.cancel()

    assert trio.current_time() - began < long_end
    assert engine.statistics().dropped == 1


async def test_redis_restarts(servers: list[RedisServer]) -> None:
    """
    When Redis has restarted both sides hear of a gap, and then each other.
    """
    with running_redis() as server:
        first, second = (RedisEngine([server.url]) for _ in range(2))
        recorders = [Recorder(), Recorder()]
        async with trio.open_nursery() as nursery:
            for engine, recorder in zip((first, second), recorders, strict=True):
                engine.subscribe("topic")
                await nursery.start(engine.run, recorder)
            await until(lambda: first.peers() and second.peers())
            await trio.to_thread.run_sync(server.restart)
            await until(lambda: all(recorder.gaps for recorder in recorders))
            await until(lambda: first.statistics().connected and second.statistics().connected)
            first.publish("topic", {"type": "after"})
            await recorders[1].heard("topic", {"type": "after"})
            nursery.cancel_scope.cancel()

    assert not first.statistics().connected


@pytest.mark.parametrize("payload", [{"x": (1, 2)}, {"x": 2**70}, {"x": {1, 2}}, 7])
def test_what_would_not_arrive_equal_is_refused(payload: object) -> None:
    """
    A value that would arrive as another one, or not at all, is a TypeError.
    """
    with pytest.raises(TypeError):
        RedisEngine().publish("topic", payload)


def test_outbox() -> None:
    """
    The outbox is bounded in messages and in bytes, and says once that a gap is owed.
    """
    outbox = Outbox(messages=2, bytes=10)
    assert [outbox.put("c", b"12345") for _ in range(3)] == [True, True, False]
    assert outbox.lag()[:2] == (2, 10)
    assert [each.data for each in outbox.take(1)] == [b"12345"]
    assert not outbox.put("c", b"123456")
    assert outbox.put("c", b"1")
    assert (outbox.dropped, outbox.pay_gap(), outbox.pay_gap()) == (2, True, False)
    assert len(outbox.take(10)) == 2
    assert outbox.lag() == (0, 0, 0.0)


@pytest.mark.parametrize("data", [b"\xc1", b"garbage", b"\x05", b"\x92\x90\x01"])
async def test_what_others_publish_there_is_no_harm(
    servers: list[RedisServer], data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """
    What can't be read is counted, and neither the connection nor what comes next is lost.
    """
    listener, publisher = RedisEngine(hosts[:1], prefix="bad"), RedisEngine(hosts[:1], prefix="bad")
    heard = Recorder()
    async with trio.open_nursery() as nursery:
        await nursery.start(listener.run, heard)
        await nursery.start(publisher.run, Recorder())
        listener.subscribe("topic")
        with servers[0].client() as client:
            await until(lambda: client.publish("bad:topic:topic", data))
            await until(lambda: listener.statistics().dropped)
        publisher.publish("topic", "next")
        await until(lambda: heard.of("topic"))
        nursery.cancel_scope.cancel()

    assert heard.of("topic") == ["next"]
    assert not heard.gaps
    assert "bad:topic:topic can't be read" in caplog.text


async def test_a_refusal_of_redis_is_a_gap() -> None:
    """
    The engine lives on when Redis refuses to publish; the others learn of it afterwards.
    """
    with running_redis() as server:
        listener, publisher = RedisEngine([server.url]), RedisEngine([server.url])
        heard = Recorder()
        async with trio.open_nursery() as nursery:
            await nursery.start(listener.run, heard)
            await nursery.start(publisher.run, Recorder())
            listener.subscribe("topic")
            # They have greeted each other, and Redis has answered to the greetings: one that is
            # refused would count as dropped, too.
            await until(lambda: publisher.peers() and listener.peers())
            await until(lambda: publisher._lanes[0].is_empty)
            with server.client() as client:
                client.execute_command("ACL", "SETUSER", "default", "-publish")
                publisher.publish("topic", "refused")
                await until(lambda: publisher.statistics().dropped)
                client.execute_command("ACL", "SETUSER", "default", "+@all")
            await until(lambda: heard.gaps)
            nursery.cancel_scope.cancel()

    assert heard.of("topic") == []
