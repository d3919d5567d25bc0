# Channels' routers, and who may connect, on trio.

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from django.urls import include, path, re_path
from django.urls.exceptions import Resolver404

from greenroom.actors import WebsocketConsumer
from greenroom.bridges.channels.middleware import BaseMiddleware
from greenroom.bridges.channels.routing import (
    ChannelNameRouter,
    ProtocolTypeRouter,
    URLRouter,
    get_default_application,
)
from greenroom.bridges.channels.security.websocket import (
    AllowedHostsOriginValidator,
    OriginValidator,
    WebsocketDenier,
)
from greenroom.bridges.testing import HandshakeRefused, serve


def app(name: str) -> Callable[..., Any]:
    async def application(scope: Any, receive: Any, send: Any) -> Any:
        return name, scope.get("url_route")

    return application


async def called(router: Any, **scope: Any) -> Any:
    async def nobody(*_: Any) -> Any:
        raise AssertionError("nobody should ask")

    return await router({"type": "websocket", **scope}, nobody, nobody)


async def test_by_type() -> None:
    """
    A scope goes to the application for its type; others are errors with Channels' words.
    """
    router = ProtocolTypeRouter({"http": app("h"), "websocket": app("w")})
    assert (await called(router, type="http"))[0] == "h"
    assert (await called(router))[0] == "w"
    for kind in ("lifespan", "webtransport"):
        with pytest.raises(ValueError, match=f"No application configured for scope type '{kind}'"):
            await called(router, type=kind)
    with pytest.raises(KeyError):
        await router({}, None, None)


async def test_by_channel() -> None:
    """
    A worker's scope goes to the application for its channel.
    """
    router = ChannelNameRouter({"thumbs": app("t")})
    assert (await called(router, channel="thumbs"))[0] == "t"
    with pytest.raises(ValueError, match="No application configured for channel name 'x'"):
        await called(router, channel="x")
    with pytest.raises(ValueError, match="got a scope without a 'channel' key"):
        await called(router)


ROUTES = [
    ("/a/", ("a", {"args": (), "kwargs": {}})),
    ("a/", ("a", {"args": (), "kwargs": {}})),
    ("//a/", ("a", {"args": (), "kwargs": {}})),
    ("/n/7/", ("n", {"args": (), "kwargs": {"number": 7, "extra": "x"}})),
    ("/r/one/", ("r", {"args": ("one",), "kwargs": {}})),
    ("/in/side/5/", ("i", {"args": (), "kwargs": {"outer": "side", "inner": 5}})),
    ("/last/", ("l", {"args": (), "kwargs": {}})),
]


def routes() -> list[Any]:
    inner = URLRouter([path("<int:inner>/", app("i"))])
    return [
        path("a/", app("a")),
        path("n/<int:number>/", app("n"), {"extra": "x"}),
        re_path(r"^r/(\w+)/$", app("r")),
        path("in/<slug:outer>/", BaseMiddleware(BaseMiddleware(inner))),
        path("", inner),
        path("last/", app("l")),
    ]


@pytest.mark.parametrize(("at", "expected"), ROUTES)
async def test_by_path(at: str, expected: Any) -> None:
    """
    A path leads to its application with its parts; routers nest, whatever stands in between.
    """
    assert await called(URLRouter(routes()), path=at) == expected


async def test_nowhere() -> None:
    """
    A path that leads nowhere is an error: of its own kind for a router outside.
    """
    with pytest.raises(ValueError, match="No route found for path 'nowhere/'"):
        await called(URLRouter(routes()), path="/nowhere/")
    with pytest.raises(Resolver404):
        await called(URLRouter(routes()), path="/x/", path_remaining="nowhere/")
    with pytest.raises(ValueError, match="No 'path' key in connection scope"):
        await called(URLRouter(routes()))


async def test_below_a_root() -> None:
    """
    Only the outermost router takes the root path away, which must be there.
    """
    router = URLRouter(routes())
    assert (await called(router, path="/root/in/side/5/", root_path="/root"))[0] == "i"
    with pytest.raises(ValueError, match="No route found for path '/a/'"):
        await called(router, path="/a/", root_path="/root")


def test_the_routes_stay_as_they_are() -> None:
    """
    The route objects are not changed, unlike in Channels; include() is refused as there.
    """
    given = routes()
    before = [route.pattern for route in given]
    URLRouter(given)
    assert [route.pattern for route in given] == before
    with pytest.raises(ImproperlyConfigured, match=r"include\(\) is not supported in URLRouter"):
        URLRouter([path("x/", include([]))])


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        (None, "Cannot find ASGI_APPLICATION setting."),
        ("nodots", "Cannot find ASGI_APPLICATION setting."),
        ("no.such.module", "Cannot import ASGI_APPLICATION module 'no.such'"),
        ("json.nothing", "Cannot find 'nothing' in ASGI_APPLICATION module json"),
    ],
)
def test_no_default_application(setting: Any, problem: str) -> None:
    """
    Each way in which ASGI_APPLICATION can be wrong has its own words.
    """
    with override_settings(ASGI_APPLICATION=setting):
        with pytest.raises(ImproperlyConfigured, match=problem):
            get_default_application()


def test_the_default_application() -> None:
    """
    ASGI_APPLICATION is imported.
    """
    with override_settings(ASGI_APPLICATION="json.dumps"):
        assert get_default_application().__name__ == "dumps"


class Echo(WebsocketConsumer):
    async def receive(self, text):
        await self.send(text=f"{text} {self.kwargs}")


async def test_given_to_a_server() -> None:
    """
    A ProtocolTypeRouter that a server is given runs the tree; an unknown path is a 404 there.
    """
    router = ProtocolTypeRouter(
        {"websocket": URLRouter([path("<slug:room>/", BaseMiddleware(Echo.as_asgi()))])}
    )
    async with serve(router) as server:
        async with server.websocket("/hall/") as ws:
            ws.send_text("hi")
            assert await ws.receive_text() == "hi {'room': 'hall'}"
            assert ws.slot.actor == "Echo"
        with pytest.raises(HandshakeRefused) as refused:
            async with server.websocket("/no/where/"):
                pass
        assert refused.value.status == 404
        assert (await server.http("GET", "/")).status == 404


ORIGINS = [
    (["*"], None, True),
    (["*"], b"http://x.com", True),
    (["allowed.com"], None, False),
    (["allowed.com"], b"http://allowed.com", True),
    (["allowed.com"], b"https://allowed.com:8000", True),
    (["allowed.com"], b"http://bad.com", False),
    (["allowed.com"], b"null", False),
    (["allowed.com"], b"", False),
    (["allowed.com"], b"http://[::1", False),
    ([".allowed.com"], b"http://sub.allowed.com", True),
    ([".allowed.com"], b"http://allowed.com", True),
    (["*.allowed.com"], b"http://sub.allowed.com", False),
    (["http://allowed.com"], b"http://allowed.com:80", True),
    (["http://allowed.com"], b"https://allowed.com", False),
    (["http://allowed.com:81"], b"http://allowed.com", False),
    (["ws://allowed.com"], b"http://allowed.com", False),
    (["ws://allowed.com:80"], b"ws://allowed.com", True),
    (["HTTP://Allowed.com"], b"http://allowed.com", True),
    (["http://.allowed.com"], b"http://a.allowed.com", True),
]


async def answer(application: Any, headers: Any, kind: str = "websocket") -> str:
    """Say whether *application* has let through or refused."""
    sent: list[Any] = []
    events = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1006}]

    async def receive() -> Any:
        return events.pop(0)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    scope = {"type": kind, "path": "/", "headers": headers}
    through = await application(scope, receive, send)
    return "through" if through else " ".join(sent)


@pytest.mark.parametrize(("allowed", "origin", "passes"), ORIGINS)
async def test_origins(allowed: list[str], origin: bytes | None, passes: bool) -> None:
    """
    A pattern of OriginValidator lets in what Channels' does.
    """
    headers = [] if origin is None else [(b"origin", origin)]
    said = await answer(OriginValidator(app("in"), allowed), headers)
    assert said == ("through" if passes else "websocket.close")


async def test_only_websockets() -> None:
    """
    An OriginValidator around something else is an error.
    """
    with pytest.raises(ValueError, match="You cannot use OriginValidator on a non-WebSocket"):
        await answer(OriginValidator(app("in"), ["*"]), [], kind="http")


async def test_the_last_origin_counts() -> None:
    """
    Of several Origin headers the last one is looked at.
    """
    headers = [(b"origin", b"http://bad.com"), (b"origin", b"http://good.com")]
    assert await answer(OriginValidator(app("in"), ["good.com"]), headers) == "through"


@pytest.mark.parametrize(
    ("hosts", "debug", "origin", "passes"),
    [
        (["example.com"], False, b"http://example.com", True),
        (["example.com"], True, b"http://localhost", False),
        ([], True, b"http://localhost:8000", True),
        ([], True, b"http://[::1]:8000", True),
        ([], True, b"http://app.localhost", False),
        ([], False, b"http://localhost", False),
    ],
)
async def test_allowed_hosts(hosts: Any, debug: bool, origin: bytes, passes: bool) -> None:
    """
    AllowedHostsOriginValidator reads ALLOWED_HOSTS when it is made, with DEBUG's own hosts.
    """
    with override_settings(ALLOWED_HOSTS=hosts, DEBUG=debug):
        validator = AllowedHostsOriginValidator(app("in"))
    said = await answer(validator, [(b"origin", origin)])
    assert said == ("through" if passes else "websocket.close")


async def test_the_denier() -> None:
    """
    WebsocketDenier refuses before it accepts.
    """
    assert await answer(WebsocketDenier.as_asgi(), []) == "websocket.close"
