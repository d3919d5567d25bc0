# The client's end of one WebSocket, and the slot at the other end.

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, cast

import trio

from ...actors._lowlevel import checkpoint
from ...supervisor import Event, NodeSnapshot, Root
from ...supervisor._slot import Slot
from ._errors import HandshakeRefused, SocketClosed

MARK = "greenroom.testing"
"""The scope extension by which a driver finds the slot of its socket."""

_NEXT: dict[str, dict[str, str]] = {
    "websocket.accept": {"connecting": "open"},
    "websocket.http.response.start": {"connecting": "refusing"},
    "websocket.http.response.body": {"refusing": "refusing"},
    "websocket.send": {"open": "open"},
    "websocket.close": {"connecting": "closed", "open": "closed", "closed": "closed"},
}
"""Where each event of the application leads, from where hypercorn takes it."""


class Server(Protocol):
    """What a socket needs of the driver that dialled it."""

    @property
    def root(self) -> Root: ...
    def start_soon(self, function: Callable[..., Awaitable[object]], *args: object) -> None: ...


class WebsocketDriver:
    """The client's end of one WebSocket."""

    def __init__(self, server: Server, scope: dict[str, Any]) -> None:
        self.scope = scope
        self.mark = object()
        """In the scope's extensions: tells this socket's slot from others."""
        self.subprotocol: str | None = None
        self.response_headers: list[tuple[bytes, bytes]] = []
        self.application_done = trio.Event()
        self._server = server
        self._to_app_send, self._to_app = trio.open_memory_channel[dict[str, Any]](10)
        self._waiting: deque[dict[str, Any]] = deque([{"type": "websocket.connect"}])
        self._from_app: deque[Mapping[str, Any]] = deque()
        self._news = trio.Event()
        self._gone = False
        self._state = "connecting"
        self._found: Slot | None = None
        self._awaited = 0  # the epoch after the last crash(), until it was waited for

    # -- the peer -------------------------------------------------------------------------

    async def handshake(self) -> None:
        """
        Wait for the answer to the handshake. A checkpoint.

        Raises:
            HandshakeRefused: The application did not accept.
        """
        try:
            event = await self._next()
        except SocketClosed:  # it returned: a server says that something went wrong
            raise HandshakeRefused(500, b"", []) from None
        if event["type"] == "websocket.accept":
            self.subprotocol = event.get("subprotocol")
            self.response_headers = list(event.get("headers", ()))
            self._look_for_slot()  # now: it may be gone when a test asks
            return
        if event["type"] == "websocket.http.response.start":
            body = await self._next()
            raise HandshakeRefused(event["status"], body.get("body", b""), event["headers"])
        raise HandshakeRefused(403, b"", [])

    def send_text(self, text: str) -> None:
        """Send a text message; returns at once, in order with all that is sent."""
        self._put({"type": "websocket.receive", "text": text, "bytes": None})

    def send_bytes(self, data: bytes) -> None:
        """Send a binary message; returns at once, in order with all that is sent."""
        self._put({"type": "websocket.receive", "text": None, "bytes": data})

    def disconnect(self, code: int = 1000, reason: str = "") -> None:
        """End the connection as a client does; again is no different."""
        if not self._gone:
            self._gone = True
            self._put({"type": "websocket.disconnect", "code": code, "reason": reason})

    async def receive(self, timeout: float = 5.0) -> str | bytes:
        """
        Return the next message. Always a checkpoint.

        Raises:
            SocketClosed: The application closed the socket instead.
            trio.TooSlowError: Nothing came within *timeout* seconds.
        """
        with trio.fail_after(timeout):
            event = await self._next()
        if event["type"] == "websocket.close":
            raise SocketClosed(event.get("code", 1000), event.get("reason") or "")
        text = event.get("text")
        return cast("str | bytes", text if text is not None else event.get("bytes"))

    async def receive_text(self, timeout: float = 5.0) -> str:
        """Do what :meth:`receive` does; a binary message fails the test."""
        message = await self.receive(timeout)
        assert isinstance(message, str), f"a binary message came: {message!r}"
        return message

    async def closed(self, timeout: float = 5.0) -> SocketClosed:
        """
        Skip what still comes and return how the application closed the socket.

        Always a checkpoint.

        Raises:
            trio.TooSlowError: Nothing came for *timeout* seconds.
        """
        while True:
            try:
                await self.receive(timeout)
            except SocketClosed as closed:
                return closed

    # -- the slot ----------------------------------------------------------------------------

    @property
    def slot(self) -> NodeSnapshot:
        """The slot of this socket, as it is now."""
        return self._slot.snapshot()

    def crash(self, error: BaseException | None = None) -> None:
        """
        Have the running incarnation crash, as if a task of it had raised *error*.

        Where ``connect`` has not returned yet, as soon as it has: a crash before that
        would not be restarted.
        """
        error, slot = error or RuntimeError("crashed by a test"), self._slot
        self._awaited = slot.epoch + 1
        if slot.settled.is_set():
            slot.inject_crash(error)
        else:
            self._server.start_soon(self._crash_once_settled, slot, error)

    async def _crash_once_settled(self, slot: Slot, error: BaseException) -> None:
        await slot.settled.wait()
        slot.inject_crash(error)

    async def wait_restarted(self, epoch: int = 0, timeout: float = 30.0) -> NodeSnapshot:
        """
        Wait until incarnation *epoch* serves; by default the one after the crash.

        A checkpoint. Returns the slot's snapshot.

        Raises:
            LookupError: The slot has ended instead.
            trio.TooSlowError: Neither happened within *timeout* seconds.
        """
        wanted = epoch or self._awaited
        if not wanted:  # it crashed by itself, or will
            running = self._slot.state == "running"
            wanted = max(2, self._slot.epoch + running)
            crash = self._slot.last_crash
            if crash is not None and running:
                wanted = crash.epoch + 1
        self._awaited = 0
        news, path = trio.Event(), self._slot.path

        loop = self._server.root.loop

        def ring() -> None:
            news.set()

        def look(event: Event) -> None:
            if event.path == path:  # it may come from a worker thread
                ring() if loop.is_here() else loop.call_soon(ring)

        unsubscribe = self._server.root.events.subscribe(look)
        try:
            with trio.fail_after(timeout):
                while self._slot.epoch < wanted or self._slot.state != "running":
                    if self._slot.end is not None:
                        raise LookupError(f"{path} has ended ({self._slot.end}), not restarted")
                    await news.wait()
                    news = trio.Event()
        finally:
            unsubscribe()
        return self.slot

    @property
    def _slot(self) -> Slot:
        if self._found is None:
            self._look_for_slot()
        if self._found is None:
            raise LookupError("no slot of Greenroom's serves this socket")
        return self._found

    def _look_for_slot(self) -> None:
        for slot in self._server.root.connections.newest_first():  # as a rule it is that
            if not isinstance(slot, Slot) or slot.connection is None:
                continue
            extensions = cast("dict[str, object]", slot.connection.scope.get("extensions") or {})
            if extensions.get(MARK) is self.mark:
                self._found = slot
                return

    # -- the server's part -----------------------------------------------------------------

    async def run(self, application: Callable[..., Any]) -> None:
        """Run the application for this socket; started by :meth:`ServerDriver.dial`."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._feed)
                await application(self.scope, self._to_app.receive, self._take)
                nursery.cancel_scope.cancel()
        finally:
            self.application_done.set()
            self._news.set()

    async def _feed(self) -> None:
        while True:
            while self._waiting:
                await self._to_app_send.send(self._waiting[0])
                self._waiting.popleft()
            self._fed = trio.Event()
            await self._fed.wait()

    def _put(self, event: dict[str, Any]) -> None:
        self._waiting.append(event)
        fed = getattr(self, "_fed", None)
        if fed is not None:
            fed.set()

    async def _take(self, event: Mapping[str, Any]) -> None:
        await checkpoint()
        if not self._gone:
            self._state = self._after(event)
            self._from_app.append(event)
            self._news.set()

    def _after(self, event: Mapping[str, Any]) -> str:
        state = _NEXT.get(event["type"], {}).get(self._state)
        if state is None:
            raise RuntimeError(
                f"the application sent {event['type']!r} while the socket was {self._state}"
            )
        if event["type"] == "websocket.accept":
            chosen = event.get("subprotocol")
            if chosen is not None and chosen not in self.scope["subprotocols"]:
                raise RuntimeError(f"the application chose subprotocol {chosen!r}, not offered")
        return state

    async def _next(self) -> Mapping[str, Any]:
        while not self._from_app:
            if self.application_done.is_set():
                raise SocketClosed(1006, "the application returned without a close")
            await self._news.wait()
            self._news = trio.Event()
        await checkpoint()
        event = self._from_app.popleft()
        if event["type"] == "websocket.close":
            self.disconnect(event.get("code", 1000), event.get("reason") or "")
        return event
