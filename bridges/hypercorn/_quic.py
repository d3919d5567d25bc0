# One QUIC connection's error must not end the server.
#
# hypercorn 0.18 serves all connections of a UDP socket in one task, and their requests and timers
# in one nursery, which is the worker's. So what one of them raises ends them all, and the process
# with status 0: request trailers, a path that is no ASCII, a body that goes on behind the answer,
# a browser that takes a request back. And one that waits, because an application does not read,
# holds up all others.
#
# Here each connection has a task and a nursery of its own, in _quic_connection.py, and this hands
# it its datagrams. That module imports aioquic, by way of hypercorn, which is an extra; this one
# does not, so it can be put in place whether or not anybody has asked for QUIC.
#
# Invariants, each with a test of that name in tests/bridges/hypercorn/test_quic.py:
#   ALONE      what goes wrong in a connection ends it and nothing else.
#   FORGOTTEN  a connection that is over leaves no task and no ID.
#   NO WAIT    nothing that a connection waits for holds up the others.

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import trio
from hypercorn.events import Event, RawData
from hypercorn.trio.udp_server import UDPServer

from ._alone import ALONE
from ._internals import NEEDED_FOR_QUIC, problem
from ._worker import WorkerEnd, tell_of_the_end

if TYPE_CHECKING:
    from ._quic_connection import QuicConnections

logger = logging.getLogger("greenroom.hypercorn")

_DATAGRAM_BYTES = 65536


class GuardedUDPServer(UDPServer):
    """hypercorn's server of a UDP socket, of whose connections none can end the others."""

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """
        Serve until the worker ends and the last connection with it. Always a checkpoint.

        A cancellation goes through, and ends every connection with a word to its peer.
        """
        import_module("hypercorn.protocol.quic")  # without aioquic it raises what hypercorn does
        found = problem(needs=NEEDED_FOR_QUIC)
        if found:
            logger.warning("%s", found)
            await super().run(task_status)
            return
        from ._quic_connection import QuicConnections

        tell_of_the_end(self.context, cast("Any", self.state))
        async with trio.open_nursery() as nursery:
            connections = QuicConnections(self, nursery)
            task_status.started()
            await self._receive(connections)

    async def _receive(self, connections: "QuicConnections") -> None:
        with trio.CancelScope() as scope:

            def end_if_idle() -> None:
                if self.context.terminated.is_set() and connections.none:
                    scope.cancel()

            connections.when_none = end_if_idle
            WorkerEnd.of(self.context).call(end_if_idle)
            while True:
                data, address = await self.socket.recvfrom(_DATAGRAM_BYTES)
                with ALONE:
                    await connections.take(RawData(data, address))

    async def protocol_send(self, event: Event) -> None:
        """
        Send a datagram. A checkpoint.

        What the system refuses to send is lost on its way, as any datagram may be.
        """
        if isinstance(event, RawData):
            try:
                await self.socket.sendto(event.data, cast("Any", event.address))
            except OSError as error:
                logger.debug("a datagram to %s was not sent: %s", event.address, error)
