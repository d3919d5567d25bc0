"""What the consumers of all protocols have in common: a class that serves connections."""

from __future__ import annotations

import pkgutil
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, cast

from .._actor import connection_of
from ._identity import Identified
from ._limits import check_caps, refuse_limits

ASGIApplication = Callable[[Any, Any, Any], Awaitable[None]]
Headers = Iterable[tuple[str | bytes, str | bytes]]


class Consumer(Identified, runtime=True):
    """
    The base of actors that live as long as one connection.

    Not subclassed by users: they write a :class:`WebsocketConsumer`, an
    :class:`HttpConsumer` or another that says what it serves.
    """

    protocols: ClassVar[frozenset[str]] = frozenset()
    """The types of ASGI scope that it serves: ``websocket``, ``http``."""
    servers: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """
    For each protocol, who serves one connection with it, as ``module:function``.

    The function takes (root, route, actor, kwargs, scope, receive, send) and returns what is
    awaited. Named, not imported: this layer knows of an ASGI bridge by these strings only.
    """
    check_origin: ClassVar[bool] = True
    """Whether pages of strangers may not connect, by the setting ``ORIGINS``."""
    # No value here: what a class does not set is the tree's option of that name.
    revalidate_seconds: ClassVar[float | None]
    """How often session and user are looked at again, in seconds; None for never."""

    max_connections: ClassVar[int | None] = None
    """Connections of this class open at once; more are refused with 503. None: no limit."""
    connections_per_address: ClassVar[int | None]
    """Those of one address (of IPv6: of one /64); more are refused with 429. None: no limit."""
    connections_per_user: ClassVar[int | None]
    """Those of one user; more are refused with 429. None: no limit."""

    _passing: ClassVar[bool] = False
    """Whether its connections are over soon, so that the tree's caps do not count them."""

    opening_handler: ClassVar[str] = "connect"
    ending_handler: ClassVar[str] = "disconnect"

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        check_caps(cls)
        if cls.protocols and "websocket" not in cls.protocols:
            refuse_limits(cls)

    @classmethod
    def as_asgi(cls, **initkwargs: Any) -> ASGIApplication:
        """
        Return an ASGI application that serves every connection with this class.

        Args:
            initkwargs: Given to ``__init__`` of each incarnation.

        Alone under a server it has a tree of its own; as a route of a Greenroom
        application, or inside another application that passes lifespan and state on,
        it joins the tree that is there.
        """
        make = pkgutil.resolve_name("greenroom.bridges.asgi:ConsumerApplication")
        return cast("ASGIApplication", make(cls, initkwargs))

    @classmethod
    def refuse_unservable(cls) -> None:
        """
        Refuse a class that could serve no connection; asked when it is given a route.

        Raises:
            TypeError: It lacks a handler; the message says which.
        """

    @property
    def scope(self) -> Mapping[str, Any]:
        """The ASGI scope of the connection: path, headers, query_string, client ..."""
        return connection_of(self).scope

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """What the route's pattern captured, converted."""
        route = cast("Mapping[str, Any]", self.scope.get("url_route", {}))
        return cast("Mapping[str, Any]", route.get("kwargs", {}))


def latin(value: str | bytes) -> bytes:
    """Return the name or value of a header as its bytes."""
    return value.encode("latin-1") if isinstance(value, str) else bytes(value)
