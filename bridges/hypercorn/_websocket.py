# One WebSocket on a connection of ours: the transport that consumers write to directly.
#
# No task reads. The poller calls when something has come; it is decoded and handed to the
# receiver in that very call. A receiver that has no room is asked for it, and meanwhile the
# socket is left alone, so that TCP holds the peer back.
#
# Invariants, each with a test of that name in tests/bridges/hypercorn/test_websocket.py:
#   CODES      the peer's close code and reason reach the application as they are, and a
#              violation is answered with its own.
#   EARLY      what the peer sends before the handshake is answered waits, within one read.
#   ALIVE      a peer that neither sends nor answers a ping is given up; one that is not
#              read from, because its consumer is busy, is not.
#   FAIR       one call handles a bounded number of items, however many came at once, and
#              less of what has to be decompressed.

import logging
from collections.abc import Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING, cast

import trio

from ...actors._lowlevel import LoopThread, Parker
from ...actors.consumers import Frame
from ..websocket._close import NO_CODE, Close, Violation
from ..websocket._decode import Decoder, Item, Ping
from ..websocket._deflate import Inflater
from ..websocket._encode import binary_frame, close_frame, ping_frame, pong_frame, text_frame
from ..websocket._handshake import Handshake, accept_response
from ..websocket._receiver import Receiver
from ._heartbeat import Beat, Heartbeat
from ._wire import READ_BYTES

if TYPE_CHECKING:
    from ._connection import FastTCPServer

logger = logging.getLogger("greenroom.hypercorn")

Headers = Sequence[tuple[bytes, bytes]]
Messages = Sequence[str | bytes]

_MANY = 16  # items that are decoded at a time
_MOST = 256  # items in one call
_INFLATED = 256  # bytes that count as one of them


class WebsocketTransport:
    """One WebSocket, from the upgrade request on."""

    __slots__ = (
        "_answered", "_beat", "_beats", "_before", "_connection", "_decoder", "_end", "_full",
        "_key", "_loop", "_more", "_receiver", "_resting", "_wire", "close_sent",
        "opened", "peer_closed", "read_all", "status",
    )  # fmt: skip

    extension: bytes | None = None
    """What the answer says of extensions."""

    def __init__(
        self,
        connection: "FastTCPServer",
        handshake: Handshake,
        inflate: Inflater | None = None,
    ) -> None:
        self.opened = False
        """Whether the handshake was accepted."""
        self.status = 0
        """Of the answer to the handshake; 0 as long as there is none."""
        self.peer_closed = False
        """Whether the peer's close frame, or its end, was read."""
        self.read_all = False
        """Whether nothing more is read: the peer has ended, or is past the protocol."""
        self.close_sent = False
        """Whether our close frame is on its way."""
        self._connection = connection
        self._wire = connection.wire
        self._before = self._wire.written[0]  # of requests that came before it
        limits = connection.limits
        self._key = handshake.key
        self._loop = LoopThread.current()
        self._decoder = Decoder(limits.message_bytes, limits.fragments, inflate)
        self._decoder.feed(connection.rest())
        self._receiver: Receiver | None = None
        self._full = False  # the receiver has no room, and will say when it has
        self._more = False  # more has come than one call handles
        self._resting = False  # the socket is left alone
        self._answered = False  # the peer's close frame, by ours, whichever was first
        self._end: Parker | None = None  # a task waits for it
        self._beats = connection.beats
        self._beat = Heartbeat(limits.ping_seconds, limits.pong_seconds, trio.current_time())

    # -- bridges/asgi/_transport.py: Transport ----------------------------------------------

    @property
    def unsent(self) -> int:
        """Bytes that the socket has not taken. Any thread."""
        return self._wire.size

    @property
    def blocked(self) -> bool:
        """Whether the socket takes no more, so that who waits will be told. Any thread."""
        return self._wire.blocked

    @property
    def broken(self) -> bool:
        """Whether the connection is beyond writing. Any thread."""
        return self._wire.broken

    def traffic(self) -> Mapping[str, object]:
        """Return what has gone out so far, and when the peer was heard of. Loop thread only."""
        writes, size = self._wire.written
        return {
            "frames_out": max(0, writes - self._before - 1),  # the answer to the handshake was none
            "bytes_out": size,
            "heard": max(0.0, trio.current_time() - self._beat.heard),
        }

    def tune(self, message_bytes: int, ping_seconds: float, pong_seconds: float) -> None:
        """Have other bounds than the server's, before :meth:`take_over`."""
        self._decoder.limit(message_bytes)
        self._beat = Heartbeat(ping_seconds, pong_seconds, trio.current_time())

    def take_over(self, receiver: Receiver) -> None:
        """Have *receiver* given what comes, from now on."""
        self._receiver = receiver
        self._wire.on_room = receiver.sent
        self._wire.read_with(self)
        self._beats.call_at(self._beat.deadline(), self)
        self._connection.on_cancel(receiver.cancelled)

    def accept(self, subprotocol: str | None, headers: Headers) -> None:
        """Write the answer that opens. Any thread."""
        self._wire.write(accept_response(self._key, subprotocol, self.extension, headers))
        self.status, self.opened = 101, True
        self._connection.answered()
        # Later: what came early may end the socket, and who accepts it has not taken note yet.
        if self._resting or not self._decoder.empty or not self._loop.is_here():
            self._loop.call_soon(self._go_on)

    def deny(self, status: int, headers: Headers, body: bytes) -> None:
        """Write the answer that refuses. Any thread."""
        self._wire.write(self._connection.answer(status, headers, body))
        self.status = status  # behind it: a header may be one that can't be sent

    def send(self, frame: Frame) -> bool:
        """Write *frame*; False when the connection is broken. Any thread, never blocks."""
        data = frame.wire
        if data is None:
            text = frame.text
            data = text_frame(text) if text is not None else binary_frame(frame.data or b"")
            frame.wire = data
        return self._wire.write(data)

    def send_text(self, text: str, most: int) -> bool:
        """Write *text* if no more than *most* bytes wait then. Any thread, never blocks."""
        return self._wire.write(text_frame(text), most)

    def close(self, code: int, reason: str) -> None:
        """Write the close, behind which nothing goes out. Any thread."""
        last = close_frame(code, reason)
        self.close_sent = True
        self._wire.write_last(last)

    def flush(self) -> None:
        """Give the socket what it takes of what waits. Any thread."""
        self._wire.flush()

    def throw_away(self) -> None:
        """Forget what waits, but for what stands before our answer to a close. Any thread."""
        if not self._answered:
            self._wire.discard()

    async def finish(self, seconds: float) -> bool:
        """Have what waits sent, *seconds* at most, or reset the connection: then False."""
        self._wire.on_room = None
        if self._wire.size:
            with trio.move_on_after(seconds, shield=True):
                await self._wire.drain()
                return True  # or its peer is gone, which is no slowness
            self._wire.close(reset=True)
            return False
        return True

    async def wait_read_all(self) -> None:
        """Wait until nothing more is read: the peer has ended. A checkpoint if it waits."""
        while not self.read_all:
            self._end = Parker()
            await self._end.park()

    async def drain(self) -> bool:
        """Wait until the socket has taken all; False, and a reset, if it takes nothing."""
        return await self._connection.drain()

    def release(self) -> None:
        """Leave the socket to who reads it next: nothing is given to the receiver any more."""
        self._wire.on_room = None
        self._stop()
        if self._receiver is not None:
            self._connection.not_on_cancel(self._receiver.cancelled)

    # -- what comes -------------------------------------------------------------------------

    def readable(self) -> None:
        """Read and hand over what has come: the poller's call."""
        decoder = self._decoder
        if self._full or (not self.opened and decoder.buffered >= READ_BYTES):
            self._resting = True
            self._wire.read_with(None)
            return
        if not self._more:
            data = self._wire.receive()
            if not data:
                if data is not None:
                    self._ended(1006, "")
                return
            self._beat.heard = self._wire.poller.now
            decoder.feed(data)
        if self.opened:
            self._hand_over()

    def failed(self, error: Exception) -> None:
        """Make an end: reading has raised *error*, which is a fault of ours."""
        logger.error("a fault in Greenroom itself ended a WebSocket", exc_info=error)
        self._wire.close(reset=True)
        if not self.read_all:
            self._ended(1006, "a fault in Greenroom itself")

    def beat(self, now: float) -> float:
        """Ping a silent peer, or give it up; return when to look again."""
        if self.read_all:
            return inf
        if self._full or self._resting or not self.opened:
            self._beat.heard = now  # a pong could not be seen, so it does not count
        what = self._beat.beat(now)
        if what is Beat.PING:
            self._wire.write(ping_frame(b""))
        elif what is Beat.DEAD and not self._heard_of_late(now):
            seconds = self._beat.timeout
            self._ended(1006, f"no sign of life within {seconds:g} s after a ping")
            return inf
        return inf if self.read_all else self._beat.next_look(now)

    def _heard_of_late(self, now: float) -> bool:
        """Read what came while the loop was too busy to look; say whether there was anything."""
        data = self._wire.receive()
        if not data:
            return False
        self._beat.heard = now
        self._decoder.feed(data)
        self._hand_over()
        return True

    def _go_on(self) -> None:
        """Hand over what has waited for room, or for the handshake; then read on."""
        if self.read_all or self._receiver is None:
            return
        self._full = False
        try:
            self._hand_over()
            if self._resting and not (self._full or self.read_all):
                self._resting = False
                self._beat.heard = trio.current_time()
                self._wire.read_with(self)
        except Exception as error:  # noqa: BLE001 - the caller is the receiver
            self.failed(error)

    def _hand_over(self) -> None:
        """Give the receiver what has come, as far as it has room, and a bounded number."""
        decoder, receiver, left = self._decoder, self._receiver, _MOST
        assert receiver is not None
        self._more = False
        while left > 0:
            room = receiver.room
            if room <= 0:
                self._wait_for_room(receiver)
                return
            try:
                items = decoder.next_many(min(room, _MANY))
            except Violation as violation:
                self._stop()
                receiver.violated(violation)
                return
            more, begin = True, 0  # of the messages that nobody was given yet
            for at, item in enumerate(items):
                kind = type(item)
                if kind is str or kind is bytes:
                    continue
                if begin < at:
                    more = receiver.take(cast("Messages", items[begin:at]))
                begin = at + 1
                if not self._control(item):
                    return
            if begin < len(items):
                more = receiver.take(cast("Messages", items[begin:] if begin else items))
            if not more:
                self._wait_for_room(receiver)
                return
            if decoder.empty or not items:
                return
            left -= len(items) + decoder.inflated // _INFLATED
        self._more = True
        self._wire.read_again()

    def _wait_for_room(self, receiver: Receiver) -> None:
        self._full = True
        receiver.on_read_room(self._go_on)

    def _control(self, item: Item) -> bool:
        """Do what a control frame asks for; False when it was the last."""
        if type(item) is Ping:
            if self._wire.size < READ_BYTES:  # who does not read gets no more of them
                self._wire.write(pong_frame(item.payload))
        elif type(item) is Close:
            self._answered = True
            if not self.close_sent:
                self.close_sent = True
                # Who gives no code gets that of a normal end, so that every close has one.
                code = 1000 if item.code == NO_CODE else item.code
                self._wire.write_last(close_frame(code, item.reason))  # a browser shows what comes
            self._ended(item.code, item.reason)
            return False
        return True

    def _ended(self, code: int, reason: str) -> None:
        self.peer_closed = True
        self._stop()
        if self._receiver is not None:
            self._receiver.ended(code, reason)

    def _stop(self) -> None:
        """Read nothing any more."""
        self.read_all = True
        self._wire.read_with(None)
        self._beats.forget(self)
        if self._end is not None:
            self._end.wake()
