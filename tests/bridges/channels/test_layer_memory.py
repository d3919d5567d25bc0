# The layer of one process: what Channels promises of it, and what ours adds.

import logging
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from greenroom.bridges.channels import _layer_memory
from greenroom.bridges.channels.exceptions import ChannelFull
from greenroom.bridges.channels.layers import InMemoryChannelLayer


class Clock:
    now = 1000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(_layer_memory, "time", clock)
    return clock


async def test_a_message_waits_for_its_reader() -> None:
    """
    A copy of what is sent waits on the channel, which is gone when it was read.
    """
    layer = InMemoryChannelLayer()
    message = {"type": "a", "list": [1]}
    await layer.send("jobs", message)
    message["list"].append(2)

    assert list(layer.channels) == ["jobs"]
    assert layer.channels["jobs"].qsize() == 1
    assert await layer.receive("jobs") == {"type": "a", "list": [1]}
    assert layer.channels == {}


async def test_a_reader_waits_for_a_message() -> None:
    """
    A channel is there while somebody reads, and gone when that is cancelled.
    """
    layer = InMemoryChannelLayer()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(layer.receive, "jobs")
        await wait_all_tasks_blocked()
        assert list(layer.channels) == ["jobs"]
        nursery.cancel_scope.cancel()

    assert layer.channels == {}


async def test_one_of_two_readers_leaves() -> None:
    """
    A reader that leaves does not take the channel from under another one.
    """
    layer = InMemoryChannelLayer()
    got: list[Any] = []

    async def read() -> None:
        got.append(await layer.receive("jobs"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        with trio.move_on_after(0):
            await layer.receive("jobs")
        await layer.send("jobs", {"type": "a"})

    assert got == [{"type": "a"}]


async def test_a_full_channel_refuses() -> None:
    """
    A send past the capacity raises ChannelFull with the channel's name; a group's is counted.
    """
    layer = InMemoryChannelLayer(capacity=2)
    await layer.group_add("all", "jobs")
    for _ in range(2):
        await layer.send("jobs", {"type": "a"})

    with pytest.raises(ChannelFull, match=r"^jobs$"):
        await layer.send("jobs", {"type": "a"})
    await layer.group_send("all", {"type": "a"})

    assert layer.channels["jobs"].qsize() == 2
    assert layer.statistics().dropped == 1


async def test_a_drop_is_logged_once_until_there_is_room(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """
    The first message that a full member misses is logged, the next are counted only.
    """
    layer = InMemoryChannelLayer(capacity=1)
    await layer.group_add("all", "jobs")
    with caplog.at_level(logging.WARNING, "greenroom.channels.layers"):
        for _ in range(4):
            await layer.group_send("all", {"type": "a"})
        await layer.receive("jobs")
        for _ in range(2):
            await layer.group_send("all", {"type": "a"})

    assert [record.args for record in caplog.records] == [("jobs", "group all")] * 2
    assert layer.statistics().dropped == 4


async def test_channel_capacity_works() -> None:
    """
    The first pattern that matches a channel says how much waits there.
    """
    layer = InMemoryChannelLayer(capacity=3, channel_capacity={"http.*": 1})
    await layer.send("http.request", {"type": "a"})
    with pytest.raises(ChannelFull):
        await layer.send("http.request", {"type": "a"})
    for _ in range(3):
        await layer.send("other", {"type": "a"})
    with pytest.raises(ChannelFull):
        await layer.send("other", {"type": "a"})


async def test_groups() -> None:
    """
    A group's members get what is sent to it, those that left do not; an empty group is gone.
    """
    layer = InMemoryChannelLayer()
    await layer.group_add("all", "a")
    await layer.group_add("all", "b")
    await layer.group_discard("all", "b")
    await layer.group_send("all", {"type": "m"})
    await layer.group_send("nobody", {"type": "m"})

    assert list(layer.channels) == ["a"]
    assert list(layer.groups) == ["all"]
    await layer.group_discard("all", "a")
    assert layer.groups == {}


async def test_expired_messages_are_gone(wall: Clock) -> None:
    """
    What waited too long is thrown away, and its channel leaves all groups.
    """
    layer = InMemoryChannelLayer(expiry=60)
    await layer.group_add("all", "jobs")
    await layer.send("jobs", {"type": "old"})
    wall.now += 61

    await layer.group_send("all", {"type": "new"})

    assert layer.channels == {}
    assert layer.groups == {}


async def test_expired_messages_make_room(wall: Clock) -> None:
    """
    A channel that is full of expired messages takes a new one.
    """
    layer = InMemoryChannelLayer(expiry=60, capacity=1)
    await layer.send("jobs", {"type": "old"})
    wall.now += 61
    await layer.send("jobs", {"type": "new"})

    assert await layer.receive("jobs") == {"type": "new"}


async def test_memberships_expire_unless_attached(wall: Clock) -> None:
    """
    A day-old membership ends; that of a living consumer does not.
    """
    layer = InMemoryChannelLayer()
    got: list[Any] = []
    for channel in ("test!plain", "test!alive"):
        await layer.group_add("all", channel)
    layer.attach("test!alive", got.append)
    wall.now += 86_401

    await layer.group_send("all", {"type": "m"})

    assert got == [{"type": "m"}]
    assert list(layer.groups["all"]) == ["test!alive"]
    assert layer.channels == {}


async def test_flush_and_close() -> None:
    """
    flush() forgets messages and groups, and a reader that waits goes on waiting.
    """
    layer = InMemoryChannelLayer()
    await layer.group_add("all", "jobs")
    await layer.send("jobs", {"type": "a"})
    await layer.flush()
    await layer.close()
    assert (layer.channels, layer.groups) == ({}, {})

    async with trio.open_nursery() as nursery:
        nursery.start_soon(layer.receive, "jobs")
        await wait_all_tasks_blocked()
        await layer.flush()
        await layer.send("jobs", {"type": "b"})


async def test_new_channel() -> None:
    """
    Names look as they do in Channels, and no two are the same.
    """
    layer = InMemoryChannelLayer()
    names = {await layer.new_channel() for _ in range(100)}

    assert len(names) == 100
    name = names.pop()
    assert name.startswith("specific..inmemory!")
    assert len(name.partition("!")[2]) == 12
    assert (await layer.new_channel("p.")).startswith("p..inmemory!")
    assert layer.require_valid_channel_name(name)


@pytest.mark.parametrize(
    ("call", "arguments", "error"),
    [
        ("send", ("a b", {"type": "a"}), TypeError),
        ("send", ("ok", "text"), AssertionError),
        ("send", ("ok", {"__asgi_channel__": "x"}), AssertionError),
        ("receive", ("¹",), TypeError),
        ("group_add", ("ok", "a\n"), TypeError),
        ("group_add", ("a!b", "ok"), TypeError),
        ("group_discard", ("g" * 100, "ok"), TypeError),
        ("group_send", ("g\n", {"type": "a"}), TypeError),
        ("group_send", ("ok", "text"), AssertionError),
    ],
)
async def test_wrong_arguments(call: str, arguments: tuple[Any, ...], error: type) -> None:
    """
    Names and messages that Channels refuses are refused, and a trailing newline, too.
    """
    layer = InMemoryChannelLayer()
    with pytest.raises(error):
        await getattr(layer, call)(*arguments)
    assert (layer.channels, layer.groups) == ({}, {})
