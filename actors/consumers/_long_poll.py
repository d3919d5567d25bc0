"""The consumer of one long-polling session."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from math import inf
from types import MappingProxyType
from typing import Any, ClassVar

from .._actor import connection_of
from .._awaitables import DONE, room_of
from .._ports import IDENTITY
from ._consumer import Consumer, Headers, latin
from ._frames import frame_of
from ._websocket import WebsocketConsumer, check_close

_FULL = ("close", "drop_oldest")
_OTHER_NAMES = {
    "max_connections": "max_sessions",
    "connections_per_address": "sessions_per_address",
}


class LongPollConsumer(Consumer, runtime=True):
    """
    One session of a client that polls, as an actor which outlives its requests.

    It is written as a :class:`WebsocketConsumer` is, with the same handlers and methods, timers,
    groups and restarts: ``connect(message)`` when a client opens a session, ``receive(text,
    bytes)`` for each message that it posts, ``disconnect(message, code, reason)`` once, when the
    client ends it, has not polled for ``expiry_seconds``, or the server closes it.

    A message that was sent is kept until the client has acknowledged it: a poll that breaks off
    loses nothing. The protocol is in the reference.
    """

    protocols: ClassVar[frozenset[str]] = frozenset({"http"})
    servers: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"http": "greenroom.bridges.longpoll:serve_long_poll"}
    )
    _special: ClassVar[dict[str, dict[str, str]]] = WebsocketConsumer._special  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]

    poll_seconds: ClassVar[float] = 25.0
    """How long a poll waits for a message before it is answered with 204."""
    expiry_seconds: ClassVar[float] = 60.0
    """How long a session lives without a poll."""
    window_messages: ClassVar[int] = 256
    """Messages that may wait to be acknowledged."""
    window_bytes: ClassVar[int] = 1_048_576
    """Bytes of such messages; whichever of the two bounds is met first holds."""
    on_window_full: ClassVar[str] = "close"
    """Beyond the bounds: ``close`` the session with 1013, or ``drop_oldest`` and tell the gap."""
    body_bytes: ClassVar[int] = 1_048_576
    """The largest body that a client may post; a larger one gets 413."""
    body_seconds: ClassVar[float] = 10.0
    """How long a body may take to arrive; then it gets 408."""
    max_sessions: ClassVar[int | None] = 10_000
    """Sessions of this class at a time; one more gets 503. None: any number."""
    sessions_per_address: ClassVar[int | None] = 1_000
    """The same for one address of clients; one more gets 429."""
    session_cookie: ClassVar[str | None] = "sessionid"
    """The cookie that a session belongs to, if its client has one; None: to none."""
    check_origin: ClassVar[bool] = True
    """Whether pages of strangers may not open a session."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        check_long_poll(cls)

    def accept(self, headers: Headers = ()) -> Awaitable[None]:
        """
        Open the session, at the call. Awaiting it is no checkpoint.

        Args:
            headers: Further headers of the answer.

        Raises:
            Disconnected: The client has gone, or the session was closed.
            RuntimeError: It was accepted before.
            Stale: This incarnation is over.
        """
        life = self._acting()
        connection = connection_of(self)
        named = [(latin(name).lower(), latin(value)) for name, value in headers]
        if (identity := connection.scope.get(IDENTITY)) is not None:
            named += identity.accept_headers()
        connection.accept(None, named)
        life.answered()
        return self._answer(DONE)

    def deny(
        self, status: int = 403, headers: Headers = (), body: str | bytes = b""
    ) -> Awaitable[None]:
        """
        Refuse the session with an HTTP response, at the call; again is no different.

        Then ``disconnect`` runs, with code 1000. Awaiting it is no checkpoint.

        Args:
            status: 300 to 599.
            headers: Of the response; its length is added.
            body: What the client gets; a str as ``text/plain``, if the headers say nothing else.

        Raises:
            RuntimeError: The session is open: :meth:`close` it.
            ValueError: A status or a header that can't be sent.
            Stale: This incarnation is over.
        """
        life = self._acting()
        named = [(latin(name).lower(), latin(value)) for name, value in headers]
        if isinstance(body, str) and not any(name == b"content-type" for name, _ in named):
            named.append((b"content-type", b"text/plain; charset=utf-8"))
        data = body.encode() if isinstance(body, str) else body
        connection: Any = connection_of(self)
        if connection.refuse(status, named, data):
            life.host.request_stop(f"denied with {status}", patient=True)
        life.answered()
        return self._answer(DONE)

    def send(self, text: str | None = None, bytes: bytes | None = None) -> Awaitable[None]:
        """
        Send one message, a text or a binary one, at the call and in order.

        It waits in the window until the client has acknowledged it. On trio the awaitable waits
        for room when half of the window is taken, and is a checkpoint only then; in a worker
        thread the call itself waits. A client that makes no room for ``expiry_seconds`` is given
        up. With ``drop_oldest`` nothing ever waits.

        Raises:
            Disconnected: The session is over.
            RuntimeError: It was not accepted yet.
            TypeError: Not exactly one of *text* and *bytes* was given.
            Stale: This incarnation is over.
        """
        life = self._acting()
        connection = connection_of(self)
        if connection.send(frame_of(text, bytes)):
            return self._answer(room_of(connection, here=life.host.loop.is_here()))
        return self._answer(DONE)

    def close(self, code: int = 1000, reason: str = "") -> Awaitable[None]:
        """
        End the session behind what was sent, at the call; again is no different.

        The client gets what it has not seen yet, then 410 with *code* and *reason*. The running
        handler finishes, then ``disconnect`` runs. Before ``accept`` it refuses with 403.
        Awaiting it is no checkpoint.

        Args:
            code: As for a WebSocket: 1000 to 1003, 1007 to 1014, or 3000 to 4999.
            reason: At most 123 bytes in UTF-8.

        Raises:
            ValueError: A code or reason that a WebSocket could not have either.
            Stale: This incarnation is over.
        """
        life = self._acting()
        check_close(code, reason)
        if connection_of(self).close(code, reason):
            life.host.request_stop("closed by itself", code, reason, patient=True)
        return self._answer(DONE)


def check_long_poll(cls: type[LongPollConsumer]) -> None:
    """
    Refuse settings of *cls* that could not be kept.

    Raises:
        TypeError, ValueError: One is wrong; the message says which.
    """
    for name in ("poll_seconds", "expiry_seconds", "body_seconds"):
        _check(cls, name, whole=False)
    for name in ("window_messages", "window_bytes", "body_bytes"):
        _check(cls, name, whole=True)
    for name in ("max_sessions", "sessions_per_address"):
        if getattr(cls, name) is not None:
            _check(cls, name, whole=True)
    for name, ours in _OTHER_NAMES.items():
        if (value := getattr(cls, name, None)) is not None:
            raise TypeError(
                f"{cls.__qualname__}.{name} is for connections; sessions are limited by {ours}."
                f" Write {ours} = {value!r}. Got: {name} = {value!r}"
            )
    if cls.on_window_full not in _FULL:
        raise ValueError(
            f"{cls.__qualname__}.on_window_full must be 'close' or 'drop_oldest'."
            f" Got: {cls.on_window_full!r}"
        )
    cookie: object = cls.session_cookie
    if cookie is not None and (not isinstance(cookie, str) or not cookie):
        raise TypeError(
            f"{cls.__qualname__}.session_cookie must be the name of a cookie, or None."
            f" Got: {cookie!r}"
        )
    check: object = cls.check_origin
    if not isinstance(check, bool):
        raise TypeError(f"{cls.__qualname__}.check_origin must be True or False. Got: {check!r}")


def _check(cls: type, name: str, *, whole: bool) -> None:
    value: object = getattr(cls, name)
    wanted = "a whole number" if whole else "a number of seconds"
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise TypeError(f"{cls.__qualname__}.{name} must be {wanted}. Got: {value!r}")
    if not 0 < value < inf:
        raise ValueError(f"{cls.__qualname__}.{name} must be more than 0. Got: {value!r}")
