# The queue of a channel: readers on any loop, senders in any thread.

import asyncio

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from greenroom.bridges.channels._layer_queue import ChannelQueue


async def test_no_loss_when_a_woken_reader_is_cancelled() -> None:
    """
    A reader cancelled in the tick it is woken leaves the item to the next reader.
    """
    queue = ChannelQueue(10)
    got: list[str] = []

    async def read(name: str, scope: trio.CancelScope) -> None:
        with scope:
            got.append(f"{name} {await queue.get()}")

    async with trio.open_nursery() as nursery:
        first, second = trio.CancelScope(), trio.CancelScope()
        nursery.start_soon(read, "first", first)
        await wait_all_tasks_blocked()
        nursery.start_soon(read, "second", second)
        await wait_all_tasks_blocked()

        first.cancel()
        queue.put_nowait("item")

    assert got in (["second item"], ["first item"])
    assert queue.empty()
    assert queue.readers == 0


async def test_no_loss_when_a_waiting_reader_is_cancelled() -> None:
    """
    A reader that was cancelled long before takes nothing.
    """
    queue = ChannelQueue(10)
    with trio.move_on_after(0):
        await queue.get()

    queue.put_nowait("item")

    assert queue.readers == 0
    assert await queue.get() == "item"


async def test_in_turn() -> None:
    """
    Readers that wait get the items in the order in which they came.
    """
    queue = ChannelQueue(10)
    got: list[tuple[int, int]] = []

    async def read(number: int) -> None:
        got.append((number, await queue.get()))

    async with trio.open_nursery() as nursery:
        for number in range(3):
            nursery.start_soon(read, number)
            await wait_all_tasks_blocked()
        for number in range(3):
            queue.put_nowait(number)
            await wait_all_tasks_blocked()

    assert got == [(0, 0), (1, 1), (2, 2)]


async def test_senders_in_threads_and_readers_on_trio_and_asyncio() -> None:
    """
    What threads put arrives once, at readers of trio and of an asyncio loop in another thread.
    """
    queue = ChannelQueue(0)
    got: list[int] = []

    async def read_ten() -> None:
        got.extend([await queue.get() for _ in range(10)])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read_ten)
        nursery.start_soon(trio.to_thread.run_sync, asyncio.run, read_ten())
        for number in range(20):
            nursery.start_soon(trio.to_thread.run_sync, queue.put_nowait, number)

    assert sorted(got) == list(range(20))


def test_it_is_poked_like_an_asyncio_queue() -> None:
    """
    Tests written for Channels find qsize, empty, full, maxsize, and its two exceptions.
    """
    queue = ChannelQueue(1)
    with pytest.raises(asyncio.QueueEmpty):
        queue.get_nowait()

    queue.put_nowait("item")

    assert (queue.qsize(), queue.empty(), queue.full(), queue.maxsize) == (1, False, True, 1)
    with pytest.raises(asyncio.QueueFull):
        queue.put_nowait("more")
    assert repr(queue) == "<ChannelQueue 1 of 1, 0 waiting>"
    assert queue.get_nowait() == "item"


async def test_a_woken_reader_still_counts() -> None:
    """
    One that was woken and has not run since is among the readers: its queue must not be dropped.
    """
    queue = ChannelQueue(10)
    got: list[object] = []

    async def read() -> None:
        got.append(await queue.get())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        queue.put_nowait("item")

        assert queue.readers == 1

    assert (got, queue.readers) == (["item"], 0)
