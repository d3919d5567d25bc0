# One WebSocket on a connection of ours: the transport that consumers write to directly.
#
# Invariants, each with a test of that name in tests/bridges/hypercorn/test_websocket.py:
#   CODES      the peer's close code and reason reach the application as they are, and a
#              violation is answered with its own.
#   EARLY      what the peer sends before the handshake is answered waits, within one read.
#   ALIVE      a peer that neither sends nor answers a ping is given up; one that is not
#              read from, because its consumer is busy, is not.

from collections.abc import Awaitable, Callable, Sequence
from math import inf
from typing import TYPE_CHECKING

import trio

from ...actors._lowlevel import LoopThread
from ...actors.consumers import Frame
from ..websocket._close import Close
from ..websocket._decode import Decoder, Ping
from ..websocket._encode import binary_frame, close_frame, ping_frame, pong_frame, text_frame
from ..websocket._handshake import Handshake, accept_response
from ._heartbeat import Beat, Heartbeat
from ._wire import READ_BYTES

if TYPE_CHECKING:
    from ._connection import FastTCPServer

Headers = Sequence[tuple[bytes, bytes]]

_MANY = 16  # messages that are decoded at a time


class WebsocketTransport:
    """One WebSocket, from the upgrade request on."""

    def __init__(self, connection: "FastTCPServer", handshake: Handshake) -> None:
        self.opened = False
        """Whether the handshake was accepted."""
        self.status = 0
        """Of the answer to the handshake; 0 as long as there is none."""
        self._connection = connection
        self._wire = connection.wire
        self._limits = connection.limits
        self._handshake = handshake
        self._loop = LoopThread.current()
        self._decoder = Decoder(self._limits.message_bytes, max_fragments=self._limits.fragments)
        self._decoder.feed(connection.rest())
        self._opening: trio.Event | None = None
        self._reading: trio.CancelScope | None = None
        self.peer_closed = False
        """Whether the peer's close frame, or its end, was read."""
        self.close_sent = False
        """Whether our close frame is on its way."""
        self._answered = False  # the peer's close frame, by ours
        self._on_room: Callable[[], object] | None = None

    # -- bridges/asgi/_transport.py: Transport ----------------------------------------------

    @property
    def unsent(self) -> int:
        """Bytes that the socket has not taken. Any thread."""
        return self._wire.size

    @property
    def broken(self) -> bool:
        """Whether the connection is beyond writing. Any thread."""
        return self._wire.broken

    def take_over(self, on_room: Callable[[], object], spawn: Callable[..., None]) -> None:
        """Begin to use it in ASGI's place."""
        self._on_room = on_room
        self._wire.on_blocked = lambda: spawn(self._drain)

    def accept(self, subprotocol: str | None, headers: Headers) -> None:
        """Write the answer that opens. Any thread."""
        key = self._handshake.key
        self._wire.write(accept_response(key, subprotocol, headers=headers))
        self.status, self.opened = 101, True
        if self._loop.is_here():
            self._begin_reading()
        else:
            self._loop.call_soon(self._begin_reading)

    def deny(self, status: int, headers: Headers, body: bytes) -> None:
        """Write the answer that refuses. Any thread."""
        self.status = status
        self._wire.write(self._connection.answer(status, headers, body))

    def send(self, frame: Frame) -> bool:
        """Write *frame*; False when the connection is broken. Any thread, never blocks."""
        data = frame.wire
        if data is None:
            text = frame.text
            data = text_frame(text) if text is not None else binary_frame(frame.data or b"")
            frame.wire = data
        return self._wire.write(data)

    def close(self, code: int, reason: str) -> None:
        """Write the close. Any thread."""
        self.close_sent = True
        self._wire.write(close_frame(code, reason))

    def flush(self) -> None:
        """Give the socket what it takes of what waits. Any thread."""
        self._wire.flush()

    def throw_away(self) -> None:
        """Forget what waits, but for what stands before our answer to a close. Any thread."""
        if not self._answered:
            self._wire.discard()

    async def read(
        self, take: Callable[[str | bytes], bool], room: Callable[[], Awaitable[None]]
    ) -> tuple[int, str]:
        """
        Read until the peer's end; return its code and its reason.

        Args:
            take: Given each message; says whether more may come.
            room: Awaited before the next message when none may come.

        A checkpoint; a cancellation loses nothing.

        Raises:
            Violation: The peer broke the protocol; nothing more is read.
        """
        limits = self._limits
        beat = Heartbeat(limits.ping_seconds, limits.pong_seconds, trio.current_time())
        while True:
            with trio.CancelScope(deadline=beat.deadline()) as self._reading:
                return await self._read(take, room, beat)
            if not self.opened:  # nobody could answer a ping; the handshake has a deadline itself
                beat.heard = trio.current_time()
            what = beat.beat(trio.current_time())
            if what is Beat.PING:
                self._wire.write(ping_frame(b""))
            elif what is Beat.DEAD:
                self.peer_closed = True
                return 1006, f"no sign of life within {limits.pong_seconds:g} s after a ping"

    async def finish(self, seconds: float) -> bool:
        """Have what waits sent, *seconds* at most, or reset the connection: then False."""
        self._wire.on_blocked = None  # who could be spawned ends; this drains, and what follows
        with trio.move_on_after(seconds, shield=True):
            await self._wire.drain()
            return True  # or its peer is gone, which is no slowness
        self._wire.close(reset=True)
        return False

    async def drain(self) -> bool:
        """Wait until the socket has taken all; False, and a reset, if it takes nothing."""
        return await self._connection.drain()

    async def _drain(self) -> None:
        # Shielded: cancelled with the server it would be spawned again at once, for as long
        # as the slot takes to end. finish(), which resets in the end, bounds it.
        with trio.CancelScope(shield=True):
            await self._wire.drain()
        if self._on_room is not None:  # also where it broke: nobody waits for room then
            self._on_room()

    def _begin_reading(self) -> None:
        if self._opening is not None:
            self._opening.set()
        if self._decoder.buffered and self._reading is not None:
            self._reading.cancel()  # what came too early is due now

    async def _read(
        self,
        take: Callable[[str | bytes], bool],
        room: Callable[[], Awaitable[None]],
        beat: Heartbeat,
    ) -> tuple[int, str]:
        decoder, wire = self._decoder, self._wire
        while True:
            while self.opened and (items := decoder.next_many(_MANY)):
                for item in items:
                    if isinstance(item, str | bytes):
                        if not take(item):
                            await self._pause(room, beat)
                    elif isinstance(item, Ping):
                        if wire.size < READ_BYTES:  # who does not read gets no more of them
                            wire.write(pong_frame(item.payload))
                    elif isinstance(item, Close):
                        return self._closed_by_peer(item)
            if not self.opened and decoder.buffered >= READ_BYTES:
                self._opening = trio.Event()
                await self._opening.wait()
                continue
            try:
                data = await wire.read()
            except OSError:
                data = b""
            if not data:
                self.peer_closed = True
                return 1006, ""
            beat.heard = trio.current_time()
            decoder.feed(data)

    async def _pause(self, room: Callable[[], Awaitable[None]], beat: Heartbeat) -> None:
        # Nobody reads now, so no pong could be seen: the heartbeat stands still.
        assert self._reading is not None
        self._reading.deadline = inf
        await room()
        beat.heard = trio.current_time()
        self._reading.deadline = beat.deadline()

    def _closed_by_peer(self, close: Close) -> tuple[int, str]:
        self.peer_closed = True
        if not self.close_sent:
            self.close_sent = self._answered = True
            self._wire.write(close_frame(close.code))
        return close.code, close.reason
