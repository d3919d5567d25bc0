# The output of a client without a socket: order, room and bounds.

from __future__ import annotations

import threading

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from greenroom.actors._lowlevel import LoopThread
from greenroom.actors.consumers import Frame
from greenroom.bridges.client._output import Output


def make_output(high_water_bytes: int = 10, limit_bytes: int = 100) -> Output:
    output = Output(
        LoopThread.current(), high_water_bytes=high_water_bytes, limit_bytes=limit_bytes
    )
    output.begin()
    return output


def frame(size: int) -> Frame:
    return Frame.of_bytes(bytes(size))


async def test_order() -> None:
    """
    Frames are taken in the order of send(), whichever threads called it.
    """
    output = make_output(limit_bytes=1 << 20)

    def send(first: int) -> None:
        for n in range(first, first + 100):
            assert output.send(Frame.of_text(f"{n}"))

    got: list[str | None] = []

    async def write() -> None:
        while (taken := await output.take()) is not None:
            got.append(taken.text)
            output.written(taken)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write)
        await trio.to_thread.run_sync(send, 0)
        send(100)
        await trio.to_thread.run_sync(send, 200)
        output.finish()

    assert got == [f"{n}" for n in range(300)]
    assert output.size == 0


@pytest.mark.parametrize("ending", ["written", "finish", "end"])
async def test_room(ending: str) -> None:
    """
    Who waits for room is told when frames are out, or when the output is over.
    """
    output, told = make_output(), threading.Event()
    output.send(frame(10))
    assert output.full
    async with trio.open_nursery() as nursery:
        nursery.start_soon(output.wait_room)
        await trio.to_thread.run_sync(output.on_room, told.set)
        await wait_all_tasks_blocked()
        assert len(nursery.child_tasks) == 1
        assert not told.is_set()
        if ending == "written":
            taken = await output.take()
            assert taken is not None
            output.written(taken)
        elif ending == "finish":
            output.finish()
        else:
            output.end()

    assert told.is_set()
    assert not output.full


async def test_room_is_there_at_once_when_there_is_room() -> None:
    """
    Below the high water nobody waits.
    """
    output, told = make_output(), list[str]()
    output.send(frame(9))
    output.on_room(lambda: told.append("now"))

    assert told == ["now"]
    await output.wait_room()


async def test_bounded() -> None:
    """
    Past the limit nothing more is taken, and whoever watches hears of it.
    """
    output = make_output(limit_bytes=100)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(output.wait_overrun)
        assert output.send(frame(1000))  # a single frame may be larger than the limit
        await wait_all_tasks_blocked()
        assert not output.overrun
        assert not await trio.to_thread.run_sync(output.send, frame(1))

    assert not output.open
    assert repr(output) == "<Output closed, 1 frames, 1000 bytes>"


async def test_what_is_closed_takes_nothing() -> None:
    """
    Before it begins and after its end an output takes no frame.
    """
    output = Output(LoopThread.current(), high_water_bytes=10, limit_bytes=100)
    assert not output.send(frame(1))
    output.begin()
    assert output.send(frame(1))
    output.end()
    assert not output.send(frame(1))
    assert output.size == 0


async def test_a_cancelled_writer_leaves_the_frames() -> None:
    """
    Cancelling take() loses nothing.
    """
    output = make_output()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(output.take)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
        output.send(frame(3))

    taken = await output.take()
    assert taken is not None
    assert taken.size == 3
