# The client's end of one WebSocket, and the slot at the other end.

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, cast

import trio

from ...actors._lowlevel import checkpoint
from ._errors import HandshakeRefused, NothingCame, ProtocolViolation, SocketClosed
from ._rules import WebsocketRules, settled
from ._slot_side import Server, SlotSide, must_be_on_trio

_SHOWN = 20  # messages in the text of a test that fails
_SOCKET_BYTES = 65536  # what a peer's socket takes before it stops one that sends


class WebsocketDriver(SlotSide):
    """The client's end of one WebSocket."""

    def __init__(self, server: Server, scope: dict[str, Any]) -> None:
        super().__init__(server, scope)
        self.subprotocol: str | None = None
        self.response_headers: list[tuple[bytes, bytes]] = []
        self.application_done = trio.Event()
        self._to_app_send, self._to_app = trio.open_memory_channel[dict[str, Any]](10)
        self._waiting: deque[dict[str, Any]] = deque([{"type": "websocket.connect"}])
        self._from_app: deque[Mapping[str, Any]] = deque()
        self._gone = False
        self._told = False  # the application, that the peer is gone
        self._rules = WebsocketRules(self.scope.get("subprotocols", ()))
        self._received: deque[object] = deque(maxlen=_SHOWN)
        self._reading = True
        self._unread = 0  # bytes that came since the peer has stopped reading
        self._room = trio.Event()

    # -- the peer -------------------------------------------------------------------------

    async def handshake(self, timeout: float = 5.0) -> None:
        """
        Wait for the answer to the handshake. A checkpoint.

        Raises:
            HandshakeRefused: The application did not accept.
            NothingCame: It has not answered within *timeout* seconds.
        """
        __tracebackhide__ = True
        try:
            event = await self._next(timeout, "an answer to the handshake")
            denies = event["type"] == "websocket.http.response.start"
            body = await self._denial(timeout) if denies else b""
        except SocketClosed as closed:  # it returned: a server says that something went wrong
            self._server.journal.refuse()
            raise HandshakeRefused(500, b"", []) from closed.__cause__
        if event["type"] == "websocket.accept":
            self.subprotocol = event.get("subprotocol")
            self.response_headers = list(event.get("headers", ()))
            self._look_for_slot()  # now: it may be gone when a test asks
            return
        if denies:
            headers = list(event.get("headers", ()))
            if event["status"] >= 500:
                self._server.journal.refuse()
            raise HandshakeRefused(event["status"], body, headers) from self._cause
        raise HandshakeRefused(403, b"", []) from self._cause

    async def _denial(self, timeout: float) -> bytes:
        body, more = b"", True
        while more:
            event = await self._next(timeout, "the body of the refusal")
            body, more = body + event.get("body", b""), event.get("more_body", False)
        return body

    def send_text(self, text: str) -> None:
        """
        Send a text message; returns at once, in order with all that is sent.

        Raises:
            TypeError: *text* is no str.
        """
        if not isinstance(cast("object", text), str):
            raise TypeError(f"a text message is a str, JSON a json.dumps(...). Got: {text!r:.80}")
        self._put({"type": "websocket.receive", "text": text, "bytes": None})

    def send_bytes(self, data: bytes) -> None:
        """
        Send a binary message; returns at once, in order with all that is sent.

        Raises:
            TypeError: *data* is no bytes.
        """
        if not isinstance(cast("object", data), bytes):
            raise TypeError(f"a binary message is bytes. Got: {data!r:.80}")
        self._put({"type": "websocket.receive", "text": None, "bytes": data})

    def disconnect(self, code: int = 1000, reason: str = "") -> None:
        """End the connection as a client does; again is no different."""
        if not self._gone:
            self._gone = True
            self._room.set()
            self._put({"type": "websocket.disconnect", "code": code, "reason": reason})

    async def receive(self, timeout: float = 5.0) -> str | bytes:
        """
        Return the next message. Always a checkpoint.

        Raises:
            SocketClosed: The application closed the socket instead.
            NothingCame: Nothing did within *timeout* seconds. The text says what came before, and
                which handlers run, and where they wait.
        """
        __tracebackhide__ = True
        event = await self._next(timeout, "a message")
        if event["type"] == "websocket.close":
            code, reason = event.get("code", 1000), event.get("reason") or ""
            if code == 1011:
                self._server.journal.refuse()
            raise SocketClosed(code, reason) from (self._cause if code == 1011 else None)
        text = event.get("text")
        message = cast("str | bytes", text if text is not None else event.get("bytes"))
        self._received.append(message)
        return message

    async def receive_nothing(self, seconds: float = 0.1) -> None:
        """
        Wait *seconds*, in which no message may come. Always a checkpoint.

        Raises:
            AssertionError: One came; it is lost.
        """
        try:
            message = await self.receive(seconds)
        except NothingCame:
            return
        raise AssertionError(f"a message came: {message!r}")

    async def receive_text(self, timeout: float = 5.0) -> str:
        """Do what :meth:`receive` does; a binary message fails the test."""
        __tracebackhide__ = True
        message = await self.receive(timeout)
        assert isinstance(message, str), f"a binary message came: {message!r}"
        return message

    async def closed(self, timeout: float = 5.0) -> SocketClosed:
        """
        Skip what still comes and return how the application closed the socket.

        Always a checkpoint.

        Raises:
            NothingCame: Nothing did for *timeout* seconds.
        """
        __tracebackhide__ = True
        while True:
            try:
                await self.receive(timeout)
            except SocketClosed as closed:
                return closed

    def pause_reading(self) -> None:
        """
        Read no more, as a peer whose machine sleeps: 64 KiB fill its socket, then `send` waits.

        What the application sent before is still there. `receive` returns what fits.
        """
        self._reading = False

    def resume_reading(self) -> None:
        """Read again, all that has gathered first."""
        self._reading, self._unread = True, 0
        self._room.set()

    # -- the server's part -----------------------------------------------------------------

    async def run(self, application: Callable[..., Any]) -> None:
        """Run the application for this socket; started by :meth:`ServerDriver.dial`."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._feed)
                await application(self.scope, self._receive, self._take)
                nursery.cancel_scope.cancel()
        finally:
            self.application_done.set()
            self._ring()

    def _ring(self) -> None:
        self._server.journal.ring()

    async def _feed(self) -> None:
        while True:
            while self._waiting:
                await self._to_app_send.send(self._waiting[0])
                self._waiting.popleft()
            self._fed = trio.Event()
            await self._fed.wait()

    def _put(self, event: dict[str, Any]) -> None:
        must_be_on_trio()
        self._waiting.append(event)
        fed = getattr(self, "_fed", None)
        if fed is not None:
            fed.set()

    async def _receive(self) -> dict[str, Any]:
        if self._told:
            await checkpoint()
            raise ProtocolViolation(
                "the application called receive() behind websocket.disconnect: nothing comes there"
            )
        event = await self._to_app.receive()
        self._told = event["type"] == "websocket.disconnect"
        return event

    async def _take(self, event: Mapping[str, Any]) -> None:
        await checkpoint()
        if self._gone:
            return
        event = settled(event)
        self._rules.take(event)
        if not self._reading and event["type"] == "websocket.send":
            await self._until_room(event)
        self._from_app.append(event)
        self._ring()

    async def _until_room(self, event: Mapping[str, Any]) -> None:
        while not self._reading and self._unread >= _SOCKET_BYTES and not self._gone:
            self._room = trio.Event()
            await self._room.wait()
        self._unread += len(event.get("text") or event.get("bytes") or b"")

    @property
    def _cause(self) -> BaseException | None:
        return self._server.journal.cause(self._found.path if self._found is not None else "")

    async def _next(self, timeout: float, wanted: str) -> Mapping[str, Any]:
        __tracebackhide__ = True
        event = await self._server.journal.until(self._look, timeout, wanted, self._so_far)
        if event["type"] == "websocket.close":
            self.disconnect(event.get("code", 1000), event.get("reason") or "")
        return event

    def _look(self) -> Mapping[str, Any] | None:
        if self._from_app:
            return self._from_app.popleft()
        if self.application_done.is_set():
            raise SocketClosed(1006, "the application returned without a close") from self._cause
        return None

    def _so_far(self) -> str:
        messages = ", ".join(f"{each!r:.80}" for each in self._received)
        return f"Received before: {messages or 'nothing'}."
