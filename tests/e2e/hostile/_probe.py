# What a hostile peer does on one connection, as data, and the bytes it is made of.
#
# Nothing here is random and nothing opens a socket: a failing probe is its name.

from dataclasses import dataclass, field
from typing import Literal

End = Literal["half-close", "reset", "wait"]

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
"""What must never be answered: it hides where one of two readings sees a body."""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One connection's worth of hostility."""

    name: str
    sent: tuple[bytes, ...]
    """Sent one after the other, each in a segment of its own where it fits one."""
    due: tuple[int, ...] = ()
    """The status, or behind a handshake the close code, that has to come; empty: whatever."""
    ends: bool = False
    """Whether the server must end the connection by itself."""
    then: End = "half-close"
    """What the peer does once it has sent all and, if one is due, read the answer."""
    shaken: bool = False
    """Whether it is sent behind the answer to a good handshake."""
    deflates: bool = False
    """Whether that handshake offers compression."""
    drip: bytes = field(default=b"", repr=False)
    """Sent last, a byte at a time, as long as the server does not end the connection."""
    smuggles: bool = False
    """Whether it holds `SMUGGLED`: one answer may come, and /smuggled must not be asked for."""
    theirs: bool = False
    """Whether hypercorn's own HTTP/2 answers, whose complaints in the log are its own."""


def get(*headers: bytes, target: bytes = b"/plain", line: bytes = b"") -> bytes:
    """A GET, complete with Host."""
    return head(line or b"GET " + target + b" HTTP/1.1", b"Host: a", *headers)


def post(*headers: bytes, body: bytes = b"", target: bytes = b"/body") -> bytes:
    """A POST to what reads its body; who sends it says how long it is."""
    return head(b"POST " + target + b" HTTP/1.1", b"Host: a", *headers) + body


def chunked(body: bytes, *headers: bytes, target: bytes = b"/body") -> bytes:
    """A POST whose body is in chunks: *body*, as it is."""
    return post(b"Transfer-Encoding: chunked", *headers, body=body, target=target)


def head(*lines: bytes) -> bytes:
    """Lines and the empty one behind them."""
    return b"\r\n".join(lines) + b"\r\n\r\n"


def upgrade(
    *headers: bytes,
    line: bytes = b"GET /echo HTTP/1.1",
    key: bytes = KEY,
    version: bytes = b"13",
    connection: bytes = b"Upgrade",
) -> bytes:
    """A request for a WebSocket."""
    return head(
        line,
        b"Host: a",
        b"Upgrade: websocket",
        b"Connection: " + connection,
        b"Sec-WebSocket-Key: " + key,
        b"Sec-WebSocket-Version: " + version,
        *headers,
    )


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    final: bool = True,
    reserved: int = 0,
    mask: bytes | None = b"\x01\x02\x03\x04",
    length: int | None = None,
    size: int = 0,
) -> bytes:
    """
    A frame; its head says what the arguments say, true or not.

    Args:
        opcode: Any of 0 to 15.
        payload: Unmasked.
        final: Whether no fragment follows.
        reserved: The three bits, 4 for the first of them.
        mask: None to send it as only a server may.
        length: What the head says; the payload's if it is left out.
        size: In how many bytes the head says it, 1, 2 or 8; 0 for as few as it takes.
    """
    said = len(payload) if length is None else length
    size = size or (1 if said < 126 else 2 if said < 65536 else 8)
    first = (0x80 if final else 0) | reserved << 4 | opcode
    second = (0x80 if mask is not None else 0) | {1: said, 2: 126, 8: 127}[size]
    data = bytes((first, second)) + (b"" if size == 1 else said.to_bytes(size, "big"))
    if mask is None:
        return data + payload
    return data + mask + bytes(byte ^ mask[at & 3] for at, byte in enumerate(payload))


def close(code: int, reason: bytes = b"") -> bytes:
    """A close frame with any code."""
    return frame(CLOSE, code.to_bytes(2, "big") + reason)
