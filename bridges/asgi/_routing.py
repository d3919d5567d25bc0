# How the application finds the consumer of a WebSocket: a port. Who fills it knows what
# routes look like (Django's path() and re_path() in bridges/django); who uses it knows
# what to do with a match. Nothing here knows Django.

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Protocol

Scope = MutableMapping[str, Any]


@dataclass(frozen=True, slots=True)
class Match:
    """What a path leads to."""

    application: Callable[..., Any]
    """A consumer class, what its ``as_asgi()`` returned, or any other ASGI application."""
    kwargs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Named parts of the path, converted, and the route's extra arguments."""
    args: tuple[Any, ...] = ()
    """Unnamed groups of a regular expression, if it has no named ones."""
    name: str | None = None
    """The route's name, if it was given one."""
    route: str = ""
    """The route as written, such as ``ws/chat/<slug:room>/``."""
    rest: str | None = None
    """The rest of the path, where *application* is a router; else None."""


class Router(Protocol):
    """Finds the consumer for a connection."""

    def match(self, scope: Scope) -> Match | None:
        """
        Return where the path of *scope* leads, or None if it leads nowhere.

        Called on the loop's thread for each connection: it must not block.
        """
        ...
