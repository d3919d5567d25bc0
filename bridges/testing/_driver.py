# Drive an ASGI application in process: no sockets, no server, a virtual clock if you like.
#
# As strict as hypercorn's trio worker where it matters: bounded input (10 events), a
# `send` after the end is ignored, the application's own errors are the test's errors.
# Slots are reached through the tree that the application made for its lifespan, so
# that a test can crash a consumer, and wait until it was restarted, by name.

import math
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast
from urllib.parse import unquote

import trio

from ...actors import GreenroomError
from ...actors._lowlevel import checkpoint
from ...supervisor import Event, NodeSnapshot, Root
from ...supervisor._slot import Slot
from ..asgi._app import STATE

Headers = Iterable[tuple[str, str]]

_MARK = "greenroom.testing"


class StartupFailed(GreenroomError):
    """The application answered ``lifespan.startup.failed``; its message is the text."""


class HandshakeRefused(GreenroomError):
    """
    The application refused the WebSocket.

    ``status`` is the HTTP status, 403 for a plain close; ``body`` and ``headers`` are
    those of the denial response.
    """

    def __init__(self, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        super().__init__(status, body, headers)
        self.status, self.body, self.headers = status, body, headers

    def __str__(self) -> str:
        return f"the handshake was refused with {self.status}: {self.body!r}"


class SocketClosed(GreenroomError):
    """The application closed the WebSocket with *code* and *reason*."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code, self.reason = code, reason

    def __str__(self) -> str:
        return f"the application closed the socket with {self.code} {self.reason!r}"


class ServerDriver:
    """A running application; made by :func:`serve`."""

    def __init__(self, application: Callable[..., Any], nursery: trio.Nursery) -> None:
        self.state: dict[str, Any] = {}
        self._application = application
        self._nursery = nursery

    @property
    def root(self) -> Root:
        """The tree that the application made for its lifespan."""
        return cast("Root", self.state[STATE])

    def start_soon(self, function: Callable[..., Awaitable[object]], *args: object) -> None:
        """Run ``function(*args)`` as a task that is cancelled when the driver ends."""
        self._nursery.start_soon(function, *args)

    @asynccontextmanager
    async def websocket(
        self,
        path: str,
        *,
        headers: Headers = (),
        subprotocols: Iterable[str] = (),
        timeout: float = 5.0,
    ) -> AsyncGenerator["WebsocketDriver"]:
        """
        Open a WebSocket to *path*, which may have a query string; close it at the end.

        Raises:
            HandshakeRefused: The application refused it.
            trio.TooSlowError: No answer to the handshake within *timeout* seconds.
        """
        driver = self.dial(path, headers=headers, subprotocols=subprotocols)
        with trio.fail_after(timeout):
            await driver.handshake()
        try:
            yield driver
        finally:
            driver.disconnect()
            with trio.move_on_after(timeout, shield=True):
                await driver.application_done.wait()

    def dial(
        self, path: str, *, headers: Headers = (), subprotocols: Iterable[str] = ()
    ) -> "WebsocketDriver":
        """Begin a WebSocket to *path* and return at once; ``handshake()`` waits for the answer."""
        driver = WebsocketDriver(self, _scope("websocket", path, headers, self.state))
        driver.scope["subprotocols"] = list(subprotocols)
        driver.scope["extensions"] = {"websocket.http.response": {}, _MARK: driver.mark}
        self.start_soon(driver.run, self._application)
        return driver

    async def http(
        self, method: str, path: str, *, headers: Headers = (), body: bytes = b""
    ) -> "HttpAnswer":
        """Send one request and return the whole answer. A checkpoint."""
        scope = _scope("http", path, headers, self.state) | {"method": method}
        answer = HttpAnswer()
        asked = False

        async def receive() -> dict[str, Any]:
            nonlocal asked
            if asked:
                await trio.sleep_forever()
            asked = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(event: Mapping[str, Any]) -> None:
            await checkpoint()
            answer.take(event)

        await self._application(scope, receive, send)
        return answer


class HttpAnswer:
    """The answer to one request; ``complete`` is False when it was cut."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.complete = False

    def take(self, event: Mapping[str, Any]) -> None:
        """Add what the application sent."""
        if event["type"] == "http.response.start":
            self.status, self.headers = event["status"], list(event.get("headers", ()))
        else:
            self.body += event.get("body", b"")
            self.complete = not event.get("more_body", False)


class WebsocketDriver:
    """The client's end of one WebSocket."""

    def __init__(self, server: ServerDriver, scope: dict[str, Any]) -> None:
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
        self._found: Slot | None = None

    # -- the peer -------------------------------------------------------------------------

    async def handshake(self) -> None:
        """Wait for the answer to the handshake. A checkpoint."""
        event = await self._next()
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
        """Return the next message, which must be text."""
        message = await self.receive(timeout)
        assert isinstance(message, str), f"a binary message came: {message!r}"
        return message

    async def closed(self, timeout: float = 5.0) -> SocketClosed:
        """Skip what still comes and return how the application closed the socket."""
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
        wanted = epoch or max(2, self._slot.epoch + (self._slot.state == "running"))
        if epoch == 0 and self._slot.crashes and self._slot.state == "running":
            wanted = self._slot.crashes[-1].epoch + 1
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
        for slot in _slots(self._server.root):
            scope = slot.connection.scope if slot.connection else {}
            if (scope.get("extensions") or {}).get(_MARK) is self.mark:
                self._found = slot

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
            self._from_app.append(event)
            self._news.set()

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


@asynccontextmanager
async def serve(
    application: Callable[..., Any], *, timeout: float = math.inf
) -> AsyncGenerator[ServerDriver]:
    """
    Run *application*'s lifespan and yield a driver for it; shut it down at the end.

    What the body raises comes out as it is, not in an exception group, unless an
    application failed as well.

    Args:
        application: Any ASGI application that answers lifespan.
        timeout: Seconds that its shutdown may take; then it is cancelled.

    Raises:
        StartupFailed: The application answered ``lifespan.startup.failed``.
    """
    lifespan = _Lifespan(application)
    try:
        async with trio.open_nursery() as nursery:
            driver = ServerDriver(application, nursery)
            nursery.start_soon(lifespan.run, driver.state)
            await lifespan.started.wait()
            if lifespan.failure is None:
                try:
                    yield driver
                finally:
                    lifespan.stop.set()
                    with trio.move_on_after(timeout, shield=True):
                        await lifespan.finished.wait()
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        alone = _alone(group)
        if alone is None:
            raise
        raise alone  # noqa: B904 - it is the very exception, with its own cause
    if lifespan.failure is not None:
        raise StartupFailed(lifespan.failure)


class _Lifespan:
    """The server's side of lifespan."""

    def __init__(self, application: Callable[..., Any]) -> None:
        self.started, self.stop, self.finished = trio.Event(), trio.Event(), trio.Event()
        self.failure: str | None = None
        self._application = application
        self._told_startup = False

    async def run(self, state: dict[str, Any]) -> None:
        try:
            await self._application({"type": "lifespan", "state": state}, self._receive, self._send)
        finally:
            self.started.set()
            self.finished.set()

    async def _receive(self) -> dict[str, Any]:
        if not self._told_startup:
            self._told_startup = True
            return {"type": "lifespan.startup"}
        await self.stop.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, event: Mapping[str, Any]) -> None:
        await checkpoint()
        if event["type"] == "lifespan.startup.failed":
            self.failure = str(event.get("message", ""))
        (self.finished if event["type"].startswith("lifespan.shutdown") else self.started).set()


def _alone(group: BaseExceptionGroup[BaseException]) -> BaseException | None:
    """Return the one exception that *group* is about, or None if there are several."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        inner = cast("tuple[BaseException, ...]", error.exceptions)
        if len(inner) != 1:
            return None
        error = inner[0]
    return error


def _scope(kind: str, path: str, headers: Headers, state: dict[str, Any]) -> dict[str, Any]:
    plain, _, query = path.partition("?")
    return {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": "ws" if kind == "websocket" else "http",
        "path": unquote(plain),
        "raw_path": plain.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 80),
        "state": state.copy(),
    }


def _slots(root: Root) -> Iterator[Slot]:
    for path in root.connections.left():
        target = root.find(path)._target  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        if isinstance(target, Slot):
            yield target
