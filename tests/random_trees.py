# A tree to which anything may happen, at random.

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence

import trio
from helpers import running

from greenroom.actors import Actor, GreenroomError, WebsocketConsumer, handles
from greenroom.bridges.testing import ServerDriver, SocketClosed
from greenroom.supervisor import (
    ChildSpec,
    DynamicSpec,
    NodeSnapshot,
    Options,
    SupervisorSpec,
    TaskPoolSpec,
)
from greenroom.supervisor._look import Look


class Room(WebsocketConsumer):
    async def receive(self, text):
        if text == "boom":
            raise ValueError
        if text == "done":
            self.close()
        await trio.sleep(1)


class Clerk(Actor):
    mailbox_capacity = 10

    @handles("boom")
    async def on_boom(self, message):
        raise ValueError

    @handles("work")
    async def on_work(self, message):
        await trio.sleep(1)

    @handles("fatal")
    async def on_fatal(self, message):
        raise SystemExit


class Stubborn(Actor):
    shutdown_seconds = 1

    @handles("boom")
    async def on_boom(self, message):
        with trio.CancelScope(shield=True):
            await trio.sleep(60)


class Loser(Actor):
    async def started(self):
        raise ValueError


async def work():
    await trio.sleep(20)


OPTIONS = Options(
    backoff_min_seconds=1,
    park_seconds=20,
    max_restarts=2,
    max_seconds=5,
    storm_restarts=3,
    total_shutdown_seconds=300,
)


def tree() -> Sequence[object]:
    children = [Clerk, ChildSpec(actor=Stubborn, name="stubborn", max_restarts=1)]
    return [
        Clerk,
        SupervisorSpec(name="group", strategy="one_for_all", children=children),
        SupervisorSpec(name="rest", strategy="rest_for_one", children=children),
        DynamicSpec(name="crew"),
        SupervisorSpec(name="outer", children=[SupervisorSpec(name="inner", children=children)]),
        TaskPoolSpec(name="tasks"),
    ]


def living(node: NodeSnapshot) -> Iterator[NodeSnapshot]:
    """Yield *node* and all below it, but for what a supervisor that has ended has left behind."""
    yield node
    for child in node.children if node.state != "ended" else ():
        yield from living(child)


class Chaos:
    """Does this and that to *server*, as *dice* will have it."""

    def __init__(self, server: ServerDriver, dice: random.Random, nursery: trio.Nursery) -> None:
        self.server, self.root, self.dice, self.nursery = server, server.root, dice, nursery
        self.look = Look(server.root)
        self.sockets: list = []
        self.done = Counter[str]()

    def any_place(self) -> str:
        return self.dice.choice([path for _, path in self.look.walk("/")])

    def once(self) -> None:
        act = self.dice.choice([
            self.message, self.message, self.message, self.add, self.stop, self.start,
            self.restart, self.delete, self.suspend, self.resume, self.wake, self.trace,
            self.connect, self.connect, self.say, self.say, self.hang_up, self.task,
            self.disconnect, self.reset,
        ])  # fmt: skip
        self.done[act.__name__] += 1
        try:
            act()
        except (GreenroomError, TypeError, LookupError, ValueError, SocketClosed):
            self.done["refused"] += 1

    def beside(self, function: Callable[..., Awaitable[object]], *args: object) -> None:
        async def run() -> None:
            try:
                await function(*args)
            except (GreenroomError, TypeError, ValueError):
                self.done["refused"] += 1

        self.nursery.start_soon(run)

    def message(self) -> None:
        ref = self.root.find(self.any_place())
        kinds = ["boom", "boom", "work", "fatal"]
        for _ in range(self.dice.choice([1, 1, 9])):
            ref.cast({"type": self.dice.choices(kinds, [3, 3, 3, 0.3])[0]})

    def add(self) -> None:
        child = self.dice.choice([Clerk, Clerk, Stubborn, Loser])
        self.beside(self.root.supervisor("/residents/crew").add, child)

    def by_hand(self, what: str) -> None:
        above, _, name = self.any_place().rpartition("/")
        self.beside(getattr(self.root.supervisor(above), what), name)

    def stop(self) -> None:
        self.by_hand("stop_child")

    def start(self) -> None:
        self.by_hand("start_child")

    def restart(self) -> None:
        self.by_hand("restart_child")

    def delete(self) -> None:
        above, _, name = self.any_place().rpartition("/")
        if above == "/residents/crew":
            self.beside(self.root.supervisor(above).delete_child, name)

    def suspend(self) -> None:
        self.root.suspensions.begin(self.any_place(), self.dice.uniform(1, 20))

    def resume(self) -> None:
        self.root.suspensions.end(self.any_place())

    def wake(self) -> None:
        self.root.wake(self.any_place())

    def reset(self) -> None:
        self.root.reset_budget(self.any_place())

    def trace(self) -> None:
        self.root.traces.begin(self.any_place(), 5)

    def task(self) -> None:
        self.root.task_pool("/residents/tasks").start(work)

    def connect(self) -> None:
        if len(self.sockets) < 8:
            self.sockets.append(self.server.dial("/room"))

    def say(self) -> None:
        self.dice.choice(self.sockets).send_text(self.dice.choice(["boom", "boom", "hi", "done"]))

    def hang_up(self) -> None:
        self.sockets.pop(self.dice.randrange(len(self.sockets))).disconnect()

    def disconnect(self) -> None:
        path = self.any_place()
        attached = self.root.connections.find(path)
        if attached is not None:
            attached.request_stop("by hand", 1012)

    def agrees(self) -> None:
        """Check what is counted, and the register, against a look at each place."""
        root, look = self.root, self.look
        whole = list(living(root.snapshot()))
        for node in whole:
            children = [] if node.state == "ended" else node.children
            assert look.states(node.path) == dict(Counter(child.state for child in children)), node
            assert look.total(node.path) == len(children), node.path
        slots = [each for each in whole if each.kind == "slot"]
        census = root.census.counts()
        assert sum(census.values()) == len(slots)
        assert all(number > 0 for number in census.values())
        paths = [path for _, path in look.walk("/")]
        assert sorted(paths) == sorted(each.path for each in whole if each.path != "/")
        trouble = root.trouble.paths()
        unwell = {path for path in paths if look.unwell(path)}
        assert unwell <= set(trouble), unwell - set(trouble)
        assert set(root.trouble.stuck) <= set(trouble)
        for path in ("/", *paths):
            below = sum(each.startswith("/" if path == "/" else f"{path}/") for each in trouble)
            assert look.unhealthy(path) == below, path

    def nothing_left(self) -> None:
        """Check that the register holds nothing but what is in the tree, once it is swept."""
        paths = {path for _, path in self.look.walk("/")}
        for path in self.root.trouble.paths():
            if not self.look.unwell(path):
                self.root.trouble.let_go(path)
        assert set(self.root.trouble.paths()) <= paths
        assert set(self.root.trouble._restarted) <= paths
        assert set(self.root.suspensions.paths()) <= paths
        assert set(self.root.pauses) <= paths


async def shaken(seed: int, times: int) -> Counter[str]:
    dice = random.Random(seed)
    async with (
        running(*tree(), options=OPTIONS, room=Room) as server,
        trio.open_nursery() as nursery,
    ):
        chaos = Chaos(server, dice, nursery)
        for nth in range(times):
            chaos.once()
            chaos.agrees()
            await trio.sleep(dice.choice([0, 0, 0, 0.01, 0.5, 3]))
            chaos.agrees()
            if nth % 50 == 49:
                chaos.nothing_left()
        await trio.sleep(500)
        chaos.agrees()
        chaos.nothing_left()
        nursery.cancel_scope.cancel()
        for each in chaos.sockets:
            each.disconnect()
    assert server.root.census.counts() == {}
    return chaos.done
