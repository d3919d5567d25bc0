# permessage-deflate (RFC 7692): which offer is taken, and bounded compression both ways.
#
# Every message is compressed by itself, out and in: both `no_context_takeover` are answered to
# each offer that is taken, as RFC 7692, 7.1.1 lets a server do. So nothing is kept between two
# messages: an idle connection costs nothing, a frame for a thousand sockets is compressed once,
# threads need no lock, and the size of a message tells nothing of the ones before it.
#
# Invariants, each with a test of that name in tests/bridges/websocket/test_deflate.py:
#   DECLINED   an offer that is malformed, has a parameter that is unknown, repeated or has a
#              wrong value, or asks for what can't be kept, is passed over; nothing is raised.
#   BOUNDED    inflating never makes more bytes than it is told, however small the input; a
#              message starts a new deflate stream at most once.
#   AGREED     what goes out and what is let in obey the parameters of the response.
#   NO LONGER  a message that compression would not make shorter goes out as it is.
#
# Window, level and memory are small ones, because all three are paid for again in each message:
# see docs/explanation/connections.md for what larger ones would bring. Turned down:
# server_max_window_bits=8, which zlib can't do (its smallest window is 9 bits).

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ._close import BAD_DATA, Violation
from ._encode import BINARY, COMPRESSED, TEXT, frame_head

_TAIL = b"\x00\x00\xff\xff"  # what ends each message, and is not sent
_BITS = {str(bits).encode(): bits for bits in range(8, 16)}
_ZLIB_LACKS = b"8"
_WINDOW_BITS = 12
_LEVEL, _MEMORY_LEVEL = 3, 5
_ANY_CLIENT = -15  # raw deflate, from whatever window

_ELEMENT = re.compile(rb'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+', re.DOTALL)
_PART = re.compile(rb'(?:[^;"]|"(?:[^"\\]|\\.)*"?)+', re.DOTALL)
_FLAGS = frozenset((b"server_no_context_takeover", b"client_no_context_takeover"))
_SIZES = frozenset((b"server_max_window_bits", b"client_max_window_bits"))

Parameters = Mapping[bytes, bytes | None]


class Agreement(NamedTuple):
    """What both sides do from now on."""

    response: bytes
    """For Sec-WebSocket-Extensions."""
    window_bits: int
    """Of the window that messages to the client are compressed with, 9 to 12."""


def agree(offers: Iterable[bytes]) -> Agreement | None:
    """
    Return the first offer that can be kept, answered; None when there is none.

    Args:
        offers: The values of all Sec-WebSocket-Extensions headers, in order.
    """
    for value in offers:
        for offer in _ELEMENT.findall(value):
            name, *parts = _PART.findall(offer) or [b""]
            if name.strip(b" \t").lower() == b"permessage-deflate":
                agreement = _answer(_parameters(parts))
                if agreement is not None:
                    return agreement
    return None


def _parameters(parts: Iterable[bytes]) -> Parameters | None:
    """Parse an offer's parameters; None if they can't be what RFC 7692 allows."""
    found: dict[bytes, bytes | None] = {}
    for part in parts:
        name, equals, value = part.partition(b"=")
        name, value = name.strip(b" \t").lower(), value.strip(b" \t")
        if len(value) >= 2 and value[:1] == value[-1:] == b'"':
            value = re.sub(rb"\\(.)", rb"\1", value[1:-1], flags=re.DOTALL)
        fits = value in _BITS if equals else name != b"server_max_window_bits"
        if name in found or name not in (_SIZES if equals else _FLAGS | _SIZES) or not fits:
            return None
        found[name] = value if equals else None
    return found


def _answer(offered: Parameters | None) -> Agreement | None:
    """Return what to answer an offer with; None to decline it."""
    if offered is None:
        return None
    asked = offered.get(b"server_max_window_bits")
    if asked == _ZLIB_LACKS:
        return None
    bits = min(_WINDOW_BITS, _BITS[asked]) if asked else _WINDOW_BITS
    response = b"permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    if asked:
        response += b"; server_max_window_bits=%d" % bits
    return Agreement(response, bits)


def text_message(text: str, bits: int, least: int) -> bytes:
    """
    Return the frame of a text message, compressed if that makes it shorter.

    Args:
        text: The message.
        bits: The window, 9 to 15.
        least: A message of fewer bytes goes out as it is.

    Raises:
        UnicodeEncodeError: *text* holds half a surrogate pair, which UTF-8 has no bytes for.
    """
    return _message(TEXT, text.encode(), bits, least)


def binary_message(data: bytes, bits: int, least: int) -> bytes:
    """Return the frame of a binary message, as :func:`text_message` does."""
    return _message(BINARY, data, bits, least)


def _message(first: int, data: bytes, bits: int, least: int) -> bytes:
    if len(data) >= least:
        stream = zlib.compressobj(_LEVEL, zlib.DEFLATED, -bits, _MEMORY_LEVEL)
        packed = stream.compress(data) + stream.flush(zlib.Z_SYNC_FLUSH)
        if len(packed) - len(_TAIL) < len(data):
            size = len(packed) - len(_TAIL)
            return frame_head(first | COMPRESSED, size) + packed[:size]
    return frame_head(first, len(data)) + data


class Inflater:
    """What decompresses the messages of one connection, each by itself."""

    __slots__ = ("_begun", "_restarted", "_stream")

    def __init__(self) -> None:
        self._begun = False  # whether a block of this message has begun
        self._restarted = False
        self._stream: Any = None  # of this message, once it has begun; zlib has no name for it

    def inflate(self, piece: bytes, most: int) -> bytes:
        """
        Return what the next piece of a message inflates to, cut at *most* bytes.

        What is cut off is lost: make *most*, at least 1, one more than the message may have.

        Raises:
            Violation: 1007, it is no deflate stream.
        """
        if self._stream is None:
            self._stream = zlib.decompressobj(_ANY_CLIENT)
        self._begun = self._begun or piece != b""
        try:
            data = self._stream.decompress(piece, most)
            if self._stream.eof and len(data) < most:
                data += self._restart(self._stream.unused_data, most - len(data))
        except zlib.error:
            raise Violation(BAD_DATA, "message can't be inflated") from None
        return data

    def end(self, most: int) -> bytes:
        """Return what was left of the message, as :meth:`inflate` does; the next one may begin."""
        # Behind nothing at all, which some zlib-based peers send for an empty message, the
        # tail would be taken for the beginning of a block.
        data = self.inflate(_TAIL, most) if self._begun else b""
        self._begun = self._restarted = False
        self._stream = None
        return data

    def _restart(self, rest: bytes, most: int) -> bytes:
        # RFC 7692, 7.2.3.4: a message may hold a stream's last block and then an empty one.
        # More than one takes a new stream for each two bytes of input.
        if self._restarted:
            raise Violation(BAD_DATA, "message of many deflate streams")
        self._restarted, self._begun = True, False
        self._stream = None
        return self.inflate(rest, most)
