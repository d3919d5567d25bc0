# One WebSocket on a server whose socket is written to directly: its slot and a reader.
#
# Two tasks and no more (DESIGN 7): what the actor sends goes to the socket at the end of its
# step, by the server's own buffer, so nobody has to be woken for it.

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import trio

from ...actors._exits import ExitKind
from ...actors._messages import InFrame
from ..websocket._close import Violation
from ._attached import Attached
from ._direct_output import DirectOutput
from ._transport import Transport


class DirectConnection(Attached):
    """The two tasks of one WebSocket on *transport*."""

    def __init__(self, transport: Transport, *place: Any) -> None:
        self._transport = transport
        super().__init__(*place, make_output=partial(DirectOutput, transport))

    async def run(self, *_channel: object) -> None:
        """Serve it to its end. A checkpoint; a cancellation asks the slot to stop first."""
        async with trio.open_nursery() as nursery:
            reading = trio.CancelScope()
            path = self.slot.path

            def spawn(function: Callable[..., Awaitable[object]]) -> None:
                nursery.start_soon(function, name=f"{path} writer")

            self._transport.take_over(self.output.tell_waiters, spawn)
            nursery.start_soon(self._read_with, self._read, reading, name=f"{path} reader")
            exit_ = await self._run_slot(nursery)
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

    async def _read(self) -> tuple[int, str] | None:
        try:
            return await self._transport.read(self._take, self.slot.mailbox.wait_read_room)
        except Violation as violation:
            code, reason = violation.code, violation.reason
            self.slot.note("connection.violation", code=code, reason=reason)
            if self.output.close(code, reason):
                self.slot.peer_ended(code, reason)
            return None

    def _take(self, message: str | bytes) -> bool:
        if self.output.over:
            return True  # the peer had not seen our close yet
        mailbox = self.slot.mailbox
        if type(message) is str:
            mailbox.put_arrival(InFrame(message, None))
        else:
            mailbox.put_arrival(InFrame(None, message))  # pyright: ignore[reportArgumentType]
        return not mailbox.read_ahead_full
