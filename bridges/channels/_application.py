# What `Chat.as_asgi()` returns: a consumer class as an ASGI application.
#
#   below a Greenroom application   its consumer is the connection's own slot; a request has the
#                                   slot that its application has made for it
#   alone under a server            it makes a tree of its own in its lifespan
#   without a tree                  as Channels would run it (_bare.py)
#   with a `__call__` of its own    is called, in a slot as anybody's application has it

from __future__ import annotations

from collections.abc import Awaitable, MutableMapping
from typing import Any

from ...actors._lowlevel import inside_trio
from ..asgi import Application, ConsumerApplication
from ..asgi._app import root_of
from ..asgi._routing import printable_route
from ..asgi._websocket import serve_websocket
from ._adapter import adapter_of
from ._own_call import call
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
        self.consumer_class: Any = consumer_class
        self.consumer_initkwargs = self.initkwargs = initkwargs
        self._own: Application | None = None
        self._is_called = consumer_class.__call__ is not AsyncConsumer.__call__
        self.__name__ = consumer_class.__name__
        self.__qualname__ = consumer_class.__qualname__
        self.__module__ = consumer_class.__module__
        self.__doc__ = consumer_class.__doc__

    @property
    def actor(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The actor class that stands in a slot for the consumer class; None if it is called."""
        return None if self._is_called else adapter_of(self.consumer_class)

    @property
    def connection_limits(self) -> Any:
        """For the server's connection handler, if this is what it serves."""
        return self._application.connection_limits

    @property
    def _application(self) -> Application:
        if self._own is None:
            self._own = _alone(self)
        return self._own

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Serve one scope. A checkpoint."""
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
            return
        root, actor = root_of(scope), self.actor
        on_trio = inside_trio()  # else a consumer with others inside has called it, in its slot
        if root is not None and actor is not None and on_trio and scope["type"] == "websocket":
            route = printable_route(actor.__name__.removesuffix("Consumer").lower())
            await serve_websocket(
                root, route or "consumer", actor, self.initkwargs, scope, receive, send
            )
            return
        consumer = self.consumer_class(**self.initkwargs)
        if actor is None:
            await call(consumer, scope, receive, send)
        else:
            await consumer(scope, receive, send)

    def serve_scope(self, scope: Scope, receive: Any, send: Any) -> Awaitable[None]:
        """Serve a request or a WebSocket of our own server, which has run the lifespan."""
        return self._application.serve_scope(scope, receive, send)


def _alone(application: ChannelsApplication) -> Application:
    from ..django._database import database_hooks
    from ..django._on_trio import hops_of, teach_asgiref
    from ..django._settings import load_options

    teach_asgiref()
    protocols = adapter_of(application.consumer_class).protocols
    return Application(
        http_router=application if "http" in protocols else None,
        router=application if "websocket" in protocols else None,
        options=load_options(),
        thread_hooks=database_hooks(),
        facilities=(hops_of,),
    )
