# One WebSocket on a server whose socket is written to directly: its slot and a reader.
#
# Two tasks and no more (DESIGN 7): what the actor sends goes to the socket at the end of its
# step, by the server's own buffer, so nobody has to be woken for it.
#
# Who is shielded: the slot's task, so that an outer cancellation (the server's shutdown)
# is seen by the reader alone, which asks the slot to stop; then `disconnect` runs, the
# close goes out, and the cancellation goes on.

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import trio

from ...actors import Actor
from ...actors._exits import ExitKind
from ...actors._messages import InFrame
from ...supervisor import Root
from ...supervisor._slot import Slot
from ..websocket._close import Violation
from ._direct_output import DirectOutput
from ._transport import Transport


class DirectConnection:
    """The two tasks of one WebSocket on *transport*."""

    slot: Slot

    def __init__(
        self,
        root: Root,
        route: str,
        actor: type[Actor],
        kwargs: dict[str, Any],
        scope: MutableMapping[str, Any],
        transport: Transport,
    ) -> None:
        self._root = root
        self._transport = transport
        self._read_all = trio.Event()
        self.output = DirectOutput(
            transport,
            scope,
            root.loop,
            high_water_bytes=root.options.output_high_water_bytes,
            limit_bytes=root.options.output_limit_bytes,
            stall_seconds=root.options.output_stall_seconds,
            on_slow=self._slow,
        )
        self.slot = root.connections.attach(route, actor, kwargs, self.output)
        self.output.path = self.slot.path
        root.events.emit("connection.opened", self.slot.path, url=scope["path"])

    async def run(self) -> None:
        """Serve it to its end. A checkpoint; a cancellation asks the slot to stop first."""
        async with trio.open_nursery() as nursery:
            reading = trio.CancelScope()
            path = self.slot.path

            def spawn(function: Callable[..., Awaitable[object]]) -> None:
                nursery.start_soon(function, name=f"{path} writer")

            self._transport.take_over(self.output.room, spawn)
            nursery.start_soon(self._read, reading, name=f"{path} reader")
            exit_ = await self.slot.run(nursery)
            seconds = self._root.options.close_seconds
            try:
                if not await self._transport.finish(seconds):
                    self.slot.note("output.slow", code=self.output.code, reset=True)
                elif self.output.opened:
                    with trio.move_on_after(seconds):
                        await self._read_all.wait()
            finally:
                reading.cancel()
        if exit_.kind is ExitKind.FATAL:
            self._root.fatal(self.slot.path)

    async def _read(self, scope: trio.CancelScope) -> None:
        code, reason = 1006, ""
        try:
            with scope:
                code, reason = await self._transport.read(
                    self._take, self.slot.mailbox.wait_read_room
                )
        except trio.Cancelled:
            # Not by `scope`: the server shuts down.
            if self.slot.end is None:
                self.slot.request_stop("server shutdown", 1012, "server shutdown")
            raise
        except Violation as violation:
            code, reason = violation.code, violation.reason
            self.slot.note("connection.violation", code=code, reason=reason)
            if self.output.close(code, reason):
                self.slot.peer_ended(code, reason)
            return
        finally:
            self._read_all.set()
        if not scope.cancelled_caught and self.output.peer_ended(code, reason):
            self.slot.peer_ended(code, reason)

    def _take(self, message: str | bytes) -> bool:
        if self.output.over:
            return True  # the peer had not seen our close yet
        mailbox = self.slot.mailbox
        if type(message) is str:
            mailbox.put_arrival(InFrame(message, None))
        else:
            mailbox.put_arrival(InFrame(None, message))  # pyright: ignore[reportArgumentType]
        return not mailbox.read_ahead_full

    def _slow(self, size: int) -> None:
        self.slot.note("output.slow", bytes=size, code=1013)
        self._root.loop.call_soon(self.slot.peer_ended, 1013, "reads too slowly")
