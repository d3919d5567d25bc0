# One response: what an application says about it, as the bytes that go out.
#
# Invariants, each with a test of that name in tests/bridges/http/test_response.py:
#   ONE WRITE     head and first piece of the body go out together, so nothing is written
#                 before the application has shown what the framing depends on.
#   FRAMED        the peer always knows where the body ends: by a length, by chunks, or, for
#                 HTTP/1.0, by the close. Where that can't be kept, keep_alive turns False.
#   NO SPLITTING  nothing an application puts into a header can end it or the head.
#   ITS FAULT     what is wrong with a response is a ValueError, TypeError or RuntimeError of
#                 the application, raised before a byte of it is out: it can be answered 500.
#   HOP BY HOP    the connection is the server's: `transfer-encoding` and `keep-alive` of an
#                 application are dropped, of `connection` only `close` and `upgrade` count.
#
# Values are checked together and not one by one: there are two control characters a line, its
# end, or else one hides in a value. Against h11's writer, measured on a response with six
# headers: a ninth of the time.
#
# The version is always HTTP/1.1 (RFC 9112, 2.3: the server's own). Turned down: handing pieces
# out as a list for writev; a copy costs less than a second system call until far above 64 KiB.

import re
from collections.abc import Iterable
from functools import lru_cache
from http import HTTPStatus
from typing import Literal

from ._request import BadRequest, Head

Headers = Iterable[tuple[bytes, bytes]]

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROLS = bytes({*range(32), 127} - {9})
_LENGTH = re.compile(rb"[0-9]{1,19}")
_STATUS_LINES = {
    each.value: f"HTTP/1.1 {each.value} {each.phrase}\r\n".encode("ascii") for each in HTTPStatus
}
_BODILESS = (204, 304)
_UPGRADE_AND_CLOSE = b"connection: upgrade, close\r\n"
_LOOKED_AT = frozenset(
    (b"connection", b"content-length", b"date", b"keep-alive", b"server", b"transfer-encoding")
)


class ResponseWriter:
    """
    The response to one request.

    Args:
        head: Of the request.
        date: The value of the Date header.
        server: That of Server; None for no such header.
        close: End the connection behind the response, whatever the peer wants.
    """

    __slots__ = (
        "_block", "_chunked", "_date", "_head", "_keep_alive", "_left", "_server", "_short",
        "_state", "_status", "_upgrade",
    )  # fmt: skip

    def __init__(
        self, head: Head, *, date: bytes, server: bytes | None = None, close: bool = False
    ) -> None:
        self._head, self._date, self._server = head, date, server
        self._keep_alive = head.keep_alive and not close
        self._state: Literal["new", "started", "body", "done"] = "new"
        self._status = 0
        self._block = b""
        self._left: int | None = None
        self._chunked = self._short = self._upgrade = False

    @property
    def begun(self) -> bool:
        """Whether the final response was started, be it out or not."""
        return self._state != "new"

    @property
    def head_sent(self) -> bool:
        """Whether the head is out: too late to answer something else with a new writer."""
        return self._state in ("body", "done")

    @property
    def complete(self) -> bool:
        """Whether the whole response is out."""
        return self._state == "done"

    @property
    def short(self) -> bool:
        """Whether the body ended before its declared length; the peer sees it by the close."""
        return self._short

    @property
    def keep_alive(self) -> bool:
        """Whether another request may follow on the connection, once this is complete."""
        return self._keep_alive

    @property
    def status(self) -> int:
        """The status that the application gave; 0 before."""
        return self._status

    def close(self) -> None:
        """End the connection behind this response, and say so if the head is not out yet."""
        self._keep_alive = False

    def informational(self, status: int = 100, headers: Headers = ()) -> bytes:
        """
        Return an interim response, as 100 or 103; nothing for HTTP/1.0, which has none.

        Raises:
            ValueError, TypeError: Not such a status, or a bad header.
            RuntimeError: The final response has begun.
        """
        if self.begun:
            raise RuntimeError("an interim response comes before the final one has started.")
        if not 100 <= status <= 199 or status == 101:
            raise ValueError(f"status must be an interim one, and not 101. Got: {status!r}")
        parts: list[bytes] = []
        for name, value in headers:
            if type(name) is not bytes or type(value) is not bytes:
                raise _no_bytes(name, value)
            _lower(name)
            parts += (name, b": ", value, b"\r\n")
        block = _block(parts)
        if self._head.http_version == "1.0":
            return b""
        return _status_line(status) + block + b"\r\n"

    def start(self, status: int, headers: Headers) -> None:
        """
        Take status and headers. Nothing goes out before the first piece of the body.

        Raises:
            ValueError, TypeError: Bad ones; nothing was taken, another start may follow.
            RuntimeError: It was started before.
        """
        if self._state != "new":
            raise RuntimeError("the response was started before.")
        if not isinstance(status, int):
            raise TypeError(f"status must be an int. Got: {status!r}")
        if not 200 <= status <= 999:
            raise ValueError(f"status must be a final one, 200 to 999. Got: {status!r}")
        self._take(status, headers)
        self._status = status
        self._state = "started"

    def body(self, data: bytes, more: bool) -> bytes:
        """
        Return what is to be written for a piece of the body: it, the framing, and once the head.

        Args:
            data: The piece; may be empty.
            more: Whether another piece follows.

        Raises:
            ValueError: The body is longer than its declared length. Nothing of the piece goes
                out, and the connection must be closed if the head is out.
            TypeError: The piece is no bytes.
            RuntimeError: The response was not started, or is complete.
        """
        state = self._state
        if state == "new" or state == "done":
            what = "was not started" if state == "new" else "is complete"
            raise RuntimeError(f"there is no place for a body: the response {what}.")
        if type(data) is not bytes:
            data = _as_bytes(data)
        bodiless = self._head.method == "HEAD" or self._status in _BODILESS
        if self._left is not None and not bodiless:
            self._count(len(data), more)
        head = b"" if state == "body" else self._head_bytes(len(data), more, bodiless)
        self._state = "body" if more else "done"
        if bodiless:
            return head
        if not self._chunked:
            return head + data if head else data
        end = b"" if more else b"0\r\n\r\n"
        return b"%b%x\r\n%b\r\n%b" % (head, len(data), data, end) if data else head + end

    def _take(self, status: int, headers: Headers) -> None:
        parts: list[bytes] = []
        length: int | None = None
        date, server, keep_alive, upgrade = self._date, self._server, self._keep_alive, False
        for name, value in headers:
            if type(name) is not bytes or type(value) is not bytes:
                raise _no_bytes(name, value)
            lower = _lower(name)
            if lower in _LOOKED_AT:
                if lower == b"content-length":
                    length = _checked_length(value, length)
                    if status == 204:  # RFC 9110, 8.6: must not have one
                        continue
                elif lower == b"connection":
                    tokens = {each.strip(b" \t") for each in value.lower().split(b",")}
                    keep_alive = keep_alive and b"close" not in tokens
                    upgrade = upgrade or b"upgrade" in tokens
                    continue
                elif lower == b"date":
                    date = b""
                elif lower == b"server":
                    server = None
                else:
                    continue
            parts += (name, b": ", value, b"\r\n")
        if date:
            parts += (b"date", b": ", date, b"\r\n")
        if server is not None:
            parts += (b"server", b": ", server, b"\r\n")
        self._block = _block(parts)
        self._left, self._keep_alive, self._upgrade = length, keep_alive, upgrade

    def _head_bytes(self, size: int, more: bool, bodiless: bool) -> bytes:
        """Return the head, with the framing that the first piece of the body asks for."""
        framing = b""
        if self._left is not None:
            pass
        elif bodiless:
            # A HEAD may tell the length that GET would have; an empty body need not be it.
            if size and not more and self._status not in _BODILESS:
                framing = b"content-length: %d\r\n" % size
        elif not more:
            framing = b"content-length: %d\r\n" % size
        elif self._head.http_version == "1.1":
            self._chunked = True
            framing = b"transfer-encoding: chunked\r\n"
        else:
            self._keep_alive = False
        if self._upgrade:
            framing += b"connection: upgrade\r\n" if self._keep_alive else _UPGRADE_AND_CLOSE
        elif not self._keep_alive:
            framing += b"connection: close\r\n"
        elif self._head.http_version == "1.0":
            framing += b"connection: keep-alive\r\n"
        block, self._block = self._block, b""
        return b"%b%b%b\r\n" % (_status_line(self._status), block, framing)

    def _count(self, size: int, more: bool) -> None:
        """Hold the declared length against what comes."""
        assert self._left is not None
        if size > self._left:
            self._keep_alive = False
            raise ValueError(
                f"the body is longer than its Content-Length: {size} bytes come where"
                f" {self._left} are left."
            )
        self._left -= size
        if self._left and not more:
            self._keep_alive, self._short = False, True

    def __repr__(self) -> str:
        status = f" {self._status}" if self._status else ""
        close = "" if self._keep_alive else ", closes"
        return f"<ResponseWriter {self._state}{status}{close}>"


def error_response(
    error: BadRequest,
    *,
    date: bytes = b"",
    server: bytes | None = None,
    headers: Headers = (),
) -> bytes:
    """Return a whole response that says *error* in plain text and closes the connection."""
    unknown = Head("GET", b"/", "1.1", [], False, False, False, None, False)
    writer = ResponseWriter(unknown, date=date, server=server)
    writer.start(error.status, [(b"content-type", b"text/plain; charset=utf-8"), *headers])
    return writer.body(f"{error.reason}\n".encode(), False)


def _status_line(status: int) -> bytes:
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


@lru_cache(maxsize=1024)
def _lower(name: bytes) -> bytes:
    """Return a header's name in lower case. Cached: applications use the same few."""
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"a header's name must be a token. Got: {name!r}")
    return name.lower()


def _no_bytes(name: object, value: object) -> TypeError:
    return TypeError(f"a header's name and value must be bytes. Got: {(name, value)!r}")


def _block(parts: list[bytes]) -> bytes:
    """Join the lines of *parts*, name, colon, value and end of each, if no value is bad."""
    block = b"".join(parts)
    if len(block) - len(block.translate(None, _CONTROLS)) != len(parts) // 2:
        name, value = next(
            (parts[at], parts[at + 2])
            for at in range(0, len(parts), 4)
            if parts[at + 2] != parts[at + 2].translate(None, _CONTROLS)
        )
        raise ValueError(f"the value of {name!r} must not hold control characters. Got: {value!r}")
    return block


def _checked_length(value: bytes, known: int | None) -> int:
    if known is not None or not _LENGTH.fullmatch(value.strip(b" \t")):
        raise ValueError(f"content-length must be one number, given once. Got: {value!r}")
    return int(value)


def _as_bytes(data: object) -> bytes:
    if isinstance(data, memoryview):
        return data.tobytes()
    if isinstance(data, (bytes, bytearray)):
        return bytes(data)
    raise TypeError(f"a piece of a body must be bytes. Got: {type(data).__name__}")
