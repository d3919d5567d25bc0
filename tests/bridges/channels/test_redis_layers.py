# Both layers on a real Redis: what they promise alike.

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
import trio
from asgiref.sync import async_to_sync
from layer_mailbox import consumer, until
from redis_server import RedisServer

from greenroom.bridges.channels.redis import RedisChannelLayer, RedisPubSubChannelLayer

pytestmark = pytest.mark.parametrize("kind", [RedisChannelLayer, RedisPubSubChannelLayer])
Make = Callable[..., Any]
HI = {"type": "hi", "n": 1, "b": b"\xff", "t": [None, True, 0.5, "ü"]}


async def test_consumers_of_two_processes(kind: type, make_layer: Make) -> None:
    """
    Direct and group messages reach consumers of this and of another process, unchanged.
    """
    here, there = make_layer(kind), make_layer(kind)
    one, first = await consumer(here, "all")
    two, second = await consumer(there, "all")

    await here.send(two, HI)
    await here.send(one, HI)
    await there.group_send("all", {"type": "all"})

    assert await first.until(2) == [HI, {"type": "all"}]
    assert await second.until(2) == [HI, {"type": "all"}]


async def test_detached_hears_nothing(kind: type, make_layer: Make) -> None:
    """
    After detach() nothing arrives, and the group has lost its member.
    """
    layer = make_layer(kind)
    gone, nothing = await consumer(layer, "all")
    _, other = await consumer(layer, "all")

    layer.detach(gone)
    for number in range(3):
        await layer.group_send("all", {"type": "m", "number": number})

    assert [each["number"] for each in await other.until(3)] == [0, 1, 2]
    assert nothing.got == []
    assert layer.statistics().attached == 1


async def test_receive_count_is_of_this_process(kind: type, make_layer: Make) -> None:
    """
    `receive_count`, by which code asks who is there, counts this process' consumers and readers.
    """
    layer = make_layer(kind)
    gone, _ = await consumer(layer, "all")
    await consumer(layer, "all")
    assert layer.receive_count == 2
    async with trio.open_nursery() as nursery:
        nursery.start_soon(layer.receive, await layer.new_channel())
        await until(lambda: layer.receive_count == 3)
        nursery.cancel_scope.cancel()
    layer.detach(gone)
    assert layer.receive_count == 1


async def test_discarded_hears_nothing(kind: type, make_layer: Make) -> None:
    """
    A member that was discarded gets what is sent to it, and nothing that is sent to the group.
    """
    layer = make_layer(kind)
    channel, mailbox = await consumer(layer, "all")
    _, other = await consumer(layer, "all")

    await layer.group_discard("all", channel)
    await layer.group_discard("all", channel)
    await layer.group_send("all", {"type": "group"})
    await other.until(1)
    await layer.send(channel, {"type": "direct"})

    assert await mailbox.until(1) == [{"type": "direct"}]


async def test_receive(kind: type, make_layer: Make) -> None:
    """
    Without a supervisor, receive() gets direct and group messages in order.
    """
    layer = make_layer(kind)
    channel = await layer.new_channel()
    await layer.group_add("all", channel)
    got: list[Any] = []

    async with trio.open_nursery() as nursery:

        async def read() -> None:
            with trio.fail_after(20):
                got.extend([await layer.receive(channel) for _ in range(3)])

        nursery.start_soon(read)
        await layer.send(channel, {"type": "a"})
        await layer.group_send("all", {"type": "b"})
        await layer.send(channel, {"type": "c"})

    assert [each["type"] for each in got] == ["a", "b", "c"]


async def test_a_full_mailbox_is_a_counted_drop(kind: type, make_layer: Make) -> None:
    """
    What a mailbox does not take is counted, and the others get theirs.
    """
    layer = make_layer(kind)
    _, full = await consumer(layer, "all", room=0)
    _, free = await consumer(layer, "all")

    await layer.group_send("all", {"type": "m"})
    await free.until(1)
    await until(lambda: layer.statistics().dropped == 1)

    assert full.got == []


async def test_from_everywhere(kind: type, make_layer: Make, redis_server: RedisServer) -> None:
    """
    Trio, asyncio, async_to_sync in a plain thread, and the blocking call send through one client.
    """
    layer = make_layer(kind)
    _, mailbox = await consumer(layer, "all")
    await layer.group_send("all", {"type": "trio"})

    def in_thread() -> None:
        for _ in range(10):
            async_to_sync(layer.group_send)("all", {"type": "thread"})
        layer.group_send_blocking("all", {"type": "blocking"})
        asyncio.run(layer.group_send("all", {"type": "asyncio"}))

    await mailbox.until(1)  # its reader, which has a connection of its own, has that now
    before = connections_so_far(redis_server)
    thread = threading.Thread(target=in_thread)
    thread.start()
    await trio.to_thread.run_sync(thread.join)

    got = [each["type"] for each in await mailbox.until(13)]
    assert got == ["trio", *["thread"] * 10, "blocking", "asyncio"]
    assert connections_so_far(redis_server) == before + 1  # the one that asks


def connections_so_far(server: RedisServer) -> int:
    total: int = server.info("stats")["total_connections_received"]
    return total


async def test_what_cannot_be_carried(kind: type, make_layer: Make) -> None:
    """
    A value that the wire has no form for fails where it is sent.
    """
    layer = make_layer(kind)
    channel, _ = await consumer(layer, "all")
    with pytest.raises(TypeError):
        await layer.send(channel, {"type": "m", "x": object()})
    with pytest.raises(TypeError):
        await layer.group_send("all", {"type": "m", "x": object()})


async def test_encrypted(kind: type, make_layer: Make, caplog: pytest.LogCaptureFixture) -> None:
    """
    With keys the first encrypts and all decrypt; who has none of them says so and counts.
    """
    old, both = make_layer(kind, symmetric_encryption_keys=["old"]), None
    both = make_layer(kind, symmetric_encryption_keys=["new", "old"])
    none = make_layer(kind)
    _, reads = await consumer(both, "all")
    await consumer(none, "all")

    await old.group_send("all", HI)
    assert await reads.until(1) == [HI]
    await until(lambda: none.statistics().dropped)
    assert "can't be read" in caplog.text


async def test_close_and_go_on(kind: type, make_layer: Make) -> None:
    """
    After close() the next use opens the connections again; consumers are still there.
    """
    layer = make_layer(kind)
    channel, mailbox = await consumer(layer, "all")
    await layer.close()
    await layer.send(channel, {"type": "a"})
    await mailbox.until(1)  # what Redis is just handing over when it is closed would be lost
    await layer.close_pools()
    await layer.group_send("all", {"type": "b"})

    assert [each["type"] for each in await mailbox.until(2)] == ["a", "b"]


async def test_churn_leaves_nothing(
    kind: type, make_layer: Make, redis_server: RedisServer
) -> None:
    """
    Consumers that came and went leave no queue, group, subscription or key behind.
    """
    layer = make_layer(kind)
    for number in range(200):
        channel, _ = await consumer(layer, "all", f"group-{number}")
        layer.detach(channel)

    assert layer.statistics().attached == 0
    assert layer.channels == {}
    assert not getattr(layer, "groups", {})
    assert layer._groups_of == {}
    with redis_server.client() as client:
        await until(lambda: not client.keys(f"{layer.prefix}:group:*"))
        await until(lambda: not client.pubsub_channels(f"{layer.prefix}*"))


async def test_flush(kind: type, make_layer: Make) -> None:
    """
    flush() forgets queues and groups; a living consumer is still reached by its name.
    """
    layer = make_layer(kind)
    channel, mailbox = await consumer(layer, "all")
    bare = await layer.new_channel()
    await layer.send(bare, {"type": "unread"})

    await layer.flush()
    await layer.group_send("all", {"type": "group"})
    await layer.send(channel, {"type": "direct"})

    assert await mailbox.until(1) == [{"type": "direct"}]


async def test_closed_is_closed(kind: type, make_layer: Make, redis_server: RedisServer) -> None:
    """
    close() leaves no connection open if nobody receives any more.
    """
    layer = make_layer(kind, hosts=[{"address": redis_server.url, "client_name": "mine"}])
    channel, _ = await consumer(layer, "all")
    if kind is RedisChannelLayer:
        with trio.move_on_after(0.05):
            await layer.receive("plain")
    with redis_server.client() as client:

        def mine() -> int:
            return sum(each["name"] == "mine" for each in client.client_list())

        assert mine() >= 1
        layer.detach(channel)
        await layer.close()
        await until(lambda: not mine())
