# A project that is moved by half: a consumer of the package Channels below ours.

from typing import Any

import pytest

from greenroom.bridges.channels.auth import AuthMiddlewareStack
from greenroom.bridges.channels.routing import ProtocolTypeRouter, URLRouter
from greenroom.bridges.django import Greenroom, path
from greenroom.bridges.testing import serve

# The package itself is never imported here: this is what tells its consumers.
Theirs: Any = type("AsyncConsumer", (), {"__module__": "channels.consumer"})
SAYS = r"Old is a consumer of the package Channels, which needs asyncio .* Import its base class"


class Old(Theirs):
    pass


def as_asgi() -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError

    app.consumer_class = Old  # type: ignore[attr-defined]
    return app


async def test_on_a_route_of_ours() -> None:
    """
    The application refuses it when it is made, behind middleware as well.
    """
    for view in (as_asgi(), AuthMiddlewareStack(as_asgi())):
        with pytest.raises(TypeError, match=f"the route 'chat': {SAYS}"):
            Greenroom(websocket=[path("chat", view)])


async def test_behind_channels_own_routers() -> None:
    """
    Routers as a project has them let no server start.
    """
    inner = URLRouter([path("chat", as_asgi())])
    application = ProtocolTypeRouter(
        {"websocket": AuthMiddlewareStack(URLRouter([path("", inner)]))}
    )
    with pytest.raises(Exception, match=SAYS):
        async with serve(application):
            pass
