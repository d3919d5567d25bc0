# Whose connections they are: a port. Who fills it knows users and their sessions (bridges/django);
# a tree without that goes by what its connections say of themselves.

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import trio

from ...supervisor import Root
from ...supervisor._look import Look

SLICE = 200
"""Places that are looked at between two checkpoints."""


@dataclass(frozen=True, slots=True)
class Found:
    """How many connections of one user there are, or were asked to end."""

    known: int
    """Those of whom it is known."""
    unread: int = 0
    """Those of whom nobody could, or did, find out: their sessions were not read."""


class Users(Protocol):
    """Finds the connections of a user; kept in ``root.bridged`` under this class."""

    async def count(self, user: str) -> Found:
        """Count the connections of the user with that primary key. A checkpoint."""
        ...

    async def disconnect(self, user: str, reason: str, code: int, text: str) -> Found:
        """Ask them to end. A checkpoint; a cancellation leaves some that were not asked."""
        ...


class ByFacts:
    """
    Goes by the fact ``user`` of each connection.

    Args:
        root: Whose connections.
    """

    def __init__(self, root: Root) -> None:
        self._root = root

    async def count(self, user: str) -> Found:
        """Count them. A checkpoint."""
        return Found(len(await self._paths(user)))

    async def disconnect(self, user: str, reason: str, code: int, text: str) -> Found:
        """Ask them to end. A checkpoint."""
        asked = 0
        for path in await self._paths(user):
            attached = self._root.connections.find(path)
            if attached is not None:
                attached.request_stop(reason, code, text)
                asked += 1
        return Found(asked)

    async def _paths(self, user: str) -> list[str]:
        look, found = Look(self._root), list[str]()
        for nth, (_, path) in enumerate(look.walk("/connections"), 1):
            if nth % SLICE == 0:
                await trio.sleep(0)
            node = look.node(path)
            facts: Mapping[str, object] = {} if node is None else node.facts
            if str(facts.get("user", "")) == user:
                found.append(path)
        await trio.sleep(0)
        return found


def users_of(root: Root) -> Users:
    """Return what finds the connections of users of *root*."""
    return root.bridged.get(Users) or ByFacts(root)
