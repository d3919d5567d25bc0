# Resident actors: they live as long as the server.
from __future__ import annotations

from collections.abc import Mapping
from typing import assert_type

import trio

from greenroom.actors import (
    Actor,
    ActorRef,
    Decline,
    DeferFull,
    Down,
    Monitor,
    PresenceDiff,
    Restarted,
    handles,
)
from greenroom.bridges.client import WebsocketClient
from greenroom.supervisor import (
    Counts,
    Registration,
    TaskDone,
    TaskFailed,
    TaskPoolSpec,
    current_root,
)


class Ticker(Actor):
    """Sends the time to a group; its task is started anew in each incarnation."""

    restart = "permanent"

    async def started(self) -> None:
        self.ticks = 0
        self.send_every(1.0, {"type": "tick"})

    @handles("tick")
    def on_tick(self, message: dict[str, object]) -> None:
        self.ticks += 1
        current_root().groups.send("market", text=f"tick {self.ticks}")

    def snapshot(self) -> int:
        return self.ticks

    def restored(self, state: int) -> None:
        self.ticks = state


class Clock(Actor):
    """Finds another actor by its path."""

    async def started(self) -> None:
        ticker = self.find("/residents/ticker")
        self.cast(ticker, {"type": "tick"})

    async def stopped(self, reason: str) -> None:
        print(reason, self.path, self.epoch)


class Radio(Actor):
    """Puts messages aside until it is warm; declines where there is no radio."""

    idle_seconds = 30.0
    defer_capacity = 10
    warm = False

    async def started(self) -> None:
        if self.find("/residents/ticker").alive:
            raise Decline("the ticker does it")

    def after_start(self) -> None:
        self.warm = True
        self.release()

    @handles("say")
    def say(self, message: dict[str, object]) -> None:
        try:
            if not self.warm:
                self.defer()
        except DeferFull as full:
            print(full.actor, full.capacity)

    async def idle(self) -> None:
        self.stop("nothing to do")


class Feed(WebsocketClient):
    """Dials out, and hands on what it hears."""

    url = "wss://prices.example/ws"

    async def connected(self) -> None:
        await self.send(text="subscribe LIME")

    async def receive(self, text: str) -> None:
        await self.group_send("market", text=text)


class Standby(Actor):
    """Watches another one, and has a name."""

    monitoring: Monitor | None = None

    async def started(self) -> None:
        leader = self.whereis("leader")
        if leader is None:
            self.register("leader", 1)
            self.update_registration("leader", lambda value: (value, 2))
        else:
            self.monitoring = self.monitor(leader, incarnations=True)
        self.enlist("standbys", "north")
        self.presence_track("staff", "night watch", {"floor": 3})
        self.tell(PresenceDiff("staff", joined=self.presence_watch("staff")))

    @handles(PresenceDiff)
    def tell(self, diff: PresenceDiff) -> None:
        for key, presences in (diff.joined | diff.changed).items():
            print(key, [(each.meta.get("floor"), each.since, each.path) for each in presences])
        print(sorted(diff.left), diff.as_dict()["topic"])

    @handles(Down)
    async def on_down(self, down: Down) -> None:
        print(down.path, down.kind, down.error, down.ref.alive)

    @handles(Restarted)
    def on_restarted(self, news: Restarted) -> None:
        if self.monitoring is not None and news.epoch > 3:
            self.demonitor(self.monitoring)
            down = news.ref.wait_ended_blocking(timeout=2)
            print(down.reason)

    async def stopped(self) -> None:
        self.unregister("leader")
        self.delist("standbys")
        self.presence_untrack("staff")


def first(entries: tuple[Registration, ...]) -> None:
    entries[0].ref.cast({"type": "tick"})


async def look() -> str:
    registry = current_root().registry
    registry.dispatch("standbys", first)
    stop = registry.subscribe("standbys", lambda entries: print(len(entries)))
    stop()
    leader = registry.find("leader")
    return "nobody" if leader is None else (await leader.wait_ended(5)).reason


def operate(path: str) -> tuple[int, Mapping[str, object] | None]:
    """A view, in a thread: what it has done on trio keeps its type."""
    root = current_root()
    epoch: int = root.from_thread(root.restart, path)
    epoch = root.from_thread(root.restart, path, "by a view", 20.0, timeout=30)
    root.from_thread(root.residents.stop_child, "ticker")
    root.from_thread(root.wake, path)
    root.from_thread(root.suspensions.begin, path, 60.0)
    counts: Counts = root.from_thread(root.residents.counts)
    state = root.from_thread(root.describe, path)
    return epoch + counts.active, state


tasks = TaskPoolSpec(name="tasks", max_tasks=20)


def shrink(photo: str, width: int) -> bytes:
    return photo.encode()[:width]


async def fetch(url: str) -> str:
    await trio.sleep(1)
    return url


class Album(Actor):
    """Has work done by a pool of tasks."""

    @handles("photo")
    async def photo(self, message: dict[str, str]) -> None:
        pool = current_root().task_pool("/residents/tasks")
        assert_type(await pool.run(shrink, "a.jpg", 100, timeout=5), bytes)
        assert_type(await pool.run(fetch, "a.jpg"), str)
        assert_type(pool.start(shrink, "a.jpg", 100, reply_to=self.ref), ActorRef)

    @handles("photos")
    def photos(self, message: dict[str, str]) -> None:
        pool = current_root().task_pool("/residents/tasks")
        assert_type(pool.run_blocking(shrink, "a.jpg", 100), bytes)
        assert_type(pool.run_blocking(fetch, "a.jpg", name="fetch-a"), str)
        assert_type(pool.start_blocking(fetch, "a.jpg"), ActorRef)

    @handles(TaskDone, TaskFailed)
    def ended(self, message: TaskDone | TaskFailed) -> None:
        print(message.path, message.value if isinstance(message, TaskDone) else message.error)
