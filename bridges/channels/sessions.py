# Cookies and sessions in the scope, as Channels has it.

import datetime
import time
from http.cookies import SimpleCookie
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.base import UpdateError
from django.core.exceptions import SuspiciousOperation
from django.http import parse_cookie
from django.utils import timezone
from django.utils.encoding import force_str
from django.utils.functional import LazyObject
from django.utils.http import http_date

from .db import database_sync_to_async

_SAMESITE = ("strict", "lax", "none")
_PAST = "Thu, 01-Jan-1970 00:00:00 GMT"


class CookieMiddleware:
    """Put the cookies of the request into the scope, as a dict like ``request.COOKIES``."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        """
        Call the inner application, with the cookies. A checkpoint as that one is.

        Raises:
            ValueError: The scope has no headers.
        """
        if "headers" not in scope:
            raise ValueError(
                "CookieMiddleware was passed a scope that did not have a headers key (make sure it"
                " is only passed HTTP or WebSocket connections)"
            )
        sent = [value for name, value in scope["headers"] if name == b"cookie"]
        cookies = parse_cookie(sent[0].decode("latin1")) if sent else {}
        return await self.inner({**scope, "cookies": cookies}, receive, send)

    @classmethod
    def set_cookie(
        cls,
        message: Any,
        key: str,
        value: Any = "",
        max_age: float | None = None,
        expires: datetime.datetime | str | None = None,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool | None = False,
        httponly: bool | None = False,
        samesite: str | None = "lax",
    ) -> None:
        """
        Add a cookie to *message*, an ``http.response.start`` or a ``websocket.accept``.

        Args:
            message: What the application is about to send.
            key: Its name.
            value: Its value.
            max_age: For how many seconds it is kept.
            expires: Until when: a string as in HTTP, or a datetime (a naive one is in UTC), of
                which *max_age* is made.
            path: Below which path it is sent.
            domain: To which hosts.
            secure: Only over TLS.
            httponly: Not for scripts.
            samesite: ``strict``, ``lax`` or ``none``; None to say nothing.
        """
        jar: SimpleCookie = SimpleCookie({key: force_str(value)})
        morsel: Any = jar[key]
        if isinstance(expires, datetime.datetime):
            max_age, expires = _seconds_until(expires), None
        morsel["expires"] = expires or ""
        if max_age is not None:
            morsel["max-age"] = max_age
            if not expires:  # for those who know no max-age
                morsel["expires"] = http_date(time.time() + max_age)
        for name, given in (("path", path), ("domain", domain)):
            if given is not None:
                morsel[name] = given
        for name, given in (("secure", secure), ("httponly", httponly)):
            if given:
                morsel[name] = True
        if samesite is not None:
            assert samesite.lower() in _SAMESITE, (
                "samesite must be either 'strict', 'lax' or 'none'"
            )
            morsel["samesite"] = samesite
        header = morsel.OutputString().encode()
        message.setdefault("headers", []).append((b"Set-Cookie", header))

    @classmethod
    def delete_cookie(
        cls, message: Any, key: str, path: str | None = "/", domain: str | None = None
    ) -> None:
        """Add to *message* that the cookie *key* is to be forgotten."""
        cls.set_cookie(message, key, max_age=0, expires=_PAST, path=path, domain=domain)


def _seconds_until(moment: datetime.datetime) -> int:
    if timezone.is_naive(moment):
        moment = moment.replace(tzinfo=datetime.UTC)
    left = moment - datetime.datetime.now(datetime.UTC)
    # One more: what of a second was lost on the way must not make the date a second too early.
    return max(0, left.days * 86400 + left.seconds + 1)


class InstanceSessionWrapper:
    """The session of one connection, and the *send* that saves it with the response's start."""

    save_message_types = ["http.response.start"]  # noqa: RUF012 - a list in Channels, too
    cookie_response_message_types = ["http.response.start"]  # noqa: RUF012

    def __init__(self, scope: Any, send: Any) -> None:
        self.cookie_name = settings.SESSION_COOKIE_NAME
        self.session_store: Any = import_module(settings.SESSION_ENGINE).SessionStore
        self.scope: dict[str, Any] = {**scope}
        self.real_send = send
        self.activated = "session" not in scope  # else a middleware further out has seen to it
        if not self.activated:
            return
        if "cookies" not in scope:
            raise ValueError(
                "No cookies in scope - SessionMiddleware needs to run inside of CookieMiddleware."
            )
        self.scope["session"] = LazyObject()

    async def resolve_session(self) -> None:
        """Put the session into the scope. No query: it is read when it is used. No checkpoint."""
        if self.activated:
            key = self.scope["cookies"].get(self.cookie_name)
            self.scope["session"]._wrapped = self.session_store(key)  # noqa: SLF001

    async def send(self, message: Any) -> Any:
        """Send *message*; with a response's start, save what has changed. A checkpoint."""
        if self.activated and self._is_to_save(message):
            empty = self.scope["session"].is_empty()
            await self.save_session()
            if message["type"] in self.cookie_response_message_types:
                self._tell_browser(message, empty=empty)
        return await self.real_send(message)

    def _is_to_save(self, message: Any) -> bool:
        if message["type"] not in self.save_message_types or message.get("status", 200) == 500:
            return False
        return self.scope["session"].modified or settings.SESSION_SAVE_EVERY_REQUEST

    def _tell_browser(self, message: Any, *, empty: bool) -> None:
        place: dict[str, Any] = {
            "path": settings.SESSION_COOKIE_PATH,
            "domain": settings.SESSION_COOKIE_DOMAIN,
        }
        if empty:
            if self.cookie_name in self.scope["cookies"]:
                CookieMiddleware.delete_cookie(message, self.cookie_name, **place)
            return
        session = self.scope["session"]
        age = None if session.get_expire_at_browser_close() else session.get_expiry_age()
        CookieMiddleware.set_cookie(
            message,
            self.cookie_name,
            session.session_key,
            max_age=age,
            expires=None if age is None else http_date(time.time() + age),
            secure=settings.SESSION_COOKIE_SECURE or None,
            httponly=settings.SESSION_COOKIE_HTTPONLY or None,
            samesite=settings.SESSION_COOKIE_SAMESITE,
            **place,
        )

    async def save_session(self) -> None:
        """
        Save the session. A checkpoint.

        Raises:
            SuspiciousOperation: It was deleted meanwhile.
        """
        try:
            await database_sync_to_async(self.scope["session"].save)()
        except UpdateError:
            raise SuspiciousOperation(
                "The request's session was deleted before the request completed. The user may have"
                " logged out in a concurrent request, for example."
            ) from None


class SessionMiddleware:
    """Put Django's session into the scope; it needs the cookies there, by CookieMiddleware."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        """Call the inner application, with the session. A checkpoint as that one is."""
        wrapper = InstanceSessionWrapper(scope, send)
        await wrapper.resolve_session()
        return await self.inner(wrapper.scope, receive, wrapper.send)


def SessionMiddlewareStack(inner: Any) -> Any:  # noqa: N802 - Channels' name
    """Return *inner* with cookies and session in its scope."""
    return CookieMiddleware(SessionMiddleware(inner))
