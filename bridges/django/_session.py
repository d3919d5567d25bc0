# The session of one connection: Django's own, of whatever SESSION_ENGINE, with three things more.
#
#   - on trio it does not read or write by itself, for that would stop the loop: it says what to
#     write instead. Django's guard sees queries only, and not all engines make queries;
#   - it tells when something was changed, so that it can be saved behind the handler;
#   - what a handler changed that then crashed is forgotten.

import asyncio
import copy
import functools
import weakref
from collections.abc import Callable
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


class _OfConnection:
    """What the session of a connection has beside what its engine's has: a mixin before that."""

    _blocks = True  # whether reading and writing take longer than nothing
    _to_tell: "Callable[[], Identity | None]" = staticmethod(lambda: None)
    _reserved = False
    _is_modified = False
    _as_saved: "dict[str, Any] | None" = None

    def belongs_to(self, identity: "Identity") -> None:
        """Tell *identity* from now on what is done to it."""
        self._to_tell = weakref.ref(identity)

    @property
    def modified(self) -> bool:
        """Whether something was changed that is not saved, as Django's own has it."""
        return self._is_modified

    @modified.setter
    def modified(self, value: bool) -> None:
        self._is_modified = value
        if value and (identity := self._to_tell()) is not None:
            identity.session_modified()

    @property
    def owner(self) -> "Identity | None":
        """Whose it is."""
        return self._to_tell()

    @property
    def is_read(self) -> bool:
        """Whether its data is there."""
        return "_session_cache" in self.__dict__

    @property
    def may_be_read(self) -> bool:
        """Whether its data is there, or can be had in no time."""
        return not self._blocks or self.is_read or _engine(self).session_key is None

    def reserve_key(self) -> None:
        """Take a key of its own without asking whether it is free: by chance it is."""
        engine = _engine(self)
        if not self._blocks:
            engine.save()
        elif engine.session_key is None:
            engine._session_key = get_random_string(32, VALID_KEY_CHARS)  # noqa: SLF001
            self._reserved = True

    def forget_changes(self) -> None:
        """Be as it was read or saved last: on trio nothing can read it anew."""
        self.unread()
        if self._as_saved is not None:
            self.__dict__["_session_cache"] = copy.deepcopy(self._as_saved)

    def unread(self) -> None:
        """Forget all, to be read anew."""
        if self._reserved:
            _engine(self)._session_key = None  # noqa: SLF001
            self._reserved = False
        self.__dict__.pop("_session_cache", None)
        self._is_modified = False

    def flush(self) -> None:
        """Delete it, as Django's own does; what it was is not remembered either."""
        _engine(super()).flush()
        self._remember({})

    def save(self, must_create: bool = False) -> None:
        """Save it, as Django's own does; on trio it says what to write instead."""
        if self._blocks:
            refuse_on_a_loop("session.save()", "to write", "save_session")
        _engine(super()).save(must_create=must_create or self._reserved)
        self._reserved = False
        if self.is_read:
            self._remember(self.__dict__["_session_cache"])

    def _remember(self, data: "dict[str, Any]") -> None:
        if self._blocks:
            self._as_saved = copy.deepcopy(data)

    def _get_session(self, no_load: bool = False) -> Any:
        if (identity := self._to_tell()) is not None:
            identity.forget_what_crashed()
        if not no_load and not self.may_be_read:
            refuse_on_a_loop("the session", "to be read first", "load_session")
        was_read = self.is_read
        data = _engine(super())._get_session(no_load)  # noqa: SLF001
        if not was_read:
            self._remember(data)
        return data

    _session = property(_get_session)


def _engine(session: object) -> Any:
    """Return *session* as that of the engine, which no type is known of."""
    return session


@functools.cache
def _connection_session(store: Any) -> Any:
    # The name is part of what the data is signed with.
    made: Any = type(store.__name__, (_OfConnection, store), {"_blocks": not keeps_itself(store)})
    made.__qualname__ = store.__qualname__
    return made
