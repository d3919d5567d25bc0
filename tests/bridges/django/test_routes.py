# Routes to consumers: path() with consumers and their dotted names, and the router.

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import django.urls
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from django.urls import include, register_converter
from django.urls.conf import path as conf_path

import greenroom.bridges.django
from greenroom.actors import Actor, WebsocketConsumer
from greenroom.bridges.django._paths import DottedConsumer
from greenroom.bridges.django._routes import DjangoRouter

path: Any = django.urls.path
re_path: Any = django.urls.re_path


class Chat(WebsocketConsumer):
    def receive(self, text: str) -> None:
        self.send(text=text)


class Ticker(Actor):
    pass


async def asgi_app(scope: Any, receive: Any, send: Any) -> None:
    raise NotImplementedError


@pytest.fixture(autouse=True)
def consumers() -> Iterator[ModuleType]:
    """
    A module that dotted names can lead to.
    """
    module = ModuleType("routed_consumers")
    module.Chat = Chat  # type: ignore[attr-defined]
    module.Ticker = Ticker  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]


def at(where: str, **scope: Any) -> Any:
    return {"type": "websocket", "path": where, "root_path": "", **scope}


def test_a_path_leads_to_its_consumer() -> None:
    """
    A route's converters fill the kwargs; name and route come along.
    """
    router = DjangoRouter([path("ws/<int:number>/<slug:room>/", Chat, {"extra": 1}, name="chat")])
    found = router.match(at("/ws/7/lobby/"))

    assert found is not None
    assert found.application is Chat
    assert found.kwargs == {"number": 7, "room": "lobby", "extra": 1}
    assert (found.args, found.name, found.route) == ((), "chat", "ws/<int:number>/<slug:room>/")


def test_an_unknown_path_leads_nowhere() -> None:
    """
    Where no route matches, the router says None.
    """
    router = DjangoRouter([path("ws/<int:number>/", Chat)])

    assert router.match(at("/ws/seven/")) is None
    assert router.match(at("/")) is None
    assert DjangoRouter([]).match(at("/ws/7/")) is None


def test_regular_expressions_give_args_or_kwargs() -> None:
    """
    re_path() hands over named groups as kwargs and, without any, unnamed ones as args.
    """
    router = DjangoRouter([re_path(r"^a/(\d+)/$", Chat), re_path(r"^b/(?P<word>\w+)/$", Chat)])
    first, second = router.match(at("/a/12/")), router.match(at("/b/x/"))

    assert first is not None
    assert second is not None
    assert (first.args, first.kwargs) == (("12",), {})
    assert (second.args, second.kwargs) == ((), {"word": "x"})


def test_included_routes_nest() -> None:
    """
    include() of a list of routes works, with what the outer route captured.
    """
    inner = [path("<slug:room>/", "routed_consumers.Chat", name="room")]
    router = DjangoRouter([path("ws/<int:site>/", include(inner))])
    found = router.match(at("/ws/3/lobby/"))

    assert found is not None
    assert found.application is Chat
    assert (found.kwargs, found.route) == (
        {"site": 3, "room": "lobby"},
        "ws/<int:site>/<slug:room>/",
    )


def test_own_converters_work() -> None:
    """
    A converter registered with Django converts.
    """

    class Reversed:
        regex = "[a-z]+"

        def to_python(self, value: str) -> str:
            return value[::-1]

        def to_url(self, value: str) -> str:
            return value[::-1]

    register_converter(Reversed, "reversed_for_routes")
    found = DjangoRouter([path("<reversed_for_routes:word>/", Chat)]).match(at("/abc/"))

    assert found is not None
    assert found.kwargs == {"word": "cba"}


def test_root_path_is_taken_off() -> None:
    """
    Below a root_path the routes are matched against the rest.
    """
    router = DjangoRouter([path("ws/", Chat)])

    assert router.match(at("/below/ws/", root_path="/below"))
    assert router.match(at("/below/ws/", root_path="/below/"))
    assert router.match(at("/ws/", root_path="/below"))
    assert router.match(at("/belowws/", root_path="/below")) is None


def test_a_dotted_name_and_an_asgi_application_are_views() -> None:
    """
    A view may be a dotted name or any ASGI application.
    """
    router = DjangoRouter([path("a/", "routed_consumers.Chat"), path("b/", asgi_app)])
    first, second = router.match(at("/a/")), router.match(at("/b/"))

    assert first is not None
    assert second is not None
    assert (first.application, second.application) == (Chat, asgi_app)


def test_every_reference_to_path_has_learned() -> None:
    """
    path() takes a string whichever module it was imported from, and whenever.
    """
    for function in (django.urls.path, conf_path, django.urls.conf.path, re_path):
        route: Any = function("x", "some.where.Consumer")
        assert isinstance(route.callback, DottedConsumer)
        assert repr(route.callback) == "<DottedConsumer some.where.Consumer>"
    typed: Any = greenroom.bridges.django.path("x", "some.where.Consumer")
    assert isinstance(typed.callback, DottedConsumer)


def test_teaching_twice_changes_nothing() -> None:
    """
    A second teaching leaves Django's functions as they are.
    """
    from greenroom.bridges.django._paths import teach_django

    before = django.urls.path.func  # type: ignore[attr-defined]
    teach_django()

    assert django.urls.path.func is before  # type: ignore[attr-defined]


def test_what_django_refuses_otherwise_it_still_refuses() -> None:
    """
    Only strings and actors are looked at; the rest is Django's, with its own words.
    """
    with pytest.raises(TypeError, match="view must be a callable or a list/tuple"):
        path("x", 42)
    with pytest.raises(TypeError, match="kwargs argument must be a dict"):
        path("x", asgi_app, "kwargs")


def test_a_dotted_name_in_urls_is_explained_when_it_is_called() -> None:
    """
    A dotted name that lands in urls.py says where it belongs.
    """
    route: Any = path("x", "some.view")

    with pytest.raises(TypeError, match="only Greenroom"):
        route.callback("a request")


def test_an_instance_is_refused() -> None:
    """
    An instance instead of a class is refused by path() itself, with what to write.
    """
    with pytest.raises(TypeError, match=r"the route 'ws/': write Ticker, not Ticker\(\)\."):
        path("ws/", Ticker())


def view(_request: Any) -> HttpResponse:
    raise NotImplementedError


@pytest.mark.parametrize(
    ("routes", "error", "message"),
    [
        ([path("w/", "routed_consumers.Chatt")], ImproperlyConfigured, "Did you mean 'Chat'"),
        ([path("w/", "no.such.Thing")], ImproperlyConfigured, "there is no module 'no'"),
        ([path("w/", "Chat")], ImproperlyConfigured, "must be a full dotted name"),
        ([re_path("w(", Chat)], ImproperlyConfigured, "is not a valid regular expression"),
        ([path("a/", include([re_path("w[", Chat)]))], ImproperlyConfigured, "the route 'a/w"),
        ([path("w/", Ticker)], TypeError, "the route 'w/': Ticker is an Actor but no Websocket"),
        ([path("w/", "routed_consumers.Ticker")], TypeError, "Residents stand in children"),
        ([path("w/", view)], TypeError, "neither a consumer class nor an ASGI application"),
        ([path("w/", include([path("x/", view)]))], TypeError, "the route 'w/x/' leads to"),
        ([path("w/", dict)], TypeError, "neither a consumer class nor an ASGI application"),
        ([Chat], TypeError, "must be a list of path"),
        ("ws/", TypeError, "must be a list of path"),
        (None, TypeError, "must be a list of path"),
    ],
)
def test_bad_routes_are_refused(routes: Any, error: type[Exception], message: str) -> None:
    """
    What can't be served is refused when the application is made, by its route.
    """
    with pytest.raises(error, match=message):
        DjangoRouter(routes)


def test_what_a_module_raises_passes_through(tmp_path: Any, monkeypatch: Any) -> None:
    """
    An error inside the consumer's module keeps its traceback.
    """
    (tmp_path / "broken_consumers.py").write_text("import nowhere_to_be_found\n")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(ModuleNotFoundError, match="nowhere_to_be_found"):
        DjangoRouter([path("w/", "broken_consumers.Chat")])


def test_repr_counts_the_routes() -> None:
    """
    repr() says how many routes there are.
    """
    router = DjangoRouter([path("a/", include([path("b/", Chat), path("c/", asgi_app)]))])

    assert repr(router) == "<DjangoRouter 2 routes>"
