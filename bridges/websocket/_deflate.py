# permessage-deflate (RFC 7692): which offer is taken, and bounded compression both ways.
#
# Invariants, each with a test of that name in tests/bridges/websocket/test_deflate.py:
#   DECLINED   an offer that is malformed, has a parameter that is unknown, repeated or has a
#              wrong value, or asks for what can't be kept, is passed over; nothing is raised.
#   BOUNDED    inflating never makes more bytes than it is told, however small the input; a
#              message starts a new deflate stream at most once.
#   AGREED     what goes out and what is let in obey the parameters of the response.
#
# Off unless a policy is given: a compressor takes 40 KiB to 300 KiB a connection, a frame for
# many sockets can't be encoded once if each has its own window, and compression of secrets
# beside what an attacker chooses gives the secrets away (CRIME, BREACH).
#
# Turned down: server_max_window_bits=8, which zlib can't do (its smallest window is 9 bits).

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ._close import BAD_DATA, Violation
from ._encode import BINARY, COMPRESSED, TEXT, frame_head

_TAIL = b"\x00\x00\xff\xff"  # what ends each message, and is not sent
_BITS = {str(bits).encode(): bits for bits in range(8, 16)}
_LEAST_BITS, _MOST_BITS = 9, 15

_ELEMENT = re.compile(rb'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+', re.DOTALL)
_PART = re.compile(rb'(?:[^;"]|"(?:[^"\\]|\\.)*"?)+', re.DOTALL)
_FLAGS = frozenset((b"server_no_context_takeover", b"client_no_context_takeover"))
_SIZES = frozenset((b"server_max_window_bits", b"client_max_window_bits"))

Parameters = Mapping[bytes, bytes | None]


@dataclass(frozen=True, slots=True)
class DeflatePolicy:
    """
    What the server wants of compression, within what clients offer.

    A window of *n* bits takes about 2 to the power of *n* + 2 bytes for what goes out and 2 to
    the power of *n* for what comes in; ``memory_level`` another 2 to the power of itself + 9.
    """

    server_window_bits: int = 12
    client_window_bits: int = 12
    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    level: int = 6
    memory_level: int = 5

    def __post_init__(self) -> None:
        for name in ("server_window_bits", "client_window_bits"):
            bits = getattr(self, name)
            if not _LEAST_BITS <= bits <= _MOST_BITS:
                raise ValueError(f"{name} must be 9 to 15. Got: {bits!r}")


@dataclass(frozen=True, slots=True)
class Agreement:
    """What both sides do from now on; ``response`` goes into Sec-WebSocket-Extensions."""

    response: bytes
    server_window_bits: int
    client_window_bits: int
    server_no_context_takeover: bool
    client_no_context_takeover: bool
    level: int
    memory_level: int

    def inflater(self) -> Inflater:
        """Return what decompresses the client's messages, for one connection."""
        return Inflater(self.client_window_bits, fresh=self.client_no_context_takeover)

    def deflater(self) -> Deflater:
        """Return what compresses messages to the client, for one connection."""
        return Deflater(
            self.server_window_bits,
            fresh=self.server_no_context_takeover,
            level=self.level,
            memory_level=self.memory_level,
        )


def agree(offers: Iterable[bytes], policy: DeflatePolicy) -> Agreement | None:
    """
    Return the first offer that can be kept, answered; None when there is none.

    Args:
        offers: The values of all Sec-WebSocket-Extensions headers, in order.
        policy: What the server wants.
    """
    for value in offers:
        for offer in _ELEMENT.findall(value):
            name, *parts = _PART.findall(offer) or [b""]
            if name.strip(b" \t").lower() == b"permessage-deflate":
                agreement = _answer(_parameters(parts), policy)
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


def _answer(offered: Parameters | None, policy: DeflatePolicy) -> Agreement | None:
    """Return what to answer an offer with; None to decline it."""
    if offered is None or offered.get(b"server_max_window_bits") == b"8":
        return None
    server_fresh = policy.server_no_context_takeover or b"server_no_context_takeover" in offered
    client_fresh = policy.client_no_context_takeover or b"client_no_context_takeover" in offered
    asked = offered.get(b"server_max_window_bits") or b"15"
    server_bits = min(policy.server_window_bits, _BITS[asked])
    client_bits = _MOST_BITS  # a client that does not offer to use less can't be told to
    response = [b"permessage-deflate"]
    response += [b"server_no_context_takeover"] * server_fresh
    response += [b"client_no_context_takeover"] * client_fresh
    if server_bits < _MOST_BITS or b"server_max_window_bits" in offered:
        response.append(b"server_max_window_bits=%d" % server_bits)
    if b"client_max_window_bits" in offered:
        offer = offered[b"client_max_window_bits"] or b"15"
        client_bits = min(policy.client_window_bits, _BITS[offer])
        response.append(b"client_max_window_bits=%d" % client_bits)
    return Agreement(
        response=b"; ".join(response),
        server_window_bits=server_bits,
        client_window_bits=client_bits,
        server_no_context_takeover=server_fresh,
        client_no_context_takeover=client_fresh,
        level=policy.level,
        memory_level=policy.memory_level,
    )


class Inflater:
    """
    What decompresses the messages of one connection.

    Args:
        bits: The peer's window, 8 to 15.
        fresh: Whether each message starts with an empty window.
    """

    __slots__ = ("_begun", "_bits", "_fresh", "_restarted", "_stream")

    def __init__(self, bits: int, *, fresh: bool) -> None:
        self._bits = bits
        self._fresh = fresh
        self._begun = False  # whether a block of this message has begun
        self._restarted = False
        self._stream = zlib.decompressobj(-bits)

    def inflate(self, piece: bytes, most: int) -> bytes:
        """
        Return what the next piece of a message inflates to, cut at *most* bytes.

        What is cut off is lost: make *most*, at least 1, one more than the message may have.

        Raises:
            Violation: 1007, it is no deflate stream.
        """
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
        if self._fresh:
            self._stream = zlib.decompressobj(-self._bits)
        return data

    def _restart(self, rest: bytes, most: int) -> bytes:
        # RFC 7692, 7.2.3.4: a message may hold a stream's last block and then an empty one.
        # More than one takes a new stream for each two bytes of input.
        if self._restarted:
            raise Violation(BAD_DATA, "message of many deflate streams")
        self._restarted, self._begun = True, False
        self._stream = zlib.decompressobj(-self._bits)
        return self.inflate(rest, most)


class Deflater:
    """
    What compresses the messages to one connection. In the order in which they are sent.

    Args:
        bits: The window, 9 to 15.
        fresh: Whether each message starts with an empty window.
        level: From 1, quick, to 9, small.
        memory_level: From 1, little memory, to 9, quick.
    """

    __slots__ = ("_fresh", "_settings", "_stream")

    def __init__(
        self, bits: int, *, fresh: bool = False, level: int = 6, memory_level: int = 5
    ) -> None:
        self._settings = (level, zlib.DEFLATED, -bits, memory_level)
        self._fresh = fresh
        self._stream = zlib.compressobj(*self._settings)

    def text_frame(self, text: str) -> bytes:
        """Return the frame of a text message."""
        return self._frame(TEXT, text.encode())

    def binary_frame(self, data: bytes) -> bytes:
        """Return the frame of a binary message."""
        return self._frame(BINARY, data)

    def _frame(self, first: int, data: bytes) -> bytes:
        payload = self._deflate(data) if data else b"\0"  # zlib flushes nothing only once
        return frame_head(first | COMPRESSED, len(payload)) + payload

    def _deflate(self, data: bytes) -> bytes:
        if self._fresh:
            self._stream = zlib.compressobj(*self._settings)
        stream = self._stream
        return (stream.compress(data) + stream.flush(zlib.Z_SYNC_FLUSH)).removesuffix(_TAIL)
