# Routers, as Channels has them: by the scope's type, by the path, by the channel's name.
#
# What is better than there:
#   - a router behind any middleware is found by looking (bridges/asgi/_nesting.py), so that
#     `path()` takes its route as a prefix; nobody has to copy an attribute;
#   - the route objects stay as they are: a prefix is a pattern of our own;
#   - below a tree of Greenroom's an unknown path is refused with 404, and is no error;
#   - a ProtocolTypeRouter that is what a server is given runs the tree itself.

import importlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any, cast

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.urls.exceptions import Resolver404
from django.urls.resolvers import RegexPattern, RoutePattern, URLResolver

from ...actors._lowlevel import inside_trio
from ..asgi._app import root_of, startup_failed
from ..asgi._http import plain
from ..asgi._nesting import leads_to_router, refuse_of_channels
from ..asgi._routing import NoRoute
from ..asgi._websocket import refuse

logger = logging.getLogger("greenroom")


def get_default_application() -> Any:
    """
    Return what the setting ASGI_APPLICATION names.

    Raises:
        ImproperlyConfigured: It is missing, or leads nowhere.
    """
    named: object = getattr(settings, "ASGI_APPLICATION", None)
    module_name, dot, name = named.rpartition(".") if isinstance(named, str) else ("", "", "")
    if not dot:
        raise ImproperlyConfigured("Cannot find ASGI_APPLICATION setting.")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        problem = f"Cannot import ASGI_APPLICATION module {module_name!r}"
        raise ImproperlyConfigured(problem) from error
    if not hasattr(module, name):
        raise ImproperlyConfigured(f"Cannot find {name!r} in ASGI_APPLICATION module {module_name}")
    return getattr(module, name)


class UnknownPath(NoRoute, Resolver404):
    """An inner router knows no way: Django's error, and that which our own routers look for."""


class ProtocolTypeRouter:
    """
    Leads each scope to the application for its type, such as ``http`` or ``websocket``.

    Given to a server, it runs Greenroom's tree: consumers below it are supervised.
    """

    def __init__(self, application_mapping: Mapping[str, Any]) -> None:
        self.application_mapping = application_mapping
        self._runtime: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        """
        Call the application for the type of *scope*. A checkpoint as that one is.

        Raises:
            KeyError: The scope has no type.
            ValueError: There is no application for it.
        """
        kind = scope["type"]
        if kind == "lifespan" and kind not in self.application_mapping and _is_of_server(scope):
            from ..django import Greenroom  # it sets Django up, which importing this must not

            of_type = self.application_mapping.get
            websocket = of_type("websocket") or ()
            try:
                refuse_of_channels(self)
                self._runtime = Greenroom(http=of_type("http"), websocket=websocket)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - servers go on without the tree
                await receive()
                problem = str(error).removeprefix("greenroom: ")
                return await startup_failed(send, f"the tree did not start: {problem}")
        runs_tree = self._runtime is not None and kind in ("lifespan", "http", "websocket")
        if runs_tree and "path_remaining" not in scope:
            runtime: Any = self._runtime
            return await runtime(scope, receive, send)
        if kind not in self.application_mapping:
            raise ValueError(f"No application configured for scope type {kind!r}")
        return await self.application_mapping[kind](scope, receive, send)


def _is_of_server(scope: Any) -> bool:
    # Servers hand out a state with it; whoever tries the router out by hand does not.
    return "state" in scope and inside_trio()


class URLRouter:
    """
    Leads each connection by its path to an application, which may be a router again.

    The routes are made with Django's ``path()`` and ``re_path()``. The application finds the
    parts of the path in ``scope["url_route"]``.
    """

    _path_routing = True

    def __init__(self, routes: Sequence[Any]) -> None:
        self.routes = routes
        self._patterns = [_pattern_of(route) for route in routes]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        """
        Call the application that the path leads to. A checkpoint as that one is.

        Raises:
            ValueError: The path leads nowhere, and no router is outside that could try its next
                route, nor a tree that would say so to the client.
        """
        path = _path_for_me(scope)
        if path is not None:
            outer: Mapping[str, Any] = scope.get("url_route", {})
            for route, pattern in zip(self.routes, self._patterns, strict=True):
                match = pattern.match(path)
                if not match:
                    continue
                rest, args, kwargs = match
                inner = {
                    **scope,
                    "path_remaining": rest,
                    "url_route": {
                        "args": (*outer.get("args", ()), *args),
                        "kwargs": {**outer.get("kwargs", {}), **kwargs, **route.default_args},
                    },
                }
                try:
                    return await route.callback(inner, receive, send)
                except (Resolver404, NoRoute):  # of a router inside
                    continue
        return await _no_route(scope, path, receive, send)


def _pattern_of(route: Any) -> Any:
    """Return what *route* is matched by: a pattern of our own if a router is inside."""
    if not route.callback and isinstance(route, URLResolver):
        raise ImproperlyConfigured(
            f"{route}: include() is not supported in URLRouter. Use nested URLRouter instances"
            " instead."
        )
    pattern: Any = route.pattern
    if not leads_to_router(route.callback):
        return pattern
    if isinstance(pattern, RegexPattern):
        written = cast("Any", pattern)._regex  # noqa: SLF001
    elif isinstance(pattern, RoutePattern):
        written = cast("Any", pattern)._route  # noqa: SLF001
    else:
        raise ValueError(f"Unsupported pattern type: {type(pattern)}")  # noqa: TRY004 - as there
    return pattern.__class__(written, pattern.name, is_endpoint=False)


def _path_for_me(scope: Any) -> str | None:
    """Return the part of the path that this router is to match; None if it is not below us."""
    if "path_remaining" in scope:
        return scope["path_remaining"].lstrip("/")
    path: str | None = scope.get("path")
    if path is None:
        raise ValueError("No 'path' key in connection scope, cannot route URLs")
    root: str = scope.get("root_path", "")
    if not path.startswith(root):
        return None
    return path.removeprefix(root).lstrip("/")


async def _no_route(scope: Any, path: str | None, receive: Any, send: Any) -> None:
    written = scope["path"] if path is None else path
    problem = f"No route found for path {written!r}."
    if "path_remaining" in scope:
        raise UnknownPath(problem)
    kind = scope.get("type")
    if kind not in ("http", "websocket") or root_of(scope) is None:
        raise ValueError(problem)
    logger.debug("%s refused with 404: %s", kind, problem)
    if kind == "http":
        await plain(send, 404, "Not Found\n")
    else:
        await receive()  # websocket.connect
        await refuse(scope, send, 404, "No WebSocket here.\n")


class ChannelNameRouter:
    """Leads the messages of each channel to an application of its own; for workers."""

    def __init__(self, application_mapping: Mapping[str, Any]) -> None:
        self.application_mapping = application_mapping

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        """
        Call the application for the channel. A checkpoint as that one is.

        Raises:
            ValueError: The scope names no channel, or one without an application.
        """
        if "channel" not in scope:
            raise ValueError(
                "ChannelNameRouter got a scope without a 'channel' key. Did you make sure it's only"
                " being used for 'channel' type messages?"
            )
        name = scope["channel"]
        if name not in self.application_mapping:
            raise ValueError(f"No application configured for channel name {name!r}")
        return await self.application_mapping[name](scope, receive, send)
