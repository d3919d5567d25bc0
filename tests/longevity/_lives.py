# What is restarted a million times, and whoever makes it: rounds of one kind or another.

import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import trio
from helpers import running

from greenroom.actors import (
    Actor,
    ActorRef,
    CallFailed,
    Down,
    Restarted,
    StillAlive,
    WebsocketConsumer,
    handles,
)
from greenroom.supervisor import ChildSpec, DynamicSpec, Options, Supervisor, SupervisorSpec

OPTIONS = Options(backoff_min_seconds=0, storm_restarts=None, park_seconds=1, seed=1)
CRASH = {"type": "crash"}
S = "/residents/s"
ROCK = f"{S}/rock"
"""Who never ends, and so forgets nobody by that."""

Round = Callable[[], Awaitable[int]]
"""Makes some restarts and waits until all is as it was; returns how many."""


class Lives:
    """How many incarnations have begun so far, and when there are enough."""

    def __init__(self) -> None:
        self.begun = 0
        self._goal = 0
        self._reached = trio.Event()

    def begin(self) -> None:
        """Take note of one more."""
        self.begun += 1
        if self.begun == self._goal:
            self._reached.set()

    async def more(self, number: int, act: Callable[[], object]) -> int:
        """Do *act* and wait until *number* more have begun; return that."""
        self._goal, self._reached = self.begun + number, trio.Event()
        act()
        with trio.fail_after(3600):
            await self._reached.wait()
        return number


class Restless(Actor):
    """Crashes when it is told to."""

    def __init__(self, lives: Lives) -> None:
        self.lives = lives

    async def started(self) -> None:
        self.lives.begin()

    @handles("crash")
    async def on_crash(self, message: object) -> None:
        raise ValueError("boom")


class Threaded(Restless):
    """Crashes in a worker thread."""

    @handles("crash")
    def on_crash(self, message: object) -> None:
        raise ValueError("boom")


class Talker(WebsocketConsumer):
    """Crashes at "crash", and answers everything else."""

    max_restarts = None
    keep = ("said",)

    async def connect(self, message: object) -> None:
        self.said = 0
        await self.accept()
        await self.join("room")

    async def receive(self, text: str) -> None:
        if text == "crash":
            raise ValueError("boom")
        self.said += 1
        await self.send(text=f"{self.epoch} {self.said}")


class Burdened(Restless):
    """Holds all that an incarnation, or its slot, can hold, and crashes with it."""

    def __init__(self, lives: Lives, neighbour: str) -> None:
        super().__init__(lives)
        self.neighbour = neighbour

    async def started(self) -> None:
        if self.epoch == 1:
            self.register("burdened", {"since": 1})
            self.enlist("pool")
            self.join("room")
        self.enlist("each")  # once more with each incarnation: it has to be struck by hand
        self.delist("each")
        self.monitor(self.find(self.neighbour), incarnations=True)
        self.monitor(self.find(ROCK))
        self.send_after(3600, {"type": "never"})
        self.send_after(0, {"type": "tick"}, key="soon")
        self.send_every(60, {"type": "tick"}, key="often")
        self.start_soon(trio.sleep_forever)
        self.lives.begin()

    @handles("later")
    async def on_later(self, message: object) -> None:
        self.release() if self.epoch % 2 else self.defer()

    @handles("tick")
    async def on_tick(self, message: object) -> None:
        pass

    @handles("never")
    async def on_never(self, message: object) -> None:
        raise AssertionError("a timer of an incarnation that is over")

    @handles(Restarted)
    async def on_restarted(self, message: Restarted) -> None:
        pass

    @handles(Down)
    async def on_down(self, message: Down) -> None:
        pass


class Watcher(Actor):
    """Monitors another one, and whoever comes next at its path."""

    def __init__(self, path: str) -> None:
        self.watched = path
        self.restarts = 0

    async def started(self) -> None:
        self.monitor(self.find(self.watched), incarnations=True)

    @handles(Restarted)
    async def on_restarted(self, message: Restarted) -> None:
        self.restarts += 1

    @handles(Down)
    async def on_down(self, message: Down) -> None:
        pass


def restless(name: str, lives: Lives, actor: type[Actor] = Restless, **options: Any) -> ChildSpec:
    """Return the spec of one that crashes when it is told to."""
    kwargs = {"lives": lives, **options.pop("kwargs", {})}
    return ChildSpec(actor=actor, name=name, kwargs=kwargs, **{"max_restarts": None, **options})


def cast(refs: list[ActorRef]) -> None:
    """Have all of them crash."""
    for ref in refs:
        ref.cast(CRASH)


# -- kinds: each is a tree and a round -----------------------------------------------------


@asynccontextmanager
async def one_child(actor: type[Actor] = Restless) -> AsyncGenerator[Round]:
    """One child of a static supervisor, within its budget on the virtual clock."""
    lives = Lives()
    spec = SupervisorSpec(
        name="s",
        max_restarts=250,
        max_seconds=10,
        children=[restless("a", lives, actor), restless("b", lives)],
    )
    async with running(spec, options=OPTIONS) as server:
        ref = server.root.find(f"{S}/a")

        async def turn() -> int:
            for _ in range(100):
                await lives.more(1, partial(ref.cast, CRASH))
            await trio.sleep(5)
            return 100

        yield turn


@asynccontextmanager
async def dynamic() -> AsyncGenerator[Round]:
    """A hundred children of a dynamic supervisor, all at once."""
    lives = Lives()
    async with running(DynamicSpec(name="s"), options=OPTIONS) as server:
        s = server.root.supervisor(S)
        limit: dict[str, Any] = {"max_restarts": 1, "max_seconds": 0.5}
        paths = [await s.add(restless(f"c{n}", lives, **limit)) for n in range(100)]
        refs = [server.root.find(path) for path in paths]

        async def turn() -> int:
            made = await lives.more(len(refs), partial(cast, refs))
            await trio.sleep(1)
            return made

        yield turn


@asynccontextmanager
async def consumer() -> AsyncGenerator[Round]:
    """A consumer whose socket stays open, and that keeps a number."""
    async with running(talk=Talker, options=OPTIONS) as server, server.websocket("/talk") as ws:
        turns = 0

        async def turn() -> int:
            nonlocal turns
            for _ in range(100):
                turns += 1
                ws.send_text("crash")
                ws.send_text("and?")
                assert await ws.receive_text() == f"{turns + 1} {turns}"
            return 100

        yield turn


def group(strategy: str) -> Callable[[], Any]:
    """Return the kind in which three siblings are restarted together by *strategy*."""

    @asynccontextmanager
    async def kind() -> AsyncGenerator[Round]:
        lives = Lives()
        children = [restless(name, lives) for name in "abc"]
        spec = SupervisorSpec(name="s", strategy=strategy, max_restarts=None, children=children)
        async with running(spec, options=OPTIONS) as server:
            s = server.root.supervisor(S)
            refs = [server.root.find(f"{S}/{name}") for name in "abc"]

            async def turn() -> int:
                made = 0
                for at, ref in enumerate(refs):
                    concerned = 3 if strategy == "one_for_all" else 3 - at
                    made += await lives.more(concerned, partial(ref.cast, CRASH))
                    while s.counts().active < 3:  # serving is told a little later
                        await trio.lowlevel.checkpoint()
                return made

            yield turn

    return kind


@asynccontextmanager
async def nested() -> AsyncGenerator[Round]:
    """A supervisor that gives up at each crash, and is begun anew, with what is below it."""
    lives = Lives()
    inner = SupervisorSpec(name="inner", max_restarts=0, children=[restless("a", lives)])
    middle = SupervisorSpec(
        name="middle", max_restarts=None, children=[inner, restless("b", lives)]
    )
    spec = SupervisorSpec(name="s", max_restarts=None, children=[middle])
    path = f"{S}/middle/inner/a"
    async with running(spec, options=OPTIONS) as server:

        async def turn() -> int:
            for _ in range(50):
                await lives.more(1, partial(server.root.find(path).cast, CRASH))
            return 50

        yield turn


@asynccontextmanager
async def burdened() -> AsyncGenerator[Round]:
    """One with monitors, names, timers, messages put aside and tasks; others wait for it."""
    lives = Lives()
    children = [
        restless("rock", lives),
        restless("neighbour", lives),
        restless("a", lives, Burdened, kwargs={"neighbour": f"{S}/neighbour"}),
        ChildSpec(actor=Watcher, name="watcher", kwargs={"path": f"{S}/a"}),
    ]
    spec = SupervisorSpec(name="s", max_restarts=None, budget="child", children=children)

    async def wait(ref: ActorRef, expected: type[Exception] | None) -> None:
        try:
            await ref.wait_ended(1)
        except StillAlive:
            assert expected is StillAlive

    async def ask(ref: ActorRef) -> None:
        try:
            await ref.call(CRASH)
        except CallFailed:
            return
        raise AssertionError("an answer to what has crashed")

    async with running(spec, options=OPTIONS) as server:
        s, root = server.root.supervisor(S), server.root

        async def turn() -> int:
            a, neighbour = root.find(f"{S}/a"), root.find(f"{S}/neighbour")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(wait, a, StillAlive)
                nursery.start_soon(wait, root.find(ROCK), StillAlive)
                for _ in range(20):
                    a.cast({"type": "later"})
                    await lives.more(1, partial(nursery.start_soon, ask, a))
                    await lives.more(1, partial(neighbour.cast, CRASH))
            async with trio.open_nursery() as nursery:  # now it does end, and starts anew
                nursery.start_soon(wait, a, None)
                await s.restart_child("a")
                await s.restart_child("neighbour")
                await s.restart_child("watcher")
            assert root.registry.find("burdened") == root.find(f"{S}/a")
            return 43

        yield turn


@asynccontextmanager
async def mixed() -> AsyncGenerator[Round]:
    """All of that in one tree, in an order of chance that is the same each time."""
    lives, chance = Lives(), random.Random(20_261_129)
    dynamic = DynamicSpec(name="dynamic")
    children = [
        SupervisorSpec(
            name="all",
            strategy="one_for_all",
            max_restarts=20,
            on_exceeded="park",
            children=[restless(f"c{number}", lives) for number in range(4)],
        ),
        SupervisorSpec(
            name="rest",
            strategy="rest_for_one",
            max_restarts=10,
            children=[restless(f"c{number}", lives) for number in range(4)],
        ),
        restless("a", lives, max_restarts=3),
        restless("temporary", lives, restart="temporary"),
        dynamic,
    ]
    spec = SupervisorSpec(name="s", max_restarts=None, children=children)
    async with running(spec, options=OPTIONS) as server:
        root = server.root

        async def renew(supervisor: Supervisor, name: str) -> None:
            await supervisor.restart_child(name)

        async def turn() -> int:
            before = lives.begun
            below = root.supervisor(f"{S}/dynamic")
            for number in range(20 - below.counts().specs):
                restart = chance.choice(["permanent", "transient", "temporary"])
                await below.add(restless(f"c{number}", lives, restart=restart))
            paths = [path for path in root._refs if path.startswith(S)]
            async with trio.open_nursery() as nursery:
                for path in chance.choices(paths, k=100):
                    parent, _, name = path.rpartition("/")
                    act = chance.randrange(20)
                    if act == 0:
                        nursery.start_soon(_quietly, renew, root.supervisor(parent), name)
                    elif act == 1:
                        root.suspensions.begin(path, 0.5) if path in root._refs else None
                    else:
                        root._refs[path].cast(CRASH) if path in root._refs else None
                    if act < 10:
                        await trio.lowlevel.checkpoint()
            await trio.sleep(30)  # parked ones have begun anew, and budgets are full
            supervisor = root.supervisor(S)
            temporary = supervisor._entries.get("temporary")
            if temporary is None:
                await supervisor.add(restless("temporary", lives, restart="temporary"))
            elif not temporary.alive:  # it ended with all the others, and not by itself
                await supervisor.start_child("temporary")
            for child in list(root.supervisor(f"{S}/dynamic")._entries):
                await root.supervisor(f"{S}/dynamic").stop_child(child)
            return lives.begun - before

        yield turn


async def _quietly(function: Callable[..., Awaitable[object]], *args: object) -> None:
    """Do what an operator asks; that what he means is gone by then is no fault."""
    try:
        await function(*args)
    except Exception as error:
        if type(error).__name__ not in {"ChildNotFound", "SupervisorStopping", "AlreadyStarted"}:
            raise
