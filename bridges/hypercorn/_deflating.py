# A WebSocket whose peer takes compressed messages (RFC 7692), and may send them.
#
# Invariants, each with a test of that name in tests/bridges/hypercorn/test_deflating.py:
#   ONCE       a frame for many sockets is compressed once for each size of window, of which
#              there are four.
#   FROM       a message of fewer bytes than the limits say goes out as it is.

from typing import TYPE_CHECKING

from ...actors.consumers import Frame
from ..websocket._deflate import Agreement, Inflater, agree, binary_message, text_message
from ..websocket._handshake import Handshake
from ._websocket import WebsocketTransport

if TYPE_CHECKING:
    from ._connection import FastTCPServer


def transport_for(connection: "FastTCPServer", handshake: Handshake) -> WebsocketTransport:
    """Return the transport of a WebSocket: one that compresses, if both sides want that."""
    least = connection.limits.compress_from_bytes
    agreement = agree(handshake.extensions) if least is not None else None
    if least is None or agreement is None:
        return WebsocketTransport(connection, handshake)
    return DeflatingTransport(connection, handshake, agreement, least)


class DeflatingTransport(WebsocketTransport):
    """
    One WebSocket with permessage-deflate.

    A message is compressed where it is sent, in the loop or in a thread: about 14 ms a MiB.
    """

    __slots__ = ("_least", "_window_bits", "extension")

    def __init__(
        self,
        connection: "FastTCPServer",
        handshake: Handshake,
        agreement: Agreement,
        least: int,
    ) -> None:
        super().__init__(connection, handshake, Inflater())
        self.extension = agreement.response
        self._window_bits = agreement.window_bits
        self._least = least

    def send(self, frame: Frame) -> bool:
        """Write *frame*; False when the connection is broken. Any thread, never blocks."""
        if frame.size < self._least:
            return super().send(frame)
        packed = frame.packed
        if packed is None:
            packed = frame.packed = {}
        data = packed.get(self._window_bits)
        if data is None:  # or two threads make it, which is a waste and no harm
            data = packed[self._window_bits] = self._pack(frame)
        return self._wire.write(data)

    def send_text(self, text: str, most: int) -> bool:
        """Write *text* if no more than *most* bytes wait then. Any thread, never blocks."""
        if len(text) < self._least:
            return super().send_text(text, most)
        if self._wire.size + len(text) > most:
            return False  # before it is compressed: who is told so compresses it himself
        return self._wire.write(text_message(text, self._window_bits, self._least), most)

    def _pack(self, frame: Frame) -> bytes:
        if frame.text is not None:
            return text_message(frame.text, self._window_bits, self._least)
        return binary_message(frame.data or b"", self._window_bits, self._least)
