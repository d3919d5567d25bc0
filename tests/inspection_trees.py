# Trees that tests of the inspection ask: small ones, and one with many places and no tasks.

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from helpers import running, settle

from greenroom.actors import Actor, WebsocketConsumer, handles
from greenroom.bridges.inspection import Inspector
from greenroom.bridges.testing import ServerDriver
from greenroom.supervisor import ChildSpec, Root, SupervisorSpec
from greenroom.supervisor._slot import Slot


class Room(WebsocketConsumer):
    async def receive(self, text: str) -> None:
        raise KeyError("sold out")


class Greeter(Actor):
    @handles("greet")
    async def greet(self) -> None:
        pass


TREE = SupervisorSpec(
    name="shop", children=[ChildSpec(actor=Greeter, name="a"), ChildSpec(actor=Greeter, name="b")]
)


@asynccontextmanager
async def opened(count: int, sockets: list[Any] | None = None) -> AsyncGenerator[ServerDriver]:
    """A tree with *count* *sockets* and some residents."""
    sockets = [] if sockets is None else sockets
    async with running(TREE, Greeter, room=Room) as server:
        sockets += [server.dial("/room") for _ in range(count)]
        await settle(lambda: server.root.connections.open == count)
        yield server
        for each in sockets:
            each.disconnect()


class Idle:
    """A connection on which nothing happens."""

    def __init__(self, user: str = "") -> None:
        self.scope: dict[str, Any] = {"greenroom.identity": self} if user else {}
        self._user = user

    def facts(self) -> dict[str, object]:
        """Return whose it is."""
        return {"url": "/room", "user": self._user}

    def traffic(self) -> dict[str, object]:
        """Return that nothing waits."""
        return {"transport": "WebSocket", "output_bytes": 0}


@contextmanager
def attached(root: Root, count: int, route: str = "room") -> Generator[list[Slot]]:
    """Real slots in the tree, whose tasks were never started: as many as a test likes."""
    slots = [root.connections.attach(route, Room, {}, Idle(f"user-{at}")) for at in range(count)]
    for slot in slots:
        slot.state = "running"
    try:
        yield slots
    finally:
        for slot in slots:
            root.connections.detach(route, slot)


async def ask(server: ServerDriver, question: str = "tree", **fields: object) -> dict[str, Any]:
    """Ask the tree of *server*."""
    return await Inspector(server.root).answer({"ask": question, **fields})


def paths(answer: dict[str, Any]) -> list[str]:
    """Return the paths of the rows of *answer*."""
    return [row["path"] for row in answer["rows"]]
