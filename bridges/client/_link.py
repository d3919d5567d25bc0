# One connection to a WebSocket server, from dialling to its end.
#
# trio-websocket speaks the protocol; what it leaves to its caller is done here:
#   - open_websocket() waits for ever where the server accepts the TCP connection and then
#     says nothing, closes, or answers with something else: its nursery waits for a reader
#     that nobody stops. So the stream is ours, is watched, and is closed by us.
#   - aclose() returns at once, the stream still open, when the peer has begun to close.
#   - what goes wrong in its reader comes out of the nursery, in an exception group.
#   - a cancelled send may leave half a frame on the wire. So the writer is never cancelled
#     but to give the connection up.
#
# The connection lives in a scope shielded from the outside: a cancellation is turned into
# a polite close, for which the library's reader must still run, within `close_timeout`.

from __future__ import annotations

from typing import NoReturn, Protocol

import trio
from trio_websocket import (
    ConnectionClosed,
    ConnectionRejected,
    WebSocketConnection,
    wrap_client_stream,
)

from ...actors._exits import leaves
from ...actors._outgoing_port import Headers, OutgoingPort
from ._errors import ConnectionLost
from ._output import Output
from ._plan import Plan
from ._reasons import reason_of

GOING_AWAY = 1001
TOO_MUCH = 1013
ABNORMAL = 1006


class Receiver(Protocol):
    """Whom a link tells what it hears. None of it may raise."""

    def opened(self, subprotocol: str | None) -> None:
        """The connection is up."""
        ...

    def arrived(self, message: str | bytes) -> None:
        """One message has come."""
        ...

    @property
    def stalled(self) -> bool:
        """Whether so much waits that no more should be read."""
        ...

    async def wait_room(self) -> None:
        """Wait until not stalled, or released. A checkpoint if it waits."""
        ...

    def release(self) -> None:
        """Nobody handles what comes any more: stall no longer."""
        ...


class Link:
    """
    A connection made by *plan*, which writes *output* and tells *receiver*.

    *outgoing* follows how it is made, if somebody does.
    """

    def __init__(
        self,
        plan: Plan,
        output: Output,
        receiver: Receiver,
        outgoing: OutgoingPort | None = None,
    ) -> None:
        self._plan, self._output, self._receiver = plan, output, receiver
        self._outgoing = outgoing
        self._status = 0  # of an answer that was a refusal
        self._scope = trio.CancelScope(shield=True)
        self._wire: _Wire | None = None
        self._up = False
        self._closed = trio.Event()  # by us, politely
        self._over = trio.Event()
        self._lost = ConnectionLost(plan.name)

    async def run(self) -> ConnectionLost:
        """
        Dial, carry messages until the connection is over, and say why it is.

        Always a checkpoint. Cancelled, it writes what waits and closes the connection,
        within `close_timeout` seconds; then the cancellation goes on.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._carry)
            try:
                await self._over.wait()
            except trio.Cancelled:
                self._part()
                raise
        return self._lost

    def _part(self) -> None:
        self._output.finish()
        self._receiver.release()
        if self._up:
            self._scope.deadline = trio.current_time() + self._plan.close_timeout
        else:
            self._scope.cancel()

    async def _carry(self) -> None:
        failed: ConnectionLost | None = None
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    await self._talk(nursery)
        except Exception as error:  # noqa: BLE001 - whatever it is, the connection is lost
            failed = self._lost = self._explained(error)
        finally:
            if self._outgoing is not None and not self._up:
                self._outgoing.end(self._status, failed)
            del failed  # its traceback holds this frame: no cycle
            self._output.end()
            with trio.CancelScope(shield=True):
                if self._wire is not None:
                    await trio.aclose_forcefully(self._wire)
            self._over.set()

    async def _talk(self, nursery: trio.Nursery) -> NoReturn:
        plan = self._plan
        with trio.fail_after(plan.connect_timeout):
            connection = await self._open(nursery, self._headers())
        self._up = True
        if self._outgoing is not None:
            self._outgoing.end(101, None)
        self._output.begin()
        self._receiver.opened(connection.subprotocol)
        nursery.start_soon(self._write, connection)
        nursery.start_soon(self._watch_output)
        if plan.ping_seconds is not None:
            nursery.start_soon(self._ping, connection, plan.ping_seconds)
        await self._read(connection)

    def _headers(self) -> Headers:
        plan = self._plan
        if self._outgoing is None:
            return plan.headers
        return [
            *plan.headers,
            *self._outgoing.begin(plan.name, plan.host, plan.port, plan.headers),
        ]

    async def _open(self, nursery: trio.Nursery, headers: Headers) -> WebSocketConnection:
        wire = self._wire = _Wire(await self._dial())
        made: list[WebSocketConnection] = []

        async def shake_hands() -> None:
            made.append(
                await wrap_client_stream(
                    nursery,
                    wire,  # type: ignore[arg-type]
                    self._plan.host_header,
                    self._plan.resource,
                    subprotocols=self._plan.subprotocols,
                    extra_headers=list(headers),
                    max_message_size=self._plan.message_limit_bytes,
                )
            )
            race.cancel_scope.cancel()

        async with trio.open_nursery() as race:
            race.start_soon(shake_hands)
            await wire.ended.wait()
            race.cancel_scope.cancel()
        if not made:
            raise self._loss("the server ended the connection instead of accepting it")
        return made[0]

    async def _dial(self) -> trio.SocketStream | trio.SSLStream[trio.SocketStream]:
        plan = self._plan
        stream = await trio.open_tcp_stream(plan.host, plan.port)
        if plan.ssl_context is None:
            return stream
        secure = trio.SSLStream(
            stream, plan.ssl_context, server_hostname=plan.host, https_compatible=True
        )
        try:
            await secure.do_handshake()
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        return secure

    async def _read(self, connection: WebSocketConnection) -> NoReturn:
        """Tell of messages until there are no more; then raise why."""
        try:
            while True:
                self._receiver.arrived(await connection.get_message())
                await self._receiver.wait_room()
        except ConnectionClosed:
            pass
        if self._output.finishing:
            await self._closed.wait()  # the close is ours: wait for the peer's half of it
        closed = connection.closed
        if closed is None:
            raise self._loss("")
        raise self._loss(closed.reason or "", closed.code)

    async def _write(self, connection: WebSocketConnection) -> None:
        try:
            while (frame := await self._output.take()) is not None:
                text = frame.text
                await connection.send_message((frame.data or b"") if text is None else text)
                self._output.written(frame)
            await connection.aclose(GOING_AWAY)
        except ConnectionClosed:
            self._output.end()  # why it is closed is for the reader to say
        finally:
            self._closed.set()

    async def _watch_output(self) -> NoReturn:
        await self._output.wait_overrun()
        raise self._loss("it reads too slowly for what is sent", TOO_MUCH)

    async def _ping(self, connection: WebSocketConnection, seconds: float) -> None:
        """Give the connection up when a ping is not answered before the next would be due."""
        while True:
            await trio.sleep(seconds)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._overdue, seconds)
                try:
                    await connection.ping()
                except ConnectionClosed:
                    return  # noqa: ASYNC121 - the nursery is cancelled below
                finally:
                    nursery.cancel_scope.cancel()

    async def _overdue(self, seconds: float) -> NoReturn:
        # Beside the ping and not around it: a ping cancelled may be half on the wire. While
        # we do not read we cannot hear a pong, so only a whole period of reading counts.
        while True:
            stalled = self._receiver.stalled
            await trio.sleep(seconds)
            if not stalled and not self._receiver.stalled:
                raise self._loss(f"no answer to a ping within {seconds:g} s")

    def _loss(self, reason: str, code: int = ABNORMAL) -> ConnectionLost:
        return ConnectionLost(self._plan.name, code, reason)

    def _explained(self, error: Exception) -> ConnectionLost:
        causes = list(leaves(error))
        for cause in causes:
            if isinstance(cause, ConnectionLost):
                return cause
        first = causes[0]
        if isinstance(first, ConnectionRejected):  # whose words are all that the server has said
            self._status = first.status_code
            return self._loss(f"the server answered {first.status_code}")
        shown: BaseException | None = first
        if isinstance(first, trio.TooSlowError):
            reason = f"no connection within {self._plan.connect_timeout:g} s"
        else:
            reason, shown = reason_of(first)
        lost = self._loss(reason)
        lost.__cause__ = shown
        return lost


class _Wire(trio.abc.Stream):
    """The stream below, which tells when it has ended, whoever finds out."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self.ended = trio.Event()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        try:
            await self._stream.send_all(data)
        except Exception:
            self.ended.set()
            raise

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        try:
            data = await self._stream.receive_some(max_bytes)
        except Exception:
            self.ended.set()
            raise
        if not data:
            self.ended.set()
        return data

    async def aclose(self) -> None:
        self.ended.set()
        await self._stream.aclose()
