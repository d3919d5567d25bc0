# What the scenarios are told with: actors that write down what happens to them, and do as told.

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import trio

from greenroom.actors import Actor, ActorRef, handles
from greenroom.bridges.asgi import Application
from greenroom.bridges.testing import ServerDriver, serve
from greenroom.supervisor import ChildSpec, NodeSnapshot, Options, Supervisor, SupervisorSpec

PATH = "/residents/s"


class Journal:
    """What happened, in order, a line each; and what is to fail."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.fails: dict[str, list[bool]] = {}
        self.hangs: dict[str, int] = {}
        self.blind = False

    def write(self, line: str) -> None:
        """Add *line*."""
        self.lines.append(line)

    def since(self, mark: int) -> list[str]:
        """Return what was written behind the first *mark* lines."""
        return self.lines[mark:]

    def hang(self, name: str, times: int) -> None:
        """Have the next *times* starts of *name* never return."""
        self.hangs[name] = times

    def fail(self, name: str, *starts: bool) -> None:
        """Have the next starts of *name* fail where *starts* is True."""
        self.fails[name] = list(starts)


class Member(Actor):
    """A child that writes its life into the journal."""

    restart = "permanent"

    def __init__(self, journal: Journal, name: str, slow: float = 0.0, stubborn: float = 0.0):
        self.journal, self.name = journal, name
        self.slow, self.stubborn = slow, stubborn

    async def started(self) -> None:
        if self.slow:
            await trio.sleep(self.slow)
        if self.journal.hangs.get(self.name):
            self.journal.hangs[self.name] -= 1
            await trio.sleep_forever()
        fails = self.journal.fails.get(self.name)
        if fails and fails.pop(0):
            raise OSError(f"{self.name} can't start")
        self.journal.write(f"+{self.name}")

    async def stopped(self, reason: str) -> None:
        if self.stubborn:
            await trio.sleep(self.stubborn)
        self.journal.write(f"-{self.name}")

    async def describe(self) -> dict[str, object]:
        if self.journal.blind:
            raise OSError("can't see")
        return {"name": self.name, "epoch": self.epoch}

    @handles("crash")
    async def on_crash(self, message: dict[str, Any]) -> None:
        raise OSError("gone") if message.get("os") else ValueError(message.get("text", "boom"))

    @handles("stop")
    async def on_stop(self, message: dict[str, Any]) -> None:
        self.stop(message.get("reason", "done"))

    @handles("kill")
    async def on_kill(self, message: dict[str, Any]) -> None:
        raise SystemExit(1)

    @handles("epoch")
    async def on_epoch(self, message: dict[str, Any]) -> int:
        return self.epoch

    @handles("wait")
    async def on_wait(self, message: dict[str, Any]) -> None:
        await trio.sleep(message["seconds"])

    @handles("busy")
    async def on_busy(self, message: dict[str, Any]) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(message["seconds"])


def member(journal: Journal, name: str, **options: Any) -> ChildSpec:
    """Return the spec of a :class:`Member`; what it does not know goes to the actor."""
    kwargs = {key: options.pop(key) for key in ("slow", "stubborn") if key in options}
    return ChildSpec(
        actor=Member,
        name=name,
        kwargs={"journal": journal, "name": name, **kwargs},
        **{"restart": "permanent", **options},
    )


class Tree:
    """A running tree with the supervisor S below the root, as the scenarios talk of it."""

    def __init__(self, server: ServerDriver, journal: Journal) -> None:
        self.server, self.journal = server, journal

    @property
    def s(self) -> Supervisor:
        """The supervisor."""
        return self.server.root.supervisor(PATH)

    def ref(self, name: str) -> ActorRef:
        """Return the reference of S's child *name*; in a deeper one, by its path below S."""
        return self.server.root.find(f"{PATH}/{name}")

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

    def tell(self, name: str, what: str, **facts: Any) -> None:
        """Send *what* to the child *name*."""
        self.ref(name).cast({"type": what, **facts})

    async def calm(self, seconds: float = 0.05) -> None:
        """Let the tree come to rest; on the virtual clock, so that it takes no time."""
        await trio.sleep(seconds)

    def events(self, kind: str, path: str = "") -> list[Any]:
        """Return the events of *kind* so far."""
        recent = self.server.root.events.recent(1000, kind)
        return [event for event in recent if path in ("", event.path)]


@asynccontextmanager
async def tree(
    journal: Journal,
    children: Sequence[object],
    *,
    beside: Iterable[object] = (),
    options: Options | None = None,
    **spec: Any,
) -> AsyncGenerator[Tree]:
    """Serve a tree with S, made of *spec*, and *children* below it."""
    s = SupervisorSpec(name="s", children=list(children), **{"max_seconds": 3600, **spec})
    application = Application(children=[s, *beside], options=options or Options(backoff_jitter=0))
    async with serve(application) as server:
        yield Tree(server, journal)
