"""The consumer of one event stream: server-sent events."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, ClassVar, cast

from .._actor import HOOKS, connection_of
from .._awaitables import DONE, room_of
from ._consumer import Headers
from ._event_codec import encode_comment, encode_event
from ._event_history import EventHistory
from ._http_port import EventResponse, header_list
from ._identity import with_session
from ._request import UNSET, RequestConsumer, json_of

_SPECIAL = {
    **{name: offered for name, offered in HOOKS.items() if name != "stopped"},
    "connect": {
        "message": "message",
        "method": "method",
        "body": "body",
        "last_event_id": "last_event_id",
        "missed": "missed",
    },
    "disconnect": {"reason": "reason"},
}


class EventStreamConsumer(RequestConsumer, runtime=True):
    """
    One stream of server-sent events as an actor: what a browser's ``EventSource`` reads.

    Handlers, each ``def`` or ``async def``, with parameters matched by name:

    ``connect(message, method, body, last_event_id, missed)``
        Once for each stream. It accepts, or refuses with ``respond(status)``; 204 keeps a
        browser from coming back. Without it the stream is accepted. *last_event_id* is what
        the client names as its last event, else empty; *missed* says that the ``history`` does
        not reach back to it. One that asks for *body* runs when it was read, bounded by
        ``body_bytes``; others before, and it is thrown away.
    ``disconnect(reason)``
        Once, however it ends: ``client left``, ``closed by itself``, the server's words.

    Events are sent with :meth:`send`, from any handler, timer or task; a group's ``text=`` is
    the data of one event, encoded once for all members, and its ``bytes=`` what
    :meth:`EventHistory.add` has returned. A handler that raises ends its incarnation, not the
    stream: the next one goes on.
    """

    servers: ClassVar[Mapping[str, str]] = {
        "http": "greenroom.bridges.asgi._event_stream:serve_event_stream"
    }
    _special: ClassVar[dict[str, dict[str, str]]] = _SPECIAL

    history: ClassVar[EventHistory | None] = None
    """The last events, for clients that come back: they are sent what they missed by accept()."""

    # No values here: what a class does not set is the tree's option of that name.
    heartbeat_seconds: ClassVar[float]
    """Silence after which a comment is sent, so that proxies do not end it; 0 for never."""
    reconnect_seconds: ClassVar[float]
    """A client whose stream the server ends comes back after a random part of these seconds."""

    def __init_subclass__(cls, *, runtime: bool = False, **options: Any) -> None:
        super().__init_subclass__(runtime=runtime, **options)
        history: object = cls.history
        if history is not None and not isinstance(history, EventHistory):
            raise TypeError(
                f"{cls.__qualname__}.history must be an EventHistory. Write"
                f" history = EventHistory(events=100). Got: {history!r}"
            )

    def accept(self, headers: Headers = (), *, retry: int | None = None) -> Awaitable[None]:
        """
        Begin the stream, at the call, with what a client that comes back has missed.

        Args:
            headers: Further headers of the response. One of the stream's own (``content-type``,
                ``cache-control``, ``x-accel-buffering``) takes the place of that.
            retry: Milliseconds after which the client comes back when the stream breaks off.

        Awaiting it is no checkpoint.

        Raises:
            Disconnected: The client has gone, or was answered.
            RuntimeError: It was accepted before.
            ValueError: A header that can't be sent, or a negative *retry*.
            Stale: This incarnation is over.
        """
        life = self._acting()
        stream = cast("EventResponse", connection_of(self))
        first = b"" if retry is None else encode_event(retry=retry)
        stream.open_stream(with_session(stream, header_list(headers)), first, self.history)
        life.answered()
        if stream.bodyless:
            stream.finish(b"", ())
            self._answered(life)
        return self._answer(DONE)

    def send(
        self,
        data: str | None = None,
        *,
        json: object = UNSET,
        event: str | None = None,
        id: str | None = None,
        retry: int | None = None,
    ) -> Awaitable[None]:
        """
        Send one event, at the call and in order.

        Args:
            data: Its data, of any number of lines.
            json: What is written as JSON in its place.
            event: Its type; browsers hear it with ``addEventListener``.
            id: What the client names as the last that it got, when it comes back.
            retry: Milliseconds after which it comes back.

        On trio the awaitable waits for room when much output waits already, and is a
        checkpoint only then; in a worker thread the call itself waits. A client that makes no
        room in time is dropped. A cancellation while it waits leaves the event sent.

        Raises:
            Disconnected: The stream is over.
            RuntimeError: It was not accepted yet.
            TypeError, ValueError: What no event can be; the message says why.
            Stale: This incarnation is over.
        """
        if json is not UNSET:
            if data is not None:
                raise TypeError("an event has data or json=..., not both.")
            data = json_of(json)
        return self._send(encode_event(data, event=event, id=id, retry=retry))

    def comment(self, text: str = "") -> Awaitable[None]:
        """
        Send a comment, which clients skip: it shows in a debugger, and keeps proxies awake.

        Waits, raises and is cancelled as :meth:`send`.
        """
        return self._send(encode_comment(text))

    def close(self, *, retry: int | None = None) -> Awaitable[None]:
        """
        End the stream behind what was sent, at the call; again is no different.

        The running handler finishes, then ``disconnect`` runs. A browser comes back, after
        *retry* milliseconds if that is given: to keep it away, answer it with ``respond(204)``
        then, or send it an event on which its script closes. Before ``accept`` it answers 204.
        Awaiting it is no checkpoint.

        Raises:
            ValueError: A negative *retry*.
            Stale: This incarnation is over.
        """
        life = self._acting()
        last = b"" if retry is None else encode_event(retry=retry)
        stream = cast("EventResponse", connection_of(self))
        if not stream.over:
            if stream.begun:
                stream.finish(last, ())
            else:
                stream.respond(204, (), b"")
            life.answered()
            life.host.request_stop("closed by itself", patient=True)
        return self._answer(DONE)

    def _send(self, encoded: bytes) -> Awaitable[None]:
        life = self._acting()
        stream = cast("EventResponse", connection_of(self))
        if stream.send_part(encoded):
            return self._answer(room_of(stream, here=life.host.loop.is_here()), depth=4)
        return self._answer(DONE, depth=4)
