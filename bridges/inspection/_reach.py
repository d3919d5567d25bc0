# What an act on one place of the tree reaches: the place itself and all below it, counted and
# listed in steps, so that a large branch holds nobody up.

from dataclasses import dataclass, field
from typing import Any

import trio

from ...actors import ActorNotFound
from ...supervisor import Root
from ...supervisor._look import Look
from ...supervisor._slot import Slot
from ...supervisor._task import TaskSlot
from ._users import SLICE

NAMED = 10
"""Places that are named; of the others there is a number."""


@dataclass(slots=True)
class Reach:
    """What an act on a place would reach."""

    path: str
    kind: str
    actor: str
    state: str
    epoch: int = 0
    """Which incarnation is there; 0 where that has no meaning."""
    actors: int = 0
    """Actors without a connection: residents and their like."""
    connections: int = 0
    """Connections, requests among them."""
    supervisors: int = 0
    waiting: int = 0
    """Messages in the mailboxes of all of them."""
    named: list[str] = field(default_factory=list[str])
    """The first of them, the place itself not among them."""

    def as_dict(self) -> dict[str, Any]:
        """Return it as data."""
        return {
            "path": self.path,
            "kind": self.kind,
            "actor": self.actor,
            "state": self.state,
            "epoch": self.epoch,
            "actors": self.actors,
            "connections": self.connections,
            "supervisors": self.supervisors,
            "waiting": self.waiting,
            "named": self.named,
        }


async def reach_of(root: Root, path: str) -> Reach:
    """
    Return what is at *path* and below. A checkpoint.

    Raises:
        ActorNotFound: Nothing is there.
    """
    look = Look(root)
    top = look.node(path)
    if top is None:
        raise ActorNotFound(path)
    reach = Reach(path, top.kind, top.actor, top.state, top.epoch)
    for nth, each in enumerate(await at_and_below(root, path), 1):
        if nth % SLICE == 0:
            await trio.sleep(0)
        node = look.node(each)
        if node is None:
            continue
        if node.kind != "slot":
            reach.supervisors += 1
        elif is_connection(root, each):
            reach.connections += 1
        else:
            reach.actors += 1
        if node.mailbox is not None:
            reach.waiting += node.mailbox[0]
        if each != path and len(reach.named) < NAMED:
            reach.named.append(each)
    return reach


async def at_and_below(root: Root, path: str) -> list[str]:
    """
    Return *path* and the paths of all below it. A checkpoint, with another at every two hundredth.

    Raises:
        ActorNotFound: Nothing is there.
    """
    look = Look(root)
    if look.node(path) is None:
        raise ActorNotFound(path)
    found = [path]
    for nth, (_, each) in enumerate(look.walk(path), 1):
        if nth % SLICE == 0:
            await trio.sleep(0)
        found.append(each)
    await trio.sleep(0)
    return found


async def handling(root: Root, path: str) -> list[Slot]:
    """Return the slots at *path* and below that handle messages, and live. A checkpoint."""
    look, found = Look(root), list[Slot]()
    for nth, each in enumerate(await at_and_below(root, path), 1):
        if nth % SLICE == 0:
            await trio.sleep(0)
        slot = look.slot(each)
        if slot is not None and not isinstance(slot, TaskSlot) and slot.end is None:
            found.append(slot)
    return found


def is_connection(root: Root, path: str) -> bool:
    """Say whether a connection is at *path*."""
    return root.connections.find(path) is not None


def is_branch_of_connections(path: str) -> bool:
    """Say whether *path* is that of all connections, or of a route of them."""
    return path == "/connections" or (path.startswith("/connections/") and path.count("/") == 2)
