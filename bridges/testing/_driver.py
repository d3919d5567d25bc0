# Drive an ASGI application in process: no sockets, no server, a virtual clock if you like.
#
# As strict as hypercorn's trio worker: bounded input (10 events), events out of turn or of the
# wrong type are refused (_rules.py), a `send` after the end is ignored, the application's own
# errors are the test's errors.
# Slots are reached through the tree that the application made for its lifespan, so
# that a test can crash a consumer, and wait until it was restarted, by name.

import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal, cast

import trio

from ...actors._lowlevel import checkpoint, inside_trio
from ...supervisor import Root
from ..asgi._app import STATE
from ..asgi._drivers import WORKERS
from ._errors import StartupFailed, alone
from ._event_stream import EventStreamDriver
from ._http_answer import HttpAnswer
from ._inline import InlinePool
from ._journal import Journal, tell_of_crashes
from ._lifespan import Lifespan
from ._long_poll import LongPollDriver
from ._request import RequestDriver
from ._scopes import Headers, must_be_bytes, offered, scope_of
from ._sharing import share_connections
from ._slot_side import MARK
from ._tree import TreeDriver
from ._websocket import WebsocketDriver

_QUEUE = 10  # events of a body that wait for the application
_PIECE = 65536  # bytes of a body in one event


class ServerDriver(TreeDriver):
    """A running application; made by :func:`serve`."""

    def __init__(self, application: Callable[..., Any], nursery: trio.Nursery) -> None:
        self.state: dict[str, Any] = {}
        self._application = application
        self._nursery = nursery
        self.lifespan_error: BaseException | None = None
        """What the application has raised for its lifespan, which it does not know then."""

    @property
    def root(self) -> Root:
        """
        The tree that the application made for its lifespan.

        Raises:
            LookupError: It made none: it is not Greenroom's, or its lifespan raised.
        """
        if STATE not in self.state:
            raise LookupError(
                "the application has made no tree of Greenroom's for its lifespan. A middleware"
                " around a Greenroom(...) has to hand scopes of type 'lifespan' on."
            ) from self.lifespan_error
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
            NothingCame: No answer to the handshake within *timeout* seconds.
        """
        driver = self.dial(path, headers=headers, subprotocols=subprotocols)
        await driver.handshake(timeout)
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
        scope = scope_of("websocket", path, headers, self.state)
        driver = WebsocketDriver(self, scope | {"subprotocols": offered(subprotocols)})
        driver.scope["extensions"] = {"websocket.http.response": {}, MARK: driver.mark}
        self.start_soon(driver.run, self._application)
        return driver

    @asynccontextmanager
    async def long_poll(
        self,
        path: str,
        *,
        headers: Headers = (),
        polling: bool = True,
        timeout: float = 5.0,
    ) -> AsyncGenerator["LongPollDriver"]:
        """
        Open a long-polling session at *path*; end it at the end.

        Args:
            path: Of the consumer's route.
            headers: Of every request, such as a cookie.
            polling: Whether it polls by itself, as clients do.
            timeout: Seconds for the answer, and for the end.

        Raises:
            HandshakeRefused: The application refused it.
            NothingCame: No answer within *timeout* seconds.
        """
        scope = scope_of("http", path, headers, self.state)
        driver = LongPollDriver(self, scope, self._application, headers=headers, polling=polling)
        driver.scope["extensions"] = {MARK: driver.mark}
        self.start_soon(driver.run, self._application)
        await driver.handshake(timeout)
        try:
            yield driver
        finally:
            driver.disconnect()
            with trio.move_on_after(timeout, shield=True):
                await driver.application_done.wait()

    @asynccontextmanager
    async def request(
        self,
        method: str,
        path: str,
        *,
        headers: Headers = (),
        body: bytes | None = b"",
        timeout: float = 5.0,
    ) -> AsyncGenerator["RequestDriver"]:
        """
        Begin one request, whose response is received in parts; leave it at the end.

        Args:
            method: Its method.
            path: Its path, which may have a query string.
            headers: Its headers.
            body: Its body; None if the test sends it, in parts.
            timeout: How long the application may take to return at the end, in seconds.
        """
        driver = RequestDriver(self, scope_of("http", path, headers, self.state))
        async with self._asking(driver, method, body, timeout):
            yield driver

    @asynccontextmanager
    async def event_stream(
        self,
        path: str,
        *,
        last_event_id: str = "",
        headers: Headers = (),
        method: str = "GET",
        body: bytes = b"",
        timeout: float = 5.0,
    ) -> AsyncGenerator["EventStreamDriver"]:
        """
        Open the event stream at *path*, as a browser's ``EventSource`` does; leave it at the end.

        Args:
            path: Its path, which may have a query string.
            last_event_id: The last event that the client got, if it comes back.
            headers: Further headers.
            method: For streams that are no browser's.
            body: Likewise.
            timeout: How long an answer may take, and at the end the application, in seconds.

        Raises:
            StreamRefused: The application answered with something else.
            NothingCame: No answer within *timeout* seconds.
        """
        own = [("accept", "text/event-stream"), ("cache-control", "no-cache")]
        named = [("last-event-id", last_event_id)] if last_event_id else []
        scope = scope_of("http", path, [*own, *named, *headers], self.state)
        driver = EventStreamDriver(self, scope, last_event_id)
        async with self._asking(driver, method, body, timeout):
            await driver.opened(timeout)
            yield driver

    @asynccontextmanager
    async def _asking(
        self, driver: RequestDriver, method: str, body: bytes | None, timeout: float
    ) -> AsyncGenerator[None]:
        driver.scope["method"] = method
        driver.scope["extensions"] = {"http.response.trailers": {}, MARK: driver.mark}
        if body is not None:
            must_be_bytes(body)
            for at in range(0, len(body), _PIECE):
                driver.send_part(body[at : at + _PIECE])
            driver.send_part(b"", last=True)
        self.start_soon(driver.run, self._application)
        try:
            yield
        finally:
            driver.leave()
            with trio.move_on_after(timeout, shield=True):
                await driver.application_done.wait()

    async def http(
        self,
        method: str,
        path: str,
        *,
        headers: Headers = (),
        body: bytes = b"",
        timeout: float = 60.0,
    ) -> "HttpAnswer":
        """
        Send one request and return the whole answer. A checkpoint.

        The body arrives in pieces, through a queue; with the last of the answer the
        request's end is put behind it, and waits for room.

        Args:
            method: Its method.
            path: Its path, which may have a query string.
            headers: Its headers.
            body: Its body.
            timeout: Seconds until the application has to return.

        Raises:
            NothingCame: It has not returned within *timeout* seconds. It is cancelled.
            ProtocolViolation: It sent what a server refuses.
        """
        scope = scope_of("http", path, headers, self.state) | {"method": method}
        must_be_bytes(body)
        answer = HttpAnswer(method)
        into, queue = trio.open_memory_channel[dict[str, Any]](_QUEUE)

        async def feed() -> None:
            for at in range(0, len(body), _PIECE):
                piece = body[at : at + _PIECE]
                await into.send({"type": "http.request", "body": piece, "more_body": True})
            await into.send({"type": "http.request", "body": b"", "more_body": False})

        async def send(event: Mapping[str, Any]) -> None:
            await checkpoint()
            answer.take(event)
            if answer.complete:
                await into.send({"type": "http.disconnect"})

        async def lose_patience() -> None:
            await trio.sleep(timeout)
            raise self.journal.in_vain("the whole answer", timeout, answer.so_far())

        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(feed)
                nursery.start_soon(lose_patience)
                await self._application(scope, queue.receive, send)
                nursery.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            failed = alone(group)
        else:
            return answer
        raise failed  # not above, where the group would be its context, and be shown first


@asynccontextmanager
async def serve(
    application: Callable[..., Any],
    *,
    timeout: float = math.inf,
    threads: Literal["pool", "inline"] = "pool",
    crashes: Literal["allow", "raise"] = "allow",
) -> AsyncGenerator[ServerDriver]:
    """
    Run *application*'s lifespan and yield a driver for it; shut it down at the end.

    If the calling thread is inside a transaction of Django's, as in a ``TestCase`` or with
    pytest-django's ``db``, all worker threads are lent it meanwhile: see `share_connections`.

    What the body raises comes out as it is, not in an exception group, unless an
    application failed as well.

    Args:
        application: Any ASGI application. As behind a server, one that raises when it is called
            for its lifespan is served without.
        timeout: Seconds that its shutdown may take; then it is cancelled.
        threads: Where `def` handlers run: in the consumers' ``"pool"``, or ``"inline"``, in
            this thread, one at a time and in no time, so that any clock may jump. What
            would wait there raises :class:`~greenroom.actors.WrongSide`. Views have threads
            all the same.
        crashes: What a crash is that the test did not ask for (``crash``, ``wait_crash``,
            ``allow_crashes``): with ``"allow"`` nothing but an event; with ``"raise"`` the test's
            error, out of whatever it waits for, or else at the end. Then it is an error, too, if
            a handler, a task or a thread is left at the end.

    Raises:
        StartupFailed: The application answered ``lifespan.startup.failed``.
        NotStopped: Something is left, and *crashes* is ``"raise"``.
        ValueError: *threads* or *crashes* is none of these.
        RuntimeError: Not called on trio.
    """
    if not inside_trio():
        raise RuntimeError(
            "serve() runs on trio. In a coroutine on asyncio write `async with open_server(...)`,"
            " in a plain function `with run_server(...)`."
        )
    if threads not in ("pool", "inline"):
        raise ValueError(f"threads must be 'pool' or 'inline'. Got: {threads!r}")
    if crashes not in ("allow", "raise"):
        raise ValueError(f"crashes must be 'allow' or 'raise'. Got: {crashes!r}")
    lifespan = Lifespan(application, {WORKERS: InlinePool} if threads == "inline" else {})
    with share_connections():
        async with _served(application, lifespan, timeout, crashes == "raise") as driver:
            yield driver


@asynccontextmanager
async def _served(
    application: Callable[..., Any], lifespan: "Lifespan", timeout: float, strict: bool
) -> AsyncGenerator[ServerDriver]:
    driver: ServerDriver | None = None
    failed: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            driver = ServerDriver(application, nursery)
            nursery.start_soon(lifespan.run, driver.state)
            await lifespan.started.wait()
            driver.lifespan_error = lifespan.error
            driver.journal = Journal(driver.state.get(STATE), strict=strict)
            if lifespan.failure is None:
                try:
                    yield driver
                except BaseException as error:
                    tell_of_crashes(driver.journal, error)
                    raise
                finally:
                    lifespan.stop.set()
                    with trio.move_on_after(timeout, shield=True):
                        await lifespan.finished.wait()
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        failed = alone(group)
    finally:
        if driver is not None:
            driver.journal.close()
    if failed is not None:
        raise failed  # not above, where the group would be its context, and be shown first
    if lifespan.failure is not None:
        raise StartupFailed(lifespan.failure)
    if strict and driver is not None and STATE in driver.state:
        driver.journal.refuse()
        driver.refuse_what_is_left()
