# What a session's consumer knows as its connection (actors/_ports.py: Connection): the window,
# a lock around it, and who is told when there is something in it. Any thread.
#
# Invariants, each with a test of that name in tests/bridges/longpoll/test_output.py:
#   WAKES     whatever a poll waits for (a message, an end) wakes it, from any thread.
#   BOUNDED   above half of the window senders wait; beyond it the session ends with 1013, or the
#             oldest make room, as the class says.
#   LAST      behind a close nothing is appended; what was sent before can still be fetched.

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from typing import Any, NamedTuple

import trio

from ...actors import Disconnected
from ...actors._lowlevel import LoopThread
from ...actors._messages import OPENING, Opening
from ...actors.consumers import Frame
from ..asgi._denial import check_denial, refuse_own_headers
from ..asgi._gate import identity_of
from ..asgi._output import checked
from ..asgi._room import Room
from ._window import Unacknowledged, Window

SLOW = 1013
_SLOW_REASON = "polls too slowly"


class Denial(NamedTuple):
    """What the consumer wants a client to be answered that it does not take."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class State(Enum):
    """Where a session stands."""

    CONNECTING = "connecting"
    OPEN = "open"
    REFUSED = "refused"
    FAILED = "failed"
    CLOSED = "closed"


_OVER = (State.REFUSED, State.FAILED, State.CLOSED)


class LongPollOutput(Room):
    """
    The output of one session.

    Args:
        scope: The ASGI scope of the request that opened it.
        loop: The loop that polls wait on.
        window: Where messages wait.
        stall_seconds: How long a sender waits for room.
        on_news: Called on the loop's thread when a poll may have something to look at.
        on_slow: Called, from any thread, when the session ended because its window was full.
    """

    __slots__ = (
        "_on_news", "_on_slow", "_window", "code", "denial", "headers", "path", "polling",
        "reason", "scope", "state",
    )  # fmt: skip

    def __init__(
        self,
        scope: Mapping[str, Any],
        loop: LoopThread,
        window: Window,
        *,
        stall_seconds: float,
        on_news: Callable[[], object],
        on_slow: Callable[[int], object],
    ) -> None:
        super().__init__(loop, stall_seconds)
        self.scope = scope
        self.path = ""
        self.polling = False
        """Whether a poll waits."""
        self.state = State.CONNECTING
        self.headers: list[tuple[bytes, bytes]] = []
        """What the consumer added to the answer that opens the session."""
        self.denial: Denial | None = None
        """How the consumer has refused the session, if it said so itself."""
        self.code: int | None = None
        self.reason = ""
        self._window = window
        self._on_news, self._on_slow = on_news, on_slow

    # -- for consumers (actors/_ports.py: Connection) ---------------------------------

    @property
    def opening(self) -> Opening:
        """What ``connect`` is given."""
        return OPENING

    @property
    def over(self) -> bool:
        """Whether nothing can be sent any more."""
        return self.state in _OVER

    @property
    def decided(self) -> bool:
        """Whether the session was accepted or refused."""
        return self.state is not State.CONNECTING

    @property
    def full(self) -> bool:
        """Whether more waits than a sender should add to."""
        return self._window.half_full

    def accept(self, subprotocol: str | None, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Open the session; the answer has *headers* as well."""
        if subprotocol is not None:
            raise ValueError(f"a long-polling session has no subprotocol. Got: {subprotocol!r}")
        listed = [checked(name, value) for name, value in headers]
        refuse_own_headers(listed)  # sent with the server's own they would be no answer at all
        with self._lock:
            self._refuse_if_over()
            if self.state is State.OPEN:
                raise RuntimeError("accept() was called before: a session is accepted once")
            self.headers = listed
            self.state = State.OPEN
        self._tell()

    def refuse(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bool:
        """Refuse the session with an HTTP response; False when it was over."""
        check_denial(status, headers, body)
        denial = Denial(status, [checked(name, value) for name, value in headers], body)
        with self._lock:
            if self.over:
                return False
            if self.state is State.OPEN:
                raise RuntimeError("deny() behind accept(): the session is open, so close() it")
            self.denial = denial
            self._end(State.REFUSED, 1000, "", forget=True)
        self._tell()
        return True

    def send_text(self, text: str) -> bool:
        """Append a text message; whether the window is half full now."""
        return self.send(Frame.of_text(text))

    def send(self, frame: Frame) -> bool:
        """Append *frame*; whether the window is half full now."""
        with self._lock:
            if self.state is not State.OPEN:
                self._refuse_if_over()
                raise RuntimeError("send() before accept(): the session is not open yet")
            slow = 0 if self._window.append(frame) else max(self._window.bytes, 1)
            if slow:
                self._end(State.CLOSED, SLOW, _SLOW_REASON, forget=True)
        self._tell()
        if slow:
            self._slow(slow)
            raise Disconnected(self.path, SLOW, _SLOW_REASON)
        return self.full

    def give_up(self) -> None:
        """End the session, whose client has made no room, unless it has by now."""
        with self._lock:
            if self.over or not self.full:
                return
            slow = max(self._window.bytes, 1)
            self._end(State.CLOSED, SLOW, _SLOW_REASON, forget=True)
        self._tell()
        self._slow(slow)

    def _slow(self, size: int) -> None:
        self.tell_waiters()
        self._on_slow(size)

    def close(self, code: int, reason: str) -> bool:
        """End the session behind what was sent; False when it was over."""
        with self._lock:
            if self.over:
                return False
            refused = self.state is State.CONNECTING
            self._end(State.REFUSED if refused else State.CLOSED, code, reason, forget=refused)
        self._tell()
        self.tell_waiters()
        return True

    def fail(self) -> None:
        """Say that opening has failed."""
        with self._lock:
            if not self.over:
                self._end(State.FAILED, 1011, "", forget=True)
        self._tell()
        self.tell_waiters()

    def traffic(self) -> Mapping[str, object]:
        """What it is, and what was sent."""
        return {
            "transport": "long-polling",
            "state": self.state.value,  # among the facts a session of Django has its name
            "frames_out": self._window.last,
            "output_bytes": self._window.bytes,
        }

    def facts(self) -> Mapping[str, object]:
        """Details for the tree."""
        client: Sequence[object] = self.scope.get("client") or ()
        facts: dict[str, object] = {
            "session": self.state.value,
            "url": self.scope.get("path", ""),
            "client": ":".join(str(part) for part in client),
            "polling": self.polling,
            "sent": self._window.last,
            "window": len(self._window),
            "window_bytes": self._window.bytes,
        }
        if (identity := identity_of(self.scope)) is not None:
            facts |= identity.facts()
        if self._window.lost:
            facts["lost"] = self._window.lost
        if self.code is not None:
            facts["close_code"] = self.code
        return facts

    # -- for the session ------------------------------------------------------------------

    def acknowledge(self, number: int) -> None:
        """Forget what the client has seen; raises BadAcknowledgement as the window does."""
        with self._lock:
            self._window.acknowledge(number)
            room = not self._window.half_full
        if room and self._waiters:
            self.tell_waiters()

    def unacknowledged(self) -> Unacknowledged:
        """Return what a poll is answered with."""
        with self._lock:
            return self._window.unacknowledged()

    @property
    def has_news(self) -> bool:
        """Whether a poll is answered at once."""
        return self._window.has_news

    @property
    def window_bytes(self) -> int:
        """How many bytes wait to be acknowledged."""
        return self._window.bytes

    def peer_ended(self, code: int, reason: str) -> bool:
        """Take note that the client is gone; False when the session was over before."""
        with self._lock:
            if self.over:
                return False
            self._end(State.CLOSED, code, reason, forget=True)
        self._tell()
        self.tell_waiters()
        return True

    # -- inside ------------------------------------------------------------------------------

    def _end(self, state: State, code: int, reason: str, *, forget: bool) -> None:
        self.state, self.code, self.reason = state, code, reason
        if forget:
            self._window.clear()

    def _refuse_if_over(self) -> None:
        if self.over:
            raise Disconnected(self.path, self.code or 1006, self.reason)

    def _tell(self) -> None:
        if self._loop.is_here():
            self._on_news()
        else:
            with suppress(trio.RunFinishedError):  # then nobody polls any more
                self._loop.call_soon(self._on_news, idempotent=True)
