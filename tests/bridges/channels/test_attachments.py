# The seam between layers and supervised consumers: messages go straight to a mailbox.

import asyncio
import threading
from typing import Any

import pytest
import trio
from asgiref.sync import async_to_sync, sync_to_async

from greenroom.actors._lowlevel import inside_trio
from greenroom.bridges.channels.exceptions import ChannelFull
from greenroom.bridges.channels.layers import InMemoryChannelLayer, LayerStatistics


async def attached(layer: InMemoryChannelLayer, deliver: Any) -> str:
    channel = await layer.new_channel()
    layer.attach(channel, deliver)
    return channel


async def test_messages_go_straight_to_the_mailbox() -> None:
    """
    What is sent to an attached channel or its group is delivered at once, to nobody else.
    """
    layer, first, second = InMemoryChannelLayer(), list[Any](), list[Any]()
    one, two = await attached(layer, first.append), await attached(layer, second.append)
    await layer.group_add("all", one)
    await layer.group_add("all", two)

    await layer.send(one, {"type": "direct"})
    await layer.group_send("all", {"type": "group"})

    assert first == [{"type": "direct"}, {"type": "group"}]
    assert second == [{"type": "group"}]
    assert layer.channels == {}
    assert layer.statistics() == LayerStatistics(attached=2, delivered=3, dropped=0)


@pytest.mark.parametrize("value", ["plain", ["nested"]])
async def test_each_member_has_a_copy_of_its_own(value: Any) -> None:
    """
    What one consumer does to a message no other one sees, nor the sender.
    """
    layer, got = InMemoryChannelLayer(), list[Any]()
    for _ in range(2):
        await layer.group_add("all", await attached(layer, got.append))
    message = {"type": "m", "value": value}

    await layer.group_send("all", message)
    got[0]["value"] = got[0]["value"] * 2
    if isinstance(value, list):
        got[1]["value"].append("mine")

    assert message == {"type": "m", "value": value}
    assert got[0] != got[1]


async def test_detach_leaves_all_groups() -> None:
    """
    A channel that is detached gets nothing more and is a member of nothing.
    """
    layer, got = InMemoryChannelLayer(), list[Any]()
    channel = await attached(layer, got.append)
    for group in ("a", "b"):
        await layer.group_add(group, channel)
    await layer.group_add("b", "other")
    await layer.group_discard("a", channel)
    await layer.group_add("c", channel)

    layer.detach(channel)
    layer.detach(channel)
    await layer.group_send("b", {"type": "m"})

    assert got == []
    assert layer.groups.keys() == {"b"}
    assert list(layer.groups["b"]) == ["other"]
    assert layer.statistics().attached == 0


async def test_a_full_mailbox() -> None:
    """
    A mailbox without room makes send() raise and a group_send() count; others get theirs.
    """
    layer, got = InMemoryChannelLayer(), list[Any]()
    full, free = await attached(layer, lambda _: False), await attached(layer, got.append)
    for channel in (full, free):
        await layer.group_add("all", channel)

    with pytest.raises(ChannelFull, match=full):
        await layer.send(full, {"type": "m"})
    await layer.group_send("all", {"type": "m"})

    assert got == [{"type": "m"}]
    assert layer.statistics() == LayerStatistics(attached=2, delivered=1, dropped=1)


async def test_what_came_before_is_delivered_first() -> None:
    """
    Messages and memberships from before attach() are taken over.
    """
    layer, got = InMemoryChannelLayer(), list[Any]()
    channel = await layer.new_channel()
    await layer.group_add("all", channel)
    await layer.send(channel, {"type": "early"})

    layer.attach(channel, got.append)
    await layer.group_send("all", {"type": "later"})
    layer.detach(channel)

    assert got == [{"type": "early"}, {"type": "later"}]
    assert (layer.channels, layer.groups) == ({}, {})


async def test_threads() -> None:
    """
    attach, deliver and detach work in any thread, beside a loop that sends.
    """
    layer = InMemoryChannelLayer()

    def live_and_die(number: int) -> None:
        got: list[Any] = []
        channel = f"test!{number}"
        layer.attach(channel, got.append)
        trio.from_thread.run(layer.group_add, "all", channel)
        while not got:
            trio.from_thread.run(layer.group_send, "all", {"type": "m"})
        layer.detach(channel)

    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(trio.to_thread.run_sync, live_and_die, number)

    assert layer.groups == {}
    assert layer.statistics().attached == 0


async def test_from_threads_and_other_loops() -> None:
    """
    async_to_sync in a plain thread, and a loop of asyncio's, reach a consumer on trio.
    """
    layer, got = InMemoryChannelLayer(), list[Any]()
    channel = await attached(layer, got.append)
    await layer.group_add("all", channel)

    def in_thread() -> None:
        async_to_sync(layer.group_send)("all", {"type": "thread"})
        asyncio.run(layer.send(channel, {"type": "asyncio"}))

    thread = threading.Thread(target=in_thread)
    thread.start()
    await trio.to_thread.run_sync(thread.join)

    assert [each["type"] for each in got] == ["thread", "asyncio"]


async def test_async_to_sync_starts_no_side_loop() -> None:
    """
    In a worker thread of ours async_to_sync awaits a layer's methods on trio.
    """
    layer, loops = InMemoryChannelLayer(), list[bool]()

    class Watched(InMemoryChannelLayer):
        async def group_send(self, group: str, message: dict[str, Any]) -> None:
            loops.append(inside_trio())
            await super().group_send(group, message)

    layer = Watched()
    await sync_to_async(lambda: async_to_sync(layer.group_send)("all", {"type": "m"}))()

    assert loops == [True]


async def test_a_blocking_send(caplog: pytest.LogCaptureFixture) -> None:
    """
    The blocking names work in memory, too, with the same errors.
    """
    layer, got = InMemoryChannelLayer(capacity=1), list[Any]()
    channel = await attached(layer, got.append)
    await layer.group_add("all", channel)

    layer.send_blocking(channel, {"type": "a"})
    layer.group_send_blocking("all", {"type": "b"})
    layer.send_blocking("plain", {"type": "c"})
    with pytest.raises(ChannelFull):
        layer.send_blocking("plain", {"type": "d"})
    with pytest.raises(TypeError):
        layer.group_send_blocking("no name", {"type": "e"})

    assert [each["type"] for each in got] == ["a", "b"]


async def test_a_mailbox_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    """
    An error while delivering to one member is logged and counted; the next gets its message.
    """
    layer, got = InMemoryChannelLayer(), list[Any]()

    def fail(_: object) -> None:
        raise KeyError("no mailbox")

    for deliver in (fail, got.append):
        await layer.group_add("all", await attached(layer, deliver))
    await layer.group_send("all", {"type": "m"})

    assert got == [{"type": "m"}]
    assert layer.statistics().dropped == 1
    assert "no mailbox" in caplog.text


async def test_wrong_use() -> None:
    """
    A channel is attached once, to known events; nobody reads what belongs to a consumer.
    """
    layer = InMemoryChannelLayer()
    layer.attach("test!a", print)
    with pytest.raises(ValueError, match="attached already"):
        layer.attach("test!a", print)
    with pytest.raises(ValueError, match=r"Got: \['layer.lost'\]"):
        layer.attach("test!b", print, events=["layer.lost"])
    with pytest.raises(RuntimeError, match="test!a belongs to a consumer"):
        await layer.receive("test!a")
    with pytest.raises(TypeError):
        layer.attach("no name", print)
