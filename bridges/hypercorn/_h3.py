# HTTP/3 of one connection: hypercorn's H3Protocol, where what clients do every day is no error.
#
# Imported where hypercorn has imported aioquic, and nowhere else.
#
# Invariants, each with a test of that name in tests/bridges/hypercorn/test_h3.py:
#   TAKEN BACK    a request that its client resets, or whose answer it stops, is told of its end;
#                 what its application sends afterwards reaches nobody.
#   ANSWERED      what comes behind the answer, or as trailers, is nothing to anybody.
#   CUT           an answer that its application leaves incomplete is reset, not left open.
#   NO SMUGGLING  a response's header that is more than one is refused.
#   AS HTTP/3     Django's Content-Type is sent as content-type, and nothing of HTTP/1's own is:
#                 clients end the connection for either.

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import QuicEvent, StopSendingReceived, StreamReset
from hypercorn.config import Config
from hypercorn.protocol.events import Event, InformationalResponse, Response, StreamClosed, Trailers
from hypercorn.protocol.h3 import H3Protocol
from hypercorn.typing import AppWrapper, ConnectionState, TaskGroup, WorkerContext

NO_ERROR, INTERNAL_ERROR, REQUEST_CANCELLED = 0x100, 0x102, 0x10C
"""H3_NO_ERROR, H3_INTERNAL_ERROR and H3_REQUEST_CANCELLED of RFC 9114."""

Headers = list[tuple[bytes, bytes]]

_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(rb"[^\r\n\0]*")

# RFC 9114, 4.2: must not be sent. hypercorn's own answers have one, and clients refuse them.
_OF_HTTP1 = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade")
)


class GuardedH3Protocol(H3Protocol):
    """hypercorn's HTTP/3 of one connection; hypercorn makes it."""

    def __init__(
        self,
        app: AppWrapper,
        config: Config,
        context: WorkerContext,
        task_group: TaskGroup,
        state: ConnectionState,
        client: tuple[str, int] | None,
        server: tuple[str, int] | None,
        quic: QuicConnection,
        send: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(app, config, context, task_group, state, client, server, quic, send)
        self.streams: dict[int, Any] = _Requests()
        self._quic = quic
        self._tasks: Any = task_group
        self._newest = -1
        self._taken_back = set[int]()  # above the newest; as many as may be open

    async def handle(self, quic_event: QuicEvent) -> None:
        """Do what *quic_event* asks for. A checkpoint if an application has to take it."""
        if isinstance(quic_event, (StopSendingReceived, StreamReset)):
            request = quic_event.stream_id % 4 == 0  # a stream that the client has begun, both ways
            if request and quic_event.stream_id > self._newest:
                self._taken_back.add(quic_event.stream_id)  # it may come before the request itself
            self._take_back(quic_event.stream_id)
        await super().handle(quic_event)

    async def stream_send(self, event: Event) -> None:
        """
        Send what a request's application says. A checkpoint if anything is sent.

        Raises:
            ValueError: A header is none, or more than one.
        """
        stream = self.streams.get(event.stream_id)
        if stream is None:
            return  # taken back, or over
        if isinstance(event, (Response, InformationalResponse, Trailers)):
            event = replace(event, headers=_checked(event.headers))
        try:
            await super().stream_send(event)
        except (AssertionError, RuntimeError, ValueError):  # so aioquic, when the peer has reset it
            self._take_back(event.stream_id)
            return
        if isinstance(event, StreamClosed) and not _is_complete(stream):
            self._quic.reset_stream(event.stream_id, INTERNAL_ERROR)
            await self.send()

    def end_requests(self) -> None:
        """Tell the requests under way that nobody waits for them. Not a checkpoint."""
        streams = list(self.streams.values())
        self.streams.clear()
        for stream in streams:
            self._tasks.spawn(_tell, stream)

    async def _create_stream(self, request: Any) -> None:
        if all(name != b":method" for name, _ in request.headers):
            return  # trailers
        self._newest = max(self._newest, request.stream_id)
        await super()._create_stream(request)
        if request.stream_id in self._taken_back:
            self._taken_back.discard(request.stream_id)
            self._take_back(request.stream_id)

    def _take_back(self, stream_id: int) -> None:
        stream = self.streams.pop(stream_id, None)
        if stream is not None:
            self._quic.reset_stream(stream_id, REQUEST_CANCELLED)
            self._tasks.spawn(_tell, stream)


class _Requests(dict[int, Any]):
    """The requests under way. One that is over takes what comes, and does nothing."""

    def __missing__(self, stream_id: int) -> "_Over":
        return _OVER


class _Over:
    async def handle(self, event: Event) -> None:
        """Do nothing. Not a checkpoint."""


_OVER = _Over()


async def _tell(stream: Any) -> None:
    await stream.handle(StreamClosed(stream_id=stream.stream_id))


def _is_complete(stream: object) -> bool:
    state = getattr(stream, "state", None)  # of one of two enumerations
    return getattr(state, "name", "CLOSED").endswith("CLOSED")


def _checked(headers: Headers) -> Headers:
    """Return *headers* as HTTP/3 has them: names in small letters, nothing of HTTP/1's own."""
    for name, value in headers:
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ValueError(f"a response's header must be one line. Got: {name!r}: {value!r}")
    lower = [(name.lower(), value) for name, value in headers]
    return [each for each in lower if each[0] not in _OF_HTTP1]
