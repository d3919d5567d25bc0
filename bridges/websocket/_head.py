# The 6 to 14 bytes in front of a client's payload.
#
# Invariants, each with a test of that name in tests/bridges/websocket/test_head.py:
#   EARLY      a fault is found as soon as the bytes that show it are there, so nobody waits
#              for the payload of a frame that will be refused.
#   PURE       a head is parsed from the beginning each time: it is short, and so there is no
#              state that a split between two reads could confuse.
#
# What depends on frames that came before (continuations, limits) is not known here.

from typing import NamedTuple

from ._close import PROTOCOL_ERROR, Violation
from ._encode import CONTROL_BYTES

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA

_FIN, _RSV1, _RSV, _OPCODE = 0x80, 0x40, 0x70, 0x0F
_MASKED = 0x80
_OPCODES = frozenset((CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG))


class Head(NamedTuple):
    """One frame's head: what kind of frame, and where its payload lies."""

    final: bool
    compressed: bool
    opcode: int
    length: int
    mask: bytes
    start: int

    @property
    def control(self) -> bool:
        """Whether it is a close, ping or pong."""
        return self.opcode >= CLOSE


def parse_head(data: bytes, at: int, *, deflate: bool = False) -> Head | None:
    """
    Parse the head that begins at *at*; None when its bytes are not all there.

    Args:
        data: What has been read.
        at: Where the frame begins.
        deflate: Whether RSV1 has a meaning: compression was agreed on.

    Raises:
        Violation: 1002, for everything that RFC 6455, 5.2 and 5.5 forbid in a head.
    """
    if len(data) < at + 2:
        return None
    first, second = data[at], data[at + 1]
    opcode, length = first & _OPCODE, second & ~_MASKED
    _check(first, second, deflate=deflate)
    start = at + 2
    if length >= 126:
        size = 2 if length == 126 else 8
        start += size
        if len(data) < start:
            return None
        length = int.from_bytes(data[at + 2 : start], "big")
        _check_length(length, size)
    if len(data) < start + 4:
        return None
    compressed = first & _RSV1 != 0
    return Head(first & _FIN != 0, compressed, opcode, length, data[start : start + 4], start + 4)


def _check(first: int, second: int, *, deflate: bool) -> None:
    opcode = first & _OPCODE
    reserved = first & _RSV
    if reserved and not (deflate and reserved == _RSV1 and opcode in (TEXT, BINARY)):
        raise Violation(PROTOCOL_ERROR, "reserved bits are set")
    if opcode not in _OPCODES:
        raise Violation(PROTOCOL_ERROR, "a reserved opcode")
    if not second & _MASKED:
        raise Violation(PROTOCOL_ERROR, "a client's frame must be masked")
    if opcode >= CLOSE:
        if not first & _FIN:
            raise Violation(PROTOCOL_ERROR, "fragmented control frame")
        if second & ~_MASKED > CONTROL_BYTES:
            raise Violation(PROTOCOL_ERROR, "control frame over 125 bytes")


def _check_length(length: int, size: int) -> None:
    if length >> 63:
        raise Violation(PROTOCOL_ERROR, "length with its highest bit set")
    if length < (126 if size == 2 else 65536):
        raise Violation(PROTOCOL_ERROR, "length in more bytes than it needs")
