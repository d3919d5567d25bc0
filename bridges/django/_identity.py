# Whose connection it is: cookies, session and user, found out when somebody asks. Fills the port
# of actors/_ports.py.
#
# One object a connection. What stands in the scope are its lazy parts, so a middleware that
# copies the scope copies them, and a login is seen by all copies. It holds no scope itself, and
# the session holds it weakly: what a connection leaves behind needs no garbage collector.
#
# Invariants, each with a test of that name in tests/bridges/django/test_identity.py:
#   LAZY       nothing is read before it is touched, and no session object is made.
#   SUCCEEDED  what a handler changed is saved if it succeeds, and forgotten if it raises.
#   NEW KEY    a browser learns of a new session key at the handshake, and never later.

import threading
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from hashlib import sha256
from io import BytesIO
from typing import TYPE_CHECKING, Any, ClassVar, cast

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.exceptions import SessionInterrupted
from django.core.handlers.asgi import ASGIRequest
from django.http import parse_cookie
from django.utils.functional import SimpleLazyObject, empty

from ...actors._ports import IDENTITY
from ...actors._unsaved import save_when_handler_succeeds
from ..asgi._gate import BY_TOKEN
from ._session import needs_missing_app, new_session, on_a_loop, refuse_on_a_loop, store_class
from ._session_cookie import set_cookie_headers
from ._users import anonymous, require_auth, user_of_session, value_of

if TYPE_CHECKING:
    from ...actors._life import Life
    from ._book import Book


class _Lazy(SimpleLazyObject):  # pyright: ignore[reportMissingTypeArgument] - none at run time
    """One lazy part of a scope, of which each connection has three: so it is small."""

    __slots__ = ("_identity",)  # and no dict before it is touched

    _wrapped: Any = empty
    _part: "ClassVar[Callable[[Identity], Any]]"

    def __init__(self, identity: "Identity") -> None:
        object.__setattr__(self, "_identity", identity)

    def _setup(self) -> None:
        self.__dict__["_wrapped"] = type(self)._part(self._identity)  # noqa: SLF001

    def __repr__(self) -> str:
        """Show what it is without looking it up: somebody logs a whole scope."""
        if self._wrapped is empty:
            return f"<{type(self).__name__}, not looked up yet>"
        return f"<{type(self).__name__}: {self._wrapped!r}>"

    def __copy__(self) -> "_Lazy":
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> "_Lazy":
        return self  # a middleware may copy a whole scope: it is one connection still


GONE = "the session was deleted before it could be saved, as by a log-out elsewhere"


class Identity:
    """Whose connection one scope is of."""

    __slots__ = (
        "__weakref__", "_book", "_by_token", "_changed_by", "_cookies", "_headers", "_quiet",
        "_session", "_user", "due", "slot", "user_value",
    )  # fmt: skip

    def __init__(self, headers: Iterable[tuple[bytes, bytes]], book: "Book") -> None:
        self._headers = headers
        self._book = book
        self._cookies: dict[str, str] | None = None
        self._session: Any = None
        self._user: Any = None
        self._by_token = False
        self._quiet = 0  # the thread whose changes to the session are our own
        self._changed_by: Life | None = None
        self.slot: Any = None
        """Who serves the connection, while it is open."""
        self.user_value: str | None = None
        """The user's primary key as sessions have it, once it is known that there is a user."""
        self.due: float | None = None
        """When it is looked at again, for :class:`Book`."""

    @classmethod
    def put_into(cls, scope: Any, book: "Book") -> None:
        """Put the lazy parts into *scope*, each where nobody has put one."""
        if IDENTITY in scope:
            return
        identity = scope[IDENTITY] = cls(scope["headers"], book)
        scope.setdefault("cookies", LazyCookies(identity))
        scope.setdefault("session", LazySession(identity))
        scope.setdefault("user", LazyUser(identity))
        if BY_TOKEN in scope:
            identity.become_by_token(scope, scope["user"])

    def __deepcopy__(self, memo: dict[int, object]) -> "Identity":
        return self

    # -- the lazy parts -------------------------------------------------------------------

    def cookies(self) -> dict[str, str]:
        """Return the cookies of the request. Any thread."""
        if self._cookies is None:
            sent = [value for name, value in self._headers if name == b"cookie"]
            self._cookies = parse_cookie(b"; ".join(sent).decode("latin-1"))
        return self._cookies

    @property
    def cookie_key(self) -> str | None:
        """The session key that the browser has sent, if it has sent one. Any thread."""
        return self.cookies().get(settings.SESSION_COOKIE_NAME)

    @property
    def session_key(self) -> str | None:
        """The key of the session as it is now; None if there is none. Any thread."""
        return self.cookie_key if self._session is None else self._session.session_key

    def session(self) -> Any:
        """Return the session, which reads itself when it is used. Any thread."""
        if self._session is None:
            self._session = new_session(self, self.cookie_key)
        return self._session

    def user(self) -> Any:
        """
        Return the user; blocks for queries. On trio only where none are needed.

        Raises:
            SynchronousOnlyOperation: Called on trio, and it takes a query.
        """
        if self._user is None:
            require_auth()
            self._user = self._find_user()
            self.now_is(self._user)
        return self._user

    def _find_user(self) -> Any:
        if self.session_key is None or needs_missing_app(store_class()):
            return anonymous()  # nobody can have logged in
        session = self.session()
        if on_a_loop() and not (session.may_be_read and SESSION_KEY not in session):
            refuse_on_a_loop("the user", "to be looked up first", "load_user")
        with self._quietly():
            before = session.modified
            user = user_of_session(session)
            if session.modified and not before and not session.is_empty():
                self.save()  # it was upgraded from a key of SECRET_KEY_FALLBACKS
        return user

    # -- actors/_ports.py: Identity ------------------------------------------------------------

    def load_user(self, scope: Any, *, fresh: bool) -> Any:
        """Return the user, looked up anew if *fresh*."""
        if fresh and self._user is not None and not self._by_token:
            session = self.session()
            if not session.modified:
                session.unread()
            self._become(scope, self._find_user())
        user = scope["user"]
        _ = getattr(user, "is_authenticated", None)  # the lazy one looks it up now
        return user

    def load_session(self) -> Any:
        """Return the session, read."""
        session = self.session()
        session._get_session()  # noqa: SLF001
        return session

    def save(self) -> None:
        """Save the session, unless it is empty and nowhere."""
        if self._session is None or self._session.is_empty():
            return
        with self._quietly():
            try:
                self._session.save()
            except UpdateError:
                raise SessionInterrupted(f"{GONE}.") from None
            self._session.modified = False
        self._changed_by = None

    def login(self, scope: Any, user: Any, backend: str | None) -> None:
        """Log *user* in and save the session."""
        require_auth()
        from django.contrib.auth import login

        with self._quietly():
            request = self._request(scope)
            login(request, user, backend)
            self.save()
            self._by_token = False
        self._become(scope, request.user)

    def logout(self, scope: Any) -> None:
        """Log the user out: the session is flushed, and others with it are closed."""
        require_auth()
        from django.contrib.auth import logout

        with self._quietly():
            request = self._request(scope)
            logout(request)
            self._session.modified = False
            self._by_token = False
        self._become(scope, anonymous())

    def accept_headers(self) -> list[tuple[bytes, bytes]]:
        """Return the cookie of a session that is new to the browser; save it if that may block."""
        session = self._session
        if session is None:
            return []
        if session.modified and not session.is_empty():
            if on_a_loop():
                session.reserve_key()  # and it is saved behind the handler
            else:
                self.save()
        known = settings.SESSION_COOKIE_NAME in self.cookies()
        if session.session_key == self.cookie_key or not (known or session.session_key):
            return []
        if not session.session_key and not session.is_read:
            return []
        return set_cookie_headers(session)

    def attach(self, slot: Any) -> None:
        """Take note of the slot that serves the connection."""
        self.slot = slot
        self._book.enter(self)

    def detach(self) -> None:
        """Take note that the connection is over."""
        self.slot = None
        self._book.leave(self)

    def facts(self) -> Mapping[str, object]:
        """Return the user's id, and the session's as a digest: its key would let anybody in."""
        facts: dict[str, object] = {}
        if self.user_value is not None:
            facts["user"] = self.user_value
        if self._session is not None and self._session.session_key:
            facts["session"] = sha256(self._session.session_key.encode()).hexdigest()[:8]
        return facts

    # -- for the session -----------------------------------------------------------------------

    def session_modified(self) -> None:
        """Have the session saved behind the handler that runs. Any thread."""
        if self._quiet == threading.get_ident():
            return
        life = save_when_handler_succeeds(self._save_behind)
        self._changed_by = life or self._changed_by

    def forget_what_crashed(self) -> None:
        """Have the session be as it was saved, if who changed it has crashed. Any thread."""
        life = self._changed_by
        if life is not None and life.over:
            self._changed_by = None
            with self._quietly():
                self._session.forget_changes()

    def _save_behind(self) -> None:
        if self._session is None or not self._session.modified:
            return
        try:
            self.save()
        except SessionInterrupted:
            self.expel(GONE)

    # -- for the book --------------------------------------------------------------------------

    def now_is(self, user: Any) -> None:
        """Take note of who it is, so that it is looked at now and then. Any thread."""
        known = hasattr(user, "_meta") and getattr(user, "is_authenticated", True)
        self.user_value = value_of(user) if known else None
        self._book.news(self)

    @property
    def is_open(self) -> bool:
        """Whether its slot has not ended."""
        return self.slot is not None and self.slot.end is None

    def is_nobody(self, scope: Any) -> bool:
        """Whether *scope* has our own user, and without any query he is known to be nobody."""
        return isinstance(scope.get("user"), _Lazy) and self.session_key is None

    @property
    def is_unknown(self) -> bool:
        """Whether there is a session of which nobody has asked whose it is."""
        return self._user is None and self.user_value is None and self.session_key is not None

    def has_session(self, key: str, in_cookie: bytes) -> bool:
        """Say whether *key*, *in_cookie* as bytes, is the session's; cheap where it is not."""
        if self._session is not None:
            return self._session.session_key == key
        sent = (value for name, value in self._headers if name == b"cookie")
        return any(in_cookie in value for value in sent) and self.cookie_key == key

    def ticket(self) -> tuple[str | None, str] | None:
        """
        Return what is to be looked at: the session's key, None without one, and the user's.

        None if it is nobody's meanwhile: a thread may have found that out just now.
        """
        user = self.user_value
        return None if user is None else (None if self._by_token else self.session_key, user)

    def learned(self, scope: Any, user: Any) -> None:
        """Take note that somebody else has found out, or changed, whose the session is."""
        session = scope.get("session")
        if self._session is not None and getattr(session, "_wrapped", session) is self._session:
            self._user = user
            self.now_is(user)

    def become_by_token(self, scope: Any, user: Any) -> None:
        """Take note that the connection is *user*'s, whatever the session says."""
        self._by_token = True
        self._become(scope, user)

    def expel(self, reason: str, code: int = 4401, text: str | None = None) -> bool:
        """Close the connection with *text*, else *reason*; whether there was one. Any thread."""
        slot = self.slot
        if slot is None or slot.end is not None:
            return False
        slot.request_stop(reason, code, reason if text is None else text)
        return True

    # -- inside --------------------------------------------------------------------------------

    def _become(self, scope: Any, user: Any) -> None:
        while isinstance(user, SimpleLazyObject):  # a lazy user can't be made of itself
            lazy_user = cast("Any", user)
            _ = lazy_user.pk
            user = lazy_user._wrapped  # noqa: SLF001
        self._user = user
        lazy = scope.get("user")
        if isinstance(lazy, SimpleLazyObject):
            lazy._wrapped = user  # noqa: SLF001
        else:
            scope["user"] = user
        self.now_is(user)

    def _request(self, scope: Any) -> Any:
        """Return a request as Django's functions and the receivers of its signals want one."""
        like_http = {"method": "GET", **scope}
        request: Any = ASGIRequest(like_http, BytesIO())
        request.session = self.session()
        request.user = scope["user"]
        return request

    @contextmanager
    def _quietly(self) -> Generator[None, None, None]:
        before, self._quiet = self._quiet, threading.get_ident()
        try:
            yield
        finally:
            self._quiet = before


class LazyCookies(_Lazy):
    """The cookies of a scope."""

    __slots__ = ()
    _part = staticmethod(Identity.cookies)


class LazySession(_Lazy):
    """The session of a scope."""

    __slots__ = ()
    _part = staticmethod(Identity.session)


class LazyUser(_Lazy):
    """The user of a scope."""

    __slots__ = ()
    _part = staticmethod(Identity.user)
