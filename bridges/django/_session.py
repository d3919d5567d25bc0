# The session of one connection: Django's own, of whatever SESSION_ENGINE, with three things more.
#
#   - on trio it does not read or write by itself, for that would stop the loop: it says what to
#     write instead. Django's guard sees queries only, and not all engines make queries;
#   - it tells when something was changed, so that it can be saved behind the handler;
#   - what a handler changed that then crashed is forgotten.

import asyncio
import functools
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from django.apps import apps
from django.conf import settings
from django.contrib.sessions.backends.base import VALID_KEY_CHARS
from django.core.exceptions import ImproperlyConfigured, SynchronousOnlyOperation
from django.utils.crypto import get_random_string

from ...actors import current_job
from ...actors._lowlevel import inside_trio

if TYPE_CHECKING:
    from ._identity import Identity

STOPS_THE_LOOP = (
    "{what} needs {needs}, which would stop the event loop. Write `await self.{instead}()` in an"
    " `async def` handler, or do it in a `def` handler."
)


def on_a_loop() -> bool:
    """Say whether the calling code runs on an event loop, which must not be stopped."""
    if inside_trio():
        return current_job() is None  # else a test runs `def` handlers inline
    return asyncio._get_running_loop() is not None  # noqa: SLF001


def refuse_on_a_loop(what: str, needs: str, instead: str) -> None:
    """
    Refuse to block an event loop.

    Raises:
        SynchronousOnlyOperation: The calling code runs on one.
    """
    if on_a_loop():
        text = STOPS_THE_LOOP.format(what=what, needs=needs, instead=instead)
        raise SynchronousOnlyOperation(text)


def new_session(identity: "Identity", key: str | None) -> Any:
    """
    Return the session with *key* for a connection; a new one if that is None. Nothing is read.

    Raises:
        ImproperlyConfigured: SESSION_ENGINE needs an app that is not installed.
    """
    store = store_class()
    if needs_missing_app(store):
        raise ImproperlyConfigured(
            f"django.contrib.sessions is not in INSTALLED_APPS, so SESSION_ENGINE"
            f" {settings.SESSION_ENGINE!r} has no table. Add it, or set another engine."
        )
    session = _connection_session(store)(key)
    session.belongs_to(identity)
    return session


def store_class() -> Any:
    """Return the SessionStore of SESSION_ENGINE."""
    return cast("Any", import_module(settings.SESSION_ENGINE)).SessionStore


def needs_missing_app(store: Any) -> bool:
    """Say whether *store* keeps sessions in Django's own table, which is not there."""
    from django.contrib.sessions.backends import db

    model_of = getattr(store, "get_model_class", None)
    own = (
        getattr(model_of, "__func__", None) is cast("Any", db.SessionStore.get_model_class).__func__
    )
    return own and not apps.is_installed("django.contrib.sessions")


def keeps_itself(store: Any) -> bool:
    """Say whether sessions of *store* are in the cookie itself: reading them takes nothing."""
    from django.contrib.sessions.backends import signed_cookies

    return issubclass(store, signed_cookies.SessionStore)


@functools.cache
def _connection_session(store: Any) -> Any:  # noqa: C901 - a class, made for each engine
    blocks = not keeps_itself(store)

    class ConnectionSession(store):
        _identity: "Identity | None" = None
        _reserved = False
        _is_modified = False

        def belongs_to(self, identity: "Identity") -> None:
            self._identity = identity

        @property
        def modified(self) -> bool:
            return self._is_modified

        @modified.setter
        def modified(self, value: bool) -> None:
            self._is_modified = value
            if value and self._identity is not None:
                self._identity.session_modified()

        @property
        def is_read(self) -> bool:
            return "_session_cache" in self.__dict__

        @property
        def may_be_read(self) -> bool:
            return not blocks or self.is_read or self.session_key is None

        def reserve_key(self) -> None:
            """Take a key of its own without asking whether it is free: by chance it is."""
            if not blocks:
                self.save()
            elif self.session_key is None:
                self._session_key = get_random_string(32, VALID_KEY_CHARS)
                self._reserved = True

        def forget_changes(self) -> None:
            """Be as it was saved last, to be read anew."""
            if self._reserved:
                self._session_key, self._reserved = None, False
            self.__dict__.pop("_session_cache", None)
            self._is_modified = False

        def save(self, must_create: bool = False) -> None:
            if blocks:
                refuse_on_a_loop("session.save()", "to write", "save_session")
            plain: Any = super()
            plain.save(must_create=must_create or self._reserved)
            self._reserved = False

        def _get_session(self, no_load: bool = False) -> Any:
            if self._identity is not None:
                self._identity.forget_what_crashed()
            if not no_load and not self.may_be_read:
                refuse_on_a_loop("the session", "to be read first", "load_session")
            plain: Any = super()
            return plain._get_session(no_load)  # noqa: SLF001

        _session = property(_get_session)

    # The name is part of what the data is signed with.
    ConnectionSession.__name__, ConnectionSession.__qualname__ = store.__name__, store.__qualname__
    return ConnectionSession
