# Redis goes away and comes back: consumers live on, are told, and are still in their groups.

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trio
from layer_mailbox import Mailbox, consumer, until
from ports import free_port
from redis_server import RedisServer, running_redis, running_sentinel

from greenroom.bridges.channels.redis import (
    RedisChannelLayer,
    RedisPubSubChannelLayer,
    RedisUnavailable,
)

KINDS = [RedisChannelLayer, RedisPubSubChannelLayer]


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture
def make(own_redis: RedisServer) -> Iterator[Callable[..., Any]]:
    layers: list[Any] = []

    def make(kind: type, **config: Any) -> Any:
        layers.append(kind(**{"hosts": [own_redis.url], **config}))
        return layers[-1]

    yield make
    for layer in layers:
        layer.close_soon()


async def in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    return await trio.to_thread.run_sync(function, *arguments)


async def until_it_sends(layer: Any) -> None:
    with trio.fail_after(60):  # a sentinel that was held up trusts nobody for 30
        while True:
            try:
                return await layer.group_send("nobody", {"type": "probe"})
            except RedisUnavailable:
                await trio.sleep(0.01)


@pytest.mark.parametrize("kind", KINDS)
async def test_consumers_survive_a_restart(
    kind: type, make: Callable[..., Any], own_redis: RedisServer
) -> None:
    """
    After Redis has lost all it held, consumers are in their groups and channels as before.
    """
    here, there = make(kind), make(kind)
    channel, first = await consumer(here, "all")
    _, second = await consumer(there, "all")

    await in_thread(own_redis.restart)
    await until_it_sends(here)
    await until_it_sends(there)
    await first.until_heard(there, "all")
    await second.until_heard(here, "all")
    await there.send(channel, {"type": "direct"})

    await first.until_got({"type": "direct"})
    assert here.statistics().gaps == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_consumers_are_told(
    kind: type, make: Callable[..., Any], own_redis: RedisServer
) -> None:
    """
    Who asks for it gets layer.down with the reason and then layer.up, and nobody else does.
    """
    layer = make(kind)
    told, untold = Mailbox(), Mailbox()
    for mailbox, events in ((told, ("layer.down", "layer.up")), (untold, ())):
        layer.attach(await layer.new_channel(), mailbox.deliver, events)
    await until_it_sends(layer)

    await in_thread(own_redis.halt)
    [down] = await told.until(1)
    await in_thread(own_redis.start)
    [_, up] = await told.until(2)

    host = f"127.0.0.1:{own_redis.port}"
    assert down == {"type": "layer.down", "host": host, "reason": "the connection was lost"}
    assert up == {"type": "layer.up", "host": host}
    assert untold.got == []


@pytest.mark.parametrize("kind", KINDS)
async def test_sends_fail_fast(
    kind: type, make: Callable[..., Any], own_redis: RedisServer
) -> None:
    """
    While Redis is away a send raises and says why; consumers can join groups, which holds later.
    """
    layer = make(kind)
    channel, mailbox = await consumer(layer)
    await until_it_sends(layer)
    await in_thread(own_redis.halt)

    with trio.fail_after(5):
        for _ in range(3):
            with pytest.raises(RedisUnavailable, match=r"can't be reached: .*(refused|reset)"):
                await layer.group_send("all", {"type": "m"})
        with pytest.raises(RedisUnavailable):
            await layer.send(channel, {"type": "m"})
        with pytest.raises(RedisUnavailable):
            await in_thread(layer.group_send_blocking, "all", {"type": "m"})
        await layer.group_add("all", channel)

    await in_thread(own_redis.start)
    await until_it_sends(layer)
    await mailbox.until_heard(layer, "all")


@pytest.mark.parametrize("kind", KINDS)
async def test_redis_that_was_never_there(kind: type) -> None:
    """
    A process starts without Redis, and works as soon as there is one.
    """
    port = free_port()
    layer = kind(hosts=[("127.0.0.1", port)])
    _, mailbox = await consumer(layer, "all")
    with pytest.raises(RedisUnavailable, match="refused"):
        await layer.group_send("all", {"type": "m"})

    server = await in_thread(lambda: RedisServer(port=port))
    try:
        await until_it_sends(layer)
        await mailbox.until_heard(layer, "all")
    finally:
        layer.close_soon()
        server.stop()


@pytest.mark.parametrize("kind", KINDS)
async def test_failover_with_sentinel(kind: type, own_redis: RedisServer) -> None:
    """
    When sentinels name another primary, consumers hear what is sent by way of that one.
    """
    with running_redis("--replicaof", "127.0.0.1", str(own_redis.port)) as replica:
        with running_sentinel(own_redis, "main") as sentinel:
            host = {"sentinels": [("127.0.0.1", sentinel.port)], "master_name": "main"}
            layer = kind(hosts=[host])
            _, mailbox = await consumer(layer, "all")
            await mailbox.until_heard(layer, "all")
            await until(lambda: sentinel.info("sentinel")["master0"]["slaves"])

            await in_thread(own_redis.halt)
            await until_it_sends(layer)
            await mailbox.until_heard(layer, "all")
            assert (await in_thread(replica.info, "replication"))["role"] == "master"
            layer.close_soon()


async def test_who_left_meanwhile_is_no_member(
    make: Callable[..., Any], own_redis: RedisServer
) -> None:
    """
    A consumer that ends, or leaves a group, while Redis is away is no member when it is back.
    """
    layer = make(RedisChannelLayer)
    ended, _ = await consumer(layer, "all")
    left, _ = await consumer(layer, "all")
    stays, mailbox = await consumer(layer, "all")
    own_redis.ask("CONFIG", "SET", "save", "3600")
    own_redis.ask("SAVE")
    await in_thread(own_redis.halt)
    with pytest.raises(RedisUnavailable):
        await layer.group_send("all", {"type": "m"})

    layer.detach(ended)
    await layer.group_discard("all", left)
    await in_thread(own_redis.start)
    await mailbox.until_heard(layer, "all")

    with own_redis.client() as client:
        await until(lambda: client.zrange("asgi:group:all", 0, -1) == [stays.encode()])


async def test_functions_of_the_project_are_called(
    make: Callable[..., Any], own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """
    on_disconnect and on_reconnect, which channels_redis takes and forgets, are called; one that
    fails is logged.
    """
    called: list[str] = []

    def fails() -> None:
        called.append("down")
        raise KeyError("of the project")

    layer = make(
        RedisPubSubChannelLayer, on_disconnect=fails, on_reconnect=lambda: called.append("up")
    )
    await until_it_sends(layer)
    await in_thread(own_redis.restart)
    await until(lambda: called == ["down", "up"])

    assert "of the project" in caplog.text

    async def wrong() -> None: ...

    with pytest.raises(TypeError, match="plain functions"):
        make(RedisPubSubChannelLayer, on_disconnect=wrong)
