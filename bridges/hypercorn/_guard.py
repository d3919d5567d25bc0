# One connection's error must not end the server.
#
# hypercorn 0.18 runs its connections in one nursery, so what one of them raises outside of
# the application ends them all, and the process with status 0: a malformed request
# (hypercorn#225, #329), or a view whose header h11 refuses to write, since hypercorn then
# tries to send an error page on a connection that is beyond sending.
#
# And a peer that does not read must not keep the server from ending: hypercorn shields its
# writes, so one that stalls ends by no cancellation. Here a write goes on as long as the
# peer's end is read for. Once that is over, because the peer has closed or because the
# worker cancels what its grace has not ended, it has STALLED_SECONDS left.

import math

import trio
from hypercorn.events import Closed, Event, RawData
from hypercorn.trio.tcp_server import TCPServer

from ._alone import ALONE
from ._worker import tell_of_the_end

STALLED_SECONDS = 1.0
"""How long a write may take once nothing is read from the peer any more."""


class GuardedTCPServer(TCPServer):
    """hypercorn's connection, whose errors and stalled writes end nothing but itself."""

    _write: trio.CancelScope | None = None  # the one under way
    _write_seconds = math.inf

    async def run(self) -> None:
        """
        Serve the connection to its end. Always a checkpoint.

        A cancellation goes through, and so does what is no Exception (Ctrl-C).
        """
        tell_of_the_end(self.context, self.state)
        with ALONE:
            await super().run()

    async def protocol_send(self, event: Event) -> None:
        """
        Do what the protocol asks for; a write waits until the peer has taken it.

        Always a checkpoint. A cancellation does not cut a write in two.
        """
        if not isinstance(event, RawData):
            await super().protocol_send(event)
            return
        async with self.send_lock:
            try:
                await self._send_all(event.data)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                await self.protocol.handle(Closed())

    async def _send_all(self, data: bytes) -> None:
        scope = self._write = trio.CancelScope(shield=True)
        scope.deadline = trio.current_time() + self._write_seconds
        try:
            with scope:
                await self.stream.send_all(data)
        finally:
            self._write = None
        if scope.cancelled_caught:
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(self.stream)
            raise trio.BrokenResourceError("the peer does not read")

    async def _read_data(self) -> None:
        try:
            await super()._read_data()
        finally:
            self._write_seconds = STALLED_SECONDS
            if self._write is not None:
                self._write.deadline = trio.current_time() + STALLED_SECONDS
