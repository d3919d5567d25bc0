# What the parts of a tree are made of. Who traces a tree puts kinds of his own in their place,
# chosen when a part is made: so a tree that nobody traces pays nothing for it, in no message.

from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AbstractContextManager
from typing import Any

from ._engine import Engine
from ._events import EventStream
from ._groups import Groups
from ._slot import Slot
from ._task import Work

Serve = Callable[..., Awaitable[None]]
Publish = Callable[[str, object], AbstractContextManager[Callable[[int], None]]]
"""The block is for the sending; how many it has reached is told to what it gives."""
Around = Callable[[Serve, MutableMapping[str, Any], Any, Any], Awaitable[None]]


class Kinds:
    """
    The plain ones.
    """

    connection: Around | None = None
    """Called as ``connection(serve, scope, receive, send)`` for each, to await ``serve`` in it."""
    publish: Publish | None = None
    """Called as ``publish(group, message)`` where groups are kept by others; gives a block."""

    visited: Callable[[Slot], object] | None = None
    """Called with a slot for which one more request has come; gives what its messages carry."""
    work: type[Work] = Work
    """What a pool makes of a function that it is to run."""

    def slot(self, kind: type[Slot]) -> type[Slot]:
        """
        Return the class of slots to make in the place of *kind*.
        """
        return kind

    def groups(self, engine: Engine, events: EventStream) -> Groups:
        """
        Make the groups of a tree.
        """
        return Groups(engine, events)


_default = [Kinds()]


def default_kinds() -> Kinds:
    """
    Return what trees of this process are made of, if they are not told otherwise.
    """
    return _default[0]


def set_default_kinds(kinds: Kinds) -> None:
    """
    Make all trees that begin from now on of *kinds*, if they are not told otherwise.
    """
    _default[0] = kinds
