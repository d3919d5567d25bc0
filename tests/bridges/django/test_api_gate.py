# What stands before every view of the JSON API.

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any
from unittest import mock

import pytest
from django.contrib.admin import AdminSite
from django.contrib.auth.models import AnonymousUser
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.base import BaseHandler
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory, override_settings

from greenroom.bridges.django.console._api_gate import Asker, api_view
from greenroom.bridges.django.console._api_reply import Refused, reply

READER = "a-token-of-the-readers-1234"
WRITER = "a-token-of-the-writers-1234"
TOKENS = {
    "reader": {"token": READER},
    "writer": {"token": WRITER, "permissions": ["view_tree", "restart_actor"]},
    "nobody": {"token": "a-token-without-anything", "permissions": []},
}


class Person:
    """A user, as far as a view looks at one."""

    is_authenticated = True

    def __init__(self, *permissions: str, staff: bool = True, active: bool = True) -> None:
        self.permissions = permissions
        self.is_staff = staff
        self.is_active = active

    def get_username(self) -> str:
        return "ada"

    def has_perm(self, permission: str) -> bool:
        return permission in self.permissions


@api_view("GET", "HEAD", "POST")
def hello(request: HttpRequest, asker: Asker) -> HttpResponse:
    if "refuse" in request.GET:
        raise Refused("not-found", "It is not there.")
    return reply({"hello": asker.name})


@pytest.fixture(autouse=True)
def tokens() -> Iterator[None]:
    with override_settings(GREENROOM={"INSPECTION_TOKENS": TOKENS}):
        yield


def ask(
    method: str = "GET", token: str = "", user: Any = None, query: str = "", **extra: Any
) -> Any:
    """Ask the view as it is outside of the admin."""
    headers = {"authorization": f"Bearer {token}"} if token else extra.pop("headers", {})
    request = RequestFactory(enforce_csrf_checks=True).generic(
        method, f"/api{query}", headers=headers, **extra
    )
    request.user = user or AnonymousUser()
    request._dont_enforce_csrf_checks = False
    return hello.open()(request)


def error(response: HttpResponse) -> tuple[int, str]:
    return response.status_code, json.loads(response.content)["error"]["code"]


def test_a_token_is_let_in() -> None:
    """
    A token's bearer is known by the name of the token.
    """
    response = ask(token=READER)

    assert (response.status_code, json.loads(response.content)) == (200, {"hello": "token reader"})
    assert response["Content-Type"] == "application/json"
    assert response["X-Content-Type-Options"] == "nosniff"


def test_one_way() -> None:
    """
    ONE WAY: who sends a token is judged by it alone, also where his session could do more.
    """
    mighty = Person("greenroom.view_tree")

    assert error(ask(token="a-token-that-is-not-ours", user=mighty)) == (401, "unauthorized")
    assert error(ask(token="a-token-without-anything", user=mighty)) == (403, "forbidden")
    assert json.loads(ask(token=READER, user=mighty).content) == {"hello": "token reader"}


@pytest.mark.parametrize("header", ["Basic YTpi", "", "Token x"])
def test_what_is_no_bearer_is_no_token(header: str) -> None:
    """
    ONE WAY: a header of another scheme, as a proxy may send it, leaves the session its say.
    """
    user = Person("greenroom.view_tree")

    assert ask(user=user, headers={"authorization": header}).status_code == 200
    assert error(ask(headers={"authorization": header})) == (401, "unauthorized")


def test_the_token_of_another_length() -> None:
    """
    What is sent need not look like a token of ours to be refused.
    """
    for sent in (READER[:-1], f"{READER}x", "x" * 10_000, "ä", "\udcff", READER.upper()):
        assert error(ask(token=sent)) == (401, "unauthorized")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_login(method: str) -> None:
    """
    LOGIN: nobody gets 401, who is no staff, or lacks the permission, 403; whatever the method.
    """
    assert error(ask(method)) == (401, "unauthorized")
    assert ask(method)["WWW-Authenticate"] == 'Bearer realm="greenroom"'
    for user in (
        Person(),
        Person("greenroom.view_tree", staff=False),
        Person("greenroom.view_tree", active=False),
    ):
        assert error(ask(method, user=user)) == (403, "forbidden")


def test_below_the_admin() -> None:
    """
    LOGIN: below the admin its own login and permissions count; a token means nothing there.
    """
    site = AdminSite()
    view = hello.on(site)
    request = RequestFactory().get("/api", headers={"authorization": f"Bearer {READER}"})

    request.user = Person()
    assert error(view(request)) == (403, "forbidden")
    request.user = Person("greenroom.view_tree")
    assert json.loads(view(request).content) == {"hello": "ada"}


def test_forged() -> None:
    """
    FORGED: what a session changes needs the CSRF token, what a token changes does not.
    """
    user = Person("greenroom.view_tree")
    secret = "x" * 32

    assert error(ask("POST", user=user)) == (403, "forbidden")
    assert ask("POST", token=WRITER).status_code == 200
    assert ask("GET", user=user).status_code == 200
    with_both = {"HTTP_COOKIE": f"csrftoken={secret}", "HTTP_X_CSRFTOKEN": secret}
    assert ask("POST", user=user, **with_both).status_code == 200
    assert error(ask("POST", user=user, HTTP_COOKIE=f"csrftoken={secret}")) == (403, "forbidden")


def test_methods() -> None:
    """
    METHODS: another method gets 405 and is told which there are.
    """
    response = ask("DELETE", token=READER)

    assert error(response) == (405, "not-allowed")
    assert response["Allow"] == "GET, HEAD, POST"


def test_unstored() -> None:
    """
    UNSTORED: neither an answer nor a refusal is kept.
    """
    for response in (ask(token=READER), ask(), ask("DELETE", token=READER)):
        assert "no-store" in response["Cache-Control"]
        assert "private" in response["Cache-Control"]


def test_let_go() -> None:
    """
    LET GO: behind an answer and behind a refusal the connection is ended, where a server is asked
    so by a header: by ASGI's, of HTTP/1.1.
    """
    for version, close in (("1.1", "close"), ("2", None)):
        for token in (READER, "none-of-ours"):
            scope = {"type": "http", "method": "GET", "path": "/api", "http_version": version}
            headers = [(b"authorization", f"Bearer {token}".encode())]
            request = ASGIRequest({**scope, "headers": headers}, BytesIO())
            assert hello.open()(request).get("Connection") == close
    assert "Connection" not in ask(token=READER)


def test_what_a_view_refuses() -> None:
    """
    What a view refuses becomes an error with a code and a sentence.
    """
    response = ask(token=READER, query="?refuse=1")

    assert error(response) == (404, "not-found")
    assert json.loads(response.content)["error"]["text"] == "It is not there."


def test_by_itself() -> None:
    """
    BY ITSELF: below ATOMIC_REQUESTS no connection is opened for a view that needs none, and
    LoginRequiredMiddleware leaves tokens and probes alone.
    """
    from django.contrib.auth.middleware import LoginRequiredMiddleware

    from greenroom.bridges.django.console._health import live_view, ready_view

    handler = BaseHandler()
    with mock.patch.dict(connections["default"].settings_dict, ATOMIC_REQUESTS=True):
        for view in (hello.open(), hello.on(AdminSite()), live_view, ready_view):
            assert handler.make_view_atomic(view) is view
    middleware = LoginRequiredMiddleware(lambda _: HttpResponse())
    request = RequestFactory().get("/api")
    request.user = AnonymousUser()
    for view in (hello.open(), live_view, ready_view):
        assert middleware.process_view(request, view, (), {}) is None
