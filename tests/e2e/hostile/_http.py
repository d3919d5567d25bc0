# Hostile HTTP/1.1: smuggling, heads, bodies, and slowness.

from e2e.hostile._probe import SMUGGLED, Probe, chunked, get, head, post, upgrade

HEAD_BYTES = 16384  # the limits of _app.py
BODY_SECONDS = 1.0


def smuggling(name: str, request: bytes, *due: int) -> Probe:
    """A request with two readings, and in one of them a second request."""
    return Probe(
        name=f"smuggling {name}",
        sent=(request + SMUGGLED,),
        due=due or (400,),
        ends=True,
        then="wait",
        smuggles=True,
    )


def refused(name: str, *sent: bytes, due: int | tuple[int, ...] = 400) -> Probe:
    """A request that is refused; the connection ends behind it."""
    codes = (due,) if isinstance(due, int) else due
    return Probe(name=name, sent=sent, due=codes, ends=True, then="wait")


def served(name: str, *sent: bytes, due: int | tuple[int, ...] = 200) -> Probe:
    """An odd request that is served."""
    return Probe(name=name, sent=sent, due=(due,) if isinstance(due, int) else due)


_CHUNKS = b"0\r\n\r\n"
_TE = b"Transfer-Encoding: chunked"

_LENGTHS = {
    "signed": b"+5",
    "negative": b"-5",
    "hex": b"0x5",
    "underscore": b"1_0",
    "comma": b"5, 5",
    "comma differing": b"5, 6",
    "space inside": b"1 0",
    "huge": b"9" * 5000,
    "over 64 bits": b"18446744073709551621",
    "empty": b"",
    "exponent": b"5e0",
    "fraction": b"5.0",
    "semicolon": b"5;",
    "quotes": b'"5"',
    "arabic digits": "\u0665".encode(),
    "superscript": b"\xb2",
    "vertical tab": b"\x0b5",
    "form feed": b"5\x0c",
    "no-break space": b"\xa05",
    "bare CR": b"5\r",
    "NUL": b"5\x00",
}
# Codings that are not understood get 501; those that leave the end of the body open get 400.
_CODINGS = {
    "xchunked": b"Transfer-Encoding: xchunked",
    "chunkedx": b"Transfer-Encoding: chunkedx",
    "identity": b"Transfer-Encoding: identity",
    "chunked twice in a list": b"Transfer-Encoding: chunked, chunked",
    "chunked twice": _TE + b"\r\n" + _TE,
    "gzip behind chunked": b"Transfer-Encoding: chunked, gzip",
    "identity behind chunked": _TE + b"\r\nTransfer-Encoding: identity",
    "parameter": b"Transfer-Encoding: chunked;q=1",
    "quoted": b'Transfer-Encoding: "chunked"',
    "empty element": b"Transfer-Encoding: ,chunked",
    "empty coding": b"Transfer-Encoding:",
    "vertical tab": b"Transfer-Encoding: \x0bchunked",
    "no-break space": b"Transfer-Encoding: chunked\xa0",
    "NUL": b"Transfer-Encoding: chunked\x00",
    "Kelvin sign": "Transfer-Encoding: chun\u212aed".encode(),
    "bare CR behind": b"Transfer-Encoding: chunked\r",
}
_SHAPES = {
    "space before colon": b"Transfer-Encoding : chunked",
    "tab before colon": b"Transfer-Encoding\t: chunked",
    "folded": b"Transfer-Encoding:\r\n chunked",
    "folded by tab": b"Transfer-Encoding:\r\n\tchunked",
    "in a fold": b"X: x\r\n " + _TE,
    "behind bare LF": b"X: x\n" + _TE,
    "behind bare CR": b"X: x\r" + _TE,
    "no colon": b"Transfer-Encoding chunked",
    "NUL in name": b"Transfer-Encoding\x00: chunked",
    "non-ASCII name": b"Transfer-Encoding\xff: chunked",
    "leading colon": b":Transfer-Encoding: chunked",
}

SMUGGLING = (
    smuggling("both lengths", post(b"Content-Length: 5", _TE, body=_CHUNKS)),
    smuggling("both lengths, reversed", post(_TE, b"Content-Length: 5", body=_CHUNKS)),
    smuggling("two lengths", post(b"Content-Length: 0", b"Content-Length: 34")),
    smuggling("equal lengths", post(b"Content-Length: 0", b"Content-Length: 0")),
    *(smuggling(f"length {name}", post(b"Content-Length: " + value))
      for name, value in _LENGTHS.items()),
    *(smuggling(f"coding {name}", post(line, body=_CHUNKS), 400, 501)
      for name, line in _CODINGS.items()),
    *(smuggling(name, post(line, body=_CHUNKS)) for name, line in _SHAPES.items()),
    *(smuggling(f"{name} and a length", post(line, b"Content-Length: 5", body=_CHUNKS), 400, 501)
      for name, line in (_CODINGS | _SHAPES).items()),
    smuggling("length with space before colon", post(b"Content-Length : 34")),
    smuggling("length folded", post(b"Content-Length:\r\n 34")),
    smuggling("chunked in HTTP/1.0",
              head(b"POST /body HTTP/1.0", b"Host: a", _TE) + _CHUNKS),
    smuggling("first header folded",
              head(b"POST /body HTTP/1.1", b" Host: a", b"Host: a", b"Content-Length: 0")),
    smuggling("two hosts", get(b"Host: b")),
    smuggling("upgrade with a length", upgrade(b"Content-Length: 34")),
    smuggling("upgrade with chunks", upgrade(_TE) + _CHUNKS),
    smuggling("upgrade with both", upgrade(_TE, b"Content-Length: 34") + _CHUNKS),
)  # fmt: skip

_CHUNKED = {
    "size empty": b"\r\nabc\r\n",
    "size is no number": b"g\r\nabc\r\n",
    "size 0x": b"0x3\r\nabc\r\n",
    "size signed": b"+3\r\nabc\r\n",
    "size negative": b"-3\r\nabc\r\n",
    "size behind a space": b" 3\r\nabc\r\n",
    "size before a space": b"3 \r\nabc\r\n",
    "size over 64 bits": b"10000000000000003\r\nabc\r\n",
    "size underscore": b"0_3\r\nabc\r\n",
    "size of zeros": b"0" * 5000 + b"3\r\nabc\r\n",
    "size line ends in LF": b"3\nabc\r\n",
    "size line ends in CR": b"3\rabc\r\n",
    "extension ends in LF": b"3;x\nabc\r\n",
    "extension with NUL": b"3;\x00\r\nabc\r\n",
    "extension with bare CR": b"3;a\rb\r\nabc\r\n",
    "extension endless": b"3;" + b"x" * 70000,
    "extensions on every byte": (b"1;" + b"x" * 100 + b"\r\nx\r\n") * 400,
    "data longer": b"3\r\nabcd\r\n",
    "data ends in LF": b"3\r\nabc\n",
    "data ends in CR": b"3\r\nabc\r0\r\n",
    "data ends in other two": b"3\r\nabcXX0\r\n",
    "last chunk ends in LF": b"0\n\n",
    "trailer without colon": b"0\r\nnonsense\r\n\r\n",
    "trailer with space before colon": b"0\r\nX : a\r\n\r\n",
    "trailer folded": b"0\r\nX: a\r\n b\r\n\r\n",
    "trailer with NUL": b"0\r\nX: \x00\r\n\r\n",
    "trailer ends in LF": b"0\r\nX: a\n\r\n",
}

BODIES = (
    *(smuggling(f"chunk {name}", chunked(body)) for name, body in _CHUNKED.items()),
    *(smuggling(f"chunk {name} to a deaf application", chunked(body, target=b"/plain"), 200)
      for name, body in _CHUNKED.items()),
    refused("trailer endless", chunked(b"0\r\nX: " + b"x" * 70000), due=431),
    refused("trailers too many", chunked(b"0\r\n" + b"X: a\r\n" * 200 + b"\r\n"), due=431),
    served("a chunk for each byte", chunked(b"1\r\nx\r\n" * 5000 + b"0\r\n\r\n")),
    served("chunk extensions", chunked(b'3;a="b\xff"\r\nabc\r\n0;z\r\nX: y\r\n\r\n')),
    served("CHUNKED", post(b"Transfer-Encoding:\tCHUNKED", body=b"0\r\n\r\n")),
    served("underscores", post(b"Transfer_Encoding: chunked", b"Content-Length: 1", body=b"x")),
    served("body to a deaf application",
           post(b"Content-Length: 60000", body=b"x" * 60000, target=b"/plain")),
    Probe(name="large body to a deaf application", ends=True, then="wait", due=(200,),
          sent=(post(b"Content-Length: 8000000", body=b"x" * 8_000_000, target=b"/plain"),)),
    Probe(name="body broken off", sent=(post(b"Content-Length: 50", body=b"x"),)),
    Probe(name="chunk broken off", sent=(chunked(b"50\r\nx"),)),
    Probe(name="reset in the body", sent=(post(b"Content-Length: 50", body=b"x"),), then="reset"),
    Probe(name="expect and no body", sent=(post(b"Content-Length: 9", b"Expect: 100-continue"),)),
    Probe(name="odd expectation", sent=(get(b"Expect: \xff"),), due=(200, 417)),
    refused("body stalls", post(b"Content-Length: 50", body=b"x"), due=408),
    refused("chunk stalls", chunked(b"50\r\nx"), due=408),
)  # fmt: skip

HEADS = (
    refused("no host", head(b"GET /plain HTTP/1.1")),
    refused("host with a comma", head(b"GET /plain HTTP/1.1", b"Host: a, b")),
    refused("host with a path", head(b"GET /plain HTTP/1.1", b"Host: a/b")),
    refused("host with a user", head(b"GET /plain HTTP/1.1", b"Host: a@b")),
    refused("host not ASCII", head(b"GET /plain HTTP/1.1", b"Host: \xff")),
    refused("host empty brackets", head(b"GET /plain HTTP/1.1", b"Host: [")),
    refused("absolute form, other host", get(target=b"http://b/plain")),
    refused("absolute form, user", get(target=b"http://u@a/plain")),
    refused("absolute form, other scheme", get(target=b"gopher://a/plain")),
    refused("absolute form, no host", get(target=b"http:///plain")),
    served("absolute form", get(target=b"http://A/plain?x")),
    refused("authority form", get(line=b"CONNECT a:80 HTTP/1.1"), due=501),
    refused("asterisk for GET", get(target=b"*")),
    refused("fragment", get(target=b"/plain#x")),
    refused("target with NUL", get(target=b"/\x00")),
    refused("target with CR", get(target=b"/a\rb")),
    refused("target not ASCII", get(target=b"/\xff")),
    refused("target with a tab", get(target=b"/\t")),
    served("target with a bad escape", get(target=b"/plain?%zz%"), due=(200, 400)),
    served("path with a bad escape", get(target=b"/%zz%ff%00"), due=(200, 400, 404)),
    refused("version 0.9", b"GET /plain\r\n\r\n"),
    refused("version 2.0", get(line=b"GET /plain HTTP/2.0"), due=505),
    refused("version 3.7", get(line=b"GET /plain HTTP/3.7"), due=505),
    refused("version 1.10", get(line=b"GET /plain HTTP/1.10")),
    refused("version in lower case", get(line=b"GET /plain http/1.1")),
    refused("two spaces", get(line=b"GET  /plain HTTP/1.1")),
    refused("tabs", get(line=b"GET\t/plain\tHTTP/1.1")),
    refused("space at the end", get(line=b"GET /plain HTTP/1.1 ")),
    refused("space at the start", get(line=b" GET /plain HTTP/1.1")),
    refused("no method", get(line=b"/plain HTTP/1.1")),
    refused("method with NUL", get(line=b"GE\x00T /plain HTTP/1.1")),
    refused("method not ASCII", get(line=b"G\xc9T /plain HTTP/1.1")),
    refused("method unknown", get(line=b"BREW /plain HTTP/1.1"), due=501),
    refused("bare LF", b"GET /plain HTTP/1.1\nHost: a\n\n"),
    refused("bare CR", b"GET /plain HTTP/1.1\rHost: a\r\r", due=(400, 408)),
    refused("bare LF at last", b"GET /plain HTTP/1.1\r\nHost: a\r\n\n"),
    refused("NUL in a value", get(b"X: a\x00b")),
    refused("control characters in a value", get(b"X: a\x01\x7fb")),
    refused("name empty", get(b": a")),
    refused("name in parentheses", get(b"(x): a")),
    served("value not ASCII", get(b"X: \xff\xfe")),
    served("Connection not ASCII", get(b"Connection: \xff")),
    served("one CRLF too many", b"\r\n" + get()),
    refused("many CRLFs", b"\r\n" * 1000),
    refused("target of 64 KiB", get(target=b"/" + b"x" * 65536), due=414),
    refused("line without end", b"GET /" + b"x" * 200_000, due=414),
    refused("method without end", b"A" * 200_000, due=(400, 414)),
    refused("header of 64 KiB", get(b"X: " + b"x" * 65536), due=431),
    refused("header without end", get()[:-2] + b"X: " + b"x" * 10_000_000, due=431),
    refused("headers without end", get()[:-2] + b"X: x\r\n" * 1_000_000, due=431),
    refused("many headers", get(*[b"X: x"] * 500), due=431),
    refused("many names", get(*[b"X%d: x" % nth for nth in range(500)]), due=431),
    served("many pipelined", get() * 200),
    smuggling("behind Connection: close", get(b"Connection: close"), 200),
    served("h2c", get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c",
                      b"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA")),
    served("h2c with settings of odd length",
           get(b"Connection: Upgrade", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk!")),
    served("h2c with settings not ASCII",
           get(b"Connection: Upgrade", b"Upgrade: h2c", b"HTTP2-Settings: \xff\xfe")),
    served("h2c without settings", get(b"Connection: Upgrade", b"Upgrade: h2c")),
    served("upgrade to something", get(b"Connection: Upgrade", b"Upgrade: TLS/1.0, \xff")),
    refused("TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2),
    refused("SSH", b"SSH-2.0-OpenSSH_9.2\r\n", due=(400, 408)),
    refused("proxy protocol", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + get()),
    refused("proxy protocol 2", b"\r\n\r\n\x00\r\nQUIT\n" + bytes(20)),
    refused("zeros", bytes(100_000)),
    refused("all bytes", bytes(range(256)) * 100),
    Probe(name="nothing", sent=()),
    Probe(name="half a head", sent=(b"GET / HT",)),
    Probe(name="reset in the head", sent=(b"GET / HT",), then="reset"),
    Probe(name="reset at once", sent=(), then="reset"),
    Probe(name="reset before the answer", sent=(get(),), then="reset"),
    Probe(name="nothing, for long", sent=(), ends=True, then="wait"),
    refused("head stalls", b"GET / HT", due=408),
    Probe(name="head drips", sent=(b"GET / HTTP/1.1\r\n",), drip=b"X: x\r\n" * 1000, due=(408,),
          ends=True, then="wait"),
)  # fmt: skip
