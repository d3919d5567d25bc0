# What stands before each connection's consumer: a port. Who fills it (bridges/django/_gate.py)
# knows which pages may connect, and whose connection it is; nothing here knows Django.

from collections.abc import MutableMapping
from typing import Any, Protocol

from ...actors._ports import IDENTITY, Identity
from ...supervisor import Root

Scope = MutableMapping[str, Any]

BY_TOKEN = "greenroom.by_token"  # noqa: S105 - the name of an entry
"""Stands in a scope whose user has come in by a token, before anybody has said whose it is."""


class Gate(Protocol):
    """Looks at each connection once, on the loop's thread: it must not block."""

    def refusal(self, scope: Scope) -> str | None:
        """Why the page that opens a connection with *scope* may not; None if it may."""
        ...

    def identify(self, root: Root, scope: Scope) -> None:
        """Put whose connection it is into *scope*, to be found out when somebody asks."""
        ...


def identity_of(scope: Any) -> Identity | None:
    """Return whose connection *scope* is of, if somebody has seen to it."""
    return scope.get(IDENTITY)


def attach(scope: Any, slot: Any) -> None:
    """Have *slot* found by the identity in *scope*, if there is one."""
    identity = identity_of(scope)
    if identity is not None:
        identity.attach(slot)


def detach(scope: Any) -> None:
    """Take note that the connection of *scope* is over."""
    identity = identity_of(scope)
    if identity is not None:
        identity.detach()
