# Where a request's body ends: by its length, or chunk by chunk.
#
# Invariants, each with a test of that name in tests/bridges/http/test_body.py:
#   EXACT    a body takes its own bytes and not one of the next request's.
#   STRICT   a size is hexadecimal digits and at once CRLF or an extension; every line ends in
#            CRLF, and so does each chunk. What is lenient here is how requests are smuggled.
#   BOUNDED  an unfinished line, the share of bytes that are no data, and the trailers.
#   ORDER    the data before a fault is handed out before the fault is raised.
#
# Chunks that arrived together are handed out as one piece: a peer that sends a byte a chunk
# costs the application one message a read, not one a byte.
#
# Turned down: llhttp for chunks. It can't be stopped behind a message, so it would run on into
# the next head before that is checked, and it skips extensions silently: a peer could send
# them without end (Go's CVE-2023-39326, whose remedy is taken over here). It also takes any
# number of zeros before a size. Trailers are dropped: ASGI has no place for a request's.

import re
from enum import Enum

from ._request import END, BadRequest, End, Limits

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:;[\t -~\x80-\xff]*)?")
_FIELD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*")
_LINE_BYTES = 4096  # a size with its extensions, as in Go
_EXCESS_BYTES = 16384  # more than twice the data and 16 a chunk, as in Go


class Sized:
    """A body whose length is known, 0 included."""

    __slots__ = ("_left",)

    def __init__(self, length: int) -> None:
        self._left = length

    def read(self, buffer: bytearray) -> bytes | End | None:
        """Take the next piece out of *buffer*, END behind the last, None for want of bytes."""
        if not self._left:
            return END
        if not buffer:
            return None
        piece = bytes(buffer[: self._left])
        del buffer[: self._left]
        self._left -= len(piece)
        return piece


class _Stage(Enum):
    SIZE = "size"
    DATA = "data"
    DATA_END = "data end"
    TRAILERS = "trailers"
    DONE = "done"


class Chunked:
    """A body in chunks, each behind its size."""

    __slots__ = ("_excess", "_left", "_limits", "_stage", "_trailer_bytes", "_trailers")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._stage = _Stage.SIZE
        self._left = self._excess = self._trailers = self._trailer_bytes = 0

    def read(self, buffer: bytearray) -> bytes | End | None:
        """
        Take all data that is there out of *buffer*; END behind the last, None if there is none.

        Raises:
            BadRequest: What comes next is no chunk. Raised again by every further call.
        """
        pieces: list[bytearray] = []
        at = 0
        try:
            while self._stage is not _Stage.DONE:
                after = self._step(buffer, at, pieces)
                if after is None:
                    break
                at = after
        except BadRequest:
            if not pieces:
                raise
        del buffer[:at]
        if pieces:
            return b"".join(pieces)
        return END if self._stage is _Stage.DONE else None

    def _step(self, buffer: bytearray, at: int, pieces: list[bytearray]) -> int | None:
        """Read one thing that begins at *at*; return where it ended, None for want of bytes."""
        if self._stage is _Stage.SIZE:
            return self._read_size(buffer, at)
        if self._stage is _Stage.DATA:
            return self._read_data(buffer, at, pieces)
        if self._stage is _Stage.DATA_END:
            return self._read_data_end(buffer, at)
        return self._read_trailer(buffer, at)

    def _read_size(self, buffer: bytearray, at: int) -> int | None:
        line = _line(buffer, at, _LINE_BYTES, 400)
        if line is None:
            return None
        size = _SIZE.fullmatch(line)
        if size is None:
            raise BadRequest(400, "The size of a chunk is malformed.")
        left = int(size[1], 16)
        excess = max(0, self._excess + len(line) + 2 - 16 - 2 * left)
        if excess > _EXCESS_BYTES:
            raise BadRequest(400, "The chunks hold too little data for their number and size.")
        self._left, self._excess = left, excess
        self._stage = _Stage.DATA if left else _Stage.TRAILERS
        return at + len(line) + 2

    def _read_data(self, buffer: bytearray, at: int, pieces: list[bytearray]) -> int | None:
        piece = buffer[at : at + self._left]
        if not piece:
            return None
        pieces.append(piece)
        self._left -= len(piece)
        if not self._left:
            self._stage = _Stage.DATA_END
        return at + len(piece)

    def _read_data_end(self, buffer: bytearray, at: int) -> int | None:
        if len(buffer) < at + 2:
            return None
        if not buffer.startswith(b"\r\n", at):
            raise BadRequest(400, "The data of a chunk is longer than its size.")
        self._stage = _Stage.SIZE
        return at + 2

    def _read_trailer(self, buffer: bytearray, at: int) -> int | None:
        line = _line(buffer, at, self._limits.head_bytes - self._trailer_bytes, 431)
        if line is None:
            return None
        if not line:
            self._stage = _Stage.DONE
        elif not _FIELD.fullmatch(line):
            raise BadRequest(400, "A trailer is malformed.")
        elif self._trailers == self._limits.headers:
            raise BadRequest(431, f"There are more than {self._limits.headers} trailers.")
        else:
            self._trailers += 1
            self._trailer_bytes += len(line) + 2
        return at + len(line) + 2


def _line(buffer: bytearray, at: int, limit: int, status: int) -> bytearray | None:
    """Return the line at *at* without its CRLF, None as long as it is not complete."""
    end = buffer.find(b"\n", at, at + limit)
    if end < 0:
        if len(buffer) >= at + limit:
            raise BadRequest(status, "A line of the chunked body is too long.")
        return None
    if end == at or buffer[end - 1] != 0x0D:
        raise BadRequest(400, "A line of the chunked body ends without CR.")
    return buffer[at : end - 1]
