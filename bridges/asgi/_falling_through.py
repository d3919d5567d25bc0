# A path that leads to a router behind somebody's middleware, and to other places if that router
# knows no way. Only the router can tell, so the middleware has been called by then: what it does
# before it calls its inner application it has done for nothing.

from collections.abc import Callable, MutableMapping
from itertools import chain
from typing import Any

from ._routing import Match, NoRoute, hand_on
from ._transport import serve_inner

Scope = MutableMapping[str, Any]


def falling_through(first: Match, nowhere: Callable[..., Any]) -> Callable[..., Any]:
    """
    Return an application that tries *first* and then its others, and at last *nowhere*.

    Args:
        first: Where the path leads.
        nowhere: The application for what leads nowhere.
    """

    async def application(scope: Scope, receive: Any, send: Any) -> None:
        for match in chain((first,), first.others or ()):
            inner = {**scope}
            hand_on(match, inner)
            try:
                await serve_inner(as_application(match.application), inner, receive, send)
            except NoRoute:
                continue
            return
        await nowhere(scope, receive, send)

    return application


def as_application(view: Any) -> Any:
    """Return *view*, or what serves it if it is a consumer's class."""
    as_asgi: Any = getattr(view, "as_asgi", None)
    return as_asgi() if isinstance(view, type) and as_asgi is not None else view
