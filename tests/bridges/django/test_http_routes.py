# Greenroom(http=[...]): consumers beside Django's views, each at its routes.

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import django.urls
import pytest
from django.contrib.auth.models import Group
from django.core.asgi import get_asgi_application
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import include

from greenroom.actors import Actor, EventStreamConsumer, HttpConsumer, WebsocketConsumer
from greenroom.bridges.django import Greenroom, django_application
from greenroom.bridges.testing import HandshakeRefused, serve

path: Any = django.urls.path
re_path: Any = django.urls.re_path


class Count(HttpConsumer):
    """Uses the ORM in a thread."""

    def handle(self, body: bytes) -> None:
        Group.objects.create(name=body.decode())
        self.respond(json={"count": Group.objects.count(), **self.kwargs})


class Feed(EventStreamConsumer):
    def connect(self) -> None:
        self.accept()
        self.send(str(Group.objects.count()), event=str(self.kwargs["room"]))


class Chat(WebsocketConsumer):
    pass


class Ticker(Actor):
    pass


def hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"hello from {request.path}")


async def elsewhere(scope: Any, receive: Any, send: Any) -> None:
    kwargs = repr(scope["url_route"]["kwargs"]).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": kwargs})


@pytest.fixture(autouse=True)
def modules() -> Iterator[None]:
    """
    Modules for dotted names and for Django's own urls.
    """
    urls = ModuleType("routed_urls")
    urls.urlpatterns = [django.urls.path("<path:rest>", lambda request, rest: hello(request))]  # type: ignore[attr-defined]
    named = ModuleType("routed_http")
    named.Feed = Feed  # type: ignore[attr-defined]
    sys.modules.update(routed_urls=urls, routed_http=named)
    with override_settings(ROOT_URLCONF="routed_urls"):
        yield
    del sys.modules["routed_urls"], sys.modules["routed_http"]


@pytest.fixture
def no_groups(database: None) -> Iterator[None]:
    """
    The tables, with no groups in them.
    """
    Group.objects.all().delete()
    yield
    Group.objects.all().delete()


async def test_consumers_beside_views(no_groups: None) -> None:
    """
    Each request goes where its route leads; what no other matches is Django's.
    """
    application = Greenroom(
        http=[
            path("count/<slug:kind>/", Count, {"extra": 1}, name="count"),
            path("feeds/", include([path("<slug:room>/", "routed_http.Feed")])),
            path("elsewhere/<int:number>/", elsewhere),
            re_path(r"", django_application()),
        ]
    )
    async with serve(application) as server:
        answer = await server.http("POST", "/count/groups/", body=b"one")
        assert answer.body == b'{"count":1,"kind":"groups","extra":1}'
        async with server.event_stream("/feeds/lobby/") as stream:
            event = await stream.next_event()
            assert (event.data, event.event) == ("1", "lobby")
            assert stream.slot.path == "/connections/feed/2"
        assert (await server.http("GET", "/elsewhere/7/")).body == b"{'number': 7}"
        assert (await server.http("GET", "/any/where")).body == b"hello from /any/where"


async def test_what_no_route_matches_is_not_found() -> None:
    """
    Without a last route for the rest a request that matches none gets 404.
    """
    async with serve(Greenroom(http=[path("count/", Count)])) as server:
        assert (await server.http("GET", "/other/")).status == 404


async def test_a_class_alone() -> None:
    """
    as_asgi() serves every path alone, inside a route, and refuses what is no request.
    """

    class Who(HttpConsumer):
        def __init__(self, name: str = "nobody") -> None:
            self.name = name

        async def handle(self) -> None:
            self.respond(text=f"{self.name} at {self.scope['path']}")

    async with serve(Who.as_asgi(name="alone")) as server:
        assert (await server.http("GET", "/any")).body == b"alone at /any"
        with pytest.raises(HandshakeRefused, match="404"):
            async with server.websocket("/any"):
                pass
    async with serve(Greenroom(http=[path("in/", Who.as_asgi(name="inside"))])) as server:
        assert (await server.http("GET", "/in/")).body == b"inside at /in/"
    async with serve(Chat.as_asgi()) as server:
        assert (await server.http("GET", "/any")).status == 404


async def test_the_lifespan_of_djangos_application() -> None:
    """
    The views' threads are there while the tree runs, though the application is one of the routes.
    """
    views = django_application()
    application = Greenroom(http=[path("x/", views), re_path("", views)])
    lifespans = [each for each in application._facilities if each.__name__ == "lifespan"]
    assert len(lifespans) == 1  # the views' once
    async with serve(application) as server:
        assert (await server.http("GET", "/x/")).status == 200
        assert "views" in [pool.name for pool in server.root.pools]
        assert views.rooted


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ({"http": [path("x/", Chat)]}, "Chat, which does not serve http. Write it into websocket="),
        ({"http": [path("x/", Chat.as_asgi())]}, "which does not serve http"),
        (
            {"websocket": [path("x/", Count)]},
            "Count, which does not serve websocket. Write",
        ),
        ({"websocket": [path("x/", Feed.as_asgi())]}, "which does not serve websocket"),
        ({"http": [path("x/", Ticker)]}, "is an Actor but no HttpConsumer"),
        ({"http": [path("x/", hello)]}, "neither a consumer class nor an ASGI application"),
        (
            {"http": [path("x/", get_asgi_application())]},
            r"Write re_path\(r\"\", django_application",
        ),
        ({"http": [django_application()]}, r"http must be a list of path\(...\) entries"),
        ({"http": "x"}, "http must be an ASGI application, a list"),
        ({"http": {"x": Count}}, "http must be an ASGI application, a list"),
        ({"http": Count}, "http must be an ASGI application, a list"),
        ({"http": [path("x/", type("Neither", (HttpConsumer,), {}))]}, "nothing would answer"),
        ({"children": [Count]}, r"Count is an HttpConsumer.* stand in http=\[path"),
        ({"children": [Feed]}, r"Feed is an EventStreamConsumer.* stand in http=\[path"),
    ],
)
def test_mistakes(arguments: Any, wrong: str) -> None:
    """
    What stands where it can't be served is refused when the application is made.
    """
    with pytest.raises((TypeError, ImproperlyConfigured), match=wrong):
        Greenroom(**arguments)
