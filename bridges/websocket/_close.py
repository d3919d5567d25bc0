# Close codes (RFC 6455, 7.4), the payload of a close frame, and what ends a connection early.
#
# Invariants, each with a test of that name in tests/bridges/websocket/test_close.py:
#   SAME CODES   what may be sent is what may be received: the registered codes and 3000 to
#                4999. 1005, 1006 and 1015 say that no close frame came and are in none.
#   EMPTY        no code on the wire is 1005 in here, both ways, so that a close can be
#                answered with what it said.
#   FITS         a reason is cut at a whole character; the payload has at most 125 bytes.
#
# One exception for every fault of a peer, with the code that answers it: who catches it needs
# no table, and a log line needs no second source. Turned down: a class for each code.

from dataclasses import dataclass

NO_CODE = 1005
PROTOCOL_ERROR = 1002
BAD_DATA = 1007
POLICY = 1008
TOO_BIG = 1009

REASON_BYTES = 123

_REGISTERED = frozenset((1000, 1001, 1002, 1003, *range(1007, 1015)))


class Violation(Exception):
    """
    The peer broke the protocol or a limit; the connection must be closed with *code*.

    ``reason`` is short ASCII text, for the close frame and for the log.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code, self.reason = code, reason

    def __str__(self) -> str:
        return f"{self.reason} (closed with {self.code})"


@dataclass(frozen=True, slots=True)
class Close:
    """The peer's close frame; *code* is 1005 if it gave none."""

    code: int
    reason: str = ""


def is_code(code: int) -> bool:
    """Return whether *code* may stand in a close frame, whoever sends it."""
    return code in _REGISTERED or 3000 <= code <= 4999


def parse_close(payload: bytes) -> Close:
    """
    Return what the payload of a close frame says.

    Raises:
        Violation: 1002 for half a code or one that may not be sent, 1007 for a reason that
            is not UTF-8.
    """
    if not payload:
        return Close(NO_CODE)
    if len(payload) == 1:
        raise Violation(PROTOCOL_ERROR, "close frame with half a code")
    code = int.from_bytes(payload[:2], "big")
    if not is_code(code):
        raise Violation(PROTOCOL_ERROR, "a close code that may not be sent")
    try:
        return Close(code, payload[2:].decode())
    except UnicodeDecodeError:
        raise Violation(BAD_DATA, "close reason is not UTF-8") from None


def build_close(code: int, reason: str = "") -> bytes:
    """
    Return the payload of a close frame; *reason* is cut at 123 bytes. 1005 makes it empty.

    Raises:
        ValueError: *code* may not be sent, or there is a reason without one.
    """
    if code == NO_CODE and not reason:
        return b""
    if not is_code(code):
        raise ValueError(
            f"close code must be 1000 to 1003, 1007 to 1014 or 3000 to 4999. Got: {code!r}"
        )
    text = reason.encode(errors="replace")
    if len(text) > REASON_BYTES:
        text = text[:REASON_BYTES].decode(errors="ignore").encode()
    return code.to_bytes(2, "big") + text
