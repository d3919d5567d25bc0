# A consumer class with a `__call__` of its own as an ASGI application.
#
# Supervision calls handlers, and so would pass over what such a class does around them: it is
# called, as Channels calls it. Below a tree it has the slot of any ASGI application: its crash is
# recorded and ends its connection.

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, cast

from asgiref import sync

from ..asgi import Application, Router
from ..asgi._routing import Everything
from ._own_call import call

Scope = MutableMapping[str, Any]


def describe(application: Any, consumer_class: Any, initkwargs: dict[str, Any]) -> None:
    """Have *application* say whose it is, as a function of Channels does."""
    application.consumer_class = consumer_class
    application.consumer_initkwargs = initkwargs
    for name in ("__name__", "__qualname__", "__module__", "__doc__"):
        setattr(application, name, getattr(consumer_class, name))
    cast("Any", sync).markcoroutinefunction(application)  # for who asks how to call it


def with_tree(websocket: Router | None, http: Router | None) -> Application:
    """Return an application with a tree of its own, for a class that is served alone."""
    from ..django._database import database_hooks
    from ..django._on_trio import hops_of, teach_asgiref
    from ..django._settings import load_options

    teach_asgiref()
    return Application(
        http_router=http,
        router=websocket,
        options=load_options(),
        thread_hooks=database_hooks(),
        facilities=(hops_of,),
    )


class CalledApplication:
    """
    One consumer class as an ASGI application that calls it.

    Args:
        consumer_class: Serves each scope with an object of its own.
        initkwargs: Given to ``__init__``.
    """

    consumer_class: Any
    consumer_initkwargs: dict[str, Any]

    def __init__(self, consumer_class: Any, initkwargs: dict[str, Any]) -> None:
        describe(self, consumer_class, initkwargs)
        self._alone: Application | None = None

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Serve one scope. A checkpoint."""
        if scope.get("type") == "lifespan":  # else who stands around it has taken that
            router = Everything(self._call)
            self._alone = with_tree(router, router)
        await (self._alone or self._call)(scope, receive, send)

    async def _call(self, scope: Scope, receive: Any, send: Any) -> None:
        await call(self.consumer_class, self.consumer_initkwargs, scope, receive, send)
