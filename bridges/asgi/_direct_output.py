# The output of a WebSocket whose server can be written to directly (_transport.py).
#
# The same rules as over plain ASGI, inherited; but what is appended goes to the server's
# own buffer, which empties itself into the socket, so there is no queue and no writer here.

from collections.abc import Mapping
from typing import Any

from ...actors import Disconnected
from ...actors.consumers import Frame
from ._output import Event, State, WebsocketOutput
from ._transport import Transport


class DirectOutput(WebsocketOutput):
    """The output of one WebSocket on *transport*; see :class:`WebsocketOutput`."""

    __slots__ = ("_denial", "_small", "_transport")

    def __init__(self, transport: Transport, *args: Any, **bounds: Any) -> None:
        super().__init__(*args, **bounds)
        self._transport = transport
        self._denial: Event | None = None
        self._small = min(self._high_water, self._limit)  # so little is never too much

    def send_text(self, text: str) -> bool:
        """Append a text frame; whether the output is full now."""
        if self.state is State.OPEN and self._transport.send_text(text, self._small):
            return False
        return self.send(Frame.of_text(text))

    def send(self, frame: Frame) -> bool:
        """Append *frame*; whether the output is full now."""
        transport = self._transport
        # The way of nearly all, here and in send_text(), without the lock, whose only use is
        # that nothing goes out behind a close: the transport sees to that. The rest is decided
        # as ever.
        if (
            self.state is State.OPEN
            and transport.unsent + frame.size <= self._small
            and transport.send(frame)
        ):
            return False
        return super().send(frame)

    def traffic(self) -> Mapping[str, object]:
        """What it is, and what went to the socket."""
        return {
            "transport": "WebSocket",
            "subprotocol": self.subprotocol,
            "output_bytes": self._transport.unsent,
            **self._transport.traffic(),
        }

    @property
    def full(self) -> bool:
        """Whether more waits than a sender should add to."""
        # What a thread is writing at this moment is not waited for: nobody tells of its end.
        return self._size > self._high_water and self._transport.blocked

    @property
    def _size(self) -> int:
        unsent = self._transport.unsent
        if unsent > self._high_water:  # of this very step, perhaps: see what the socket takes
            self._transport.flush()
            unsent = self._transport.unsent
        return unsent

    @property
    def _count(self) -> int:
        return 0  # on a socket an empty frame has its two bytes, too

    def _put(self, event: Event) -> None:
        kind, transport = event["type"], self._transport
        if kind == "websocket.accept":
            transport.accept(event["subprotocol"], event["headers"])
        elif kind == "websocket.close" and self.opened:
            transport.close(event["code"], event["reason"])
        elif kind == "websocket.close":
            transport.deny(403, [(b"content-length", b"0")], b"")
        elif kind == "websocket.http.response.start":
            self._denial = event
        elif self._denial is not None:
            transport.deny(self._denial["status"], self._denial["headers"], event["body"])

    def _put_frame(self, frame: Frame) -> None:
        if not self._transport.send(frame):  # the reader finds out by itself, and tells the slot
            raise Disconnected(self.path, self.code or 1006, self._reason)

    def _throw_away(self) -> None:
        self._transport.throw_away()

    def _wake(self) -> None:
        """Do nothing: there is no writer."""
