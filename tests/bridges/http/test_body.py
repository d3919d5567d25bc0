# Where a body ends: lengths and chunks.

import pytest
from http_requests import get, only_outcome, outcome
from hypothesis import given
from hypothesis import strategies as st

from greenroom.bridges.http._body import Chunked
from greenroom.bridges.http._request import END, BadRequest, Head, Limits

HEAD = get("Transfer-Encoding: chunked", line="POST / HTTP/1.1")
NEXT = get(line="GET /next HTTP/1.1")


def body_of(data: bytes) -> list[bytes | str]:
    """Return what comes of a chunked body and a request behind it, however they are cut."""
    _, *rest = only_outcome(HEAD + data + NEXT)
    return [each.target if isinstance(each, Head) else each for each in rest]


@pytest.mark.parametrize(
    ("body", "data"),
    [
        (b"0\r\n\r\n", b""),
        (b"3\r\nabc\r\n0\r\n\r\n", b"abc"),
        (b"003\r\nabc\r\n000\r\n\r\n", b"abc"),
        (b"a\r\n0123456789\r\nB\r\n0123456789A\r\n0\r\n\r\n", b"01234567890123456789A"),
        (b"2\r\n\r\n\r\n3\r\n0\r\n\r\n0\r\n\r\n", b"\r\n0\r\n"),
        (b'3;a=b;c="d;e"\r\nabc\r\n0;x\r\n\r\n', b"abc"),
        (b"3;\xe9\t \r\nabc\r\n0\r\n\r\n", b"abc"),
        (b"3\r\nabc\r\n0\r\nX: y\r\nContent-Length: 9\r\nTransfer-Encoding: gzip\r\n\r\n", b"abc"),
    ],
)
def test_exact_chunks(body: bytes, data: bytes) -> None:
    """
    EXACT: chunks become their data, extensions and trailers are dropped, the next request stays.
    """
    assert body_of(body) == [*([data] if data else []), "end", b"/next", "end"]


def test_exact_length() -> None:
    """
    EXACT: a body of a known length takes just its bytes.
    """
    data = get("Content-Length: 5", line="POST / HTTP/1.1") + b"GET /" + NEXT

    _, *rest = only_outcome(data)
    assert [getattr(each, "target", each) for each in rest] == [b"GET /", "end", b"/next", "end"]


REFUSED = [
    # The body, the data before the fault, the status. Rows that name llhttp are what it lets
    # through.
    ("LF behind a size", b"3\nabc\r\n0\r\n\r\n", b"", 400),
    ("LF behind data", b"3\r\nabc\n0\r\n\r\n", b"abc", 400),
    ("LF behind the last size", b"3\r\nabc\r\n0\n\r\n", b"abc", 400),
    ("LF as the empty line", b"3\r\nabc\r\n0\r\n\n", b"abc", 400),
    ("LF everywhere", b"3\nabc\n0\n\n", b"", 400),
    ("CR behind a size", b"3\rabc\r\n0\r\n\r\n", b"", 400),
    ("CR in an extension", b"3;a\rb\r\nabc\r\n0\r\n\r\n", b"", 400),
    ("LF in an extension", b"3;a\nabc\r\n0\r\n\r\n", b"", 400),
    ("NUL in an extension", b"3;\0\r\nabc\r\n0\r\n\r\n", b"", 400),
    ("no size", b"\r\nabc\r\n0\r\n\r\n", b"", 400),
    ("an extension of no size", b";a\r\nabc\r\n0\r\n\r\n", b"", 400),
    ("hexadecimal by prefix", b"0x3\r\nabc\r\n0\r\n\r\n", b"", 400),
    ("a plus", b"+3\r\nabc\r\n0\r\n\r\n", b"", 400),
    ("a minus", b"-3\r\nabc\r\n0\r\n\r\n", b"", 400),
    ("an underscore", b"1_0\r\n", b"", 400),
    ("no digit", b"g\r\n", b"", 400),
    ("space before a size", b" 3\r\nabc\r\n0\r\n\r\n", b"", 400),
    ("space behind a size", b"3 \r\nabc\r\n0\r\n\r\n", b"", 400),
    ("space before an extension", b"3 ;a\r\nabc\r\n0\r\n\r\n", b"", 400),
    ("more than 64 bits", b"1" + b"0" * 16 + b"\r\n", b"", 400),
    ("llhttp: zeros before a size", b"0" * 16 + b"3\r\nabc\r\n0\r\n\r\n", b"", 400),
    ("more data than the size", b"3\r\nabcd\r\n0\r\n\r\n", b"abc", 400),
    ("less data than the size", b"4\r\nabc\r\n0\r\n\r\n", b"abc\r", 400),
    ("any two bytes behind data", b"3\r\nabcXX0\r\n\r\n", b"abc", 400),
    ("space before a colon of a trailer", b"0\r\nX : y\r\n\r\n", b"", 400),
    ("a folded trailer", b"0\r\nX: y\r\n z\r\n\r\n", b"", 400),
    ("LF behind a trailer", b"0\r\nX: y\n\r\n", b"", 400),
    ("a trailer without a colon", b"0\r\nX\r\n\r\n", b"", 400),
    ("NUL in a trailer", b"0\r\nX: \0\r\n\r\n", b"", 400),
    ("llhttp: trailers without end", b"0\r\n" + b"X: y\r\n" * 101 + b"\r\n", b"", 431),
    ("llhttp: a trailer without end", b"0\r\nX: " + b"y" * 20000, b"", 431),
    ("llhttp: long trailers", b"0\r\n" + (b"X: " + b"y" * 6000 + b"\r\n") * 3, b"", 431),
    ("llhttp: an extension without end", b"3;" + b"a" * 5000, b"", 400),
    ("a size without end", b"0" * 5000, b"", 400),
]


@pytest.mark.parametrize(
    ("body", "data", "status"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_strict(body: bytes, data: bytes, status: int) -> None:
    """
    STRICT, ORDER: a malformed chunk is refused, behind the data that came before it.
    """
    _, *rest = only_outcome(HEAD + body)

    assert rest == [*([data] if data else []), f"refused {status}"]


def test_bounded_share_of_no_data() -> None:
    """
    BOUNDED: many extensions, or tiny chunks with them, are refused in the end.
    """
    flood = HEAD + (b"1;" + b"a" * 100 + b"\r\nx\r\n") * 1000

    assert outcome([flood])[-1] == "refused 400"


def test_small_chunks_are_no_flood() -> None:
    """
    A body of one-byte chunks without extensions passes, as one piece if it arrived together.
    """
    chunked = Chunked(Limits())
    buffer = bytearray(b"1\r\nx\r\n" * 10_000 + b"0\r\n\r\n")

    assert chunked.read(buffer) == b"x" * 10_000
    assert chunked.read(buffer) is END
    assert not buffer


def test_order_is_kept_for_ever() -> None:
    """
    ORDER: the fault behind data is raised by every call after the data.
    """
    chunked = Chunked(Limits())
    buffer = bytearray(b"1\r\nx\r\nfault\r\n")

    assert chunked.read(buffer) == b"x"
    for _ in range(2):
        with pytest.raises(BadRequest, match="size of a chunk"):
            chunked.read(buffer)


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), st.integers(1, 30))
def test_exact_chunks_of_any_kind(chunks: list[bytes], step: int) -> None:
    """
    EXACT: whatever bytes the chunks hold and however they are cut, their data comes out.
    """
    data = HEAD + b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in chunks) + b"0\r\n\r\n" + NEXT
    _, *rest = outcome(data[at : at + step] for at in range(0, len(data), step))
    body = b"".join(chunks)

    assert [getattr(each, "target", each) for each in rest] == [
        *([body] if body else []), "end", b"/next", "end",
    ]  # fmt: skip
