# Drive an ASGI application in process: no sockets, no server, a virtual clock if you like.
#
# As strict as hypercorn's trio worker where it matters: bounded input (10 events), a
# `send` after the end is ignored, the application's own errors are the test's errors.
# Slots are reached through the tree that the application made for its lifespan, so
# that a test can crash a consumer, and wait until it was restarted, by name.

import math
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
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
        driver.scope["extensions"] = {"websocket.http.response": {}}
        self._nursery.start_soon(driver.run, self._application)
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
        self.subprotocol: str | None = None
        self.response_headers: list[tuple[bytes, bytes]] = []
        self.application_done = trio.Event()
        self._server = server
        self._to_app_send, self._to_app = trio.open_memory_channel[dict[str, Any]](10)
        self._waiting: deque[dict[str, Any]] = deque([{"type": "websocket.connect"}])
        self._from_app: deque[Mapping[str, Any]] = deque()
        self._news = trio.Event()
        self._gone = False
        self._before = set(_paths(server.root))
        self._path = ""

    # -- the peer -------------------------------------------------------------------------

    async def handshake(self) -> None:
        """Wait for the answer to the handshake. A checkpoint."""
        event = await self._next()
        if event["type"] == "websocket.accept":
            self.subprotocol = event.get("subprotocol")
            self.response_headers = list(event.get("headers", ()))
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
        """Have the running incarnation crash, as if a task of it had raised *error*."""
        self._slot.inject_crash(error or RuntimeError("crashed by a test"))

    async def wait_restarted(self, epoch: int = 0, timeout: float = 30.0) -> NodeSnapshot:
        """
        Wait until incarnation *epoch* serves; by default the one after the crash.

        A checkpoint. Returns the slot's snapshot.

        Raises:
            trio.TooSlowError: It did not within *timeout* seconds.
        """
        wanted = epoch or max(2, self._slot.epoch + (self._slot.state == "running"))
        if epoch == 0 and self._slot.crashes and self._slot.state == "running":
            wanted = self._slot.crashes[-1].epoch + 1
        news = trio.Event()

        def look(event: Event) -> None:
            if event.path == self._path:
                news.set()

        unsubscribe = self._server.root.events.subscribe(look)
        try:
            with trio.fail_after(timeout):
                while self._slot.epoch < wanted or self._slot.state != "running":
                    await news.wait()
                    news = trio.Event()
        finally:
            unsubscribe()
        return self.slot

    @property
    def _slot(self) -> Slot:
        if not self._path:
            new = [
                path
                for path in _paths(self._server.root)
                if path not in self._before and not path.startswith("/connections/http/")
            ]
            if len(new) != 1:
                raise LookupError(f"can't tell which slot is this socket's: {new}")
            self._path = new[0]
            ref = self._server.root.find(self._path)
            self._found = cast("Slot", ref._target)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        return self._found

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

    Raises:
        StartupFailed: The application answered ``lifespan.startup.failed``.
    """
    started, finished = trio.Event(), trio.Event()
    failure: list[str] = []
    inbox: deque[dict[str, Any]] = deque([{"type": "lifespan.startup"}])
    stop = trio.Event()

    async with trio.open_nursery() as nursery:
        driver = ServerDriver(application, nursery)

        async def receive() -> dict[str, Any]:
            if inbox:
                return inbox.popleft()
            await stop.wait()
            return {"type": "lifespan.shutdown"}

        async def send(event: Mapping[str, Any]) -> None:
            await checkpoint()
            if event["type"] == "lifespan.startup.failed":
                failure.append(event.get("message", ""))
            (finished if event["type"] == "lifespan.shutdown.complete" else started).set()

        async def lifespan() -> None:
            await application({"type": "lifespan", "state": driver.state}, receive, send)
            started.set()
            finished.set()

        nursery.start_soon(lifespan)
        await started.wait()
        if failure:
            raise StartupFailed(failure[0])
        try:
            yield driver
        finally:
            stop.set()
            with trio.move_on_after(timeout, shield=True):
                await finished.wait()
            nursery.cancel_scope.cancel()


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


def _paths(root: Root) -> list[str]:
    return root.connections.left()
