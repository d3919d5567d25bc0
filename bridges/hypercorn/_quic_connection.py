# One QUIC connection: hypercorn's QuicProtocol, which would serve all of a socket, made to serve
# one, with a task that takes its datagrams, a task for its timer, and a nursery for its requests.
#
# Imported by _quic.py once hypercorn serves QUIC: it imports aioquic, by way of hypercorn.
#
# hypercorn makes a task anew for each turn of a timer. One that is made by a timer's own task is
# cancelled with that task, so hypercorn 0.18 notices no peer that has vanished. Here there is one
# task, whose deadline is moved.

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING, Any, cast

import hypercorn.protocol.quic
import trio
from hypercorn.events import RawData
from hypercorn.protocol.quic import QuicProtocol
from hypercorn.typing import ConnectionState

from ._alone import ALONE
from ._h3 import INTERNAL_ERROR, NO_ERROR, GuardedH3Protocol
from ._requests import Requests
from ._socket import address_of

if TYPE_CHECKING:
    from ._quic import GuardedUDPServer

STALLED_SECONDS = 1.0
"""How long a connection that is over may wait, for an application or for its last words."""
ANSWER_SECONDS = 1.0
"""In which the first packets of a handshake are answered; who sends at random, is not."""

_WAITING_DATAGRAMS = 128

_quic: Any = hypercorn.protocol.quic  # aioquic's names, as hypercorn has them


class QuicConnections:
    """All connections of a UDP socket, by their IDs."""

    def __init__(self, server: GuardedUDPServer, nursery: trio.Nursery) -> None:
        _quic.H3Protocol = GuardedH3Protocol
        self.when_none: Callable[[], object] = int
        """Called when the last one has been forgotten."""
        self._by_id: dict[bytes, QuicConnection] = {}
        self._nursery = nursery
        self._context = server.context
        self._any = QuicConnection(
            server.app,
            server.config,
            server.context,
            cast("Any", None),
            ConnectionState(server.state.copy()),
            address_of(server.socket),
            server.protocol_send,
        )

    @property
    def none(self) -> bool:
        """Whether there is none."""
        return not self._by_id

    async def take(self, datagram: RawData) -> None:
        """Hand *datagram* to its connection, which it may begin. A checkpoint if it is for none."""
        try:
            buffer = _quic.Buffer(data=datagram.data)
            header = _quic.pull_quic_header(buffer, host_cid_length=8)
        except ValueError:
            return  # no QUIC
        cid: bytes = header.destination_cid
        connection = self._by_id.get(cid)
        if connection is None:
            if header.packet_type != _quic.PACKET_TYPE_INITIAL:
                await self._any.handle(datagram)
                return
            if self._context.terminated.is_set():
                return
            connection = self._any.another(self._by_id)
            self._by_id[cid] = connection
            self._nursery.start_soon(self._serve, cid, connection, name="greenroom QUIC connection")
        connection.put(datagram)

    async def _serve(self, cid: bytes, connection: QuicConnection) -> None:
        try:
            await connection.serve()
        finally:
            if self._by_id.get(cid) is connection:  # the peer's choice, which another may have too
                del self._by_id[cid]
            if self.none:
                self.when_none()


class QuicConnection(QuicProtocol):
    """
    hypercorn's protocol, for one connection.

    It hands out copies of itself, and is none of them: what it holds of a server is the same
    for each connection, and made once, with the certificate read.
    """

    def another(self, by_id: dict[bytes, QuicConnection]) -> QuicConnection:
        """Return one for a connection that begins, which enters its IDs into *by_id*."""
        made = copy.copy(self)
        made.begin(by_id)
        return made

    def begin(self, by_id: dict[bytes, QuicConnection]) -> None:
        """Be one that has seen nothing yet."""
        self.connections = self._ids = _Ids(self, by_id)
        self._put, self._got = trio.open_memory_channel[RawData](_WAITING_DATAGRAMS)
        self._reading = trio.CancelScope()
        self._handling = False
        self._has_answered = False
        self._sleeping = trio.CancelScope()
        self._wakes_at = inf

    def put(self, datagram: RawData) -> None:
        """
        Have *datagram* handled by the connection's own task. Not a checkpoint.

        Where too many wait it is lost, as in a full buffer of the system: the peer sends it again.
        """
        with suppress(trio.WouldBlock, trio.ClosedResourceError):
            self._put.send_nowait(datagram)

    async def serve(self) -> None:
        """Serve the connection to its end. Always a checkpoint. A cancellation goes through."""
        error_code = NO_ERROR
        try:
            failed = True
            with ALONE:
                await self._serve()
                failed = False
            if failed:
                error_code = INTERNAL_ERROR
        finally:
            self._ids.forget()
            await self._say_goodbye(error_code)  # noqa: ASYNC102 - shielded, with a deadline

    async def _serve(self) -> None:
        async with Requests() as self.task_group:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keep_time)
                await self._read()
                nursery.cancel_scope.cancel()
            self._ids.forget()
            h3: GuardedH3Protocol | None = getattr(self._ids.connection, "h3", None)
            if h3 is not None:
                h3.end_requests()

    async def send_all(self, connection: Any) -> None:
        """Send what waits to be sent, and look when to wake up. A checkpoint if anything does."""
        for data, address in connection.quic.datagrams_to_send(now=self.context.time()):
            self._has_answered = True
            await self.send(RawData(data=data, address=address))
        timer = connection.quic.get_timer()
        self._wakes_at = self._sleeping.deadline = inf if timer is None else timer

    async def _read(self) -> None:
        with self._reading:
            async for datagram in self._got:
                self._handling = True
                await self.handle(datagram)
                self._handling = False
                if self._is_over:
                    return

    async def _keep_time(self) -> None:
        while True:
            with trio.CancelScope(deadline=self._wakes_at) as self._sleeping:
                await trio.sleep_forever()
            connection = self._ids.connection
            connection.quic.handle_timer(now=self.context.time())
            if self._handling:  # it may wait for an application; nobody else takes its events
                await self.send_all(connection)
            else:
                await self._handle_events(connection, None)
            if self._is_over:
                self._put.close()
                self._reading.deadline = trio.current_time() + STALLED_SECONDS

    @property
    def _is_over(self) -> bool:
        """Whether it has ended, or what came was the beginning of none."""
        soon = trio.current_time() + ANSWER_SECONDS
        return self.idle or self._wakes_at > (inf if self._has_answered else soon)

    async def _say_goodbye(self, error_code: int) -> None:
        """Tell the peer, once, if it does not know; its state may be what has failed."""
        connection = self._ids.connection
        if connection is None or not self._has_answered:
            return
        with trio.move_on_after(STALLED_SECONDS, shield=True), suppress(Exception):
            connection.quic.close(error_code=error_code)
            for data, address in connection.quic.datagrams_to_send(now=self.context.time()):
                await self.send(RawData(data=data, address=address))


class _Ids(dict[bytes, Any]):
    """The IDs of one connection, as hypercorn's protocol keeps them, entered for all to see."""

    def __init__(self, owner: QuicConnection, by_id: dict[bytes, QuicConnection]) -> None:
        super().__init__()
        self.connection: Any = None
        self._owner = owner
        self._by_id = by_id

    def __setitem__(self, cid: bytes, connection: Any) -> None:
        super().__setitem__(cid, connection)
        self.connection = connection
        self._by_id[cid] = self._owner

    def __delitem__(self, cid: bytes) -> None:
        super().__delitem__(cid)
        if self._by_id.get(cid) is self._owner:
            del self._by_id[cid]

    def forget(self) -> None:
        """Forget all of them."""
        for cid in list(self):
            del self[cid]
