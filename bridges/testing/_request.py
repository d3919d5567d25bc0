# The client's end of one HTTP request, whose body and response go by in parts.

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import trio

from ...actors._lowlevel import checkpoint
from ._errors import NothingCame, ResponseCut, StreamEnded
from ._rules import HttpRules, settled
from ._scopes import must_be_bytes
from ._slot_side import Server, SlotSide, must_be_on_trio

QUEUE = 10  # events of a body that wait for the application, as in hypercorn
_SOCKET_BYTES = 65536  # what a client's socket takes before it stops one that sends


class RequestDriver(SlotSide):
    """The client's end of one request; made by :meth:`ServerDriver.request`."""

    def __init__(self, server: Server, scope: dict[str, Any]) -> None:
        super().__init__(server, scope)
        self.status = 0
        """Of the response; 0 as long as it was not begun."""
        self.headers: list[tuple[bytes, bytes]] = []
        """Those of the response."""
        self.trailers: list[tuple[bytes, bytes]] = []
        """Those of the response; they are there with its end."""
        self.complete = False
        """Whether the application has ended the response, as a whole one."""
        self.application_done = trio.Event()
        self._into, self._queue = trio.open_memory_channel[dict[str, Any]](QUEUE)
        self._waiting: deque[dict[str, Any]] = deque()
        self._fed = trio.Event()
        self._parts: deque[bytes] = deque()
        self._rules = HttpRules()
        self._gone = False
        self._reading, self._unread = True, 0
        self._room = trio.Event()

    # -- the client ------------------------------------------------------------------------

    @property
    def unsent(self) -> int:
        """How many parts of the body wait for the application, which takes no more of them now."""
        return len(self._waiting)

    def send_part(self, data: bytes, *, last: bool = False) -> None:
        """
        Send a part of the body; returns at once, in order with all that is sent.

        Raises:
            TypeError: *data* is no bytes.
        """
        must_be_bytes(data)
        self._put({"type": "http.request", "body": data, "more_body": not last})

    def leave(self) -> None:
        """End the connection as a client does; again is no different."""
        if not self._gone:
            self._gone = True
            self._room.set()
            self._waiting.clear()
            self._put({"type": "http.disconnect"})

    async def begun(self, timeout: float = 5.0) -> int:
        """
        Wait for the head of the response; return its status. Always a checkpoint.

        Raises:
            ResponseCut: The application returned without one.
            NothingCame: None came within *timeout* seconds.
        """
        __tracebackhide__ = True
        return await self._until(lambda: self.status or None, timeout, "the head of a response")

    async def no_answer(self, seconds: float = 0.1) -> None:
        """
        Wait *seconds*, in which no response may begin. Always a checkpoint.

        Raises:
            AssertionError: One did.
            ResponseCut: The application returned without one.
        """
        try:
            status = await self.begun(seconds)
        except NothingCame:
            return
        raise AssertionError(f"a response was begun, with {status}")

    async def receive(self, timeout: float = 5.0) -> bytes:
        """
        Return the next part of the response's body. Always a checkpoint.

        Raises:
            StreamEnded: There is none any more: the response is whole.
            ResponseCut: There is none any more: the application left it unfinished.
            NothingCame: None came within *timeout* seconds.
        """
        __tracebackhide__ = True
        return await self._until(self._look_for_part, timeout, "a part of the response")

    async def read(self, timeout: float = 5.0) -> bytes:
        """
        Return all of the response's body that was not received yet. Always a checkpoint.

        Raises:
            ResponseCut: The application left it unfinished.
            NothingCame: Nothing came for *timeout* seconds.
        """
        __tracebackhide__ = True
        parts: list[bytes] = []
        while True:
            try:
                parts.append(await self.receive(timeout))
            except StreamEnded:
                return b"".join(parts)

    def pause_reading(self) -> None:
        """
        Read no more, as a client whose machine sleeps: 64 KiB fill its socket, then `send` waits.

        What the application sent before is still there. `receive` returns what fits.
        """
        self._reading = False

    def resume_reading(self) -> None:
        """Read again, all that has gathered first."""
        self._reading, self._unread = True, 0
        self._room.set()

    # -- the server's part -----------------------------------------------------------------

    async def run(self, application: Callable[..., Any]) -> None:
        """Run the application for this request; started by :meth:`ServerDriver.request`."""
        trailers = "http.response.trailers" in self.scope["extensions"]
        self._rules = HttpRules(self.scope["method"], trailers=trailers)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._feed)
                await application(self.scope, self._queue.receive, self._take)
                nursery.cancel_scope.cancel()
        finally:
            self.application_done.set()
            self._ring()

    def _put(self, event: dict[str, Any]) -> None:
        must_be_on_trio()
        self._waiting.append(event)
        self._fed.set()

    async def _feed(self) -> None:
        while True:
            while self._waiting:
                event = self._waiting[0]
                await self._into.send(event)
                if self._waiting and self._waiting[0] is event:  # else the client has left
                    self._waiting.popleft()
            self._fed = trio.Event()
            await self._fed.wait()

    async def _take(self, event: Mapping[str, Any]) -> None:
        await checkpoint()
        if self._gone and not self.complete:
            return
        event = settled(event)
        self._rules.take(event)
        if event["type"] == "http.response.start":
            self.status, self.headers = event["status"], list(event.get("headers", ()))
            if self._found is None:
                self._look_for_slot()  # now: it may be gone when a test asks
        elif event["type"] == "http.response.trailers":
            self.trailers = list(event["headers"])
        else:
            await self._take_part(event.get("body", b""))
        if self._rules.state == "the end" and not self.complete:
            self.complete = True
            self._ring()
            # As hypercorn does it: into the queue of the body, inside of this very `send`.
            if not self._gone:
                self._gone = True
                await self._into.send({"type": "http.disconnect"})
        self._ring()

    async def _take_part(self, body: bytes) -> None:
        if self._rules.bodiless or not body:
            return
        while not self._reading and self._unread >= _SOCKET_BYTES and not self._gone:
            self._room = trio.Event()
            await self._room.wait()
        if not self._reading:
            self._unread += len(body)
        self._parts.append(body)

    def _ring(self) -> None:
        self._server.journal.ring()

    async def _until(self, look: Callable[[], Any], timeout: float, wanted: str) -> Any:
        __tracebackhide__ = True

        def found() -> Any:
            result = look()
            if result is None and self.application_done.is_set() and not self.complete:
                raise ResponseCut from self._server.journal.last_error
            return result

        result = await self._server.journal.until(found, timeout, wanted, self._so_far)
        await checkpoint()
        return result

    def _look_for_part(self) -> bytes | None:
        if self._parts:
            return self._parts.popleft()
        if self.complete:
            raise StreamEnded
        return None

    def _so_far(self) -> str:
        begun = f"The response was begun with {self.status}." if self.status else ""
        return begun or "The response was not begun."
