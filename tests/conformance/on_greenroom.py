# The scenarios on Greenroom: the one module of the suite that knows it.

from __future__ import annotations

import gc
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import trio
from conformance.members import HEARS, IDLE, MEMBERS, Chat, Marked, Member
from conformance.script import Journal, Script
from helpers import counted

from greenroom.actors import (
    ActorNotFound,
    ActorRef,
    ActorStopped,
    CallFailed,
    CallTimeout,
    StartFailed,
)
from greenroom.bridges.asgi import Application, Match
from greenroom.bridges.testing import (
    HandshakeRefused,
    ServerDriver,
    StartupFailed,
    WebsocketDriver,
    serve,
)
from greenroom.supervisor import (
    AlreadyStarted,
    ChildNotFound,
    ChildSpec,
    DescribeFailed,
    DynamicSpec,
    NodeSnapshot,
    Options,
    PartitionSpec,
    Supervisor,
    SupervisorSpec,
    SupervisorStopping,
    TaskPool,
    TaskPoolSpec,
    TooManyChildren,
)

__all__ = [
    "ActorNotFound",
    "ActorStopped",
    "AlreadyStarted",
    "CallFailed",
    "CallTimeout",
    "ChildNotFound",
    "DescribeFailed",
    "HandshakeRefused",
    "Member",
    "StartFailed",
    "StartupFailed",
    "SupervisorStopping",
    "TooManyChildren",
    "counted",
]

PATH = "/residents/s"
READ_AHEAD = Options().read_ahead_messages
"""Frames of a client that are read before its consumer has handled them."""

_SCRIPT = ("slow", "stubborn", "waits", "broken", "brief")
_CLASS = (
    "supervise", "idle_seconds", "mailbox_capacity", "overflow", "max_keys", "expected_errors",
)  # fmt: skip


def member(journal: Journal, name: str, **options: Any) -> ChildSpec:
    """
    Return the spec of a member of *journal*'s style.

    Args:
        options: What a :class:`Script` takes; `tells`, to have its ends told in the journal;
            `hears`, to have it handle the news of those it watches; `returns`, what its start
            returns; settings of its class; and those of its spec.
    """
    script = {key: options.pop(key) for key in _SCRIPT if key in options}
    told = options.pop("tells", False)
    settings = {key: options.pop(key) for key in _CLASS if key in options}
    style = "async" if journal.style == "async" else "def"
    kind = MEMBERS[style, Script(journal, name, **script).takes_time, told]
    if options.pop("hears", False):
        settings["on_news"] = HEARS[style]
    if "idle_seconds" in settings:
        settings["idle"] = IDLE[style]
    kwargs = {"journal": journal, "name": name, **script, "returns": options.pop("returns", None)}
    if settings:
        kind = type("Member", (kind,), settings)
    return ChildSpec(actor=kind, name=name, kwargs=kwargs, **{"restart": "permanent", **options})


def marked(load: object, name: str, **options: Any) -> ChildSpec:
    """Return the spec of a child that holds *load* among its start arguments."""
    return ChildSpec(actor=Marked, name=name, kwargs={"load": load}, **options)


def idle() -> type[Marked]:
    """Return a child that does nothing, without a name of its own."""
    return Marked


def supervisor(name: str, children: Sequence[object] = (), **flags: Any) -> SupervisorSpec:
    """Return the spec of a supervisor."""
    given = list(children) if isinstance(children, (list, tuple)) else children
    return SupervisorSpec(name=name, children=cast("Any", given), **flags)


def dynamic(name: str, **flags: Any) -> DynamicSpec:
    """Return the spec of a supervisor of children that come and go."""
    return DynamicSpec(name=name, **flags)


def pool(name: str, **flags: Any) -> TaskPoolSpec:
    """Return the spec of a pool of tasks."""
    return TaskPoolSpec(name=name, **flags)


def partitions(name: str, child: object, number: int, **flags: Any) -> PartitionSpec:
    """Return the spec of a supervisor of *number* equal children that stand for keys."""
    return PartitionSpec(name=name, child=cast("Any", child), partitions=number, **flags)


def defaults() -> dict[str, object]:
    """Return what holds of a child whose spec says nothing."""
    spec = ChildSpec(actor=Member)
    return {
        "restart": str(spec.restart),
        "stop": spec.shutdown_seconds,
        "start": spec.init_seconds,
        "restarts": (spec.max_restarts, spec.max_seconds),
        "significant": spec.significant,
    }


class Tree:
    """A running tree with the supervisor S below the root, as the scenarios talk of it."""

    def __init__(self, server: ServerDriver, journal: Journal) -> None:
        self.server, self.journal = server, journal

    # -- what is there -----------------------------------------------------------------------

    @property
    def s(self) -> Supervisor:
        """The supervisor."""
        return self.server.root.supervisor(PATH)

    @property
    def pool(self) -> TaskPool:
        """S, where it is a pool of tasks."""
        return self.server.root.task_pool(PATH)

    @property
    def up(self) -> bool:
        """Whether the tree as a whole works."""
        return self.server.root.up

    def problems(self) -> list[str]:
        """Name what is not up, though it should be; by its path below the tree's children."""
        said = self.server.root.readiness()
        return [each.removeprefix("/residents/").partition(" ")[0] for each in said]

    def ref(self, name: str) -> ActorRef:
        """Return the reference of S's child *name*; a path below S leads deeper, "../" beside S."""
        beside = name.removeprefix("../")
        return self.server.root.find(f"/residents/{beside}" if beside != name else f"{PATH}/{name}")

    def node(self, name: str = "") -> NodeSnapshot:
        """Return what the tree shows of S, or of its child *name*."""
        found = self.server.root.snapshot().find(f"{PATH}/{name}" if name else PATH)
        assert found is not None
        return found

    def states(self) -> dict[str, str]:
        """Return what each child of S is doing."""
        return {child.name: child.state for child in self.node().children}

    def epochs(self) -> dict[str, int]:
        """Return which incarnation each child of S is in."""
        return {child.name: child.epoch for child in self.node().children}

    def epoch(self, name: str = "") -> object:
        """Return which incarnation S is in, or the supervisor *name* below it."""
        return self.node(name).facts["epoch"]

    def counts(self) -> tuple[int, int]:
        """Return how many children S has, and how many of them run."""
        counts = self.s.counts()
        return counts.specs, counts.active

    def events(self, kind: str, path: str = "") -> list[Any]:
        """Return the events of *kind* so far."""
        recent = self.server.root.events.recent(1000, kind)
        return [event for event in recent if path in ("", event.path)]

    def told(self, kind: str) -> list[str]:
        """Name whom the events of *kind* were about, by the path below S; S itself is ""."""
        return [event.path.removeprefix(PATH).lstrip("/") for event in self.events(kind)]

    def above(self) -> int:
        """Count the children that run of the one above S."""
        return self.server.root.residents.counts().active

    def letters(self) -> list[tuple[str, str]]:
        """Return the dead letters: to whom, and of which type."""
        return [
            (each.target_path.rpartition("/")[2], each.message_type)
            for each in self.server.root.dead_letters.recent(1000)
        ]

    def abandoned(self) -> int:
        """Count the handlers that were left behind in their threads, and still run."""
        return len(self.server.root.pool.statistics().abandoned)

    def lost(self) -> int:
        """Count the dead letters, however many."""
        return sum(self.server.root.dead_letters.counts().values())

    # -- what happens ------------------------------------------------------------------------

    def tell(self, name: str, what: str, **facts: Any) -> bool:
        """Send *what* to the child *name*; whether it was taken."""
        return self.ref(name).cast({"type": what, **facts})

    async def ask(self, name: str, what: str, **facts: Any) -> Any:
        """Send *what* to the child *name*, and return its answer."""
        return await self.ref(name).call({"type": what, **facts})

    async def calm(self, seconds: float = 0.05) -> None:
        """Let the tree come to rest; on the virtual clock, so that it takes no time."""
        await trio.sleep(seconds)

    def start_soon(self, function: Callable[..., Awaitable[object]], *args: object) -> None:
        """Run ``function(*args)`` beside the scenario."""
        self.server.start_soon(function, *args)

    async def stop_s(self) -> None:
        """Have S stopped by the one above."""
        await self.server.root.supervisor("/residents").stop_child("s")

    async def restart_s(self) -> None:
        """Have S restarted by the one above."""
        await self.server.root.supervisor("/residents").restart_child("s")

    async def describe(self, name: str) -> object:
        """Return what the child *name* shows of its state."""
        return await self.server.root.describe(f"{PATH}/{name}")

    def suspend(self, name: str, seconds: float) -> None:
        """Have the child *name* handle nothing for a while."""
        self.server.root.suspensions.begin(f"{PATH}/{name}", seconds)

    def resume(self, name: str) -> None:
        """Have it go on."""
        self.server.root.suspensions.end(f"{PATH}/{name}")

    def break_s(self) -> Callable[[], None]:
        """Have S hit a bug of its own at the next crash in a group; return what mends it."""
        s: Any = self.s

        async def fail(*crash: object) -> None:
            raise RuntimeError("a bug")

        s._answer = fail
        return lambda: delattr(s, "_answer")

    # -- names, offers, groups ---------------------------------------------------------------

    def whereis(self, key: str) -> tuple[str, object] | None:
        """Return the name of the child that has the unique name *key*, and its value."""
        found = self.server.root.registry.lookup(key)
        return None if found is None else (_name(found.ref), found.value)

    def listen(self, listener: Callable[[str, str, str, object], object]) -> None:
        """Call *listener* with each name taken or freed: what, key, whose, value."""
        self.server.root.registry.listen(
            lambda change: listener(
                change.kind,
                change.registration.key,
                _name(change.registration.ref),
                change.registration.value,
            )
        )

    def subscribe(self, key: str, listener: Callable[[list[str]], object]) -> None:
        """Call *listener* with who is listed under *key*: now, and at each change."""
        self.server.root.registry.subscribe(
            key, lambda members: listener([_name(each.ref) for each in members])
        )

    def dispatch(self, key: str, function: Callable[[list[str]], object]) -> int:
        """Call *function* with who is listed under *key*, if anybody is; return how many."""
        return self.server.root.registry.dispatch(
            key, lambda members: function([_name(each.ref) for each in members])
        )

    def broadcast(self, group: str, **message: Any) -> int:
        """Send to all members of *group*; return how many were reached."""
        return self.server.root.groups.send(group, message)


def _name(ref: ActorRef) -> str:
    return ref.path.rpartition("/")[2]


@asynccontextmanager
async def tree(
    journal: Journal,
    children: Sequence[object] = (),
    *,
    s: object = None,
    beside: Iterable[object] = (),
    options: Options | dict[str, Any] | None = None,
    **flags: Any,
) -> AsyncGenerator[Tree]:
    """
    Serve a tree with S, and *children* below it.

    Args:
        s: The spec of S, named "s"; by default a supervisor made of *flags*.
        beside: What else is below the root, behind S.
        options: Settings of the whole tree.
    """
    if s is None:
        s = supervisor("s", list(children), **{"max_seconds": 3600, **flags})
    if not isinstance(options, Options):
        options = Options(**{"backoff_jitter": 0, **(options or {})})
    application = Application(children=[s, *beside], options=options)
    async with serve(application, threads=_threads(journal)) as server:
        yield Tree(server, journal)


class Sockets(Tree):
    """A server of WebSockets, each with a consumer of its own."""

    async def many(self, number: int) -> list[WebsocketDriver]:
        """Open *number* sockets."""
        sockets = [self.server.dial("/chat") for _ in range(number)]
        for socket in sockets:
            await socket.handshake()
        return sockets

    def waiting(self, socket: WebsocketDriver) -> int:
        """Return how many frames wait for the consumer of *socket*."""
        node = self.server.root.snapshot().find(socket.slot.path)
        assert node is not None
        assert node.mailbox is not None
        return node.mailbox[0]

    async def drain(self) -> bool:
        """End all connections as a server does that stops."""
        return await self.server.root.drain()


@asynccontextmanager
async def sockets(
    journal: Journal, *, slow: float = 0.0, options: dict[str, Any] | None = None
) -> AsyncGenerator[Sockets]:
    """
    Serve consumers that answer each text with their incarnation and the text.

    Args:
        slow: Seconds that a restart of one takes.
        options: Settings of the whole tree.
    """

    class Routes:
        def match(self, scope: Any) -> Match:
            return Match(kind, name="chat")

    kind = type("Chat", (Chat,), {"journal": journal, "slow": slow})
    application = Application(router=Routes(), options=Options(seed=1, **(options or {})))
    async with serve(application, threads=_threads(journal)) as server:
        yield Sockets(server, journal)


def _threads(journal: Journal) -> Any:
    return "pool" if journal.style == "threads" else "inline"


def collected(ref: weakref.ref[Any]) -> bool:
    """Whether nothing holds what *ref* points to any more."""
    gc.collect()
    return ref() is None
