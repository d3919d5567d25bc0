# Greenroom(...): what it takes, and what it says about the rest.

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from django.core.asgi import get_asgi_application
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from greenroom.actors import Actor, WebsocketConsumer
from greenroom.bridges.django import Greenroom, django_application, path
from greenroom.supervisor import ChildSpec, SupervisorSpec, TaskPoolSpec


class Chat(WebsocketConsumer):
    pass


class Ticker(Actor):
    pass


class Clock(Actor):
    pass


async def app(scope: Any, receive: Any, send: Any) -> None:
    raise NotImplementedError


@pytest.fixture(autouse=True)
def named() -> Iterator[None]:
    """
    A module `named_actors` for dotted names.
    """
    module = ModuleType("named_actors")
    module.Ticker = Ticker  # type: ignore[attr-defined]
    module.spec = ChildSpec(actor=Ticker, name="slow")  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    yield
    del sys.modules[module.__name__]


def test_everything_together() -> None:
    """
    Views, routes, residents by class, name and spec, and options make an application.
    """
    with override_settings(GREENROOM={"CONSUMER_THREADS": 3, "VIEW_THREADS": 3}):
        application = Greenroom(
            http=django_application(),
            websocket=[path("ws/", Chat), path("own/", Chat.as_asgi())],
            children=["named_actors.Ticker", Clock, "named_actors.spec"],
            view_threads=2,
        )

    assert [child.name for child in application.children] == ["ticker", "clock", "slow"]
    assert (application.options.consumer_threads, application.options.view_threads) == (3, 2)


def test_supervisors_among_the_residents() -> None:
    """
    A supervisor stands among the residents as an actor does, by its spec or its dotted name.
    """
    desks = SupervisorSpec(name="desks", children=[Clock], strategy="one_for_all")
    jobs = TaskPoolSpec(name="jobs")
    sys.modules["named_actors"].jobs = jobs  # type: ignore[attr-defined]
    assert Greenroom(children=[desks, "named_actors.jobs"]).children == [desks, jobs]


def test_nothing_at_all() -> None:
    """
    Every argument may be left out.
    """
    assert Greenroom().children == []


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"http": django_application}, TypeError, r"write django_application\(\), with the"),
        ({"http": Chat}, TypeError, "http must be an ASGI application, a list"),
        ({"http": "views"}, TypeError, "Got: 'views'"),
        ({"websocket": [Chat]}, TypeError, r'Write path\("ws/", \.\.\.\)'),
        ({"websocket": path("ws/", Chat)}, TypeError, "must be a list of path"),
        ({"children": "named_actors.Ticker"}, TypeError, "children must be a list"),
        ({"children": 5}, TypeError, "children must be a list"),
        ({"children": [42]}, TypeError, r"children\[0\]: a child must be .* Got: 42"),
        ({"children": [Clock, Ticker()]}, TypeError, r"children\[1\]: write Ticker, not Ticker"),
        ({"children": ["no.Thing"]}, ImproperlyConfigured, r"children\[0\]: 'no.Thing' can't be"),
        ({"children": ["named_actors.Tick"]}, ImproperlyConfigured, "Did you mean 'Ticker'"),
        ({"children": [Ticker, Ticker]}, ValueError, r"children\[1\]: there is another child"),
        ({"view_treads": 3}, TypeError, r"Greenroom\(\) has no option 'view_treads'"),
        ({"view_threads": 0}, ValueError, "view_threads must be at least 1. Got: 0"),
        ({"view_threads": "8"}, TypeError, "view_threads must be a whole number. Got: '8'"),
    ],
)
def test_bad_arguments(arguments: Any, error: type[Exception], message: str) -> None:
    """
    Each bad argument is refused by name, with what to write instead.
    """
    with pytest.raises(error, match=message):
        Greenroom(**arguments)


def test_djangos_own_handler_is_refused() -> None:
    """
    Django's get_asgi_application() would answer 500 to everything on trio.
    """
    with pytest.raises(TypeError, match=r"Write http=django_application\(\)"):
        Greenroom(http=get_asgi_application())


def test_a_bad_setting_is_refused() -> None:
    """
    A wrong GREENROOM is found when the application is made.
    """
    with override_settings(GREENROOM={"X": 1}), pytest.raises(ImproperlyConfigured, match="'X'"):
        Greenroom()
