# ASGI's `receive` and `send` for a WebSocket of ours: for applications that know nothing of
# Greenroom, or stand behind a middleware that wraps the two.

from collections.abc import Callable, MutableMapping, Sequence
from typing import Any

import trio

from ...actors._lowlevel import Parker
from ...actors.consumers._frames import frame_of
from ..websocket._close import Violation
from ._http import HIGH_WATER_BYTES, PeerGone
from ._websocket import WebsocketTransport

Event = MutableMapping[str, Any]

_AHEAD_MESSAGES, _AHEAD_BYTES = 16, 65536
_UNYIELDED = 64  # then others have their turn


class AsgiWebsocket:
    """
    One WebSocket as ASGI words it, on *transport*.

    `receive` and `send` are methods of this object, by which an application that can write to
    the transport itself finds it.
    """

    def __init__(self, transport: WebsocketTransport) -> None:
        self.greenroom_transport: WebsocketTransport | None = transport
        """For who would write to it himself; None once its messages come through here."""
        self._transport = transport
        self._asked = False
        self._inbox: list[Event] = []  # 16 at most
        self._inbox_bytes = 0
        self._end: Event | None = None
        self._told = False
        self._news = Parker()
        self._resume: Callable[[], object] | None = None
        self._denial: Event | None = None
        self._unyielded = 0  # events, either way, without a checkpoint

    def serve(self) -> None:
        """Be what the application uses: its messages come through here."""
        self.greenroom_transport = None
        self._transport.take_over(self)

    async def receive(self) -> Event:
        """
        Return the next event. A checkpoint when it waits, and now and then; a cancellation
        loses nothing.

        Raises:
            RuntimeError: The end was told before: nothing comes behind it.
        """
        if not self._asked:
            self._asked = True
            return {"type": "websocket.connect"}
        while not self._inbox:
            if self._end is not None:
                if self._told:
                    raise RuntimeError("receive() behind websocket.disconnect: nothing comes")
                self._told = True
                return self._end
            self._unyielded = 0
            await self._news.park()
        self._unyielded += 1
        if self._unyielded > _UNYIELDED:
            await self._yield()
        event = self._inbox.pop(0)
        self._inbox_bytes -= len(event.get("text") or event.get("bytes") or b"")
        if self._resume is not None and self._few():
            resume, self._resume = self._resume, None
            resume()
        return event

    async def send(self, event: Event) -> None:
        """
        Do what *event* says. A checkpoint when much waits for the peer, and now and then.

        Raises:
            PeerGone: The connection is over. Always after a checkpoint.
            RuntimeError: The event is out of order, as one behind a close is.
        """
        kind, transport = event["type"], self._transport
        if self._end is not None or transport.broken:
            await trio.sleep(0)
            raise PeerGone("the WebSocket is over: what is sent reaches nobody")
        if kind == "websocket.send" and self._open:
            transport.send(frame_of(event.get("text"), event.get("bytes")))
            await self._until_room()
            self._unyielded += 1
            if self._unyielded > _UNYIELDED:
                await self._yield()
        elif kind == "websocket.accept" and self._undecided:
            transport.accept(event.get("subprotocol"), list(event.get("headers", ())))
        elif kind == "websocket.close" and (self._open or self._undecided):
            self.close(event.get("code", 1000), event.get("reason") or "")
        elif kind == "websocket.http.response.start" and self._undecided:
            self._denial = {**event, "body": b""}
        elif kind == "websocket.http.response.body" and self._denial is not None:
            self._denial["body"] += event.get("body", b"")
            if not event.get("more_body"):
                denial, self._denial = self._denial, None
                headers = list(denial.get("headers", ()))
                transport.deny(denial["status"], headers, denial["body"])
        else:
            raise RuntimeError(f"{kind!r} can't be sent now: it is out of order")

    def close(self, code: int, reason: str = "", status: int = 403) -> None:
        """Close the socket, or refuse it with *status* if it was not accepted; once."""
        if self._open:
            self._transport.close(code, reason)
        elif not self._transport.status:
            self._transport.deny(status, [(b"content-length", b"0")], b"")

    @property
    def _undecided(self) -> bool:
        return not self._transport.status and self._denial is None

    @property
    def _open(self) -> bool:
        transport = self._transport
        return transport.opened and not transport.close_sent and not transport.peer_closed

    async def _until_room(self) -> None:
        transport = self._transport
        if transport.unsent <= HIGH_WATER_BYTES:
            return
        transport.flush()
        if transport.unsent > HIGH_WATER_BYTES and not await transport.drain():
            raise PeerGone("the peer takes nothing: the WebSocket was reset")

    async def _yield(self) -> None:
        self._unyielded = 0
        await trio.sleep(0)

    def _few(self) -> bool:
        return 2 * len(self._inbox) <= _AHEAD_MESSAGES and 2 * self._inbox_bytes <= _AHEAD_BYTES

    # -- bridges/websocket/_receiver.py: Receiver ------------------------------------------

    @property
    def room(self) -> int:
        """How many more messages may come now."""
        return _AHEAD_MESSAGES - len(self._inbox) if self._inbox_bytes < _AHEAD_BYTES else 0

    def on_read_room(self, resume: Callable[[], object]) -> None:
        """Call *resume* once, when half of what may wait has been received."""
        self._resume = resume

    def take(self, messages: Sequence[str | bytes]) -> bool:
        """Keep *messages* for `receive`; say whether more may come."""
        for message in messages:
            text = message if type(message) is str else None
            data = message if text is None else None
            self._inbox.append({"type": "websocket.receive", "text": text, "bytes": data})
            self._inbox_bytes += len(message)
        self._news.wake()
        return len(self._inbox) < _AHEAD_MESSAGES and self._inbox_bytes < _AHEAD_BYTES

    def ended(self, code: int, reason: str) -> None:
        """Have `receive` tell of the end, behind what came before it."""
        self._end = {"type": "websocket.disconnect", "code": code, "reason": reason}
        self._news.wake()

    def violated(self, violation: Violation) -> None:
        """Close with what the peer has violated."""
        self.close(violation.code, violation.reason)
        self.ended(violation.code, violation.reason)

    def sent(self) -> None:
        """Do nothing: who waits for room waits at the wire."""

    def cancelled(self) -> None:
        """Do nothing: the application is cancelled itself."""
