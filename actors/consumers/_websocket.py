"""The consumer of one WebSocket."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, ClassVar

from .._actor import HOOKS, connection_of
from .._awaitables import DONE, room_of
from .._denied import denial_of
from .._subprotocol import chosen
from ._consumer import Consumer, Headers, latin
from ._frames import frame_of
from ._identity import with_session
from ._limits import Limited, check_limits

_SPECIAL = {
    **{name: offered for name, offered in HOOKS.items() if name != "stopped"},
    "connect": {"message": "message"},
    "receive": {
        "text": "text",
        "bytes": "bytes",
        "text_data": "text",
        "bytes_data": "bytes",
        "message": "message",
    },
    "disconnect": {
        "message": "message",
        "code": "code",
        "close_code": "code",
        "reason": "reason",
    },
}


class WebsocketConsumer(Limited, Consumer, runtime=True):
    """
    One WebSocket connection as an actor.

    Handlers, each ``def`` or ``async def``, with parameters matched by name:

    ``connect(message)``
        Once for each socket. It accepts or closes; without it the socket is accepted.
        One that returns without either refuses the socket with 403.
    ``receive(text, bytes)``
        For each message; ``text`` is None for a binary one, ``bytes`` for a text one.
    ``disconnect(message, code, reason)``
        Once, however the socket ends: the peer's close, the server's, crashes beyond
        the budget, shutdown.

    Other messages need ``@handles``. A handler that raises ends its incarnation, not
    the socket: the next one goes on with the message behind it.
    """

    protocols: ClassVar[frozenset[str]] = frozenset({"websocket"})
    servers: ClassVar[Mapping[str, str]] = {
        "websocket": "greenroom.bridges.asgi._websocket:serve_websocket"
    }
    _special: ClassVar[dict[str, dict[str, str]]] = _SPECIAL

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        check_limits(cls, check_close)

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that was agreed on; None if there is none, or not yet."""
        return getattr(connection_of(self), "subprotocol", None)

    def accept(self, subprotocol: str | None = None, headers: Headers = ()) -> Awaitable[None]:
        """
        Accept the handshake, at the call. Awaiting it is no checkpoint.

        Args:
            subprotocol: One of those that the client offered; None for the first of
                ``subprotocols`` that it offered, if it did.
            headers: Further headers of the response. The cookie of a session that is new, or
                has a new key, is added; in a `def` handler the session is saved first.

        Raises:
            Disconnected: The client has gone, or the socket was closed.
            RuntimeError: It was accepted before.
            Stale: This incarnation is over.
        """
        life = self._acting()
        if subprotocol is None and self.subprotocols:
            subprotocol = chosen(self.subprotocols, self.scope)
        connection = connection_of(self)
        listed = [(latin(name).lower(), latin(value)) for name, value in headers]
        connection.accept(subprotocol, with_session(connection, listed))
        life.answered()
        return self._answer(DONE)

    def deny(
        self, status: int = 403, headers: Headers = (), body: str | bytes = b""
    ) -> Awaitable[None]:
        """
        Refuse the handshake with an HTTP response, at the call; again is no different.

        Then ``disconnect`` runs, with code 1000. A server that can't send a denial response
        answers 403. :class:`Denied` does the same from any depth. Awaiting it is no checkpoint.

        Args:
            status: 300 to 599.
            headers: Of the response; its length is added.
            body: What the client gets; a str as ``text/plain``, if the headers say nothing else.

        Raises:
            RuntimeError: The socket is open: :meth:`close` it.
            TypeError, ValueError: A status, a header or a body that can't be sent.
            Stale: This incarnation is over.
        """
        life = self._acting()
        if connection_of(self).refuse(status, *denial_of(body, headers)):
            life.host.request_stop(f"denied with {status}", patient=True)
        life.answered()
        return self._answer(DONE)

    def send(self, text: str | None = None, bytes: bytes | None = None) -> Awaitable[None]:
        """
        Send one message, a text or a binary one, at the call and in order.

        On trio the awaitable waits for room when much output waits already, and is a
        checkpoint only then; without ``await`` nothing is lost but that wait. In a worker
        thread the call itself waits. A cancellation while it waits leaves the message sent.

        Raises:
            Disconnected: The socket is over.
            RuntimeError: It was not accepted yet.
            TypeError: Not exactly one of *text* and *bytes* was given.
            Stale: This incarnation is over.
        """
        life = self._bound()
        life.check()
        host = life.host
        connection = host.connection
        assert connection is not None, "a consumer outside a connection"
        if type(text) is str and bytes is None:  # as nearly always
            full = connection.send_text(text)
        else:
            full = connection.send(frame_of(text, bytes))
        if full:
            return self._answer(room_of(connection, here=host.loop.is_here()))
        return self._answer(DONE) if host.debug else DONE

    def close(self, code: int = 1000, reason: str = "") -> Awaitable[None]:
        """
        Close the socket behind what was sent, at the call; again is no different.

        The running handler finishes, or is cancelled when the peer has ended, if it is one of
        those (``cancel_on_disconnect``); what the peer sent and nobody handled yet is
        dropped; then ``disconnect`` runs. Before ``accept`` it refuses with 403.
        Awaiting it is no checkpoint.

        Args:
            code: 1000 to 1003, 1007 to 1014, or 3000 to 4999 (RFC 6455, 7.4).
            reason: At most 123 bytes in UTF-8.

        Raises:
            ValueError: A code or reason that may not be sent.
            Stale: This incarnation is over.
        """
        life = self._acting()
        check_close(code, reason)
        if connection_of(self).close(code, reason):
            life.host.request_stop("closed by itself", code, reason, patient=True)
        return self._answer(DONE)


def check_close(code: int, reason: str) -> None:
    """Refuse a close code or reason that RFC 6455 does not let an endpoint send."""
    if isinstance(code, bool) or not isinstance(code, int):
        raise TypeError(f"a close code is a whole number. Got: {code!r}")
    if not isinstance(reason, str):
        raise TypeError(f"a close reason is a str. Got: {reason!r}")
    sendable = code in (1000, 1001, 1002, 1003) or 1007 <= code <= 1014 or 3000 <= code <= 4999
    if not sendable:
        raise ValueError(
            f"close code must be 1000 to 1003, 1007 to 1014 or 3000 to 4999. Got: {code!r}"
        )
    if len(reason.encode()) > 123:
        raise ValueError(
            f"a close reason has at most 123 bytes in UTF-8. Got: {len(reason.encode())} bytes"
        )
