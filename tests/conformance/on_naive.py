# The scenarios on a supervisor as one writes it in an hour: a nursery, and a loop for each child.
#
# It restarts whoever crashes, at once and for ever. It has no order, no handshake, no budget and
# no deadlines. test_suite.py runs some scenarios on it: those that it should fail have to notice.

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import trio
from conformance.script import Journal, Script, crash


class Reference:
    """Reaches a child, whichever life it is in."""

    def __init__(self, child: Child) -> None:
        self._child = child

    def cast(self, message: dict[str, Any]) -> bool:
        """Put *message* into the mailbox, which has no bound."""
        self._child.send.send_nowait((message, None))
        return True

    async def call(self, message: dict[str, Any]) -> object:
        """Wait for the answer; for ever, if there is none."""
        answer, receive = trio.open_memory_channel[object](1)
        self._child.send.send_nowait((message, answer))
        return await receive.receive()


@dataclass
class Child:
    """One child, and how far it has come."""

    journal: Journal
    name: str
    restart: str = "permanent"
    tells: bool = False
    script: dict[str, Any] = field(default_factory=dict[str, Any])
    epoch: int = 0
    state: str = "starting"
    count: int = 0

    def __post_init__(self) -> None:
        self.send, self.receive = trio.open_memory_channel[Any](float("inf"))

    async def run(self) -> None:
        """Live, again and again."""
        while True:
            self.epoch += 1
            try:
                await self.live()
            except Exception as error:
                if self.restart == "temporary":
                    break
                if self.tells:
                    self.journal.write(f"~{self.name} {error}")
            else:
                break
        self.state = "ended"

    async def live(self) -> None:
        """Begin, handle what comes, and end."""
        script = Script(self.journal, self.name, **self.script)
        script.make()
        await script.take_time_to_begin()
        if not script.begin(self.epoch):
            return
        self.state, self.count = "running", 0
        try:
            while True:
                message, answer = await self.receive.receive()
                if message["type"] == "stop":
                    break
                value = await self.handle(message)
                if answer is not None:
                    answer.send_nowait(value)
        except trio.Cancelled:
            await script.take_time_to_end()  # not shielded: it is cut off at once
            script.end()
            raise
        script.end()

    async def handle(self, message: dict[str, Any]) -> object:
        """Do as told."""
        match message["type"]:
            case "crash":
                crash(message)
            case "wait":
                await trio.sleep(message["seconds"])
            case "add":
                self.count += 1
            case "epoch":
                return self.epoch
            case _:
                pass
        return self.count


class Counts(NamedTuple):
    """How many children there are, and run."""

    specs: int
    active: int
    workers: int
    supervisors: int = 0


class Supervisor:
    """Runs its children in a nursery."""

    def __init__(self, nursery: trio.Nursery, children: Sequence[Child]) -> None:
        self.children = {child.name: child for child in children}
        self.ended = trio.Event()
        self.state = "running"
        for child in children:
            nursery.start_soon(child.run)

    def counts(self) -> Counts:
        """Count the children."""
        running = sum(child.state == "running" for child in self.children.values())
        return Counts(len(self.children), running, len(self.children))


class Tree:
    """What the scenarios talk of, as far as it is there."""

    def __init__(self, s: Supervisor, journal: Journal) -> None:
        self.s, self.journal = s, journal

    def ref(self, name: str) -> Reference:
        return Reference(self.s.children[name])

    def states(self) -> dict[str, str]:
        return {name: child.state for name, child in self.s.children.items()}

    def epochs(self) -> dict[str, int]:
        return {name: child.epoch for name, child in self.s.children.items()}

    def counts(self) -> tuple[int, int]:
        return self.s.counts()[:2]

    def tell(self, name: str, what: str, **facts: Any) -> bool:
        return self.ref(name).cast({"type": what, **facts})

    async def ask(self, name: str, what: str, **facts: Any) -> object:
        return await self.ref(name).call({"type": what, **facts})

    async def calm(self, seconds: float = 0.05) -> None:
        await trio.sleep(seconds)

    def told(self, kind: str) -> list[str]:
        return []

    def problems(self) -> list[str]:
        return []


def member(journal: Journal, name: str, **options: Any) -> Child:
    """Make a child; of its options few are known here, and none refused."""
    script = {key: options[key] for key in ("slow", "stubborn") if key in options}
    restart, tells = options.get("restart", "permanent"), options.get("tells", False)
    return Child(journal, name, restart, tells, script)


@asynccontextmanager
async def tree(
    journal: Journal, children: Sequence[Child] = (), **flags: object
) -> AsyncGenerator[Tree]:
    """Run *children*; a strategy, a budget and the rest are not known here."""
    async with trio.open_nursery() as nursery:
        t = Tree(Supervisor(nursery, children), journal)
        await trio.sleep(0)
        try:
            yield t
        finally:
            nursery.cancel_scope.cancel()
