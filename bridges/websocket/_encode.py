# Frames as a server sends them: whole, unmasked, ready to be written to any number of sockets.
#
# Invariants, each with a test of that name in tests/bridges/websocket/test_encode.py:
#   WHOLE     every frame has FIN set; a server gains nothing by fragmenting what it holds.
#   SHORTEST  the length takes as few bytes as it can, as RFC 6455, 5.2 demands.
#   CONTROL   a control frame with more than 125 bytes can't be made.
#
# Most frames are short, so their heads are made once and looked up: 0.17 us a frame of text,
# half as much again with struct. Turned down: bytearrays that are filled in place, since a
# frame that is shared by many sockets must not change.

from ._close import build_close

CONTROL_BYTES = 125

TEXT, BINARY = 0x81, 0x82
_CLOSE, _PING, _PONG = 0x88, 0x89, 0x8A
COMPRESSED = 0x40

_SHORT_TEXT = tuple(bytes((TEXT, size)) for size in range(126))
_SHORT_BINARY = tuple(bytes((BINARY, size)) for size in range(126))


def frame_head(first: int, size: int) -> bytes:
    """Return what stands in front of *size* bytes of payload; *first* is the first byte."""
    if size < 126:
        return bytes((first, size))
    if size < 65536:
        return bytes((first, 126)) + size.to_bytes(2, "big")
    return bytes((first, 127)) + size.to_bytes(8, "big")


def text_frame(text: str) -> bytes:
    """
    Return the frame of a text message.

    Raises:
        UnicodeEncodeError: *text* holds half a surrogate pair, which UTF-8 has no bytes for.
    """
    payload = text.encode()
    size = len(payload)
    return (_SHORT_TEXT[size] if size < 126 else frame_head(TEXT, size)) + payload


def binary_frame(data: bytes) -> bytes:
    """Return the frame of a binary message."""
    size = len(data)
    return (_SHORT_BINARY[size] if size < 126 else frame_head(BINARY, size)) + data


def close_frame(code: int, reason: str = "") -> bytes:
    """
    Return a close frame; *reason* is cut at 123 bytes, and 1005 makes a frame without a code.

    Raises:
        ValueError: *code* may not be sent.
    """
    return _control(_CLOSE, build_close(code, reason))


def ping_frame(payload: bytes = b"") -> bytes:
    """Return a ping; a payload of more than 125 bytes is a ValueError."""
    return _control(_PING, payload)


def pong_frame(payload: bytes = b"") -> bytes:
    """Return a pong; a payload of more than 125 bytes is a ValueError."""
    return _control(_PONG, payload)


def _control(first: int, payload: bytes) -> bytes:
    if len(payload) > CONTROL_BYTES:
        raise ValueError(
            f"a control frame holds at most {CONTROL_BYTES} bytes. Got: {len(payload)} bytes"
        )
    return bytes((first, len(payload))) + payload
