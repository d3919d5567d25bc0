# Routers that nest, with middleware of all sorts in between.

import functools
import logging
from collections.abc import Callable
from typing import Any

import django.urls
import pytest
from django.urls import include
from helpers import happened

from greenroom.actors import WebsocketConsumer
from greenroom.bridges.asgi import ProtocolRouter
from greenroom.bridges.channels.routing import URLRouter
from greenroom.bridges.django import Greenroom, UrlRouter
from greenroom.bridges.testing import HandshakeRefused, serve

path: Any = django.urls.path  # typed for views only
re_path: Any = django.urls.re_path


class Told(WebsocketConsumer):
    async def receive(self, text):
        await self.send(text=f"{type(self).__name__} {self.scope['url_route']}")


class First(Told):
    pass


class Second(Told):
    pass


class Wrapping:
    """Middleware as most people write it."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(dict(scope), receive, send)


class Slotted:
    __slots__ = ("inner",)

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.inner(scope, receive, send)


def closing_over(app: Any) -> Any:
    async def middleware(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    return middleware


def decorated(app: Any) -> Any:
    @functools.wraps(app, updated=())
    async def middleware(*channel: Any) -> None:
        await app(*channel)

    return middleware


async def _pass_on(app: Any, scope: Any, receive: Any, send: Any) -> None:
    await app(scope, receive, send)


def partly(app: Any) -> Any:
    return functools.partial(_pass_on, app)


def by_method(app: Any) -> Any:
    return Wrapping(app).__call__


def in_a_dict(app: Any) -> Any:
    class Holder:
        def __init__(self) -> None:
            self.apps = {"one": app}

        async def __call__(self, *channel: Any) -> None:
            await self.apps["one"](*channel)

    return Holder()


def themselves(app: Any) -> Any:
    return app


def twice(app: Any) -> Any:
    return Wrapping(closing_over(app))


MIDDLEWARE = [
    themselves, Wrapping, Slotted, closing_over, decorated, partly, by_method, in_a_dict, twice,
]  # fmt: skip


async def said(server: Any, at: str) -> str:
    async with server.websocket(at) as ws:
        ws.send_text("?")
        return await ws.receive_text()


@pytest.mark.parametrize("router", [UrlRouter, URLRouter])
@pytest.mark.parametrize("around", MIDDLEWARE)
async def test_nested(around: Callable[[Any], Any], router: Any) -> None:
    """
    A router behind whatever middleware takes the rest of the path; nobody copies an attribute.
    """
    inner = router([path("<slug:room>/", First.as_asgi()), path("a/b/", Second.as_asgi())])
    routes = [path("<int:site>/", around(inner))]
    async with serve(Greenroom(websocket=routes, close_seconds=0)) as server:
        assert await said(server, "/7/hall/") == (
            "First {'args': (), 'kwargs': {'site': 7, 'room': 'hall'}}"
        )
        assert await said(server, "/7/a/b/") == "Second {'args': (), 'kwargs': {'site': 7}}"
        for nowhere in ("/7/", "/7/a/b/c/", "/x/hall/"):
            with pytest.raises(HandshakeRefused) as refused:
                await said(server, nowhere)
            assert refused.value.status == 404
        assert server.root.connections.open == 0
        assert happened(server, "slot.crashed") == []


@pytest.mark.parametrize("around", MIDDLEWARE)
async def test_the_next_route_is_tried(around: Callable[[Any], Any]) -> None:
    """
    What an inner router does not know is for the outer one's next route.
    """
    inner = UrlRouter([path("first/", First)])
    routes = [path("", around(inner)), path("second/", Second), path("", around(inner))]
    async with serve(Greenroom(websocket=routes, close_seconds=0)) as server:
        assert (await said(server, "/first/")).startswith("First")
        assert (await said(server, "/second/")).startswith("Second")


@pytest.mark.parametrize("around", [themselves, Wrapping])
async def test_three_deep(around: Callable[[Any], Any]) -> None:
    """
    Routers nest as deep as one likes, below `include()` as well.
    """
    inner = around(UrlRouter([path("<slug:c>/", First, {"extra": 1})]))
    middle = around(UrlRouter([path("<slug:b>/", inner)]))
    routes = [path("x/", include([path("<slug:a>/", middle)]))]
    async with serve(Greenroom(websocket=routes, close_seconds=0)) as server:
        assert await said(server, "/x/1/2/3/") == (
            "First {'args': (), 'kwargs': {'a': '1', 'b': '2', 'c': '3', 'extra': 1}}"
        )


async def test_one_connection_is_one_node() -> None:
    """
    A consumer behind middleware and routers has its own slot, and no other stands for it.
    """
    routes = [path("api/", Wrapping(UrlRouter([path("", Wrapping(First.as_asgi()))])), name="api")]
    async with serve(Greenroom(websocket=routes, close_seconds=0)) as server:
        async with server.websocket("/api/") as ws:
            ws.send_text("?")
            await ws.receive_text()
            (route,) = server.root.snapshot().children[0].children
            assert [node.actor for node in route.children] == ["First"]
            assert server.root.connections.open == 1


async def test_a_route_may_stand_in_two_lists() -> None:
    """
    The route objects stay as they are: one of them may serve as a prefix and elsewhere not.
    """
    route = path("api/", Wrapping(UrlRouter([path("x/", First)])))
    before = route.pattern
    UrlRouter([route])
    Greenroom(websocket=[route])
    assert route.pattern is before


async def test_an_application_for_all() -> None:
    """
    `websocket` may be one application: a middleware around a router, or a router.
    """
    router = UrlRouter([re_path(r"^(\w+)/$", First)])
    for application in (router, Wrapping(router), Wrapping(Wrapping(router))):
        async with serve(Greenroom(websocket=application, close_seconds=0)) as server:
            assert await said(server, "/hall/") == "First {'args': ('hall',), 'kwargs': {}}"
            with pytest.raises(HandshakeRefused) as refused:
                await said(server, "/nowhere/at/all/")
            assert refused.value.status == 404


async def test_a_router_alone() -> None:
    """
    A router is an application with a tree of its own.
    """
    async with serve(UrlRouter([path("first/", First)])) as server:
        assert (await said(server, "/first/")).startswith("First")
        assert (await server.http("GET", "/")).status == 404


async def test_unknown_paths_are_one_debug_line(caplog: Any) -> None:
    """
    A bot that tries paths costs one line at DEBUG each, and no traceback.
    """
    caplog.set_level(logging.DEBUG)
    routes = [path("api/", Wrapping(UrlRouter([path("x/", First)])))]
    async with serve(Greenroom(websocket=routes, close_seconds=0)) as server:
        for nowhere in ("/wp-admin/", "/api/wp-admin/"):
            caplog.clear()
            with pytest.raises(HandshakeRefused) as refused:
                await said(server, nowhere)
            assert refused.value.status == 404
            (line,) = [each for each in caplog.records if "no route" in each.getMessage()]
            assert (line.levelno, line.exc_info) == (logging.DEBUG, None)


async def http_app(scope: Any, receive: Any, send: Any) -> None:
    told = str(scope.get("url_route")).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": told})


async def test_http_behind_a_router() -> None:
    """
    A router of HTTP leads requests to applications, nested and with middleware in between.
    """
    inner = UrlRouter([path("<int:number>/", http_app)], protocol="http")
    routes = [path("api/", Wrapping(inner)), path("direct/", inner)]
    async with serve(Greenroom(http=routes)) as server:
        for at in ("/api/7/", "/direct/7/"):
            answer = await server.http("GET", at)
            assert (answer.status, answer.body) == (
                200,
                b"{'args': (), 'kwargs': {'number': 7}}",
            )
        assert (await server.http("GET", "/direct/x/")).status == 404


async def test_by_protocol() -> None:
    """
    A router by protocol leads requests and sockets apart; it has a tree of its own, or joins one.
    """
    router = ProtocolRouter({"http": http_app, "websocket": First})
    async with serve(router) as server:
        assert (await server.http("GET", "/")).status == 200
        assert (await said(server, "/")).startswith("First")
    async with serve(Greenroom(http=router, websocket=router, close_seconds=0)) as server:
        assert (await server.http("GET", "/")).status == 200
        assert (await said(server, "/")).startswith("First")
    async with serve(ProtocolRouter({"http": http_app})) as server:
        with pytest.raises(HandshakeRefused):
            await said(server, "/")
    with pytest.raises(TypeError, match=r"an application for each type.* Got: \{'http': 7\}"):
        ProtocolRouter({"http": 7})
