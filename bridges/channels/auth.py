# Users in the scope, as Channels has it: the functions, and the middleware that fills it in.
#
# What is better than there: a session that a key of SECRET_KEY_FALLBACKS has signed is upgraded,
# not flushed (bridges/django/_users.py).

from typing import Any

from django.conf import settings
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    get_user_model,
    load_backend,
    user_logged_in,
    user_logged_out,
)
from django.utils.crypto import constant_time_compare
from django.utils.functional import LazyObject

from ...actors._ports import IDENTITY
from ..django._disconnect import close_session
from ..django._users import anonymous, user_of_session
from .db import database_sync_to_async
from .middleware import BaseMiddleware
from .sessions import CookieMiddleware, SessionMiddleware

__all__ = [
    "BACKEND_SESSION_KEY",
    "HASH_SESSION_KEY",
    "SESSION_KEY",
    "AuthMiddleware",
    "AuthMiddlewareStack",
    "BaseMiddleware",
    "CookieMiddleware",
    "SessionMiddleware",
    "UserLazyObject",
    # Projects import from here what Channels only uses here.
    "constant_time_compare",
    "database_sync_to_async",
    "get_user",
    "get_user_model",
    "load_backend",
    "login",
    "logout",
    "settings",
    "user_logged_in",
    "user_logged_out",
]

_NO_SESSION = "Cannot find session in scope. You should wrap your consumer in SessionMiddleware."


def _session_of(scope: Any, problem: str) -> Any:
    try:
        return scope["session"]
    except KeyError:
        raise ValueError(problem) from None


@database_sync_to_async
def get_user(scope: Any) -> Any:
    """
    Return the user of the session in *scope*, or an AnonymousUser. A checkpoint.

    Raises:
        ValueError: There is no session in the scope.
    """
    return user_of_session(_session_of(scope, _NO_SESSION))


@database_sync_to_async
def login(scope: Any, user: Any, backend: str | None = None) -> None:
    """
    Make *user* the one of the session in *scope*; None for the one in the scope. A checkpoint.

    The session gets a new key; where it was another user's, a new session takes its place. On a
    WebSocket nobody saves it but you.

    Raises:
        ValueError: No session, no user, or several backends and none is named.
    """
    session = _session_of(scope, _NO_SESSION)
    if user is None:
        user = scope.get("user")
    if user is None:
        raise ValueError("User must be passed as an argument or must be present in the scope.")
    has_hash = hasattr(user, "get_session_auth_hash")
    auth_hash: str = user.get_session_auth_hash() if has_hash else ""
    if SESSION_KEY not in session:
        session.cycle_key()
    elif not _belongs_to(session, user, auth_hash):
        session.flush()
    session[BACKEND_SESSION_KEY] = backend or _backend_of(user)
    session[SESSION_KEY] = user._meta.pk.value_to_string(user)  # noqa: SLF001
    session[HASH_SESSION_KEY] = auth_hash
    scope["user"] = user
    _tell_identity(scope, user)
    user_logged_in.send(sender=type(user), request=None, user=user)


def _tell_identity(scope: Any, user: Any) -> Any:
    """Tell Greenroom, if it serves the connection, whose it is now; return what was told."""
    identity: Any = scope.get(IDENTITY)
    if identity is not None:
        identity.learned(scope, user)
    return identity


def _belongs_to(session: Any, user: Any, auth_hash: str) -> bool:
    if user._meta.pk.to_python(session[SESSION_KEY]) != user.pk:  # noqa: SLF001
        return False
    known: str = session.get(HASH_SESSION_KEY, "")
    return not auth_hash or constant_time_compare(known, auth_hash)


def _backend_of(user: Any) -> str:
    named: str | None = getattr(user, "backend", None)
    if named is not None:
        return named
    if len(settings.AUTHENTICATION_BACKENDS) == 1:
        return settings.AUTHENTICATION_BACKENDS[0]
    raise ValueError(
        "You have multiple authentication backends configured and therefore must provide the"
        " `backend` argument or set the `backend` attribute on the user."
    )


@database_sync_to_async
def logout(scope: Any) -> None:
    """
    Flush the session in *scope*; its user, if there is one, is an AnonymousUser then.

    A checkpoint. Receivers of ``user_logged_out`` are called before.

    Raises:
        ValueError: There is no session in the scope.
    """
    session = _session_of(
        scope,
        "Login cannot find session in scope. You should wrap your consumer in SessionMiddleware.",
    )
    user = scope.get("user")
    if user is not None and getattr(user, "is_authenticated", True):
        user_logged_out.send(sender=user.__class__, request=None, user=user)
    key = getattr(session, "session_key", None)
    session.flush()
    identity = _tell_identity(scope, anonymous())
    if key:
        close_session(key, identity)
    if "user" in scope:
        scope["user"] = anonymous()


class UserLazyObject(LazyObject):  # pyright: ignore[reportMissingTypeArgument] - no [] at run time
    """The user in a scope until it is known."""

    _wrapped: Any

    def _setup(self) -> None:
        raise ValueError("Accessing scope user before it is ready.")


class AuthMiddleware(BaseMiddleware):
    """Put the user of the session into the scope, before the inner application is called."""

    def populate_scope(self, scope: Any) -> None:
        """
        Make room for the user in *scope*.

        Raises:
            ValueError: There is no session in the scope.
        """
        problem = "AuthMiddleware cannot find session in scope. SessionMiddleware must be above it."
        _session_of(scope, problem)
        scope.setdefault("user", UserLazyObject())

    async def resolve_scope(self, scope: Any) -> None:
        """Find out who the user is. A checkpoint."""
        user = await get_user(scope)
        scope["user"]._wrapped = user  # noqa: SLF001
        _tell_identity(scope, user)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        """Call the inner application, with the user. A checkpoint."""
        scope = {**scope}
        self.populate_scope(scope)
        await self.resolve_scope(scope)
        return await super().__call__(scope, receive, send)


def AuthMiddlewareStack(inner: Any) -> Any:  # noqa: N802 - Channels' name
    """Return *inner* with cookies, session and user in its scope."""
    return CookieMiddleware(SessionMiddleware(AuthMiddleware(inner)))
