# Cookies and sessions of Channels, on trio: what is read, saved, and told to the browser.

import datetime
from http.cookies import SimpleCookie
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.test import override_settings
from django_sessions import cookie, in_db, store

from greenroom.bridges.channels.sessions import (
    CookieMiddleware,
    InstanceSessionWrapper,
    SessionMiddleware,
    SessionMiddlewareStack,
)
from greenroom.bridges.testing import share_connections

pytestmark = pytest.mark.usefixtures("rolled_back")

ENGINES = pytest.mark.parametrize(
    "engine", ["db", "cached_db", "cache", "file", "signed_cookies"], indirect=True
)


@pytest.fixture(autouse=True)
def _shared(rolled_back: None) -> Any:
    with share_connections():
        yield


def scope_with(key: str | None = None, kind: str = "http") -> dict[str, Any]:
    sent = [] if key is None else cookie(key)
    return {"type": kind, "headers": [(n.encode(), v.encode()) for n, v in sent]}


async def no_receive() -> Any:
    raise AssertionError("nobody should ask")


async def started(app: Any, scope: Any, status: int = 200) -> dict[str, Any]:
    """Call *app*, wrapped, and return the response's start as it went out."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        await app(scope)
        await send({"type": "http.response.start", "status": status, "headers": []})

    await SessionMiddlewareStack(inner)(scope, no_receive, send)
    return sent[0]


def cookies_of(message: Any) -> SimpleCookie:
    jar: SimpleCookie = SimpleCookie()
    for name, value in message["headers"]:
        if name.lower() == b"set-cookie":
            jar.load(value.decode())
    return jar


async def nothing_done(scope: Any) -> None:
    pass


async def writes(scope: Any) -> None:
    scope["session"]["cart"] = "tea"


@ENGINES
async def test_what_changed_is_saved(engine: str) -> None:
    """
    A new session is saved with the response's start, and its key told with Django's attributes.
    """
    message = await started(writes, scope_with())
    morsel = cookies_of(message)[settings.SESSION_COOKIE_NAME]
    assert (morsel["httponly"], morsel["samesite"], morsel["path"]) == (True, "Lax", "/")
    assert int(morsel["max-age"]) == settings.SESSION_COOKIE_AGE
    assert await in_db(lambda: store(morsel.value)["cart"]) == "tea"


async def test_what_did_not_change_is_not(key: str, queries: list[str]) -> None:
    """
    A session that nobody touches is neither read nor written nor told.
    """
    assert cookies_of(await started(nothing_done, scope_with(key))) == {}
    assert queries == []


async def test_not_with_an_error() -> None:
    """
    A response with status 500 saves nothing.
    """
    assert cookies_of(await started(writes, scope_with(), status=500)) == {}


async def test_every_request(key: str) -> None:
    """
    With SESSION_SAVE_EVERY_REQUEST it is saved and told each time.
    """
    with override_settings(SESSION_SAVE_EVERY_REQUEST=True):
        jar = cookies_of(await started(nothing_done, scope_with(key)))
    assert jar[settings.SESSION_COOKIE_NAME].value == key


async def test_an_empty_one_is_forgotten(key: str) -> None:
    """
    Where a session became empty the browser is told to forget its cookie.
    """

    async def flushes(scope: Any) -> None:
        await in_db(scope["session"].flush)

    morsel = cookies_of(await started(flushes, scope_with(key)))[settings.SESSION_COOKIE_NAME]
    assert (morsel.value, morsel["max-age"]) == ("", "0")


async def test_deleted_meanwhile(key: str) -> None:
    """
    A session that somebody has deleted meanwhile can't be saved: a suspicious operation.
    """

    async def changes(scope: Any) -> None:
        await in_db(scope["session"].get, "x")
        await in_db(store(key).delete)
        scope["session"]["x"] = 1

    with pytest.raises(SuspiciousOperation, match="The request's session was deleted before the"):
        await started(changes, scope_with(key))


async def test_a_websocket_saves_nothing() -> None:
    """
    Messages of a WebSocket carry no cookie and save nothing, as in Channels.
    """
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        scope["session"]["x"] = 1
        await send({"type": "websocket.accept"})

    await SessionMiddlewareStack(inner)(scope_with(kind="websocket"), no_receive, send)
    assert sent == [{"type": "websocket.accept"}]


async def test_an_outer_one_is_passed_through() -> None:
    """
    A session that is in the scope already stays, and its own middleware saves it.
    """
    session = store()
    seen: list[Any] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["session"])

    await SessionMiddleware(inner)({"session": session}, no_receive, no_receive)
    assert seen == [session]
    assert InstanceSessionWrapper({"session": session}, None).activated is False


@pytest.mark.parametrize(
    ("middleware", "scope", "problem"),
    [
        (CookieMiddleware, {}, "CookieMiddleware was passed a scope that did not have a headers"),
        (SessionMiddleware, {"headers": []}, "No cookies in scope - SessionMiddleware needs to"),
    ],
)
async def test_what_is_missing(middleware: Any, scope: Any, problem: str) -> None:
    """
    Each middleware says what it needs around it.
    """
    with pytest.raises(ValueError, match=problem):
        await middleware(no_receive)(scope, no_receive, no_receive)


async def test_cookies() -> None:
    """
    Cookies are a dict by Django's own parser, empty without the header.
    """
    seen: list[Any] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["cookies"])

    for headers in ([(b"cookie", b"a=1; b=\xe9; c")], []):
        await CookieMiddleware(inner)({"headers": headers}, no_receive, no_receive)
    assert seen == [{"a": "1", "b": "é", "": "c"}, {}]


SET = [
    ({}, {}, ["expires", "max-age", "domain", "secure", "httponly"]),
    ({"max_age": 60}, {"max-age": "60"}, []),
    ({"path": "/x", "domain": "example.com"}, {"path": "/x", "domain": "example.com"}, []),
    ({"secure": True, "httponly": True}, {"secure": True, "httponly": True}, []),
    ({"samesite": "Strict"}, {"samesite": "Strict"}, []),
    ({"samesite": None}, {}, ["samesite"]),
    (
        {"expires": "Thu, 01 Jan 2037 00:00:00 GMT"},
        {"expires": "Thu, 01 Jan 2037 00:00:00 GMT"},
        [],
    ),
]


@pytest.mark.parametrize(("given", "there", "absent"), SET)
def test_set_cookie(given: Any, there: Any, absent: Any) -> None:
    """
    A cookie is put into a message with the attributes that were asked for.
    """
    message: dict[str, Any] = {}
    CookieMiddleware.set_cookie(message, "name", "value", **given)
    morsel = cookies_of(message)["name"]
    assert morsel.value == "value"
    assert {name: morsel[name] for name in there} == there
    assert not any(morsel[name] for name in absent)


def test_set_cookie_until_a_moment() -> None:
    """
    A moment, naive in UTC or not, becomes an age; the past is now.
    """
    now = datetime.datetime.now(datetime.UTC)
    for moment in (
        now + datetime.timedelta(minutes=1),
        (now + datetime.timedelta(minutes=1)).replace(tzinfo=None),
    ):
        message: dict[str, Any] = {}
        CookieMiddleware.set_cookie(message, "name", expires=moment)
        assert 58 <= int(cookies_of(message)["name"]["max-age"]) <= 61
    message = {}
    CookieMiddleware.set_cookie(message, "name", expires=now - datetime.timedelta(days=1))
    assert cookies_of(message)["name"]["max-age"] == "0"


def test_a_wrong_samesite() -> None:
    """
    Only the three values of SameSite are taken.
    """
    with pytest.raises(AssertionError, match="samesite must be either 'strict', 'lax' or 'none'"):
        CookieMiddleware.set_cookie({}, "name", samesite="else")


def test_delete_cookie() -> None:
    """
    A cookie is deleted by one that is over.
    """
    message: dict[str, Any] = {}
    CookieMiddleware.delete_cookie(message, "name", path="/x")
    morsel = cookies_of(message)["name"]
    assert (morsel["max-age"], morsel["path"]) == ("0", "/x")
    assert morsel["expires"] == "Thu, 01-Jan-1970 00:00:00 GMT"
