# What `Chat.as_asgi()` returns: a consumer class as an ASGI application.
#
#   below a Greenroom application   its consumer is the connection's own slot; a request has the
#                                   slot that its application has made for it
#   alone under a server            it makes a tree of its own in its lifespan
#   without a tree                  as Channels would run it (_bare.py)
#   with a `__call__` of its own    is another one (_called.py)

from __future__ import annotations

from collections.abc import Awaitable, MutableMapping
from typing import Any

from ...actors._lowlevel import inside_trio
from ..asgi import Application, ConsumerApplication
from ..asgi._app import root_of
from ..asgi._routing import printable_route
from ..asgi._websocket import serve_websocket
from ._adapter import adapter_of
from ._bare import serve_new
from ._called import describe, with_tree
from .consumer import AsyncConsumer

Scope = MutableMapping[str, Any]


class ChannelsApplication(ConsumerApplication):
    """
    One consumer class as an ASGI application.

    Args:
        consumer_class: Serves each scope with an object of its own.
        initkwargs: Given to ``__init__``.
    """

    def __init__(self, consumer_class: type[AsyncConsumer], initkwargs: dict[str, Any]) -> None:
        self.consumer_class: Any
        self.consumer_initkwargs: dict[str, Any]
        describe(self, consumer_class, initkwargs)
        self.initkwargs = initkwargs
        self._own: Application | None = None

    @property
    def actor(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The actor class that stands in a slot for the consumer class."""
        return adapter_of(self.consumer_class)

    @property
    def connection_limits(self) -> Any:
        """For the server's connection handler, if this is what it serves."""
        return self._application.connection_limits

    @property
    def _application(self) -> Application:
        if self._own is None:
            served = self.actor.protocols
            self._own = with_tree(
                self if "websocket" in served else None, self if "http" in served else None
            )
        return self._own

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Serve one scope. A checkpoint."""
        kind = scope.get("type")
        if kind == "lifespan":
            await self._application(scope, receive, send)
            return
        root = root_of(scope)
        on_trio = inside_trio()  # else a consumer with others inside has called it, in its slot
        if root is not None and on_trio and kind == "websocket":
            route = printable_route(self.actor.__name__.removesuffix("Consumer").lower())
            await serve_websocket(
                root, route or "consumer", self.actor, self.initkwargs, scope, receive, send
            )
            return
        await serve_new(self.consumer_class, self.initkwargs, scope, receive, send)

    def serve_scope(self, scope: Scope, receive: Any, send: Any) -> Awaitable[None]:
        """Serve a request or a WebSocket of our own server, which has run the lifespan."""
        return self._application.serve_scope(scope, receive, send)
