# The layer that stores messages: capacity, time, and what a reader that goes away leaves behind.

import os
import time
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import redis
import trio
from layer_mailbox import consumer, until
from redis_server import RedisServer

from greenroom.bridges.channels.exceptions import ChannelFull
from greenroom.bridges.channels.redis import RedisChannelLayer
from greenroom.bridges.engines import _redis_groups as redis_groups

Make = Callable[..., Any]


@pytest.fixture
def make(make_layer: Make) -> Make:
    return lambda **config: make_layer(RedisChannelLayer, **config)


@pytest.fixture
def store(redis_server: RedisServer) -> Any:
    with redis.Redis(port=redis_server.port) as client:
        yield client


async def test_capacity(make: Make) -> None:
    """
    A channel takes as much as it may, and no more; other patterns have other capacities.
    """
    layer = make(capacity=2, channel_capacity={"big.*": 3})
    for channel, room in (("small", 2), ("big.one", 3)):
        for _ in range(room):
            await layer.send(channel, {"type": "m"})
        with pytest.raises(ChannelFull, match=channel):
            await layer.send(channel, {"type": "m"})


async def test_a_group_send_without_room_is_counted(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """
    A queue of a group's member without room is counted and logged once.
    """
    layer = make(capacity=1)
    await layer.group_add("all", "worker")
    await layer.send("worker", {"type": "m"})
    for _ in range(3):
        await layer.group_send("all", {"type": "m"})

    assert layer.statistics().dropped == 3
    assert caplog.text.count("is full") == 1


async def test_old_messages_make_room(make: Make, store: Any) -> None:
    """
    Messages older than the expiry are thrown away by whoever sends next.
    """
    layer = make(capacity=1, expiry=60)
    await layer.send("jobs", {"type": "old"})
    [(stored, _)] = store.zrange(f"{layer.prefix}jobs", 0, -1, withscores=True)
    store.zadd(f"{layer.prefix}jobs", {stored: time.time() - 61})

    await layer.send("jobs", {"type": "new"})

    with trio.fail_after(20):
        assert await layer.receive("jobs") == {"type": "new"}


async def test_a_cancelled_receive_takes_nothing(make: Make, store: Any) -> None:
    """
    What comes for a reader that has gone is there for the next one, in another process, too.
    """
    layer, other = make(), make()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(layer.receive, "jobs")
        await until(lambda: any(each["cmd"] == "bzpopmin" for each in store.client_list()))
        nursery.cancel_scope.cancel()
    for number in range(5):
        await layer.send("jobs", {"n": number})

    with trio.fail_after(20):
        got = [(await other.receive("jobs"))["n"] for _ in range(5)]

    assert got == [0, 1, 2, 3, 4]


async def test_what_a_dead_worker_was_at_is_received(make: Make, store: Any) -> None:
    """
    A message that stock Channels has noted as in flight, and never handled, is read again.
    """
    layer = make()
    await layer.send("jobs", {"type": "m"})
    key = f"{layer.prefix}jobs"
    [(member, score)] = store.zpopmin(key)
    store.zadd(f"{key}$inflight", {member: score})

    with trio.fail_after(20):
        assert await layer.receive("jobs") == {"type": "m"}
    assert store.exists(f"{key}$inflight") == 0


async def test_a_membership_ends_with_its_consumer(make: Make, store: Any) -> None:
    """
    Redis holds a living consumer as a member; when it is detached, it does not.
    """
    layer = make(group_expiry=60)
    channel, _ = await consumer(layer, "a", "b")
    keys = [f"{layer.prefix}:group:{name}" for name in "ab"]
    assert [store.zrange(key, 0, -1) for key in keys] == [[channel.encode()]] * 2
    assert all(0 < store.ttl(key) <= 60 for key in keys)

    layer.detach(channel)
    await until(lambda: not any(store.exists(key) for key in keys))


async def test_a_consumer_that_ends_while_it_joins(
    make: Make, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Redis has no member left of a consumer that was gone before Redis had been told it joined.
    """
    layer = make(group_expiry=60)
    channel, _ = await consumer(layer, "a")
    join, leave, left = redis_groups.join, redis_groups.leave, trio.Event()

    async def noted(link: Any, key: str, name: str) -> None:
        await leave(link, key, name)
        if key.endswith(":b"):
            left.set()

    async def late(*args: Any) -> None:
        layer.detach(channel)
        await left.wait()
        await join(*args)

    monkeypatch.setattr(redis_groups, "leave", noted)
    monkeypatch.setattr(redis_groups, "join", late)
    with trio.fail_after(20):
        await layer.group_add("b", channel)
    assert not store.exists(f"{layer.prefix}:group:b")


async def test_old_memberships_are_dropped(make: Make, store: Any) -> None:
    """
    A member that has not said for too long that it lives gets nothing, and is removed.
    """
    layer = make(group_expiry=100)
    key = f"{layer.prefix}:group:all"
    store.zadd(key, {"old": time.time() - 101, "young": time.time() - 99})

    await layer.group_send("all", {"type": "m"})

    assert store.zrange(key, 0, -1) == [b"young"]
    assert store.zcard(f"{layer.prefix}young") == 1
    assert not store.exists(f"{layer.prefix}old")


async def test_living_consumers_stay_members(make: Make, store: Any) -> None:
    """
    A consumer that lives longer than the group's expiry is still a member.
    """
    layer = make(group_expiry=8)  # so it is renewed after 2 s, and a busy machine has 6 for it
    _, mailbox = await consumer(layer, "all")
    key = f"{layer.prefix}:group:all"
    [(_, joined)] = store.zrange(key, 0, -1, withscores=True)

    await until(lambda: store.zrange(key, 0, -1, withscores=True)[0][1] != joined)
    await layer.group_send("all", {"type": "m"})

    assert await mailbox.until(1) == [{"type": "m"}]


async def test_flush_deletes_only_its_own(make: Make, store: Any) -> None:
    """
    flush() deletes what begins with its prefix, whatever characters that has, and nothing else.
    """
    layer, other = make(prefix="t[a]*"), make(prefix="tab")
    for each in (layer, other):
        await each.send("jobs", {"type": "m"})
        await each.group_add("all", "jobs")

    await layer.flush()

    assert not store.exists("t[a]*jobs", "t[a]*:group:all")
    assert store.exists("tabjobs", "tab:group:all") == 2
    await other.flush()


async def test_names_of_other_processes(make: Make) -> None:
    """
    A process receives on its own names only.
    """
    layer, other = make(), make()
    name = await other.new_channel()
    assert name.startswith(f"specific.{other.client_prefix}!")
    with pytest.raises(AssertionError, match="Wrong client prefix"):
        await layer.receive(name)
    with pytest.raises(AssertionError, match="Wrong client prefix"):
        layer.attach(name, print)


def test_after_a_fork(make: Make) -> None:
    """
    A child of a process that has used its layer sends by connections of its own, as Celery does.
    """
    layer = make()
    layer.send_blocking("jobs", {"type": "parent"})
    prefix = layer.client_prefix
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads
        child = os.fork()
    if child == 0:
        try:
            layer.send_blocking("jobs", {"type": "child"})
            os._exit(0 if layer.client_prefix != prefix else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    async def read() -> list[Any]:
        with trio.fail_after(20):
            return [await layer.receive("jobs") for _ in range(2)]

    assert trio.run(read) == [{"type": "parent"}, {"type": "child"}]
