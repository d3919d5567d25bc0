"""Whose connection it is: cookies, session and user, for consumers."""

# A port: who fills it (bridges/django/_identity.py) knows what a session is. It stands in the
# connection's scope, so that a middleware which copies the scope hands it on.

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from .._actor import Actor, connection_of
from .._awaitables import DONE
from .._errors import WrongSide
from .._job import current_job
from .._ports import IDENTITY, Connection, Identity
from .._unsaved import in_worker

HeaderList = list[tuple[bytes, bytes]]

_NOBODY = (
    "this connection has no {what}: no application of Django's has put one into its scope. Serve"
    " it with greenroom.bridges.django.Greenroom."
)


def with_session(connection: Connection, headers: list[tuple[bytes, bytes]]) -> HeaderList:
    """Return *headers* of an answer's head, and the cookie of a session that is new."""
    identity: Identity | None = connection.scope.get(IDENTITY)
    return headers if identity is None else [*headers, *identity.accept_headers()]


class Identified(Actor, runtime=True):
    """What every consumer has of the person at the other end."""

    __slots__ = ()

    @property
    def cookies(self) -> Mapping[str, str]:
        """The cookies of the request that opened the connection."""
        return cast("Mapping[str, str]", self._of_scope("cookies"))

    @property
    def session(self) -> Any:
        """
        Django's session, read when it is first used; what a handler changes is saved behind it.

        On trio it can be used once ``await self.load_session()`` has read it.
        """
        return self._of_scope("session")

    @property
    def user(self) -> Any:
        """
        The user who is logged in, or an ``AnonymousUser``, looked up when it is first used.

        On trio it can be used once ``await self.load_user()`` has looked it up.
        """
        return self._of_scope("user")

    @user.setter
    def user(self, value: object) -> None:
        raise AttributeError(
            "self.user is whose connection it is. Log somebody in with self.login(user), or choose"
            f" another name. Got: {value!r}"
        )

    async def load_user(self, *, fresh: bool = False) -> Any:
        """
        Look the user up in a worker thread and return it. A checkpoint.

        Args:
            fresh: Do so even if it is known; ``self.user`` is the new one then.

        Raises:
            WrongSide: Called in a worker thread, where ``self.user`` does the same.
        """
        identity = self._identity("user")
        return await self._load(
            "user", lambda: identity.load_user(connection_of(self).scope, fresh=fresh)
        )

    async def load_session(self) -> Any:
        """
        Read the session in a worker thread and return it. A checkpoint.

        Raises:
            WrongSide: Called in a worker thread, where ``self.session`` does the same.
        """
        return await self._load("session", self._identity("session").load_session)

    def save_session(self) -> Awaitable[None]:
        """
        Save the session now, not behind the handler.

        In a worker thread at the call; on trio it is awaited, and is a checkpoint. A session
        that is empty and was never saved is not saved.

        Raises:
            SessionInterrupted: It was deleted meanwhile, as by a log-out elsewhere.
        """
        return self._do("save_session", self._identity("session").save)

    def login(self, user: Any, backend: str | None = None) -> Awaitable[None]:
        """
        Log *user* in, as ``django.contrib.auth.login`` does, and save the session.

        In a worker thread at the call; on trio it is awaited, and is a checkpoint. The session
        has a new key then. A browser learns of it with ``accept``; later nothing can tell it.

        Args:
            user: A user as ``authenticate()`` returns it.
            backend: Its backend's dotted name, where there are several and *user* has none.
        """
        identity = self._identity("session")
        return self._do("login", lambda: identity.login(connection_of(self).scope, user, backend))

    def logout(self) -> Awaitable[None]:
        """
        Log the user out, as ``django.contrib.auth.logout`` does: the session is flushed.

        In a worker thread at the call; on trio it is awaited, and is a checkpoint. Other
        connections with this session are closed with 4401; this one goes on, as nobody's.
        """
        identity = self._identity("session")
        return self._do("logout", lambda: identity.logout(connection_of(self).scope))

    # -- inside -----------------------------------------------------------------------------

    def _of_scope(self, what: str) -> object:
        scope = connection_of(self).scope
        try:
            return scope[what]
        except KeyError:
            raise LookupError(_NOBODY.format(what=what)) from None

    def _identity(self, what: str) -> Identity:
        identity: Identity | None = connection_of(self).scope.get(IDENTITY)
        if identity is None:
            raise LookupError(_NOBODY.format(what=what))
        return identity

    async def _load(self, what: str, work: Callable[[], Any]) -> Any:
        life = self._acting()
        if not life.host.loop.is_here() or current_job() is not None:
            raise WrongSide(f"load_{what}", "in a `def` handler", f"self.{what}")
        return await in_worker(life.host, work, f"load_{what}")

    def _do(self, name: str, work: Callable[[], object]) -> Awaitable[None]:
        life = self._acting()
        if life.host.loop.is_here() and current_job() is None:
            return in_worker(life.host, work, name)
        work()
        return DONE
