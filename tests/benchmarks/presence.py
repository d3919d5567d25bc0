# What presence costs: python tests/benchmarks/presence.py [COUNT]
#
# Two processes in one, on a wire that is a function call, with COUNT presences (20,000) in one
# topic, which one actor of each watches. It prints the time of a track(), the memory of a presence
# in its own process and in another, and the longest step of the tasks that tell and exchange: for
# so long nobody else had a turn. In the time of the processor, without the collector's.

import copy
import gc
import sys
import time
import tracemalloc
from functools import partial
from typing import Any

import trio
import trio.testing

from greenroom.actors._lowlevel import LoopThread
from greenroom.bridges.engines import LocalEngine
from greenroom.supervisor import EventStream, Presences
from greenroom.supervisor._presence_exchange import SILENT_SECONDS

GRACE = 5.0
META = {"name": "Somebody", "status": "here"}


class Wire(LocalEngine):
    """Hands what is published to the other process, as another loop's turn would."""

    def __init__(self) -> None:
        super().__init__()
        self.other: Presences | None = None
        self.cut = False

    def publish(self, topic: str, payload: object) -> None:
        """Pass it on."""
        super().publish(topic, payload)
        if self.other is not None and not self.cut:
            token = trio.lowlevel.current_trio_token()
            token.run_sync_soon(self.other.deliver, copy.copy(payload))


class Member:
    """A slot without anything."""

    path = "/connections/room/1"

    def deliver_frame(self, frame: object) -> None:
        """Take it."""

    def deliver_message(self, message: object) -> None:
        """Take it."""


class Steps(trio.abc.Instrument):
    """The longest step of the tasks that are named so, since it was asked last."""

    def __init__(self, name: str) -> None:
        self._name, self._longest, self._began = name, 0.0, 0.0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Begin; trio's hook."""
        self._began = time.thread_time()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """End; trio's hook."""
        if self._name in task.name:
            self._longest = max(self._longest, time.thread_time() - self._began)

    def longest(self) -> float:
        """Return it, and forget it."""
        longest, self._longest = self._longest, 0.0
        return longest


def allocated() -> int:
    """Return how many bytes are allocated."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


async def measured(count: int, *, memory: bool) -> None:
    """Measure with *count* presences, the *memory* or the time, and print."""
    wires = [Wire(), Wire()]
    first, second = (Presences(wire, EventStream(), LoopThread.current(), GRACE) for wire in wires)
    wires[0].other, wires[1].other = second, first
    wires[0].cut = wires[1].cut = True
    members: list[Any] = [Member() for _ in range(count)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(first.run)
        nursery.start_soon(second.run)
        first.watch("room", Member(), 1)
        second.watch("room", Member(), 1)
        await trio.sleep(0)
        look = _memory if memory else _steps
        await look(first, second, wires, members)
        nursery.cancel_scope.cancel()


async def _memory(
    first: Presences, second: Presences, wires: list[Wire], members: list[Any]
) -> None:
    tracemalloc.start()
    before = allocated()
    for number, member in enumerate(members):
        first.track("room", str(number), member, META, 1)
    await trio.sleep(60)
    say("a presence in its own process", f"{(allocated() - before) / len(members):8.0f} B")
    before = allocated()
    wires[0].cut = wires[1].cut = False
    second.gap()
    await trio.sleep(60)
    assert second.tally("room") == (len(members), 0, 1)
    say("a presence in another process", f"{(allocated() - before) / len(members):8.0f} B")
    tracemalloc.stop()


async def _steps(
    first: Presences, second: Presences, wires: list[Wire], members: list[Any]
) -> None:
    count = len(members)
    steps = Steps("Presences.run")
    trio.lowlevel.add_instrument(steps)

    def step(what: str) -> None:
        say(f"longest step: {what}", f"{1000 * steps.longest():8.1f} ms")

    for number, member in enumerate(members):
        first.track("room", str(number), member, META, 1)
    await trio.sleep(60)
    step("all have come at once")
    wires[0].cut = wires[1].cut = False
    second.gap()
    await trio.sleep(60)
    assert second.tally("room") == (count, 0, 1)
    step("another process is told all")
    began = time.thread_time()
    second.listed("room")
    say("listed()", f"{1000 * (time.thread_time() - began):8.1f} ms")
    wires[0].cut = wires[1].cut = True
    await trio.sleep(SILENT_SECONDS + 60)
    assert second.tally("room") == (0, 0, 1)
    step("another process has fallen silent")
    for member in members:
        first.release(member)
    await trio.sleep(GRACE + 60)
    assert first.tally("room") == (0, 0, 1)
    step("all have gone at once, and the grace is over")
    began = time.thread_time()
    for number, member in enumerate(members):
        first.track(f"room {number}", "ann", member, META, 1)
    seconds = (time.thread_time() - began) / count
    say("one track(), each in a topic of its own", f"{1e6 * seconds:8.1f} us")
    await trio.sleep(60)
    step("each has come in a topic of its own")


def say(what: str, value: str) -> None:
    """Print *value* of *what*."""
    print(f"{what:<60} {value}")


if __name__ == "__main__":
    many = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    gc.disable()
    for what in (True, False):
        clock = trio.testing.MockClock(autojump_threshold=0.01)
        trio.run(partial(measured, many, memory=what), clock=clock)
