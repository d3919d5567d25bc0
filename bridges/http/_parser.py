# The bytes of one connection, cut into requests: head, body, end; head, body, end.
#
# Invariants, each with a test of that name in tests/bridges/http/test_parser.py:
#   SPLITS     how the bytes were cut into reads changes nothing of what comes out.
#   LAZY       a request is looked at when it is asked for: a fault in the second of two
#              pipelined requests does not touch the first.
#   BOUNDED    between reads at most an unfinished head stays here; the caller reads on only
#              when next() has nothing left, so at most one read comes on top.
#   LINEAR     a head that arrives byte by byte is searched once, not once a byte.
#   LAST       behind a fault, a request that closes, or an upgrade there is no other request.
#   ONLY THIS  garbage parses or raises BadRequest, and nothing else.
#
# The head is collected here and given to llhttp whole, body and pipelining are done here. So
# llhttp's callbacks need no queue, its state ends with the head, and the limits hold before
# anything is parsed. A caller that looks for HTTP/2 does so with is_http2 before it feeds.
#
# One CRLF before a request line is skipped (RFC 9112, 2.2: old browsers sent one too many
# behind a body), not more: llhttp would skip line ends of every kind for ever.

from typing import Literal

from ._body import Chunked, Sized
from ._head import longest_line, read_head
from ._request import END, BadRequest, End, Head, Limits

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_FIRST_BYTES = frozenset(
    b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)
_NO_BODY = Sized(0)


def is_http2(first: bytes | bytearray) -> bool | None:
    """Say whether a connection that began with *first* speaks HTTP/2; None: too few bytes."""
    if len(first) < len(_PREFACE) and _PREFACE.startswith(first):
        return None
    return first.startswith(_PREFACE)


class RequestParser:
    """
    The requests that a client sends over one connection.

    Args:
        limits: See :class:`Limits`. Bodies are not limited here.
    """

    __slots__ = (
        "_body", "_buffer", "_error", "_keep_alive", "_limits", "_line_ended", "_searched",
        "_skipped", "_state",
    )  # fmt: skip

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._buffer = bytearray()
        self._state: Literal["head", "body", "upgraded", "over"] = "head"
        self._body: Sized | Chunked = _NO_BODY
        self._error: BadRequest | None = None
        self._keep_alive = True
        self._searched = 0
        self._line_ended = self._skipped = False

    @property
    def idle(self) -> bool:
        """Whether no request has begun: what runs is the time for keep-alive, not for a head."""
        return self._state == "head" and not self._buffer

    @property
    def pending(self) -> bool:
        """Whether bytes of another request wait."""
        return bool(self._buffer)

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take what was read. Behind the last request of the connection it is thrown away."""
        if self._state != "over":
            self._buffer += data

    def next(self) -> Head | bytes | End | None:
        """
        Return what comes next: a head, a piece of its body, END; None for want of bytes.

        Raises:
            BadRequest: What comes next is not to be served. Raised again by every further call.
        """
        try:
            if self._state == "head":
                return self._next_head()
            if self._state == "body":
                return self._next_of_body()
        except BadRequest as error:
            self._error = error
            self._finish()
            raise
        if self._error is not None:
            raise BadRequest(self._error.status, self._error.reason)
        return None

    def rest(self) -> bytes:
        """Take what was fed and is no part of a request yet: what follows an upgrade."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest

    def _next_head(self) -> Head | None:
        end = self._find_end()
        if end is None:
            return None
        head = read_head(bytes(self._buffer[:end]), self._limits)
        del self._buffer[:end]
        self._searched, self._line_ended, self._skipped = 0, False, False
        self._keep_alive = head.keep_alive
        if head.upgrade:
            self._state = "upgraded"
        else:
            self._state = "body"
            if head.chunked:
                self._body = Chunked(self._limits)
            else:
                self._body = Sized(head.content_length) if head.content_length else _NO_BODY
        return head

    def _next_of_body(self) -> bytes | End | None:
        item = self._body.read(self._buffer)
        if item is END:
            self._state = "head"
            self._body = _NO_BODY
            if not self._keep_alive:
                self._finish()
        return item

    def _finish(self) -> None:
        self._state = "over"
        self._buffer.clear()

    def _find_end(self) -> int | None:
        """
        Return where the head ends, or where it shows that it is none; None: not to be seen yet.

        Raises:
            BadRequest: It is too long.
        """
        buffer = self._buffer
        if not buffer:
            return None
        if not self._skipped and buffer.startswith(b"\r\n"):
            del buffer[:2]
            self._searched, self._skipped = 0, True
        searched = self._searched
        end = buffer.find(b"\r\n\r\n", searched - 3 if searched > 3 else 0) + 4
        if 4 <= end <= self._limits.head_bytes:
            return end
        return self._look_at_part() if buffer else None

    def _look_at_part(self) -> int | None:
        """Refuse as early as can be what will never be a head, whatever follows."""
        buffer, limit = self._buffer, self._limits.head_bytes
        if buffer[0] not in _FIRST_BYTES and (self._skipped or buffer != b"\r"):
            return 1
        start = self._searched
        if buffer.count(b"\n", start, limit) != buffer.count(b"\r\n", max(0, start - 1), limit):
            return self._bare_end(start)
        if not self._line_ended:
            longest = longest_line(self._limits)
            self._line_ended = buffer.find(b"\r\n", max(0, start - 1), longest + 2) >= 0
            if not self._line_ended and len(buffer) >= longest + 2:
                return longest + 2
        if len(buffer) > limit:
            raise BadRequest(431, f"The head of the request has more than {limit} bytes.")
        self._searched = len(buffer)
        return None

    def _bare_end(self, start: int) -> int:
        """Return where the first LF without CR ends, which is there, at *start* or behind it."""
        at = self._buffer.index(b"\n", start)
        while at and self._buffer[at - 1] == 0x0D:
            at = self._buffer.index(b"\n", at + 1)
        return at + 1

    def __repr__(self) -> str:
        return f"<RequestParser {self._state}, {len(self._buffer)} bytes>"
