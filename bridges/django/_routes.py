# The routes of websocket=[...] and http=[...]: Django's patterns, resolved by Django's own
# resolver, so that converters, include(), extra arguments and names mean what they mean in urls.py.
#
# Each view is looked at once, when the application is constructed: dotted names are
# imported, and what can't be a consumer is refused there, with the route it stands in.

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.base import BaseHandler
from django.urls import URLPattern, URLResolver
from django.urls.resolvers import RegexPattern

from ...actors.consumers import Consumer
from ..asgi._app import Lifespan, consumer_of
from ..asgi._nesting import checks_origin, refuse_of_channels
from ..asgi._routing import Match, Scope
from ..hypercorn._startup import refuse
from ._handler import refuse_django_handler
from ._matching import Way, first_of, prefix_of, ways_of
from ._paths import DottedConsumer, Route, is_actor, is_actor_class, refuse_instance

_EXAMPLE = {"websocket": "ws/", "http": "events/"}


class DjangoRouter:
    """
    The router over Django's URL patterns; fills the port of ``bridges.asgi``.

    Args:
        routes: What ``path()``, ``re_path()`` and ``include()`` made.
        protocol: What they lead: ``websocket`` or ``http``.

    Raises:
        ImproperlyConfigured: a dotted name leads nowhere, or an expression is malformed.
        TypeError: an entry is no route, or its view is no consumer of this protocol and no
            ASGI application.
    """

    def __init__(self, routes: Iterable[Route], protocol: str = "websocket") -> None:
        self._routes = _listed(routes, protocol)
        # Converters and expressions are compiled here, not at the first connection.
        resolver = URLResolver(cast("Any", RegexPattern(r"^/")), self._routes)
        self._targets = {
            id(pattern): _target(pattern, prefix, protocol)
            for prefix, pattern in _endpoints(resolver, "")
        }
        self._patterns = {
            id(pattern): prefix_of(pattern, self._targets[id(pattern)])
            for _, pattern in _endpoints(resolver, "")
        }
        self._guarded = {at for at, target in self._targets.items() if checks_origin(target)}

    def __repr__(self) -> str:
        return f"<DjangoRouter {len(self._targets)} routes>"

    @property
    def lifespans(self) -> list[Lifespan]:
        """What the applications among the views want open while the tree runs, each once."""
        targets = {id(each): each for each in self._targets.values()}
        found = (getattr(each, "lifespan", None) for each in targets.values())
        return [cast("Lifespan", each) for each in found if callable(each)]

    def match(self, scope: Scope) -> Match | None:
        """Return where the path of *scope* leads, below its ``root_path``, or None."""
        rest: str | None = scope.get("path_remaining")
        if rest is None:
            return first_of(self.ways(Way(path_below_root(scope).removeprefix("/"))))
        return first_of(self.ways(Way(rest.lstrip("/"))))

    def ways(self, way: Way) -> Iterator[Match]:
        """Yield where *way* leads."""
        return ways_of(self._routes, way, self._found)

    def _found(self, route: URLPattern) -> tuple[Any, Any, bool]:
        return self._targets[id(route)], self._patterns[id(route)], id(route) in self._guarded


def _listed(routes: object, protocol: str) -> list[Route]:
    # A resolver takes anything and fails at the first connection, so it is checked here.
    if isinstance(routes, str | Mapping) or not isinstance(routes, Iterable):
        refuse(
            f"{protocol} must be a list of path(...) entries. Got: {routes!r}",
            TypeError,
        )
    listed = list(cast("Iterable[Any]", routes))
    for route in listed:
        if not isinstance(route, URLPattern | URLResolver):
            refuse(
                f"{protocol} must be a list of path(...) entries."
                f' Got: {route!r}. Write path("{_EXAMPLE[protocol]}", ...).',
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


def _target(pattern: URLPattern, prefix: str, protocol: str) -> Any:
    wanted_by = f"the route '{prefix}{pattern.pattern}'"
    view: Any = pattern.callback
    if isinstance(view, DottedConsumer):
        view = view.resolve(wanted_by)
    refuse_no_endpoint(view, wanted_by, protocol)
    return view


def refuse_no_endpoint(view: Any, wanted_by: str, protocol: str) -> None:
    """
    Refuse what is no consumer class of *protocol*, nor its ``as_asgi()``, nor an ASGI application.

    Raises:
        TypeError: it is something else; the message says what to write.
    """
    if is_actor(view):
        refuse_instance(view, wanted_by)
    consumer, _ = consumer_of(view)
    if consumer is not None:
        if protocol not in consumer.protocols:
            _refuse_protocol(consumer, wanted_by, protocol)
        try:
            consumer.refuse_unservable()
        except TypeError as error:
            refuse(f"{wanted_by}: {error}", TypeError)
        return
    if is_actor_class(view):
        wanted = "WebsocketConsumer" if protocol == "websocket" else "HttpConsumer"
        refuse(
            f"{wanted_by}: {view.__name__} is an Actor but no {wanted}."
            " Residents stand in children=[...].",
            TypeError,
        )
    is_django = isinstance(view, BaseHandler)
    if is_django and protocol == "http":
        refuse_django_handler(view, f"{wanted_by}: ", 're_path(r"", django_application())')
    if (is_django and protocol == "websocket") or not _takes_three(view):
        refuse(
            f"{wanted_by} leads to {view!r}, which is neither a consumer class nor an ASGI"
            " application (an async callable of scope, receive and send).",
            TypeError,
        )
    try:
        refuse_of_channels(view)
    except TypeError as error:
        refuse(f"{wanted_by}: {error}", TypeError)


def _refuse_protocol(consumer: type[Consumer], wanted_by: str, protocol: str) -> None:
    where = " or ".join(f"{each}=[...]" for each in sorted(consumer.protocols)) or "no routes"
    refuse(
        f"{wanted_by} of {protocol}=[...] leads to {consumer.__name__}, which does not serve"
        f" {protocol}. Write it into {where}.",
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


def path_below_root(scope: Scope) -> str:
    """Return the path of *scope* as it is below its ``root_path``."""
    path: str = scope["path"]
    root = str(scope.get("root_path", "")).rstrip("/")
    if root and (path == root or path.startswith(f"{root}/")):
        return path[len(root) :] or "/"
    return path
