# Redis is there, and refuses: what reads there goes on when it is allowed to, and a message that
# nobody can understand stops nobody.

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
    layer = make(hosts=[{"address": own_redis.url, "socket_timeout": 0.1}])
    channel, mailbox = await consumer(layer)
    await layer.send(channel, {"type": "m"})
    await mailbox.until_got({"type": "m"})

    await trio.sleep(1)  # several heartbeats, all of them behind one read

    assert "is lost" not in caplog.text


async def test_subscriptions_that_are_refused(
    own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Where Redis lets us listen to nothing, sending fails at once with the reason, and hangs nobody.
    """
    monkeypatch.setattr(_redis_pubsub, "ANSWER_SECONDS", 0.1)
    with own_redis.client() as store:
        store.execute_command("ACL", "SETUSER", "deaf", "on", ">word", "~*", "+@all")
    url = own_redis.url.replace("//", "//deaf:word@")
    layer = RedisPubSubChannelLayer(hosts=[url])
    try:
        with trio.fail_after(20):
            await layer.new_channel()
            # Which of the two is refused first depends on when the connection was made.
            refused = (RedisUnavailable, AuthorizationError)
            with pytest.raises(refused, match="has not confirmed|no permissions"):
                await layer.group_send("all", {"type": "m"})
    finally:
        layer.close_soon()
