# An HTTP consumer of Channels' kind below a tree: it has the slot that each request has.
#
# `temporary`: nothing is run twice, so there is nothing to restart, and no adapter between.

from collections.abc import Awaitable
from functools import partial
from typing import Any

from ...supervisor import Root
from ..asgi._http import serve_http
from ._adapter import Adapter
from ._bare import serve_new


def serve_request(
    root: Root,
    route: str,
    actor: type[Adapter],
    kwargs: dict[str, Any],
    scope: Any,
    receive: Any,
    send: Any,
) -> Awaitable[None]:
    """Serve one request with an object of *actor*'s consumer class: await what is returned."""
    serve = partial(serve_new, actor.consumer_class, kwargs)
    return serve_http(root, serve, scope, receive, send, route)
