# What a link says, brought to the incarnation that opened it, in order, as mailbox items.
#
# They travel as timer ticks of the incarnation: ticks carry their owner, so that one of an
# older incarnation is never handled by the next, and do not count against the mailbox's
# capacity. What has been read and not handled is counted here, and stops the reading.

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from ...actors._lowlevel import Parker
from ...actors._mailbox import wake_from_thread
from ...actors._messages import InFrame, Tick
from ...actors._timers import Timer
from ._link import Link

if TYPE_CHECKING:
    from ...actors._life import Life
    from ...actors._outgoing_port import OutgoingPort
    from ._errors import ConnectionLost
    from ._output import Output
    from ._plan import Plan

READ_AHEAD_MESSAGES = 16
READ_AHEAD_BYTES = 65536


class Connected:
    """The connection is up."""

    __slots__ = ("subprotocol",)

    def __init__(self, subprotocol: str | None) -> None:
        self.subprotocol = subprotocol


class Received:
    """A message has come over it."""

    __slots__ = ("frame", "session")

    def __init__(self, session: Session, frame: InFrame) -> None:
        self.session, self.frame = session, frame


class Lost:
    """The connection is over, or was never made."""

    __slots__ = ("error", "was_up")

    def __init__(self, error: ConnectionLost, *, was_up: bool) -> None:
        self.error, self.was_up = error, was_up

    @property
    def code(self) -> int:
        """The close code."""
        return self.error.code

    @property
    def reason(self) -> str:
        """What the peer said."""
        return self.error.reason

    @property
    def message(self) -> dict[str, object]:
        """The event as ASGI words it."""
        return {"type": "websocket.disconnect", "code": self.code, "reason": self.reason}


class Session:
    """The connection of one incarnation, *life*; *outgoing* follows how it is made."""

    def __init__(
        self, life: Life, plan: Plan, output: Output, outgoing: OutgoingPort | None = None
    ) -> None:
        self.output = output
        self.subprotocol: str | None = None
        self._life, self._plan, self._outgoing = life, plan, outgoing
        self._waiting: dict[Received, Timer] = {}  # in order of arrival
        self._room = Parker()
        self._was_up = self._released = False

    async def run(self) -> None:
        """Be the incarnation's background task that holds the connection."""
        try:
            error = await Link(self._plan, self.output, self, self._outgoing).run()
            self._put(Lost(error, was_up=self._was_up))
            # What was read before is still being handled; it is this incarnation's.
            await trio.sleep_forever()
        finally:
            self._discard()

    def begun(self, received: Received) -> None:
        """Take note that *received* is being handled. Any thread."""
        if self._waiting.pop(received, None) is None:
            return
        loop = self._life.host.loop
        if loop.is_here():
            self._room.wake()
        else:
            wake_from_thread(loop, self._room)

    # -- what the link tells ------------------------------------------------------------

    def opened(self, subprotocol: str | None) -> None:
        """The connection is up."""
        self._was_up = True
        self.subprotocol = subprotocol
        self._put(Connected(subprotocol))

    def arrived(self, message: str | bytes) -> None:
        """One message has come."""
        text, data = (message, None) if isinstance(message, str) else (None, bytes(message))
        received = Received(self, InFrame(text, data))
        self._waiting[received] = self._put(received)

    @property
    def stalled(self) -> bool:
        """Whether so much waits to be handled that no more should be read."""
        if self._released:
            return False
        waiting = tuple(self._waiting)
        return len(waiting) >= READ_AHEAD_MESSAGES or (
            sum(received.frame.size for received in waiting) >= READ_AHEAD_BYTES
        )

    async def wait_room(self) -> None:
        """Wait until not stalled, or released. A checkpoint if it waits."""
        while self.stalled:
            await self._room.park()

    def release(self) -> None:
        """Nobody handles what comes any more: stall no longer."""
        self._released = True
        self._room.wake()

    # -- inside -----------------------------------------------------------------------------

    def _put(self, message: Connected | Received | Lost) -> Timer:
        timer = Timer(self._life, message, None, None)
        timer.waiting = True
        if self._outgoing is not None:
            timer.carried = self._outgoing.carried
        self._life.host.mailbox.put_arrival(Tick(timer))
        return timer

    def _discard(self) -> None:
        for received, timer in self._waiting.items():
            timer.cancel()
            self._life.host.dead_letter(
                received.frame, "the incarnation it was meant for has ended"
            )
        self._waiting.clear()
