# Everything that goes out as one HTTP response, in one order: head, parts of the body, end.
#
# The queue, its bounds and who waits for room are those of a WebSocket's output (_output.py);
# what differs is what an end means. A response is complete, or it is cut: then the application
# returns with it unfinished, and the server ends the connection (or the stream).
#
# Invariants, each with a test of that name in tests/bridges/asgi/test_http_output.py:
#   WHOLE OR CUT   what is not finished by its consumer never looks complete.
#   IN PIECES      a large body is handed to the server 64 KiB at a time, so that a client
#                  which reads slowly can be told from one which reads nothing.
#   DELIVERED      what was sent before a crash goes out before the cut.

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...actors import Disconnected
from ...actors._lowlevel import LoopThread
from ...actors._messages import Opening, RequestOpening
from ...actors.consumers import Frame
from ._denial import check_denial
from ._gate import identity_of
from ._output import Event, State, WebsocketOutput, checked

Headers = Sequence[tuple[bytes, bytes]]

PIECE_BYTES = 65536
ANSWERED = "answered"
_PARTS_LIMIT = 16384
_NO_BODY = (204, 304)
SLOW, _CRASHED = 1013, 1011


def _wrong_length(left: int, size: int) -> str:
    return (
        f"the body is not as long as its content-length says: {size} bytes come where {left} were"
        " left. Leave the header out, and the server finds it."
    )


def passes(code: int) -> bool:
    """Say whether what a slot has ended with will be over soon, so that it is worth coming back."""
    return code in (1001, 1012, 1013)


class HttpOutput(WebsocketOutput):
    """The output of one HTTP request; what its consumer knows as its connection."""

    __slots__ = (
        "_at", "_left", "_opening", "_trailers", "bodyless", "complete", "progress", "status",
    )  # fmt: skip

    def __init__(
        self,
        scope: Mapping[str, Any],
        loop: LoopThread,
        *,
        high_water_bytes: int,
        limit_bytes: int,
        stall_seconds: float,
        on_slow: Callable[[int], object],
        opening: RequestOpening | None = None,
    ) -> None:
        super().__init__(
            scope,
            loop,
            high_water_bytes=high_water_bytes,
            limit_bytes=limit_bytes,
            stall_seconds=stall_seconds,
            on_slow=on_slow,
        )
        self._opening = opening or RequestOpening(scope["method"], scope["path"])
        self._at = 0  # how much of the first of the queue was taken
        self._trailers = False
        self._left: int | None = None  # of the length that its head declares
        self.bodyless: bool = scope["method"] == "HEAD"
        """Whether the client is sent no body."""
        self.complete = False
        """Whether the whole response was handed over, if not taken yet."""
        self.progress: int = 0
        """How often something was taken by the server."""
        self.status = 0
        """Of the response; 0 as long as it was not begun."""

    # -- for consumers ---------------------------------------------------------------------

    @property
    def opening(self) -> Opening:
        """What ``connect`` is given."""
        return self._opening

    @property
    def decided(self) -> bool:
        """Always: nobody has to answer before ``connect`` returns."""
        return True

    @property
    def begun(self) -> bool:
        """Whether its head was handed over."""
        return self.status != 0

    def accept(self, subprotocol: str | None, headers: Headers) -> None:
        """Do nothing: a request needs no answer yet."""

    def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """Append a whole response."""
        listed = [checked(name, value) for name, value in headers]
        declared = self._declared(status, listed)
        if declared is not None and declared != len(body):
            raise ValueError(_wrong_length(declared, len(body)))
        with self._lock:
            self._refuse_if_begun()
            self._begin(status, listed)
            self._end_with(body)
        self._wake()
        self.tell_waiters()

    def refuse(self, status: int, headers: Headers, body: bytes) -> bool:
        """Answer as `Denied` says; False when the response was begun, or is over."""
        check_denial(status, headers, body)
        if self.over or self.begun:
            return False
        self.respond(status, headers, body)
        return True

    def start(self, status: int, headers: Headers, *, trailers: bool = False) -> None:
        """Append the head of a response whose body is sent in parts."""
        listed = [checked(name, value) for name, value in headers]
        declared = self._declared(status, listed)
        with self._lock:
            self._refuse_if_begun()
            self._trailers, self._left = trailers, declared
            self._begin(status, listed, trailers=trailers)
        self._wake()

    def send_text(self, text: str) -> bool:
        """Append *text* in UTF-8 to the body; whether the output is full now."""
        return self.send_part(text.encode())

    def send(self, frame: Frame) -> bool:
        """Append what a group sends to the body; whether the output is full now."""
        return self.send_part(frame.data if frame.data is not None else (frame.text or "").encode())

    def send_part(self, data: bytes) -> bool:
        """Append a part of the body; whether the output is full now."""
        slow = 0
        with self._lock:
            if self.state is not State.OPEN:
                self._refuse_if_over()
                raise RuntimeError("send() before start(): the response was not begun yet")
            self._count_off(len(data), last=False)
            waiting = self._size
            too_much = waiting and waiting + len(data) > self._limit
            if too_much or self._count >= _PARTS_LIMIT:
                slow = max(waiting, 1)
                self._end(SLOW, "reads too slowly")
            elif data:
                self._put_part(data)
        self._wake()
        if slow:
            self.tell_waiters()
            self._on_slow(slow)
            raise Disconnected(self.path, SLOW, "reads too slowly")
        return self.full

    def finish(self, data: bytes, trailers: Headers) -> None:
        """Append the end of the body, and *trailers* where the server has them."""
        listed = [checked(name, value) for name, value in trailers]
        with self._lock:
            if self.state is not State.OPEN:
                self._refuse_if_over()
                raise RuntimeError("finish() before start(): the response was not begun yet")
            if listed and not self._trailers:
                raise RuntimeError(
                    "trailers are announced with the head: start(..., trailers=True)"
                )
            self._count_off(len(data), last=True)
            self._end_with(data, listed)
        self._wake()
        self.tell_waiters()

    def close(self, code: int, reason: str) -> bool:
        """Answer for a slot that has ended: 500 or 503, or the cut; False when it was over."""
        with self._lock:
            if self.over:
                return False
            if self.begun:
                self._cut(code, reason)
            else:
                passing = passes(code)
                status, text = (503, "Shutting down\n") if passing else (500, "Server Error\n")
                self._refuse_with(status, text, ((b"retry-after", b"5"),) if passing else ())
                self.code, self._reason = code, reason
        self._wake()
        self.tell_waiters()
        return True

    def fail(self) -> None:
        """Say that ``connect`` has failed: 500, or the cut."""
        self.close(_CRASHED, "")

    def facts(self) -> Mapping[str, object]:
        """Details for the tree."""
        client: Sequence[object] = self.scope.get("client") or ()
        facts: dict[str, object] = {
            "response": self._shown(),
            "method": self.scope["method"],
            "url": self.scope.get("path", ""),
            "client": ":".join(str(part) for part in client),
            "output_bytes": self._size,
        }
        if (identity := identity_of(self.scope)) is not None:
            facts |= identity.facts()
        if self.status:
            facts["status"] = self.status
        return facts

    def traffic(self) -> Mapping[str, object]:
        """What it is, and what was sent."""
        return {**super().traffic(), "transport": "HTTP request"}

    # -- for the server's side ---------------------------------------------------------------

    def deny(self, status: int, text: str, headers: Headers = ()) -> None:
        """Answer in the consumer's place, unless a response was begun."""
        with self._lock:
            if self.over or self.begun:
                return
            self._refuse_with(status, text, headers)
            self._reason = text.strip()
        self._wake()
        self.tell_waiters()

    def take(self) -> tuple[Event, int] | None:
        """Return the next event and its size; None when there is none. Writer only."""
        with self._lock:
            if not self._queue:
                return None
            event, size = self._queue[0]
            if size - self._at <= PIECE_BYTES:
                self._queue.popleft()
                at, self._at = self._at, 0
                return (event | {"body": event["body"][at:]} if at else event), size - at
            at, self._at = self._at, self._at + PIECE_BYTES
            piece = event["body"][at : self._at]
            return {"type": event["type"], "body": piece, "more_body": True}, PIECE_BYTES

    def sent(self, size: int) -> None:
        """Take note that an event of *size* went out. Writer only."""
        self.progress += 1
        super().sent(size)

    # -- inside: a length that does not hold is told to who sends, not found by the client -------

    def _declared(self, status: int, headers: Headers) -> int | None:
        """Return the length of the body that *headers* declare, if one is to come."""
        values = [value for name, value in headers if name == b"content-length"]
        if not values or self.bodyless or status in _NO_BODY:
            return None
        if len(values) > 1 or not values[0].isdigit():
            raise ValueError(f"content-length is one whole number, given once. Got: {values!r}")
        return int(values[0])

    def _count_off(self, size: int, *, last: bool) -> None:
        """Hold *size* bytes more against the declared length. Under the lock."""
        if self._left is not None:
            if size > self._left or (last and size < self._left):
                raise RuntimeError(_wrong_length(self._left, size))
            self._left -= size

    # -- inside ----------------------------------------------------------------------------------

    def _begin(self, status: int, headers: list[tuple[bytes, bytes]], **more: object) -> None:
        event: Event = {"type": "http.response.start", "status": status, "headers": headers}
        if more.get("trailers") and self._has_trailers():
            event["trailers"] = True
        self._put(event)
        self.status = status
        self.state = State.OPEN
        self.opened = True

    def _put_part(self, data: bytes, *, more: bool = True) -> None:
        if self.bodyless:
            data = b""
        if data or not more:
            self._bytes += len(data)
            self._frames_out += 1
            self._bytes_out += len(data)
            event = {"type": "http.response.body", "body": data, "more_body": more}
            self._append(event, len(data))

    def _end_with(self, data: bytes, trailers: Headers = ()) -> None:
        self._put_part(data, more=False)
        if self._trailers and self._has_trailers():
            self._put({"type": "http.response.trailers", "headers": [*trailers]})
        self.complete = True
        self._finish(1000, ANSWERED, [])

    def _refuse_with(self, status: int, text: str, headers: Headers) -> None:
        body = b"" if status == 204 else text.encode()
        listed = [*headers]
        if status != 204:
            listed.append((b"content-type", b"text/plain; charset=utf-8"))
            listed.append((b"content-length", str(len(body)).encode()))
        self._begin(status, listed)
        self._end_with(body)

    def _cut(self, code: int, reason: str) -> None:
        """End it unfinished, behind what waits. Under the lock."""
        self._finish(code, reason, [])

    def _end(self, code: int, reason: str) -> None:
        """End it unfinished, without what waits. Under the lock."""
        self._throw_away()
        self._at = 0
        self._cut(code, reason)

    def _throw_away(self) -> None:
        super()._throw_away()
        self._at = 0

    def _has_trailers(self) -> bool:
        return "http.response.trailers" in (self.scope.get("extensions") or {})

    def _refuse_if_begun(self) -> None:
        by_itself = self.complete and self._reason == ANSWERED
        if self.begun and (by_itself or not self.over):
            raise RuntimeError("the response was begun before: a request is answered once")
        self._refuse_if_over()

    def _shown(self) -> str:
        if self.complete:
            return "complete"
        return {State.CONNECTING: "owed", State.OPEN: "begun"}.get(self.state, "cut")
