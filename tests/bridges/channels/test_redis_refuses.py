# Redis is there, and refuses: what reads there goes on when it is allowed to, and a message that
# nobody can understand stops nobody.

import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgpack  # pyright: ignore[reportMissingTypeStubs]
import pytest
import trio
from coredis.exceptions import AuthorizationError
from layer_mailbox import consumer, until
from redis_server import RedisServer, running_redis

from greenroom.bridges.channels.redis import (
    RedisChannelLayer,
    RedisPubSubChannelLayer,
    RedisUnavailable,
)
from greenroom.bridges.engines import _redis_link, _redis_pubsub


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture
def make(own_redis: RedisServer) -> Iterator[Callable[..., Any]]:
    layers: list[Any] = []

    def make(**config: Any) -> Any:
        layers.append(RedisChannelLayer(**{"hosts": [own_redis.url], **config}))
        return layers[-1]

    yield make
    for layer in layers:
        layer.close_soon()


async def test_reading_goes_on_when_redis_allows_it_again(
    make: Callable[..., Any], own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """
    A reader that Redis has refused, as while it loads or fails over, gets what comes afterwards.
    """
    layer = make()
    channel, mailbox = await consumer(layer)
    await layer.send(channel, {"type": "before"})
    await mailbox.until_got({"type": "before"})

    with own_redis.client() as store:
        store.execute_command("ACL", "SETUSER", "default", "-bzpopmin")
        await layer.send(channel, {"type": "one more"})  # behind which it asks again
        await until(lambda: "refuses to hand over" in caplog.text)
        store.execute_command("ACL", "SETUSER", "default", "+@all")
    await layer.send(channel, {"type": "after"})

    await mailbox.until_got({"type": "after"})


@pytest.mark.parametrize("address", [5, [5], None, {"a": 1}])
async def test_a_message_to_nobody_stops_no_reader(
    make: Callable[..., Any], own_redis: RedisServer, address: object
) -> None:
    """
    A message with an address that is none is dropped and counted, and the next one arrives.
    """
    layer = make()
    channel, mailbox = await consumer(layer)
    packed: Any = msgpack.packb({"type": "m", "__asgi_channel__": address})
    data = bytes(12) + packed
    with own_redis.client() as store:
        store.zadd(layer.prefix + layer.non_local_name(channel), {data: time.time()})
    await until(lambda: layer.statistics().dropped)

    await layer.send(channel, {"type": "after"})

    await mailbox.until_got({"type": "after"})


async def test_a_reader_that_waits_is_alive(
    make: Callable[..., Any],
    own_redis: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """
    A sign of life may wait behind a blocking read for longer than answers may take.
    """
    monkeypatch.setattr(_redis_link, "HEARTBEAT_SECONDS", 0.01)
    # Other answers may take as long, of a Redis that a busy machine keeps waiting.
    layer = make(hosts=[{"address": own_redis.url, "socket_timeout": 3}])
    channel, mailbox = await consumer(layer)
    await layer.send(channel, {"type": "m"})
    await mailbox.until_got({"type": "m"})

    await trio.sleep(4)  # many heartbeats, all of them behind one read of five seconds

    assert "is lost" not in caplog.text


@pytest.fixture
def deaf(own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """
    A layer whose user may neither listen to a channel nor publish to one.
    """
    monkeypatch.setattr(_redis_pubsub, "ANSWER_SECONDS", 0.1)
    with own_redis.client() as store:
        store.execute_command("ACL", "SETUSER", "deaf", "on", ">word", "~*", "+@all")
    layer = RedisPubSubChannelLayer(hosts=[own_redis.url.replace("//", "//deaf:word@")])
    yield layer
    layer.close_soon()


async def test_subscriptions_that_are_refused(deaf: Any, own_redis: RedisServer) -> None:
    """
    Where Redis lets us listen to nothing, sending fails at once with the reason, and hangs nobody.
    """
    assert own_redis._process is not None
    with trio.fail_after(20):
        own_redis._process.send_signal(signal.SIGSTOP)  # so that it is asked before it greets
        async with trio.open_nursery() as nursery:
            nursery.start_soon(deaf.new_channel)
            try:
                await until(lambda: any(shard._wanted for shard in deaf._shards))
            finally:
                own_redis._process.send_signal(signal.SIGCONT)
        with pytest.raises(RedisUnavailable, match="has not confirmed"):
            await deaf.group_send("all", {"type": "m"})


async def test_a_subscription_that_is_refused_later(deaf: Any) -> None:
    """
    Where the connection was there before, it is what is sent that Redis refuses, at once.
    """
    with trio.fail_after(20):
        with pytest.raises(AuthorizationError, match="no permissions"):
            await deaf.group_send("all", {"type": "m"})
        await deaf.new_channel()
        with pytest.raises(AuthorizationError, match="no permissions"):
            await deaf.group_send("all", {"type": "m"})
