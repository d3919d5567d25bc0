# One WebSocket on a server whose socket is written to directly: nothing but its slot.
#
# The slot's task is the connection's only one (docs/explanation/connections.md). What comes is
# put into the mailbox by the server's poller; what the actor sends goes to the socket at the end
# of its step, by the server's own buffer. So nobody has to be woken for either.

from collections.abc import Sequence
from functools import partial
from typing import Any

import trio

from ...actors._exits import Exit, ExitKind
from ...actors._messages import InFrame
from ._attached import Attached
from ._direct_output import DirectOutput
from ._keeper import Keeper
from ._output import OVER
from ._transport import Transport

_MANY = 16


def frames_of(messages: Sequence[str | bytes]) -> list[InFrame]:
    """Return *messages* as the mailbox holds them."""
    return [
        InFrame(message, None) if isinstance(message, str) else InFrame(None, message)
        for message in messages
    ]


class DirectConnection(Attached):
    """One WebSocket on *transport*, whose receiver it is (bridges/websocket/_receiver.py)."""

    __slots__ = ("_mailbox", "_transport")

    def __init__(self, transport: Transport, *place: Any) -> None:
        self._transport = transport
        super().__init__(*place, make_output=partial(DirectOutput, transport))
        self._mailbox = self.slot.mailbox
        limits = self._limits
        if limits.own_ends:
            transport.tune(limits.message_bytes, limits.ping_seconds, limits.pong_seconds)

    async def run(self) -> None:
        """Serve it to its end. A checkpoint; a cancellation asks the slot to stop first."""
        try:
            self._transport.take_over(self)
            try:
                exit_ = await self.slot.run(self._root.tasks)
            except BaseException as error:  # noqa: ASYNC103, BLE001 - see _fault()
                exit_ = self._fault(error)
            await self._finish(exit_)
            del exit_  # its error's traceback may hold this frame: no cycle
        finally:
            self.detach()

    async def _finish(self, exit_: Exit) -> None:
        """Have the close go out, and wait for the peer's half."""
        transport = self._transport
        seconds = self._root.options.close_seconds
        if not await transport.finish(seconds):
            self.slot.note("output.slow", code=self.output.code, reset=True)
        elif self.output.opened and not transport.read_all:
            with trio.move_on_after(seconds):
                await transport.wait_read_all()
        if exit_.kind is ExitKind.FATAL:
            self._root.fatal(self.slot.path)

    # -- bridges/websocket/_receiver.py: Receiver ------------------------------------------

    @property
    def room(self) -> int:
        """How many more messages may come now; some, too, once nobody wants them."""
        return self._mailbox.read_room if self.output.state not in OVER else _MANY

    def on_read_room(self, resume: Any) -> None:
        """Call *resume* once there is room again."""
        self._mailbox.on_read_room(resume)

    def take(self, messages: Sequence[str | bytes]) -> bool:
        """Put *messages* into the mailbox; say whether more may come."""
        if self.output.state in OVER:
            return True  # the peer had not seen our close yet
        return self._mailbox.put_frames(frames_of(messages))

    def ended(self, code: int, reason: str) -> None:
        """Tell the slot, behind what waits."""
        self._ended(code, reason)

    def sent(self) -> None:
        """Tell who waits for room."""
        self.output.tell_waiters()

    def cancelled(self) -> None:
        """Ask the slot to stop."""
        self._cancelled()


class KeptConnection(DirectConnection):
    """One whose class has limits that somebody has to look after."""

    __slots__ = ("_keeper",)

    def __init__(self, transport: Transport, *place: Any) -> None:
        super().__init__(transport, *place)
        self._keeper = Keeper(self._root, self._limits, self.slot, self.output, self.violated)

    def detach(self) -> None:
        """Take it out of the tree: its connection is over."""
        self._keeper.end()
        super().detach()

    @property
    def room(self) -> int:
        """How many more messages may come now; none of a peer that sends too fast."""
        room = super().room
        return room if self.output.state in OVER else min(room, self._keeper.room)

    def on_read_room(self, resume: Any) -> None:
        """Call *resume* once there is room again, and the peer may be read from."""
        if self._keeper.room:
            super().on_read_room(resume)
        else:
            self._keeper.on_room(lambda: self.on_read_room(resume))

    def take(self, messages: Sequence[str | bytes]) -> bool:
        """Put *messages* into the mailbox; say whether more may come."""
        if self.output.state in OVER:
            return True
        frames = frames_of(messages)
        more = self._mailbox.put_frames(frames)
        return self._keeper.took(len(frames), sum(frame.size for frame in frames)) and more
