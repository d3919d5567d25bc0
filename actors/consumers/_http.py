"""The consumer of one HTTP request."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, ClassVar, cast

from .._actor import HOOKS
from .._awaitables import DONE, room_of
from ._consumer import Headers
from ._http_port import header_list, response_of
from ._identity import with_session
from ._request import RequestConsumer, refuse_bad_status

_SPECIAL = {
    **{name: offered for name, offered in HOOKS.items() if name != "stopped"},
    "connect": {"message": "message", "method": "method"},
    "handle": {"body": "bytes"},
    "chunk": {"data": "bytes", "body": "bytes", "last": "last"},
    "disconnect": {"reason": "reason"},
}


class HttpConsumer(RequestConsumer, runtime=True):
    """
    One HTTP request as an actor.

    Handlers, each ``def`` or ``async def``, with parameters matched by name:

    ``connect(message, method)``
        Once, when the head is there and before the body was read: it may refuse the body
        by answering. Optional.
    ``handle(body)``
        Once, with the whole body, empty if the request has none. One that is larger than
        ``body_bytes`` is answered with 413 instead.
    ``chunk(data, last)``
        In place of ``handle``: for each part of the body as it comes, *last* being True for
        the last one, which may be empty. While it is behind nothing more is read.
    ``disconnect(reason)``
        Once, however it ends: ``answered``, ``client left``, ``crashed``, the server's words.

    None of them has to answer before it returns: a message (``@handles``), a timer or a group
    may do so later, with ``respond()``, or with ``start()``, ``send()`` and ``finish()``.
    What is not begun within ``answer_seconds`` after the last part of the body is answered
    with 504. What a handler returns is not looked at. :class:`Denied`, raised in any handler
    before the response is begun, is the answer.

    It is `temporary`: a handler that raises before the head was sent is a 500; later the
    response is cut off behind what was sent. Nothing is run twice.
    """

    servers: ClassVar[Mapping[str, str]] = {
        "http": "greenroom.bridges.asgi._http_consumer:serve_http_consumer"
    }
    check_origin: ClassVar[bool] = False
    """Whether pages of strangers may not ask it; pages of any origin use an API, by CORS."""
    restart: ClassVar[str] = "temporary"
    frame_handler: ClassVar[str] = "handle"
    deniable_late: ClassVar[bool] = True
    _passing: ClassVar[bool] = True
    _special: ClassVar[dict[str, dict[str, str]]] = _SPECIAL

    # No value here: what a class does not set is the tree's option of that name.
    answer_seconds: ClassVar[float | None]
    """How long a response may not be begun, in seconds, from the last part of the body on."""

    def __init_subclass__(cls, *, runtime: bool = False, **options: Any) -> None:
        super().__init_subclass__(runtime=runtime, **options)
        has_chunk, has_handle = (getattr(cls, name, None) for name in ("chunk", "handle"))
        if has_chunk and has_handle:
            raise TypeError(
                f"{cls.__qualname__} defines handle() and chunk(): the body comes as a whole or in"
                " parts. Keep one."
            )
        cls.frame_handler = "chunk" if has_chunk else "handle"

    @classmethod
    def refuse_unservable(cls) -> None:
        """
        Refuse a class that would never answer.

        Raises:
            TypeError: It has no handler of a request.
        """
        if not {"connect", "handle", "chunk"} & cls.handler_table().special.keys():
            raise TypeError(
                f"{cls.__qualname__} defines neither handle() nor chunk() nor connect(), so nothing"
                " would answer a request. Write def handle(self, body)."
            )

    def start(
        self, status: int = 200, headers: Headers = (), *, trailers: bool = False
    ) -> Awaitable[None]:
        """
        Begin a response whose body is sent in parts, at the call.

        Args:
            status: 200 to 599.
            headers: Of the response, content-type and all; without a content-length its end is
                marked by the protocol.
            trailers: Whether :meth:`finish` will have some. Where the server has none
                (HTTP/1.1), they are left out, as any proxy may do.

        A HEAD request is answered by this: who sends a body behind it is told `Disconnected`,
        which ends the handler. Awaiting it is no checkpoint.

        Raises:
            Disconnected: The client has gone, or was answered.
            RuntimeError: The response was begun before.
            ValueError: A status or header that can't be sent.
            Stale: This incarnation is over.
        """
        life = self._acting()
        refuse_bad_status(status)
        response = response_of(self)
        response.start(status, with_session(response, header_list(headers)), trailers=trailers)
        life.answered()
        if response.bodyless:
            response.finish(b"", ())
            self._answered(life)
        return self._answer(DONE)

    def send(self, text: str | None = None, bytes: bytes | None = None) -> Awaitable[None]:
        """
        Send a part of the body, a str in UTF-8 or bytes, at the call and in order.

        On trio the awaitable waits for room when much output waits already, and is a
        checkpoint only then; in a worker thread the call itself waits. A client that makes no
        room in time is dropped. A cancellation while it waits leaves the part sent.

        Raises:
            Disconnected: The client has gone, or the response was finished.
            RuntimeError: It was not begun: call :meth:`start` first. Or it is longer than the
                content-length that was given with it.
            TypeError: Not exactly one of *text* and *bytes* was given.
            Stale: This incarnation is over.
        """
        life = self._acting()
        response = response_of(self)
        if response.send_part(part_of(text, bytes)):
            return self._answer(room_of(response, here=life.host.loop.is_here()))
        return self._answer(DONE)

    def finish(self, data: str | bytes = b"", *, trailers: Headers = ()) -> Awaitable[None]:
        """
        End the response behind what was sent, and *data*, at the call.

        The slot ends when the running handler does. Awaiting it is no checkpoint.

        Args:
            data: The last part of the body.
            trailers: If :meth:`start` was told that there will be some.

        Raises:
            Disconnected: The client has gone, or the response was finished.
            RuntimeError: It was not begun, or not with trailers, or it is not as long as the
                content-length that was given with it.
            Stale: This incarnation is over.
        """
        life = self._acting()
        last = data.encode() if isinstance(data, str) else part_of(None, data)
        response_of(self).finish(last, header_list(trailers))
        self._answered(life)
        return self._answer(DONE)


def part_of(text: object, data: object) -> bytes:
    """
    Return the bytes of exactly one of *text* and *data*.

    Raises:
        TypeError: None or both were given, or one of another type.
    """
    if text is not None and data is None:
        if not isinstance(text, str):
            raise TypeError(f"text must be a str. Got: {type(text).__name__}")
        return text.encode()
    if data is not None and text is None:
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"bytes must be bytes-like. Got: {type(data).__name__}")
        return bytes(cast("bytes", data))
    raise TypeError(
        "send needs exactly one of text=... and bytes=.... Got: "
        + ("both" if text is not None else "neither")
    )
