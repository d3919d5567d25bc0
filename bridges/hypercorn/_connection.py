# A connection of hypercorn's trio worker that is served by us: HTTP/1.1 and WebSocket.
#
# hypercorn keeps listening, TLS, configuration, lifespan, logging and workers; it makes one
# of these for each connection. What is neither HTTP/1.1 nor plain TCP goes back to it.
#
# One task, one scope: the scope's deadline is moved for each head of a request, which costs
# a hundredth of a task that waits beside it. The application runs in this very task.
#
# Invariants, each with a test of that name in tests/bridges/hypercorn/test_connection.py:
#   BOUNDED    every wait for the peer has a deadline.
#   ALONE      what goes wrong here ends this connection and nothing else.
#   IN ORDER   pipelined requests are answered one after the other.

import time
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from math import inf
from typing import Any, cast
from wsgiref.handlers import format_date_time

import trio
from hypercorn.app_wrappers import ASGIWrapper

from ..http._parser import RequestParser, is_http2
from ..http._request import END, BadRequest, Head
from ..http._response import ResponseWriter, error_response
from ..http._scope import http_scope, websocket_scope
from ..websocket._handshake import Handshake, Refusal, examine
from ._alone import ALONE
from ._asgi_websocket import AsgiWebsocket
from ._boundary import Boundary
from ._deflating import transport_for
from ._guard import GuardedTCPServer
from ._heartbeats import Heartbeats
from ._http import HttpExchange
from ._limits import Limits, application_of, limits_of
from ._socket import ReadAgain, Taken, give_socket, take_socket
from ._wire import Wire
from ._worker import WorkerEnd, tell_of_the_end

Headers = Sequence[tuple[bytes, bytes]]


class FastTCPServer(GuardedTCPServer):
    """One connection; hypercorn makes it and awaits it."""

    limits = Limits()
    wire: Wire
    beats: Heartbeats
    parser: RequestParser

    async def run(self) -> None:
        """
        Serve the connection to its end, or have hypercorn do it. Always a checkpoint.

        A cancellation goes through, and so does what is no Exception (Ctrl-C).
        """
        with ALONE:  # no coroutine of its own: a WebSocket waits below it for days
            limits = limits_of(self.app, self.state, self.limits)
            if limits is None or not isinstance(self.stream, trio.SocketStream):
                await super().run()  # switched off, or TLS
                return
            tell_of_the_end(self.context, self.state)
            sock = take_socket(self.stream)
            if sock is None:
                return  # reset before anybody looked at it
            self._begin(sock, limits)
            theirs = b""
            try:
                with self._scope:
                    theirs = await self._serve()
                    if self.wire.size and not theirs:
                        self._scope.deadline = inf
                        await self.drain()
                if self._scope.cancelled_caught:
                    self._timed_out()
                elif self._handshake is not None:
                    self._lighten()
                    await self._websocket()
            finally:
                if not theirs:
                    await self._end()  # noqa: ASYNC102 - shielded, with a deadline, in there
            if theirs:
                self.stream = ReadAgain(give_socket(sock.sock), theirs)
                await super().run()

    def _begin(self, sock: Taken, limits: Limits) -> None:
        self.limits = limits
        self.wire = Wire(sock.sock)
        self.parser = RequestParser(limits.of_heads)
        self._client, self._server = sock.client, sock.server
        self._worker_end = WorkerEnd.of(self.context)
        self._worker_end.watch()
        self.beats = Heartbeats.current()
        self._scope = trio.CancelScope()
        self._ahead = b""
        self._requests = 0
        self._linger = False
        self._handshake: Handshake | None = None

    # -- what its requests ask for -----------------------------------------------------------

    async def read_more(self) -> bool:
        """Have the parser given what comes next; False at the peer's end. A checkpoint."""
        data, self._ahead = self._ahead, b""
        if not data:
            try:
                data = await self.wire.read()
            except OSError:
                return False
        if not data:
            return False
        self.parser.feed(data)
        return True

    @property
    def ahead(self) -> bool:
        """Whether the peer has sent more than what is being answered."""
        return bool(self._ahead) or self.parser.pending

    async def read_ahead(self) -> bool:
        """Read once and keep it; False at the peer's end. A checkpoint."""
        try:
            self._ahead = await self.wire.read()
        except OSError:
            return False
        return bool(self._ahead)

    async def drain(self) -> bool:
        """Wait until the socket has taken all; False when it takes nothing any more."""
        while True:
            self.wire.flush()
            before = self.wire.gone
            with trio.move_on_after(self.limits.write_seconds):
                return await self.wire.drain()
            if self.wire.gone == before:
                self.wire.close(reset=True)
                return False

    def rest(self) -> bytes:
        """Return what came behind the head of an upgrade."""
        data, self._ahead = self._ahead, b""
        return data

    def answer(self, status: int, headers: Headers, body: bytes) -> bytes:
        """Return a whole response, behind which the connection ends."""
        self._linger = True
        writer = self._writer(self._head, close=True)
        writer.start(status, headers)
        return writer.body(body, False)

    def answered(self) -> None:
        """Let go of the request of a WebSocket, which was accepted. Any thread."""
        del self._head, self._handshake

    def on_cancel(self, function: Callable[[], object]) -> None:
        """Call *function* when the task of this connection is cancelled, shielded or not."""
        self._worker_end.on_cancel(function)

    def not_on_cancel(self, function: Callable[[], object]) -> None:
        """Take back what :meth:`on_cancel` was given."""
        self._worker_end.not_on_cancel(function)

    def close_idle(self) -> None:
        """End at once: it waits for a request and the worker takes no more."""
        # Not by cancel(): a request that came in this very turn sets the deadline anew, and is
        # served.
        self._scope.deadline = -inf

    # -- its life ----------------------------------------------------------------------------

    async def _serve(self) -> bytes:
        """Serve request after request; return what was read, if it is not HTTP/1."""
        try:
            theirs = await self._first()
            while not theirs and (head := await self._next_head()) is not None:
                self._head = head
                if not self._is_for_us(head):
                    self._refuse(BadRequest(404, "No such host here."))
                    break
                if head.upgrade:
                    self._handshake = self._negotiate(head)
                    self._ahead = self.parser.rest() + self._ahead
                    break
                if not await self._request(head):
                    break
        except BadRequest as refused:
            self._refuse(refused)
            return b""
        return theirs

    async def _first(self) -> bytes:
        """Look at the first bytes; return them if they are HTTP/2's."""
        data, theirs = self.wire.receive() or b"", None  # often it is there already
        if data:
            theirs = is_http2(data)
        if theirs is None:
            self._scope.deadline = trio.current_time() + self.config.keep_alive_timeout
            self._worker_end.call(self.close_idle)
            try:
                while theirs is None and await self.read_ahead():
                    data += self._ahead
                    theirs = is_http2(data)
            finally:
                self._worker_end.forget(self.close_idle)
        self._ahead = data
        return data if theirs else b""

    async def _next_head(self) -> Head | None:
        """Return the head of the next request; None at the peer's end."""
        parser = self.parser
        item = parser.next()
        if item is not None:  # sent ahead: who sends a thousand must not keep the others waiting
            await trio.sleep(0)
        if item is None and not self._ahead:
            if self.wire.size and not await self.drain():  # who takes his time is not idle
                return None
            self._scope.deadline = trio.current_time() + self.config.keep_alive_timeout
            self._worker_end.call(self.close_idle)
            try:
                if not await self.read_more():
                    return None
            finally:
                self._worker_end.forget(self.close_idle)
            item = parser.next()
        if item is None:
            self._scope.deadline = trio.current_time() + self.limits.head_seconds
            while item is None:
                if not await self.read_more():
                    return None
                item = parser.next()
        self._scope.deadline = inf
        assert isinstance(item, Head)
        return item

    async def _request(self, head: Head) -> bool:
        """Answer one request; say whether another may follow."""
        began = time.time()
        self._requests += 1
        exchange = HttpExchange(self, head, self._writer(head))
        scope = http_scope(
            head,
            scheme="http",
            root_path=self.config.root_path,
            client=self._client,
            server=self._server,
            state=self.state,
        )
        with Boundary() as boundary:  # its errors are logged and end here
            await self._called(scope, exchange.receive, exchange.send)
        await self._tell(boundary.failed)
        again = self._finish(exchange) and await self._read_rest(exchange)
        if not again and (head.keep_alive or not exchange.all_read):
            self._linger = True  # more may be on its way, and would reset what we have sent
        await self._log(scope, exchange.status, exchange.response_headers, began)
        await self.context.mark_request()
        return again

    def _finish(self, exchange: HttpExchange) -> bool:
        """Complete the response as far as it can be; say whether the connection is good."""
        if not exchange.head_sent:
            fault = exchange.fault or BadRequest(500, "Internal Server Error")
            self._refuse(fault)
            exchange.status = fault.status
            return False
        if not exchange.complete:
            self.wire.flush()
            if exchange.ends_by_close:  # an orderly end would make it look whole
                self.wire.close(reset=True)
            return False
        ending = self.wire.broken or self.context.terminated.is_set()
        return exchange.keep_alive and not ending

    async def _read_rest(self, exchange: HttpExchange) -> bool:
        """Read what the application left of the body, if it is little."""
        left = self.limits.unread_body_bytes
        if exchange.waits_for_continue:
            return False  # it may come now, or never
        with trio.move_on_after(self.limits.body_seconds):  # all of it, however it drips
            while (item := await exchange.next_of_body()) is not None:
                if item is END:
                    return True
                left -= len(item)
                if left < 0:
                    break
        return False

    def _negotiate(self, head: Head) -> Handshake | None:
        """Return the handshake that *head* asks for; None if it was refused."""
        found = examine(head.method.encode(), head.http_version.encode(), head.headers)
        if isinstance(found, Handshake):
            return found
        refusal = found or Refusal(400, "The upgrade is malformed.\n")
        self._refuse(BadRequest(refusal.status, refusal.text.rstrip()), refusal.headers)
        return None

    def _lighten(self) -> None:
        """Let go of what only requests need: a WebSocket may stay for days."""
        del self.parser, self._scope
        del self.send_lock, self.idle_task, self.stream  # hypercorn's

    async def _websocket(self) -> None:
        assert self._handshake is not None
        began = time.time()
        transport = transport_for(self, self._handshake)
        socket = AsgiWebsocket(transport)
        scope = websocket_scope(
            self._head,
            scheme="ws",
            root_path=self.config.root_path,
            client=self._client,
            server=self._server,
            state=self.state,
            subprotocols=self._handshake.subprotocols,
        )

        if not getattr(application_of(self.app), "greenroom_native", False):
            socket.serve()
        try:
            with Boundary() as boundary:
                await self._called(scope, socket.receive, socket.send)
            await self._tell(boundary.failed)
            socket.close(1011, status=500)  # it has ended, and left its socket as it was
            await transport.finish(self.limits.linger_seconds)
        finally:
            transport.release()
        self._linger = self._linger or not transport.peer_closed
        await self._log(scope, transport.status, (), began)
        await self.context.mark_request()

    def _called(self, scope: Any, receive: Any, send: Any) -> Awaitable[None]:
        """Call the application: await what is returned."""
        app = cast("Any", self.app)
        if type(app) is ASGIWrapper:  # which passes it all on, and does no more
            serve = getattr(app.app, "serve_scope", app.app)  # Greenroom's: a coroutine less
            return serve(scope, receive, send)
        return app(scope, receive, send, trio.to_thread.run_sync, trio.from_thread.run)

    async def _tell(self, failed: BaseException | None) -> None:
        if failed is not None:
            await self.config.log.error("Error in ASGI Framework", exc_info=failed)

    # -- small things ------------------------------------------------------------------------

    def _is_for_us(self, head: Head) -> bool:
        names = self.config.server_names
        if not names:
            return True
        hosts = [value for name, value in head.headers if name == b"host"]
        return bool(hosts) and hosts[0].decode("latin-1") in names

    def _writer(self, head: Head, *, close: bool = False) -> ResponseWriter:
        close = close or self._requests >= self.config.keep_alive_max_requests
        return ResponseWriter(head, date=self._date(), server=self._name(), close=close)

    def _date(self) -> bytes:
        return http_date(int(time.time())) if self.config.include_date_header else b""

    def _name(self) -> bytes | None:
        return b"hypercorn-h11" if self.config.include_server_header else None

    def _refuse(self, refused: BadRequest, headers: Headers = ()) -> None:
        self._linger = True
        date, name = self._date(), self._name()
        self.wire.write(error_response(refused, date=date, server=name, headers=headers))

    def _timed_out(self) -> None:
        if not self.parser.idle:
            self._refuse(BadRequest(408, "The request took too long."))

    async def _log(self, scope: Any, status: int, headers: Headers, began: float) -> None:
        if self.config.accesslog is not None or self.config.statsd_host is not None:
            response: Any = {"status": status, "headers": headers}
            await self.config.log.access(scope, response, time.time() - began)

    async def _end(self) -> None:
        """Send what waits, end our half, wait a little for the peer's, close. Shielded."""
        wire = self.wire
        wire.flush()
        if self._linger or wire.size:
            with trio.move_on_after(self.limits.linger_seconds, shield=True):
                if not wire.broken and await wire.drain():
                    wire.shut_down()
                    while self._linger and await self.read_ahead():
                        pass  # unread bytes would make the system reset it, and our last words too
        wire.close(reset=bool(wire.size))


@lru_cache(maxsize=2)
def http_date(second: int) -> bytes:
    """Return *second*, of the epoch, as a header's value."""
    return format_date_time(second).encode("ascii")
