# Hostile HTTP/2 in clear text, which hypercorn answers itself. Nothing is due but survival.

import struct

from e2e.hostile._probe import Probe

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """A frame of HTTP/2."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + struct.pack("!I", stream) + (
        payload
    )  # fmt: skip


def headers(stream: int, *fields: tuple[bytes, bytes], flags: int = 5) -> bytes:
    """A HEADERS frame with literal fields, none of them indexed or compressed."""
    block = b"".join(
        b"\x00" + bytes((len(name),)) + name + bytes((len(value),)) + value
        for name, value in fields
    )
    return frame(HEADERS, flags, stream, block)


def request(
    stream: int = 1, method: bytes = b"GET", path: bytes = b"/plain", flags: int = 5
) -> bytes:
    """An ordinary request, or nearly."""
    rest = ((b":scheme", b"http"), (b":authority", b"a"))
    return headers(stream, (b":method", method), (b":path", path), *rest, flags=flags)


def probe(name: str, *frames: bytes) -> Probe:
    """A connection that opens as it should and goes on with *frames*."""
    opened = PREFACE + frame(SETTINGS, 0, 0)
    return Probe(name=f"HTTP/2 {name}", sent=(opened + b"".join(frames),), theirs=True)


_WEBSOCKET = (
    (b":method", b"CONNECT"), (b":protocol", b"websocket"), (b":scheme", b"http"),
    (b":path", b"/echo"), (b":authority", b"a"), (b"sec-websocket-version", b"13"),
)  # fmt: skip

HTTP2 = (
    probe("nothing behind the preface"),
    probe("request", request()),
    probe("CONNECT without path", headers(1, (b":method", b"CONNECT"), (b":authority", b"a"))),
    probe("no pseudo-headers", headers(1, (b"x", b"y"))),
    probe("no method", headers(1, (b":path", b"/"), (b":scheme", b"http"), (b":authority", b"a"))),
    probe("path not ASCII", request(path=b"/\xff\xfe")),
    probe("path empty", request(path=b"")),
    probe("method not ASCII", request(method=b"G\xc9T")),
    probe("value with NUL", headers(1, (b":method", b"GET"), (b":path", b"/\x00"))),
    probe("1,100 PRIORITY", *(frame(PRIORITY, 0, 2 * nth + 1, bytes(4) + b"\x01")
                              for nth in range(1100))),
    probe("PRIORITY on itself", frame(PRIORITY, 0, 1, struct.pack("!IB", 1, 1))),
    probe("rapid reset", *(request(2 * nth + 1) + frame(RST, 0, 2 * nth + 1, bytes(4))
                           for nth in range(1500))),
    probe("many requests", *(request(2 * nth + 1) for nth in range(150))),
    probe("resets of no stream", *(frame(RST, 0, 2 * nth + 1, bytes(4)) for nth in range(1000))),
    probe("body behind the answer", request(method=b"POST", flags=_END_HEADERS),
          *(frame(DATA, 0, 1, b"x" * 1000) for _ in range(60)), frame(DATA, _END_STREAM, 1)),
    probe("data on stream 0", frame(DATA, 0, 0, b"x")),
    probe("data on an idle stream", frame(DATA, 0, 7, b"x")),
    probe("empty data flood", request(flags=_END_HEADERS), frame(DATA, 0, 1) * 20000),
    probe("continuation flood", request(flags=0), frame(CONTINUATION, 0, 1, b"") * 5000),
    probe("continuation of nothing", frame(CONTINUATION, 4, 1, b"x")),
    probe("bad HPACK", frame(HEADERS, 5, 1, b"\xff\xff\xff\xff\xff\xff\xff\xff")),
    probe("HPACK table resized", frame(HEADERS, 5, 1, b"\x3f\xe1\xff\xff\xff\x07")),
    probe("ping flood", frame(PING, 0, 0, bytes(8)) * 20000),
    probe("ping of 7 bytes", frame(PING, 0, 0, bytes(7))),
    probe("settings flood", frame(SETTINGS, 0, 0) * 10000),
    probe("settings of odd length", frame(SETTINGS, 0, 0, b"x")),
    probe("settings out of range", frame(SETTINGS, 0, 0, struct.pack("!HI", 4, 2**32 - 1))),
    probe("settings with frames of 0", frame(SETTINGS, 0, 0, struct.pack("!HI", 5, 0))),
    probe("window of 0", frame(SETTINGS, 0, 0, struct.pack("!HI", 4, 0)), request()),
    probe("window overflow", frame(WINDOW, 0, 0, struct.pack("!I", 2**31 - 1)) * 2),
    probe("window of a stream overflows", request(flags=_END_HEADERS),
          frame(WINDOW, 0, 1, struct.pack("!I", 2**31 - 1)) * 2),
    probe("push from a client", frame(PUSH, 4, 1, struct.pack("!I", 2))),
    probe("goaway and on", frame(GOAWAY, 0, 0, bytes(8)), request()),
    probe("unknown frame", frame(0xEE, 0xFF, 99, b"x" * 100)),
    probe("frame over the limit", (1 << 20).to_bytes(3, "big") + bytes(6) + b"x" * 20000),
    probe("even stream", request(2)),
    probe("stream used again", request(3), request(1)),
    probe("padding longer than the frame", frame(DATA, 8, 1, b"\xff")),
    probe("WebSocket", headers(1, *_WEBSOCKET, flags=_END_HEADERS)),
    probe("WebSocket with junk", headers(1, *_WEBSOCKET, flags=_END_HEADERS),
          frame(DATA, 0, 1, b"\xff" * 100)),
    probe("WebSocket with odd extensions",
          headers(1, *_WEBSOCKET, (b"sec-websocket-extensions",
                                   b"permessage-deflate; client_max_window_bits=abc"), flags=4)),
    probe("WebSocket with a subprotocol not ASCII",
          headers(1, *_WEBSOCKET, (b"sec-websocket-protocol", b"\xff"), flags=4)),
    Probe(name="HTTP/2 half a preface", sent=(PREFACE[:20],)),
    Probe(name="HTTP/2 half a preface, for long", sent=(PREFACE[:20],), ends=True, then="wait"),
    Probe(name="HTTP/2 preface and junk", sent=(PREFACE + b"\xff" * 200,), theirs=True),
    Probe(name="HTTP/2 preface in two", sent=(PREFACE[:9], PREFACE[9:]), theirs=True),
    Probe(name="HTTP/2 reset", sent=(PREFACE + frame(SETTINGS, 0, 0) + request(),), then="reset",
          theirs=True),
)  # fmt: skip
