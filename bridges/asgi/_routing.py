# How the application finds the consumer of a WebSocket: a port. Who fills it knows what
# routes look like (Django's path() and re_path() in bridges/django); who uses it knows
# what to do with a match. Nothing here knows Django.

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ._nesting import checks_origin

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
    """The rest of the path, where *application* has a router inside; else None."""
    checks_origin: bool = False
    """Whether *application* decides itself which pages may connect."""
    others: "Iterator[Match] | None" = None
    """Where the path leads else, if that router knows no way; to be used up once."""


def hand_on(match: Match, scope: Scope) -> None:
    """Put what *match* has found of the path into *scope*, behind what others have found."""
    outer: Mapping[str, Any] = scope.get("url_route") or {}
    scope["url_route"] = {
        "args": (*outer.get("args", ()), *match.args),
        "kwargs": {**outer.get("kwargs", {}), **match.kwargs},
    }
    if match.rest is not None:
        scope["path_remaining"] = match.rest


class NoRoute(LookupError):
    """A router inside of another one knows no way for its part of the path."""


class Router(Protocol):
    """Finds the consumer for a connection."""

    def match(self, scope: Scope) -> Match | None:
        """
        Return where the path of *scope* leads, or None if it leads nowhere.

        Called on the loop's thread for each connection: it must not block.
        """
        ...


class Everything:
    """The router that leads every path to one application."""

    def __init__(self, application: Callable[..., Any]) -> None:
        self._match = Match(application, checks_origin=checks_origin(application))

    def match(self, scope: Scope) -> Match:
        """Return it."""
        return self._match


def route_name(match: Match, actor: type) -> str:
    """Name the tree's node for a route: the URL's name, else the class in short."""
    name = match.name or actor.__name__.removesuffix("Consumer").lower() or "consumer"
    return printable_route(name)


def printable_route(name: str) -> str:
    """Return *name* as one part of a path in the tree."""
    return "".join(char if char.isprintable() and char not in "/ " else "-" for char in name)
