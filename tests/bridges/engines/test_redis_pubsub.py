# What a process says and hears on one Redis' pub/sub.

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from free_ports import free_port
from layer_mailbox import until
from redis_server import RedisServer

from greenroom.bridges.engines import RedisUnavailable
from greenroom.bridges.engines._redis_hosts import host_of
from greenroom.bridges.engines._redis_pubsub import PubSub


class Heard:
    def __init__(self) -> None:
        self.got: list[tuple[str, bytes]] = []
        self.states: list[Any] = []

    def deliver(self, channel: str, data: bytes) -> None:
        self.got.append((channel, data))


@asynccontextmanager
async def running(host: object) -> AsyncGenerator[tuple[PubSub, Heard], None]:
    heard = Heard()
    pubsub = PubSub(
        host_of(host), heard.deliver, on_up=heard.states.append, on_down=heard.states.append
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pubsub.run)
        yield pubsub, heard
        nursery.cancel_scope.cancel()


async def test_heard(redis_server: RedisServer) -> None:
    """
    What is published after subscribe() has returned arrives, without any wait between.
    """
    async with running(redis_server.url) as (listener, heard):
        async with running(redis_server.url) as (publisher, _):
            for number in range(50):
                channel = f"heard-{number}"
                await listener.subscribe(channel)
                assert await publisher.publish(channel, b"x") == 1
            await until(lambda: len(heard.got) == 50)
            listener.unsubscribe("heard-0")
            await listener.subscribe("other")  # confirmed behind it
            assert await publisher.publish("heard-0", b"x") == 0
    assert {data for _, data in heard.got} == {b"x"}


async def test_renewed(redis_server: RedisServer) -> None:
    """
    When on_up tells that the connection is back, all subscriptions stand.
    """
    async with running(redis_server.url) as (listener, heard):
        channels = [f"renewed-{number}" for number in range(1200)]
        for channel in channels[:600]:
            await listener.subscribe(channel)
        for channel in channels[600:]:
            listener.listen(channel)
        listener.link.break_off()
        await until(lambda: heard.states[-1:] == [True])

        with redis_server.client() as client:
            assert all(n == 1 for _, n in client.pubsub_numsub(*channels))
    assert heard.states == [False, "the connection was lost", True]


async def test_without_redis() -> None:
    """
    Where nobody listens subscribe() returns, for it is noted, and publish() raises.
    """
    async with running(("127.0.0.1", free_port())) as (pubsub, heard):
        with trio.fail_after(10):
            await pubsub.subscribe("later")
            with pytest.raises(RedisUnavailable):
                await pubsub.publish("later", b"x")
    assert len(heard.states) == 1
