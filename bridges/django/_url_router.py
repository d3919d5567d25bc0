# A router by path that is an application itself, so that routers nest, with middleware in between.
#
# Whatever stands around it, an outer router finds it there and takes its own route as a prefix
# (bridges/asgi/_nesting.py). Where nothing stands around it, it is not even called: the outer
# one goes on with its routes, so that a consumer below has its slot at once.

from collections.abc import Iterable, Iterator, MutableMapping
from functools import cached_property
from typing import Any

from ..asgi._app import root_of
from ..asgi._falling_through import as_application
from ..asgi._http import plain
from ..asgi._routing import Match, NoRoute, hand_on
from ..asgi._transport import serve_inner
from ._matching import Way
from ._paths import Route
from ._routes import DjangoRouter


class UrlRouter:
    """
    Leads connections by their path, with Django's ``path()``, ``re_path()`` and ``include()``.

    A view is a consumer class, its dotted name, any ASGI application, or another such router.
    What no route matches is tried with the next route of the router outside; without one it is
    refused with 404. Given to a server it has a tree of its own.

    Args:
        routes: The routes.
        protocol: What they lead: ``websocket`` or ``http``.

    Raises:
        ImproperlyConfigured, TypeError: As :class:`Greenroom` does for its routes.
    """

    _path_routing = True
    greenroom_native = True

    def __init__(self, routes: Iterable[Route], protocol: str = "websocket") -> None:
        self._routes = list(routes)
        self._protocol = protocol
        self.router = DjangoRouter(self._routes, protocol)
        """What finds the views."""

    def __repr__(self) -> str:
        return f"<UrlRouter of {self.router!r}>"

    @cached_property
    def _application(self) -> Any:
        from ._application import Greenroom

        if self._protocol == "http":
            return Greenroom(http=self._routes)
        return Greenroom(websocket=self._routes)

    @property
    def connection_limits(self) -> Any:
        """For the server's connection handler, where it is given this."""
        return self._application.connection_limits

    def ways(self, way: Way) -> Iterator[Match]:
        """Yield where *way* leads, for a router around this one."""
        return self.router.ways(way)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """
        Serve one scope. A checkpoint.

        Raises:
            NoRoute: The path leads nowhere, and a router outside has other routes.
        """
        if scope["type"] != "http" or root_of(scope) is None:
            serve = self._application.serve_scope if "path_remaining" in scope else None
            await (serve or self._application)(scope, receive, send)
        else:
            await self._serve_http(scope, receive, send)

    async def _serve_http(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        # The request has its slot already: whoever called this is served in it.
        match = self.router.match(scope)
        while match is not None:
            inner = {**scope}
            hand_on(match, inner)
            try:
                await serve_inner(as_application(match.application), inner, receive, send)
            except NoRoute:
                match = next(match.others, None) if match.others is not None else None
            else:
                return
        if "path_remaining" in scope:
            raise NoRoute(f"no route for {scope['path_remaining']!r}")
        await plain(send, 404, "Not Found\n")
