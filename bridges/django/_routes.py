# The routes of websocket=[...]: Django's patterns, resolved by Django's own resolver, so
# that converters, include(), extra arguments and names mean what they mean in urls.py.
#
# Each view is looked at once, when the application is constructed: dotted names are
# imported, and what can't be a consumer is refused there, with the route it stands in.

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.base import BaseHandler
from django.urls import Resolver404, URLPattern, URLResolver
from django.urls.resolvers import RegexPattern

from ...actors import WebsocketConsumer
from ..asgi._routing import Match, Scope
from ..hypercorn._startup import refuse
from ._paths import DottedConsumer, Route, is_actor, is_actor_class, refuse_instance


class DjangoRouter:
    """
    The router over Django's URL patterns; fills the port of ``bridges.asgi``.

    Args:
        routes: What ``path()``, ``re_path()`` and ``include()`` made.

    Raises:
        ImproperlyConfigured: a dotted name leads nowhere, or an expression is malformed.
        TypeError: an entry is no route, or its view is no consumer and no ASGI
            application.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = _listed(routes)
        # Converters and expressions are compiled here, not at the first connection.
        self._resolver = URLResolver(cast("Any", RegexPattern(r"^/")), self._routes)
        self._targets = {
            id(pattern.callback): _target(pattern, prefix)
            for prefix, pattern in _endpoints(self._resolver, "")
        }

    def __repr__(self) -> str:
        return f"<DjangoRouter {len(self._targets)} routes>"

    def match(self, scope: Scope) -> Match | None:
        """Return where the path of *scope* leads, below its ``root_path``, or None."""
        try:
            found = self._resolver.resolve(_path_below_root(scope))
        except Resolver404:
            return None
        return Match(
            application=self._targets[id(found.func)],
            kwargs=found.kwargs,
            args=tuple(found.args),
            name=found.url_name,
            route=found.route,
        )


def _listed(routes: object) -> list[Route]:
    # A resolver takes anything and fails at the first connection, so it is checked here.
    if isinstance(routes, str | Mapping) or not isinstance(routes, Iterable):
        refuse(
            f"websocket must be a list of path(...) entries. Got: {routes!r}",
            TypeError,
        )
    listed = list(cast("Iterable[Any]", routes))
    for route in listed:
        if not isinstance(route, URLPattern | URLResolver):
            refuse(
                "websocket must be a list of path(...) entries."
                f' Got: {route!r}. Write path("ws/", ...).',
                TypeError,
            )
    return listed


def _endpoints(resolver: URLResolver, prefix: str) -> Iterator[tuple[str, URLPattern]]:
    for route in cast("Sequence[Any]", resolver.url_patterns):
        _compile(route, prefix)
        if isinstance(route, URLResolver):
            yield from _endpoints(route, f"{prefix}{route.pattern}")
        elif isinstance(route, URLPattern):
            yield prefix, route
        else:
            refuse(f"include() below {prefix!r} holds {route!r}, which is no path().", TypeError)


def _compile(route: Any, prefix: str) -> None:
    # Django compiles at the first match, which would be everybody's first connection.
    if isinstance(route, URLPattern | URLResolver):
        try:
            _ = route.pattern.regex
        except ImproperlyConfigured as error:
            refuse(f"the route '{prefix}{route.pattern}': {error}", ImproperlyConfigured)


def _target(pattern: URLPattern, prefix: str) -> Any:
    wanted_by = f"the route '{prefix}{pattern.pattern}'"
    view: Any = pattern.callback
    if isinstance(view, DottedConsumer):
        view = view.resolve(wanted_by)
    refuse_no_endpoint(view, wanted_by)
    return view


def refuse_no_endpoint(view: Any, wanted_by: str) -> None:
    """
    Refuse what is neither a consumer class, nor its ``as_asgi()``, nor an ASGI application.

    Raises:
        TypeError: it is something else; the message says what to write.
    """
    if is_actor(view):
        refuse_instance(view, wanted_by)
    if is_actor_class(view):
        if not issubclass(view, WebsocketConsumer):
            refuse(
                f"{wanted_by}: {view.__name__} is an Actor but no WebsocketConsumer."
                " Residents stand in children=[...].",
                TypeError,
            )
        return
    if isinstance(view, BaseHandler) or not _takes_three(view):
        refuse(
            f"{wanted_by} leads to {view!r}, which is neither a consumer class nor an ASGI"
            " application (an async callable of scope, receive and send).",
            TypeError,
        )


def _takes_three(view: Any) -> bool:
    if inspect.isclass(view) or not callable(view):
        return False
    try:
        inspect.signature(view).bind(None, None, None)
    except TypeError:
        return False
    except ValueError:  # it has no signature to look at: built in
        return True
    return True


def _path_below_root(scope: Scope) -> str:
    path: str = scope["path"]
    root = str(scope.get("root_path", "")).rstrip("/")
    if root and (path == root or path.startswith(f"{root}/")):
        return path[len(root) :] or "/"
    return path
