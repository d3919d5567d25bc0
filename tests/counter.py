# A resident that counts what it is told, for tests of references and mailboxes.

from typing import Any

import trio
from helpers import settle

from greenroom.actors import Actor, ActorRef, Request, handles
from greenroom.bridges.testing import ServerDriver


class GetCount(Request[int]):
    pass


class Boom:
    pass


class Counter(Actor):
    """Counts what it is told; blocks while `gate` is closed."""

    mailbox_capacity = 2

    def __init__(self) -> None:
        self.seen: list[object] = []
        self.gate = trio.Event()

    @handles("note")
    async def note(self, message):
        self.seen.append(message["n"])

    @handles("block")
    async def block(self, message):
        await self.gate.wait()

    @handles(GetCount)
    async def get_count(self, message: GetCount) -> int:
        return len(self.seen)

    @handles("seen")
    def get_seen(self, message):
        return self.seen

    @handles(Boom)
    def boom(self, message: Boom) -> None:
        raise ValueError("boom")


def counter(**attributes: Any) -> type[Counter]:
    return type("Counter", (Counter,), attributes)


def instance(server: ServerDriver) -> Any:
    return server.root.find("/residents/counter")._target._life.instance  # type: ignore[attr-defined]


def note(n: object) -> dict[str, object]:
    return {"type": "note", "n": n}


async def fill(server: ServerDriver) -> ActorRef:
    """Return the reference of a counter that blocks and whose mailbox is full."""
    ref = server.root.find("/residents/counter")
    ref.cast({"type": "block"})
    await settle(lambda: ref._target.mailbox.queued == 0)
    assert [ref.cast(note(n)) for n in (1, 2)] == [True, True]
    return ref


async def drain(server: ServerDriver) -> None:
    """Let a blocked counter handle what waits."""
    instance(server).gate.set()
    ref = server.root.find("/residents/counter")
    await settle(lambda: ref._target.mailbox.queued == 0)
