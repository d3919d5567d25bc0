# Our layers beside stock channels_redis in another process, on one Redis: groups and channels are
# shared, in both directions, however the wire is configured.

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trio
from layer_mailbox import consumer
from redis_server import RedisServer, running_redis
from stock_layer import Peer

from greenroom.bridges.channels.exceptions import ChannelFull
from greenroom.bridges.channels.redis import RedisChannelLayer, RedisPubSubChannelLayer

KINDS = {"core": RedisChannelLayer, "pubsub": RedisPubSubChannelLayer}
CONFIGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "json": {"serializer_format": "json"},
    "encrypted": {"symmetric_encryption_keys": ["new", "old"]},
}
HI = {"type": "hi", "list": [1, {"deep": None}], "text": "ü", "number": 2**40, "float": 0.5}


class Pair:
    """One layer of ours, and a stock one in another process, configured alike."""

    def __init__(self, kind: str, config: dict[str, Any]) -> None:
        self.layer = KINDS[kind](**config)
        self._peer = Peer(kind, **config)

    async def peer(self, *command: Any) -> Any:
        with trio.fail_after(30):
            return await trio.to_thread.run_sync(self._peer, *command)

    def stop(self) -> None:
        self._peer.stop()
        self.layer.close_soon()


@pytest.fixture
def make_pair(redis_server: RedisServer) -> Iterator[Callable[..., Pair]]:
    pairs: list[Pair] = []

    def make(kind: str, **config: Any) -> Pair:
        prefix = f"t{uuid.uuid4().hex[:8]}"
        pairs.append(Pair(kind, {"hosts": [redis_server.url], "prefix": prefix, **config}))
        return pairs[-1]

    yield make
    for pair in pairs:
        pair.stop()


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("kind", KINDS)
async def test_groups_are_shared(kind: str, config: str, make_pair: Callable[..., Pair]) -> None:
    """
    Both processes' members get what either sends to the group, and no more after they left.
    """
    pair = make_pair(kind, **CONFIGS[config])
    channel, ours = await consumer(pair.layer, "all")
    await pair.peer("join", "all")

    await pair.layer.group_send("all", {"n": 1, **HI})
    await pair.peer("group_send", "all", {"n": 2, **HI})
    assert sorted(each["n"] for each in await ours.until(2)) == [1, 2]
    assert sorted(each["n"] for each in await pair.peer("got", 2)) == [1, 2]
    assert {**ours.got[0], "n": 0} == {**HI, "n": 0}
    assert all({**each, "n": 0} == {**HI, "n": 0} for each in await pair.peer("got", 2))

    await pair.peer("leave", "all")
    await pair.layer.group_send("all", {"n": 3, **HI})
    await ours.until(3)
    pair.layer.detach(channel)
    await pair.peer("send", await pair.peer("channel"), {"n": 4})
    assert [each["n"] for each in (await pair.peer("got", 3))[2:]] == [4]


@pytest.mark.parametrize("kind", KINDS)
async def test_direct_sends(kind: str, make_pair: Callable[..., Pair]) -> None:
    """
    Each process reaches a consumer of the other by the name of its channel.
    """
    pair = make_pair(kind)
    channel, ours = await consumer(pair.layer)

    await pair.peer("send", channel, HI)
    await pair.layer.send(await pair.peer("channel"), HI)

    assert await ours.until(1) == [HI]
    assert await pair.peer("got", 1) == [HI]


@pytest.mark.parametrize("sender", ["ours", "stock"])
async def test_a_channel_that_workers_share(sender: str, make_pair: Callable[..., Pair]) -> None:
    """
    What one process sends to a plain channel the other receives, in order.
    """
    pair = make_pair("core")
    if sender == "ours":
        for number in range(3):
            await pair.layer.send("jobs", {"n": number})
        got = [await pair.peer("receive", "jobs") for _ in range(3)]
    else:
        for number in range(3):
            await pair.peer("send", "jobs", {"n": number})
        with trio.fail_after(30):
            got = [await pair.layer.receive("jobs") for _ in range(3)]

    assert [each["n"] for each in got] == [0, 1, 2]


async def test_capacity_is_shared(make_pair: Callable[..., Pair]) -> None:
    """
    A channel that stock Channels has filled is full for us.
    """
    pair = make_pair("core", capacity=2)
    for number in range(2):
        await pair.peer("send", "jobs", {"n": number})

    with pytest.raises(ChannelFull, match="jobs"):
        await pair.layer.send("jobs", {"n": 2})


async def test_several_servers(make_pair: Callable[..., Pair]) -> None:
    """
    On four servers no direct send is lost, from us to both and from stock Channels to us.
    """
    with running_redis() as a, running_redis() as b, running_redis() as c:
        pair = make_pair("core", hosts=[a.url, b.url, c.url])
        consumers = [await consumer(pair.layer, "all") for _ in range(8)]
        await pair.peer("join", "all")
        theirs = await pair.peer("channel")
        for channel, _ in consumers:
            await pair.layer.send(channel, {"type": "ours"})
            await pair.peer("send", channel, {"type": "theirs"})
            await pair.layer.send(theirs, {"type": "ours"})
        await pair.peer("group_send", "all", {"type": "group"})

        for _, mailbox in consumers:
            assert {each["type"] for each in await mailbox.until(3)} == {"ours", "theirs", "group"}
        assert len(await pair.peer("got", 9)) == 9
        pair.stop()
