# Everything that goes out on one WebSocket, in one order: accept, frames, close.
#
# The state machine of the handshake and the bounded queue in one place, because what
# a send may do depends on both. Synchronous, callable from any thread under one lock;
# the writer (_websocket.py) is the only one that takes.
#
# Invariants, each with a test of that name in tests/bridges/asgi/test_output.py:
#   ORDER     what was appended first goes out first, whoever appended it.
#   BOUNDED   above the high water senders wait; above the limit the peer is dropped,
#             and so above a number of frames: empty ones take memory as well.
#             A single frame larger than the limit goes out if nothing else waits.
#   LAST      behind a close or a denial nothing is appended.

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any

from ...actors import Disconnected
from ...actors._lowlevel import LoopThread, Parker
from ...actors._mailbox import wake_from_thread
from ...actors._messages import OPENING, Opening
from ...actors.consumers import Frame
from ..websocket._close import is_code
from ._denial import check_denial, denial_events
from ._gate import identity_of
from ._room import Room

Event = dict[str, Any]

_SLOW = 1013
_FRAMES_HIGH = 1024  # senders wait above it, however small their frames are
_FRAMES_LIMIT = 16384  # the peer is dropped above it; what so many of 64 bytes amount to
_NAME = re.compile(rb"[-!#$%&'*+.^_`|~0-9a-zA-Z]+")
_VALUE = re.compile(rb"(?:[^\x00\s]+(?:[ \t]+[^\x00\s]+)*)?")


class State(Enum):
    """Where the connection stands, as far as output goes."""

    CONNECTING = "connecting"
    OPEN = "open"
    CLOSING = "closing"
    OVER = "over"


OVER = (State.CLOSING, State.OVER)
"""Where nothing can be sent any more."""


class WebsocketOutput(Room):
    """
    The output of one WebSocket; what its consumer knows as its connection.

    Args:
        scope: The ASGI scope.
        loop: The loop that the writer runs on.
        high_water_bytes: Above it senders are asked to wait.
        limit_bytes: Above it the peer is dropped.
        stall_seconds: How long senders wait for room before it is dropped, too.
        on_slow: Called, from any thread, when the peer was dropped for that.
    """

    __slots__ = (
        "_bytes", "_bytes_out", "_frames_out", "_high_water", "_limit", "_on_slow", "_queue",
        "_reason", "code", "denied", "opened", "parker", "path", "scope", "state", "subprotocol",
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
    ) -> None:
        super().__init__(loop, stall_seconds)
        self.scope = scope
        self.path = ""
        self.parker = Parker()
        self.state = State.CONNECTING
        self.opened = False
        """Whether the handshake was accepted, however the socket stands now."""
        self.denied = 0
        """The status that the handshake was refused with; 0 if a handler named none."""
        self.subprotocol: str | None = None
        """What was agreed on when it was accepted."""
        self.code: int | None = None
        """The close code: ours or the peer's, whichever came first."""
        self._high_water = high_water_bytes
        self._limit = limit_bytes
        self._on_slow = on_slow
        self._queue: deque[tuple[Event, int]] | None = None  # until it is needed
        self._bytes = self._bytes_out = self._frames_out = 0
        self._reason = ""

    # -- for consumers (actors/_ports.py: Connection) ---------------------------------

    @property
    def opening(self) -> Opening:
        """What ``connect`` is given."""
        return OPENING

    @property
    def over(self) -> bool:
        """Whether nothing can be sent any more."""
        return self.state in OVER

    @property
    def reason(self) -> str:
        """The close's reason: ours or the peer's, whichever came first."""
        return self._reason

    @property
    def decided(self) -> bool:
        """Whether the handshake was accepted or refused."""
        return self.state is not State.CONNECTING

    @property
    def full(self) -> bool:
        """Whether more waits than a sender should add to."""
        return self._size > self._high_water or self._count > _FRAMES_HIGH

    def accept(self, subprotocol: str | None, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Accept the handshake."""
        offered = self.scope.get("subprotocols", ())
        if subprotocol is not None and subprotocol not in offered:
            raise ValueError(
                f"subprotocol must be one that the client offered: {list(offered)}."
                f" Got: {subprotocol!r}"
            )
        event: Event = {"type": "websocket.accept", "subprotocol": subprotocol}
        event["headers"] = [checked(name, value) for name, value in headers]
        with self._lock:
            self._refuse_if_over()
            if self.state is State.OPEN:
                raise RuntimeError("accept() was called before: a socket is accepted once")
            self._put(event)  # first: it may refuse a header
            self.state = State.OPEN
            self.opened = True
            self.subprotocol = subprotocol
        self._wake()

    def send_text(self, text: str) -> bool:
        """Append a text frame; whether the output is full now."""
        return self.send(Frame.of_text(text))

    def send(self, frame: Frame) -> bool:
        """Append *frame*; whether the output is full now."""
        size = frame.size
        slow = 0
        with self._lock:
            if self.state is not State.OPEN:
                self._refuse_if_over()
                raise RuntimeError("send() before accept(): the socket is not open yet")
            waiting = self._size
            too_much = waiting and waiting + size > self._limit
            if too_much or self._count >= _FRAMES_LIMIT:
                slow = max(waiting, 1)
                self._end(_SLOW, "reads too slowly")
            else:
                self._put_frame(frame)
        self._wake()
        if slow:
            self.tell_waiters()
            self._on_slow(slow)
            raise Disconnected(self.path, _SLOW, "reads too slowly")
        return self.full

    def give_up(self) -> None:
        """Drop the peer, which has made no room for `stall_seconds`, unless it has by now."""
        with self._lock:
            if self.over or not self.full:
                return
            slow = max(self._size, 1)
            self._end(_SLOW, "reads too slowly")
        self._wake()
        self.tell_waiters()
        self._on_slow(slow)

    def close(self, code: int, reason: str) -> bool:
        """Append the close, or a denial with 403 before accept; False when it was over."""
        with self._lock:
            if self.over:
                return False
            event: Event = {"type": "websocket.close"}
            if self.state is State.OPEN:
                # What another socket's end may be called need not be what a frame may hold.
                event |= {"code": code if is_code(code) else 1000, "reason": reason}
            self._finish(code, reason, [event])
        self._wake()
        self.tell_waiters()  # a handler that waits for room must not outlive the socket
        return True

    def refuse(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bool:
        """Refuse the handshake with an HTTP response; False when the connection was over."""
        check_denial(status, headers, body)
        events = denial_events(self.scope, status, [checked(*each) for each in headers], body)
        with self._lock:
            if self.over:
                return False
            if self.state is State.OPEN:
                raise RuntimeError("deny() behind accept(): the socket is open, so close() it")
            self.denied = status
            self._finish(1000, "", events)
        self._wake()
        return True

    def fail(self) -> None:
        """Say that opening has failed: a denial with 500, or a close with 1011."""
        if self.state is State.OPEN:
            self.close(1011, "")
        else:
            self.deny(500, "The server failed to open this connection.\n")

    def facts(self) -> Mapping[str, object]:
        """Details for the tree."""
        client: Sequence[object] = self.scope.get("client") or ()
        facts: dict[str, object] = {
            "socket": self.state.value,
            "url": self.scope.get("path", ""),
            "client": ":".join(str(part) for part in client),
            "output_bytes": self._size,
        }
        if (identity := identity_of(self.scope)) is not None:
            facts |= identity.facts()
        if self.code is not None:
            facts["close_code"] = self.code
        return facts

    def traffic(self) -> Mapping[str, object]:
        """What it is, and what was sent."""
        return {
            "transport": "WebSocket over ASGI",
            "subprotocol": self.subprotocol,
            "frames_out": self._frames_out,
            "bytes_out": self._bytes_out,
            "output_bytes": self._size,
        }

    # -- for the server's side -----------------------------------------------------------

    def deny(self, status: int, text: str, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """Refuse the handshake with an HTTP response, with 403 where the server has none."""
        with self._lock:
            if self.decided:
                return
            self.denied = status
            self._finish(1000, "", denial(self.scope, status, text, headers))
        self._wake()

    def peer_ended(self, code: int, reason: str) -> bool:
        """Take note that the peer is gone; False when the connection was over before."""
        with self._lock:
            news = not self.over
            if self.code is None:
                self.code, self._reason = code, reason
            self.state = State.OVER
            self._throw_away()
        self._wake()
        self.tell_waiters()
        return news

    def take(self) -> tuple[Event, int] | None:
        """Return the next event and its size; None when there is none. Writer only."""
        with self._lock:
            return self._queue.popleft() if self._queue else None

    def sent(self, size: int) -> None:
        """Take note that an event of *size* went out. Writer only."""
        with self._lock:
            self._bytes = max(0, self._bytes - size)
            room = not self.full
        if room and self._waiters:
            self.tell_waiters()

    # -- the queue: what another way to the socket replaces (_direct_output.py) --------------

    @property
    def _size(self) -> int:
        """Bytes that wait."""
        return self._bytes

    @property
    def _count(self) -> int:
        """Events that wait."""
        return len(self._queue or ())

    def _put(self, event: Event) -> None:
        """Append what is no frame. Under the lock."""
        self._append(event, 0)

    def _put_frame(self, frame: Frame) -> None:
        """Append *frame*. Under the lock."""
        self._bytes += frame.size
        self._frames_out += 1
        self._bytes_out += frame.size
        self._append(frame.asgi(), frame.size)

    def _throw_away(self) -> None:
        """Forget what waits. Under the lock."""
        self._queue = None
        self._bytes = 0

    def _append(self, event: Event, size: int) -> None:
        if self._queue is None:
            self._queue = deque()
        self._queue.append((event, size))

    # -- inside ------------------------------------------------------------------------------

    def _finish(self, code: int, reason: str, events: list[Event]) -> None:
        self.state = State.CLOSING
        self.code, self._reason = code, reason
        for event in events:
            self._put(event)

    def _end(self, code: int, reason: str) -> None:
        self._throw_away()
        self._finish(code, reason, [{"type": "websocket.close", "code": code, "reason": reason}])

    def _refuse_if_over(self) -> None:
        if self.over:
            raise Disconnected(self.path, self.code or 1006, self._reason)

    def _wake(self) -> None:
        if self._loop.is_here():
            self.parker.wake()
        else:
            wake_from_thread(self._loop, self.parker)


def checked(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    # A server finds out when it sends: then the handler has returned, and the client waits.
    if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
        raise ValueError(f"no header of HTTP can be {name!r}: {value!r}")
    if name == b"sec-websocket-protocol":
        raise ValueError("the subprotocol is an argument of its own: accept(subprotocol=...)")
    return name, value


def denial(
    scope: Mapping[str, Any],
    status: int,
    text: str,
    headers: Sequence[tuple[bytes, bytes]] = (),
) -> list[Event]:
    """Return the events that refuse a handshake with *text*."""
    plain = (b"content-type", b"text/plain; charset=utf-8")
    return denial_events(scope, status, [plain, *headers], text.encode())
