# Hostile WebSockets: handshakes, frames, floods, ends.

import zlib
from dataclasses import replace

from e2e.hostile._http import refused, served
from e2e.hostile._probe import (
    BINARY,
    CLOSE,
    DEFLATE,
    PING,
    PONG,
    TEXT,
    Probe,
    close,
    frame,
    get,
    head,
    upgrade,
)

MESSAGE_BYTES = 65536  # the limits of _app.py
FRAGMENTS = 64


def fails(name: str, code: int, *sent: bytes) -> Probe:
    """What is answered with a close of *code*, and the end of the connection."""
    return Probe(name=f"frames {name}", sent=sent, due=(code,), ends=True, then="wait", shaken=True)


def survives(name: str, *sent: bytes, then: str = "half-close") -> Probe:
    """What is no fault, or ends before it is one."""
    return Probe(name=f"frames {name}", sent=sent, then=then, shaken=True)  # type: ignore[arg-type]


def opened(name: str, *sent: bytes) -> Probe:
    """A handshake that is odd and yet accepted."""
    return served(f"handshake {name}", *sent, due=101)


HANDSHAKES = (
    refused("handshake protocol not ASCII", upgrade(b"Sec-WebSocket-Protocol: \xff")),
    refused("handshake protocol no token", upgrade(b'Sec-WebSocket-Protocol: a, "b"')),
    refused("handshake protocol with NUL", upgrade(b"Sec-WebSocket-Protocol: a\x00")),
    opened("protocol unknown", upgrade(b"Sec-WebSocket-Protocol: a, b")),
    opened("many protocols", upgrade(b"Sec-WebSocket-Protocol: " + b"a, " * 4000 + b"a")),
    opened("extensions not ASCII", upgrade(b"Sec-WebSocket-Extensions: \xff\xfe")),
    opened("extensions malformed", upgrade(b'Sec-WebSocket-Extensions: ;;=,"')),
    opened("window bits", upgrade(DEFLATE + b"; client_max_window_bits=abc")),
    opened("window bits of 0", upgrade(DEFLATE + b"; server_max_window_bits=0")),
    opened("window bits without value", upgrade(DEFLATE + b"; server_max_window_bits")),
    opened("deflate many times", upgrade(DEFLATE + b", permessage-deflate" * 500)),
    opened("connection not ASCII", upgrade(connection=b"Upgrade, \xff\xfe")),
    opened("connection in capitals", upgrade(connection=b"keep-alive,UPGRADE ,")),
    served("handshake connection spoilt", upgrade(connection=b"Upgrade\xff"), due=(404, 426)),
    refused("handshake key missing", head(b"GET /echo HTTP/1.1", b"Host: a", b"Upgrade: websocket",
            b"Connection: Upgrade", b"Sec-WebSocket-Version: 13")),
    refused("handshake key short", upgrade(key=b"YWJj")),
    refused("handshake key no base64", upgrade(key=b"!" * 24)),
    refused("handshake key not ASCII", upgrade(key=b"\xff" * 24)),
    refused("handshake key twice", upgrade(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")),
    refused("handshake version 12", upgrade(version=b"12"), due=426),
    refused("handshake version not ASCII", upgrade(version=b"\xff"), due=(400, 426)),
    refused("handshake version twice", upgrade(b"Sec-WebSocket-Version: 8")),
    served("handshake by POST", upgrade(line=b"POST /echo HTTP/1.1"), due=(404, 400, 405)),
    served("handshake in HTTP/1.0", upgrade(line=b"GET /echo HTTP/1.0"), due=(404, 400, 426)),
    refused("handshake to nowhere", upgrade(line=b"GET /nowhere HTTP/1.1"), due=(403, 404)),
    refused("handshake to a bad path", upgrade(line=b"GET /%ff%00 HTTP/1.1"), due=(400, 403, 404)),
    refused("handshake with odd origin and nowhere", upgrade(b"Origin: \xff://",
            line=b"GET /nowhere HTTP/1.1"), due=(400, 403, 404)),
    opened("with an empty length", upgrade(b"Content-Length: 0")),
    opened("and data at once", upgrade() + frame(TEXT, b"early")),
    opened("and junk at once", upgrade() + b"\xff" * 100),
    opened("and a request at once", upgrade() + get()),
    opened("and a flood at once", upgrade() + frame(TEXT, b"x" * 1000) * 300),
    opened("and a close at once", upgrade() + close(1000)),
    Probe(name="handshake and reset", sent=(upgrade(),), then="reset"),
    Probe(name="handshake, data and reset", sent=(upgrade() + frame(TEXT, b"x"),), then="reset"),
    Probe(name="handshake and half-close", sent=(upgrade(),)),
)  # fmt: skip

_BAD_TEXT = {
    "lone continuation": b"\x80",
    "overlong": b"\xc0\xaf",
    "overlong of 3": b"\xe0\x80\xaf",
    "surrogate": b"\xed\xa0\x80",
    "beyond Unicode": b"\xf4\x90\x80\x80",
    "5 bytes": b"\xf8\x88\x80\x80\x80",
    "cut": b"\xe2\x82",
    "late": b"x" * 5000 + b"\xff",
}
_BAD_CODES = (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)

FAULTS = (
    fails("unmasked text", 1002, frame(TEXT, b"x", mask=None)),
    fails("unmasked close", 1002, frame(CLOSE, b"", mask=None)),
    *(fails(f"reserved bits {bits}", 1002, frame(TEXT, b"x", reserved=bits))
      for bits in range(1, 8)),
    *(fails(f"opcode {opcode}", 1002, frame(opcode, b"x"))
      for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
    *(fails(f"control {opcode} fragmented", 1002, frame(opcode, b"x", final=False))
      for opcode in (CLOSE, PING, PONG)),
    *(fails(f"control {opcode} too long", 1002, frame(opcode, b"x" * 126))
      for opcode in (CLOSE, PING, PONG)),
    *(fails(f"control {opcode} of 64 bits", 1002, frame(opcode, b"", length=1 << 40))
      for opcode in (CLOSE, PING, PONG)),
    fails("continuation of nothing", 1002, frame(0, b"x")),
    fails("message inside a message", 1002, frame(TEXT, b"x", final=False), frame(TEXT, b"x")),
    fails("length in too many bytes", 1002, frame(TEXT, b"x", size=2)),
    fails("length in far too many bytes", 1002, frame(TEXT, b"x" * 200, size=8)),
    fails("length with its highest bit", 1002, frame(BINARY, b"", length=(1 << 63) + 5)),
    fails("length of 62 bits", 1009, frame(BINARY, b"", length=1 << 62)),
    fails("message over the limit", 1009, frame(BINARY, b"x" * (MESSAGE_BYTES + 1))),
    fails("message of 8 MB", 1009, frame(BINARY, b"x" * 8_000_000)),
    fails("fragments over the limit", 1009, frame(BINARY, b"x" * 9000, final=False),
          *(frame(0, b"x" * 9000, final=False) for _ in range(20))),
    fails("fragments without end", 1008, frame(TEXT, b"x", final=False),
          frame(0, b"x", final=False) * 5000),
    fails("empty fragments without end", 1008, frame(BINARY, b"", final=False) +
          frame(0, b"", final=False) * 100_000),
    *(fails(f"text {name}", 1007, frame(TEXT, text)) for name, text in _BAD_TEXT.items()),
    *(fails(f"text {name} in fragments", 1007, frame(TEXT, text[:1], final=False),
            frame(PING, b"between"), frame(0, text[1:])) for name, text in _BAD_TEXT.items()),
    fails("text bad before its end", 1007, frame(TEXT, b"\xff" * 10, length=1000)),
    *(fails(f"close code {code}", 1002, close(code)) for code in _BAD_CODES),
    fails("close of half a code", 1002, frame(CLOSE, b"\x03")),
    fails("close reason not UTF-8", 1007, close(1000, b"\xff")),
    fails("close as it should be", 1000, close(1000, b"bye")),
    fails("close and on", 1000, close(1000) + frame(TEXT, b"x") * 1000),
    fails("close twice", 1000, close(1000) * 2),
    fails("close inside a message", 4999, frame(TEXT, b"x", final=False) + close(4999)),
    fails("a request", 1002, get()),
    fails("TLS hello", 1002, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    fails("all bytes", 1002, bytes(range(256))),
    fails("zeros", 1002, bytes(1000)),
    fails("deflate unasked", 1002, frame(TEXT, b"\xaa\x06\x00", reserved=4)),
)  # fmt: skip

ENDS = (
    survives("nothing"),
    survives("half a head", frame(TEXT, b"x" * 1000)[:1]),
    survives("half a frame", frame(TEXT, b"x" * 1000)[:500]),
    survives("half a message", frame(TEXT, b"x" * 1000, final=False)),
    survives("reset at once", then="reset"),
    survives("reset in a head", frame(TEXT, b"x" * 1000)[:3], then="reset"),
    survives("reset in a frame", frame(TEXT, b"x" * 1000)[:500], then="reset"),
    survives("reset in a message", frame(TEXT, b"x" * 1000, final=False), then="reset"),
    survives("reset behind a flood", frame(TEXT, b"x" * 1000) * 500, then="reset"),
    survives("reset behind a close", close(1000), then="reset"),
    survives("flood", frame(TEXT, b"x") * 20_000),
    survives("empty messages", frame(TEXT) * 20_000),
    survives("ping flood", frame(PING, b"x" * 125) * 20_000),
    survives("pong flood", frame(PONG, b"x" * 125) * 20_000),
    survives("a mask of zeros", frame(TEXT, b"x", mask=bytes(4))),
    survives("byte by byte", *(frame(TEXT, b"slow")[at : at + 1] for at in range(10))),
    survives("pings between fragments", frame(TEXT, b"x", final=False),
             (frame(PING) + frame(0, b"x", final=False)) * 30, frame(0, b"x")),
    survives("text cut within characters", *(
        frame(0 if at else TEXT, byte, final=at == 5)
        for at, byte in enumerate(bytes((each,)) for each in "€é".encode() + b"!"))),
)  # fmt: skip


def _deflated(data: bytes, *, before: bytes = b"") -> bytes:
    """Return the payload of *data* by a compressor that remembers what it had *before*."""
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    stream.compress(before)
    stream.flush(zlib.Z_SYNC_FLUSH)
    return (stream.compress(data) + stream.flush(zlib.Z_SYNC_FLUSH))[:-4]


def _packed(payload: bytes, opcode: int = TEXT, *, final: bool = True) -> bytes:
    return frame(opcode, payload, reserved=4, final=final)


_DISTINCT = b"nothing in here comes twice: 0123456789"
_BOMB = _deflated(bytes(64 << 20))
_LARGE = _packed(_deflated(bytes(MESSAGE_BYTES)), BINARY)

DEFLATED = tuple(replace(probe, name=f"deflate {probe.name}", deflates=True) for probe in (
    fails("bomb of 64 MiB", 1009, _packed(_BOMB, BINARY)),
    fails("bomb one byte over", 1009, _packed(_deflated(bytes(MESSAGE_BYTES + 1)), BINARY)),
    fails("bomb in fragments", 1009, _packed(_BOMB[:200], BINARY, final=False),
          *(frame(0, _BOMB[at : at + 200], final=False) for at in range(200, 9000, 200))),
    fails("bomb of text", 1009, _packed(_deflated(b"x" * (8 << 20)))),
    fails("no deflate stream", 1007, _packed(b"\xff\xff\xff")),
    fails("stream cut", 1007, _packed(_deflated(b"abc" * 100)[:5])),
    fails("many streams", 1007, _packed(b"\x03\x00" * 20_000)),
    fails("distance too far", 1007, _packed(_deflated(_DISTINCT, before=_DISTINCT))),
    fails("text not UTF-8", 1007, _packed(_deflated(b"x\xff"))),
    fails("text not UTF-8, of a bomb", 1007, _packed(_deflated(b"\xff" * (8 << 20)))),
    fails("on a ping", 1002, _packed(b"x", PING)),
    fails("on a close", 1002, _packed(b"\x03\xe8", CLOSE)),
    fails("on a continuation", 1002, _packed(_deflated(b"xy")[:2], final=False),
          _packed(_deflated(b"xy")[2:], 0)),
    fails("other reserved bits", 1002, frame(TEXT, _deflated(b"x"), reserved=6)),
    survives("large messages, small frames", _LARGE * 300),
    survives("empty blocks without end", _packed(b"\x00\x00\x00\xff\xff" * 12_000)),
    survives("empty messages", _packed(b"\x00") * 20_000),
    survives("nothing at all", _packed(b"") * 20_000),
    survives("half a message", _packed(_BOMB[:40], BINARY, final=False)),
    survives("reset in a message", _packed(_BOMB[:40], BINARY, final=False), then="reset"),
    survives("pings between", _packed(_deflated(b"xyz")[:2], final=False), frame(PING, b"?") * 50,
             frame(0, _deflated(b"xyz")[2:])),
))  # fmt: skip

WEBSOCKET = (*HANDSHAKES, *FAULTS, *ENDS, *DEFLATED)
