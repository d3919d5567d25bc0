# How long a look at a large tree holds up the loop: python tests/benchmarks/inspection.py [COUNT]
#
# COUNT real slots (100,000) stand in one process, without tasks and sockets. Each question is
# asked as the bus asks it, and its answer made to JSON; an instrument times each step of the task
# that answers. What counts is the longest step, in the time of the processor: for so long nobody
# else had a turn. By the clock it takes longer where other processes want the processor, too.

import gc
import json
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import trio
import trio.testing

from greenroom.actors import WebsocketConsumer
from greenroom.bridges.engines import LocalEngine
from greenroom.bridges.inspection import Inspector
from greenroom.supervisor import Root

LIMIT = 0.010  # seconds


class Room(WebsocketConsumer):
    """A consumer that never runs."""


class Idle:
    """A connection on which nothing happens."""

    def __init__(self, number: int) -> None:
        self.scope: dict[str, Any] = {"greenroom.identity": self}
        self._facts: dict[str, object] = {
            "socket": "open",
            "url": "/ws/room/",
            "client": f"10.0.0.1:{number}",
            "output_bytes": 0,
            "user": str(number),
        }

    def facts(self) -> dict[str, object]:
        """Return what a connection tells of itself."""
        return dict(self._facts)

    def traffic(self) -> dict[str, object]:
        """Return what has gone out on it."""
        return {"transport": "WebSocket", "frames_out": 0, "bytes_out": 0, "output_bytes": 0}


class Steps(trio.abc.Instrument):
    """Times the steps of one task."""

    def __init__(self) -> None:
        self.task = trio.lowlevel.current_task()
        self.longest = self.longest_wall = self.total = 0.0
        self.count = 0
        self._began, self._began_wall = time.thread_time(), time.perf_counter()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Begin; trio's hook."""
        if task is self.task:
            self._began, self._began_wall = time.thread_time(), time.perf_counter()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """End; trio's hook."""
        if task is self.task:
            seconds = time.thread_time() - self._began
            self.longest = max(self.longest, seconds)
            self.longest_wall = max(self.longest_wall, time.perf_counter() - self._began_wall)
            self.total += seconds
            self.count += 1


async def timed(name: str, ask: Callable[[], Awaitable[int]]) -> float:
    """Do *ask* and print how long its steps took; return the longest, in seconds."""
    gc.collect()
    await trio.sleep(0)
    steps = Steps()
    trio.lowlevel.add_instrument(steps)
    rows = await ask()
    await trio.sleep(0)
    trio.lowlevel.remove_instrument(steps)
    print(
        f"{name:44} {rows:8} rows {steps.count:6} steps"
        f" {steps.longest * 1e3:7.2f} ms longest (by the clock {steps.longest_wall * 1e3:7.2f} ms)"
        f" {steps.total * 1e3:9.1f} ms in all"
    )
    return steps.longest


async def pages(
    inspector: Inspector, ask: str = "tree", key: str = "rows", **fields: object
) -> int:
    """Ask for page after page; return how many rows there were. Each is made to JSON, too."""
    after, rows = "", 0
    while True:
        answer = await inspector.answer({"ask": ask, "after": after, **fields})
        rows += len(answer[key])
        await trio.sleep(0)  # who sends an answer has a turn of his own for that
        json.dumps(answer)
        await trio.sleep(0)
        if answer["next"] is None:
            return rows
        after = answer["next"]


async def main(count: int) -> None:
    """Make the tree, and ask."""
    root = Root(LocalEngine())
    async with trio.open_nursery() as nursery:
        await nursery.start(root.run)
        began = time.perf_counter()
        slots = [root.connections.attach("room", Room, {}, Idle(at)) for at in range(count)]
        for slot in slots:
            slot.state = "running"
        print(f"{count} slots, made in {time.perf_counter() - began:.1f} s")
        gc.freeze()  # a collection of a hundred thousand slots is not what is measured
        inspector = Inspector(root)
        room = "/connections/room"

        async def one(**question: object) -> int:
            answer = await inspector.answer(question)
            return len(answer.get("rows", answer.get("metrics", answer.get("counts", ()))))

        longest = [
            await timed(
                "the whole tree, in pages of 500", lambda: pages(inspector, path=room, limit=500)
            ),
            await timed("one page of 50", lambda: one(ask="tree", path=room)),
            await timed("a search that finds nothing", lambda: pages(inspector, search="nobody")),
            await timed("a search for one user", lambda: pages(inspector, search="room/77777")),
            await timed("unhealthy only, none is", lambda: pages(inspector, unhealthy=True)),
        ]
        groups = root.groups
        for at, slot in enumerate(slots):
            groups.join("all", slot)
            groups.join(f"room {at}", slot)
            root.presences.track("all", f"user {at}", slot, None, 2)
            root.presences.track(f"room {at}", "me", slot, None, 2)
        await trio.testing.wait_all_tasks_blocked(0.5)  # until that is told
        gc.freeze()
        longest += [
            await timed(
                "connections, in pages of 500", lambda: pages(inspector, "connections", limit=500)
            ),
            await timed(
                "connections by user, one page",
                lambda: one(ask="connections", by="user", limit=500),
            ),
            await timed(
                "connections, a search that finds nothing",
                lambda: one(ask="connections", search="nobody"),
            ),
            await timed("groups, one page of 500", lambda: one(ask="groups", limit=500)),
            await timed(
                "the members of one group, one page",
                lambda: one(ask="groups", group="all", limit=500),
            ),
            await timed("presence, one page of 500", lambda: one(ask="presence", limit=500)),
            await timed(
                "who is present in one topic, one page",
                lambda: one(ask="presence", topic="all", limit=500),
            ),
            await timed("one actor", lambda: one(ask="actor", path=f"{room}/77777")),
        ]
        for slot in slots[:: count // 1000]:
            slot.state = "backing off"
        longest += [
            await timed("unhealthy only, a thousand are", lambda: pages(inspector, unhealthy=True)),
            await timed("metrics", lambda: one(ask="metrics")),
            await timed("process", lambda: one(ask="process")),
            await timed("dead letters", lambda: one(ask="dead-letters", limit=500)),
            await timed("threads", lambda: one(ask="threads")),
            await timed("events", lambda: one(ask="events", limit=500)),
        ]
        gc.freeze()  # the groups
        for action in ("suspend", "resume", "trace", "untrace", "wake", "disconnect-path"):
            act = partial(one, ask="act", action=action, path=room, by="ada")
            longest += [await timed(f"{action}, all of them", act)]
        act = partial(one, ask="act", action="disconnect-user", user="77777", by="ada")
        longest += [await timed("disconnect a user", act)]
        print(f"longest step of all: {max(longest) * 1e3:.2f} ms, limit {LIMIT * 1e3:.0f} ms")
        began = time.perf_counter()
        root.snapshot()
        print(
            f"root.snapshot(), for comparison: {(time.perf_counter() - began) * 1e3:.0f} ms at once"
        )
        for slot in slots:
            groups.leave_all(slot)
            root.presences.release(slot)
            root.connections.detach("room", slot)
        root.stop()
    if max(longest) > LIMIT:
        sys.exit(1)


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
