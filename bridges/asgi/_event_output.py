# Everything that goes out on one event stream: a response whose parts are events.
#
# Invariants, each with a test of that name in tests/bridges/asgi/test_event_output.py:
#   NO HOLES    between what is replayed from a history and what its group sends behind that no
#               event is missing, and none comes twice: the stream is opened and the history
#               looked into under one lock, and what was replayed is known by its number.
#   CLEAN END   however the server ends it, the client sees a whole response, and is told to
#               come back after a time of its own, so that all of them do not come at once.

from collections.abc import Callable, Mapping
from typing import Any

import trio

from ...actors._lowlevel import LoopThread
from ...actors._messages import RequestOpening
from ...actors.consumers import EventHistory, Frame
from ...actors.consumers._event_codec import HEARTBEAT, encode_event
from ._http_output import Headers, HttpOutput, passes
from ._output import State, checked

_OWN = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx and others hold responses back otherwise
)
_LEAST_MILLISECONDS = 500
_CRASHED = 1011


class EventOutput(HttpOutput):
    """The output of one event stream; what its consumer knows as its connection."""

    __slots__ = (
        "_history", "_on_answered", "_random", "_reconnect_seconds", "_replayed", "_upto",
        "last_sent",
    )  # fmt: skip

    def __init__(
        self,
        scope: Mapping[str, Any],
        loop: LoopThread,
        *,
        opening: RequestOpening,
        history: EventHistory | None,
        random: Callable[[], float],
        reconnect_seconds: float,
        on_answered: Callable[[], object],
        **limits: Any,
    ) -> None:
        super().__init__(scope, loop, opening=opening, **limits)
        self._history = history
        self._random, self._reconnect_seconds = random, reconnect_seconds
        self._on_answered = on_answered
        self.last_sent: float = trio.current_time()
        """When something went out last, or should have, on trio's clock."""
        self._upto = 0  # the number of the last event that was replayed
        self._replayed = 0  # bytes of that, which wait yet: a client can't be slow before them

    # -- for consumers ---------------------------------------------------------------------

    @property
    def decided(self) -> bool:
        """Whether the stream was accepted or refused."""
        return self.begun or self.over

    def accept(self, subprotocol: str | None, headers: Headers) -> None:
        """Accept in the place of a class without ``connect``."""
        self.open_stream(headers, b"", self._history)
        if self.bodyless:
            self.finish(b"", ())
            self._on_answered()

    def open_stream(self, headers: Headers, first: bytes, history: EventHistory | None) -> None:
        """Append the head, *first*, and what *history* has for this client."""
        named = {name for name, _ in headers}
        listed = [own for own in _OWN if own[0] not in named]
        listed.extend(checked(name, value) for name, value in headers)
        with self._lock:
            self._refuse_if_begun()
            self._begin(200, listed)
            self._put_part(first)
            if history is not None:
                replay = history.since(self._opening.last_event_id)
                self._upto = replay.upto
                self._put_part(b"".join(replay.events))
                self._replayed = self._size
                self._limit += self._replayed
        self._wake()

    def send_text(self, text: str) -> bool:
        """Append an event of *text*; whether the output is full now."""
        return self.send_part(encode_event(text))

    def send(self, frame: Frame) -> bool:
        """Append what a group sends, as one event; whether the output is full now."""
        if self._history is not None and frame.data is not None:
            with self._lock:
                opened, upto = self.opened, self._upto
            if not opened:  # it is in the history already, and will be replayed
                raise RuntimeError("send() before accept(): the stream was not begun yet")
            number = self._history.number_of(frame.data)
            if number is not None and number <= upto:
                return False  # it was replayed
        return self.send_part(frame.event())

    def close(self, code: int, reason: str) -> bool:
        """End the stream for a slot that has ended; False when it was over."""
        with self._lock:
            if self.over:
                return False
            if not self.begun:
                return super().close(code, reason)
            comes_back = passes(code) or code == _CRASHED
            self._end_with(self._retry() if comes_back else b"")
            self.code, self._reason = code, reason
        self._wake()
        self.tell_waiters()
        return True

    def traffic(self) -> Mapping[str, object]:
        """What it is, and what was sent."""
        return {**super().traffic(), "transport": "event stream"}

    # -- for the server's side ---------------------------------------------------------------

    def sent(self, size: int) -> None:
        """Take note that an event of *size* went out. Writer only."""
        self.last_sent = trio.current_time()
        if self._replayed:
            with self._lock:
                less = min(size, self._replayed)
                self._replayed -= less
                self._limit -= less
        super().sent(size)

    def beat(self, now: float) -> None:
        """Append a comment, unless something waits or nothing can be sent. Loop thread only."""
        self.last_sent = now
        with self._lock:
            if self.state is not State.OPEN or self._count:
                return
            self._put_part(HEARTBEAT)
        self._wake()

    def _retry(self) -> bytes:
        milliseconds = self._random() * self._reconnect_seconds * 1000
        return encode_event(retry=_LEAST_MILLISECONDS + int(milliseconds))
