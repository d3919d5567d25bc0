# What is left in a layer when somebody has gone, and who still hears when its connections were
# closed.

from collections.abc import Callable
from typing import Any

import pytest
import trio
from layer_mailbox import consumer, until
from redis_server import RedisServer

from greenroom.bridges.channels._layer_manager import channel_layers
from greenroom.bridges.channels.consumer import AsyncConsumer
from greenroom.bridges.channels.generic.http import AsyncHttpConsumer
from greenroom.bridges.channels.layers import InMemoryChannelLayer
from greenroom.bridges.channels.redis import RedisChannelLayer, RedisPubSubChannelLayer
from greenroom.bridges.channels.testing import HttpCommunicator

KINDS = [RedisChannelLayer, RedisPubSubChannelLayer]
Make = Callable[..., Any]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["flush", "close", "close_pools"])
async def test_consumers_hear_when_connections_were_closed(
    kind: type, how: str, make_layer: Make
) -> None:
    """
    Connections that are closed below living consumers are made again without anybody's asking.
    """
    here, there = make_layer(kind), make_layer(kind)
    channel, mailbox = await consumer(here, "all")
    await mailbox.until_heard(there, "all")

    await getattr(here, how)()
    with trio.fail_after(20):
        while {"type": "direct"} not in mailbox.got:
            await there.send(channel, {"type": "direct"})
            await trio.sleep(0.02)


async def test_a_worker_hears_when_connections_were_closed(make_layer: Make) -> None:
    """
    A task that waits on a shared channel gets what comes over the new connection.
    """
    here, there = make_layer(RedisChannelLayer), make_layer(RedisChannelLayer)
    got: list[Any] = []

    async def receive() -> None:
        got.append(await here.receive("work"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive)
        await until(lambda: here._readers)
        await here.close_pools()
        await here.send("other", {"type": "m"})
        await there.send("work", {"type": "job"})
        await until(lambda: got)

    assert got == [{"type": "job"}]


async def test_a_channel_that_nobody_got_is_none(
    make_layer: Make, redis_server: RedisServer
) -> None:
    """
    A cancelled new_channel() leaves no queue and no subscription.
    """
    layer = make_layer(RedisPubSubChannelLayer)
    known = await layer.new_channel()
    with trio.CancelScope() as scope:
        scope.cancel()
        await layer.new_channel()

    assert list(layer.channels) == [known]
    with redis_server.client() as client:
        await until(lambda: len(client.pubsub_channels(f"{layer.prefix}*")) == 1)


class Joins(AsyncHttpConsumer):
    """Joins a group and leaves it to the runtime to be taken out."""

    async def handle(self, body: bytes) -> None:
        await self.channel_layer.group_add("all", self.channel_name)
        if body == b"fail":
            raise KeyError("failed")
        await self.send_response(200, b"joined")


async def members(layer: Any) -> list[str]:
    if not isinstance(layer, RedisChannelLayer):
        return [name for each in layer.groups.values() for name in each]
    link = layer._link("all")
    answer: list[str] = await layer._on_hub(
        lambda: link.request("ZRANGE", layer._group_key("all"), 0, -1)
    )
    return answer


@pytest.mark.parametrize("body", [b"", b"fail"])
@pytest.mark.parametrize("kind", [InMemoryChannelLayer, *KINDS])
async def test_a_request_leaves_its_groups(kind: type, body: bytes, make_layer: Make) -> None:
    """
    However a request ends, its channel is in no group and has no queue afterwards.
    """
    layer = kind() if kind is InMemoryChannelLayer else make_layer(kind)
    before = channel_layers.set("default", layer)
    try:
        with_client = HttpCommunicator(Joins.as_asgi(), "POST", "/", body)
        if body:
            with pytest.raises(KeyError):
                await with_client.get_response(5)
        else:
            assert (await with_client.get_response(5))["body"] == b"joined"
        await with_client.future.wait()
        assert layer.channels == {}
        assert layer._groups_of == {}
        assert not getattr(layer, "_alive", None)
        with trio.fail_after(20):
            while await members(layer):  # noqa: ASYNC110 - nothing tells of it
                await trio.sleep(0.01)
    finally:
        channel_layers.set("default", before)


class Last(AsyncConsumer):
    """Ends of a message of the layer."""

    async def end(self, message: Any) -> None:
        raise KeyError("failed")


async def test_the_end_by_a_layers_message_leaves_no_queue(make_layer: Make) -> None:
    """
    A consumer that ends while it handles a layer's message has its channel taken away, too.
    """
    layer = make_layer(RedisPubSubChannelLayer)
    before = channel_layers.set("default", layer)
    try:
        async with trio.open_nursery() as nursery:

            async def serve() -> None:
                with pytest.raises(KeyError):
                    await Last()({"type": "channel"}, trio.sleep_forever, trio.sleep_forever)

            nursery.start_soon(serve)
            await until(lambda: layer.channels)
            await layer.send(next(iter(layer.channels)), {"type": "end"})
        assert layer.channels == {}
    finally:
        channel_layers.set("default", before)
