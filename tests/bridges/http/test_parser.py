# One connection: requests in order, limits, the end; against h11 as a second opinion.

import h11
import pytest
from http_requests import Outcome, get, only_outcome, outcome
from hypothesis import example, given
from hypothesis import strategies as st

from greenroom.bridges.http._parser import RequestParser, is_http2
from greenroom.bridges.http._request import END, BadRequest, Head, Limits

UPGRADE = get("Connection: upgrade", "Upgrade: websocket")


def facts(items: Outcome) -> list[bytes | str]:
    """Return the targets of heads, and everything else as it is."""
    return [each.target if isinstance(each, Head) else each for each in items]


def test_splits_over_pipelined_requests() -> None:
    """
    SPLITS: requests of every kind behind each other come out in order, however they are cut.
    """
    data = (
        get(line="GET /1 HTTP/1.1")
        + get("Content-Length: 3", line="POST /2 HTTP/1.1")
        + b"abc"
        + get("Transfer-Encoding: chunked", line="POST /3 HTTP/1.1")
        + b"3\r\ndef\r\n1\r\ng\r\n0\r\nX: y\r\n\r\n"
        + b"\r\n"
        + get("Content-Length: 0", line="PUT /4 HTTP/1.1")
        + get("Connection: keep-alive", line="GET /5 HTTP/1.0")
        + get("Connection: upgrade", "Upgrade: h2c", line="GET /6 HTTP/1.1")
        + get(line="GET /7 HTTP/1.1")
    )

    assert facts(only_outcome(data)) == [
        b"/1", "end", b"/2", b"abc", "end", b"/3", b"defg", "end",
        b"/4", "end", b"/5", "end", b"/6", "end", b"/7", "end",
    ]  # fmt: skip


def test_lazy() -> None:
    """
    LAZY: a fault in the second request is raised when that is asked for, and not before.
    """
    parser = RequestParser()
    parser.feed(get() + get("X : y"))

    assert isinstance(parser.next(), Head)
    assert parser.next() is END
    with pytest.raises(BadRequest):
        parser.next()


def test_bounded_head() -> None:
    """
    BOUNDED: a head of just the limit is served, one byte more is answered 431, also in drips.
    """
    fits = get("X: " + "a" * (1000 - len(get("X: "))))
    limits = Limits(head_bytes=1000)

    assert facts(only_outcome(fits, limits)) == [b"/", "end"]
    assert only_outcome(get("X: " + "a" * 1000), limits) == ["refused 431"]
    assert only_outcome(fits[:-4] + b"a" + fits[-4:], limits) == ["refused 431"]
    assert only_outcome(fits[:-4] + b"aaaaa", limits) == ["refused 431"]
    assert only_outcome(get(*["X: a"] * 200), limits) == ["refused 431"]


def test_bounded_head_smaller_than_a_target() -> None:
    """
    BOUNDED: where the head may be shorter than a target, a long line is answered 414.
    """
    limits = Limits(head_bytes=100)

    assert only_outcome(get(line="GET /" + "a" * 200 + " HTTP/1.1"), limits) == ["refused 414"]
    assert facts(only_outcome(get(line="GET /" + "a" * 60 + " HTTP/1.1"), limits))[1] == "end"


def test_the_first_fault_counts() -> None:
    """
    SPLITS: of several faults the one that comes first decides, whatever was read with it.
    """
    limits = Limits(head_bytes=200, target_bytes=50)
    many = [
        (b"FOO / HTTP/1.1\r\nX: a\nY: b\r\n\r\n", "refused 501"),
        (b"GET / HTTP/1.1\r\nX: a\n" + b"a" * 300, "refused 400"),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 300 + b"\n\r\n\r\n", "refused 431"),
        (b"GET /" + b"a" * 60 + b"\n" + b"a" * 60 + b" HTTP/1.1\r\n\r\n", "refused 400"),
        (b"GET /" + b"a" * 78 + b"\na HTTP/1.1\r\n\r\n", "refused 400"),
        (b"GET /" + b"a" * 79 + b"\na HTTP/1.1\r\n\r\n", "refused 414"),
        (b"GET /" + b"a" * 50 + b"\nb HTTP/1.1\r\n\r\n", "refused 400"),
        (b"(" + b"a" * 300 + b" / HTTP/1.1\r\n\r\n", "refused 400"),
        (b"G(" + b"a" * 300 + b" / HTTP/1.1\r\n\r\n", "refused 414"),
        (b"\r\n" + b"\r" + get(), "refused 400"),
        (b"\r\n" * 2 + b"a" * 300, "refused 400"),
    ]
    for data, verdict in many:
        assert only_outcome(data, limits) == [verdict], data


def test_linear() -> None:
    """
    LINEAR: what is waited for is searched from where the last search ended.
    """
    searched = 0

    class Counting(bytearray):
        def find(self, sub: bytes, start: int = 0, *end: int) -> int:
            nonlocal searched
            searched += min(len(self), *end, len(self)) - min(start, len(self))
            return super().find(sub, start, *end)

        def count(self, sub: bytes, start: int = 0, *end: int) -> int:
            nonlocal searched
            searched += min(len(self), *end, len(self)) - min(start, len(self))
            return super().count(sub, start, *end)

    parser = RequestParser()
    parser._buffer = Counting()
    data = get("X: " + "a" * 10_000, line="GET /" + "b" * 5_000 + " HTTP/1.1")
    for at in range(len(data)):
        parser.feed(data[at : at + 1])
        item = parser.next()

    assert isinstance(item, Head)
    assert searched < 20 * len(data)


@pytest.mark.parametrize("line", ["GET / HTTP/1.0", "GET / HTTP/1.1"])
def test_last_request_that_closes(line: str) -> None:
    """
    LAST: behind a request that closes nothing is read, not even garbage.
    """
    data = get("Connection: close", line=line) + b"\0 garbage" + get()

    assert facts(only_outcome(data)) == [b"/", "end"]


def test_last_fault() -> None:
    """
    LAST: a fault is raised again by every call, and what is fed behind it is thrown away.
    """
    parser = RequestParser()
    parser.feed(get("X : y"))
    for _ in range(3):
        with pytest.raises(BadRequest, match="400"):
            parser.next()
        parser.feed(get())

    assert parser.rest() == b""
    assert repr(parser) == "<RequestParser over, 0 bytes>"


def test_last_upgrade() -> None:
    """
    LAST: what follows the head of an upgrade is left alone, for rest() to hand out.
    """
    follows = b"\x81\x85\r\n\r\nGET / HTTP/1.1\r\n\r\n"

    assert facts(only_outcome(UPGRADE + follows)) == [b"/", follows]

    parser = RequestParser()
    parser.feed(UPGRADE + b"a")
    assert isinstance(parser.next(), Head)
    assert parser.next() is None
    assert (parser.rest(), parser.rest()) == (b"a", b"")


def test_upgrade_with_a_length_is_still_one() -> None:
    """
    A handshake with a length is handed out as an upgrade: its refusal is the handshake's.
    """
    data = UPGRADE[:-2] + b"Content-Length: 3\r\n\r\nabc"

    head, rest = only_outcome(data)
    assert isinstance(head, Head)
    assert (head.upgrade, head.content_length, rest) == (True, 3, b"abc")


def test_one_empty_line_is_skipped() -> None:
    """
    One CRLF before each request is skipped, a second is refused.
    """
    assert facts(only_outcome((b"\r\n" + get()) * 2)) == [b"/", "end"] * 2
    assert facts(only_outcome(get() + b"\r\n\r\n" + get())) == [b"/", "end", "refused 400"]
    assert facts(only_outcome(get() + b"\r\n")) == [b"/", "end"]


@pytest.mark.parametrize("start", [b"\x16", b" ", b"\n", b"\rG", b"\0", b"(", b"GET /\n", b"\x80"])
def test_garbage_is_refused_at_once(start: bytes) -> None:
    """
    What can't become a request is refused with its first wrong byte or line end.
    """
    assert only_outcome(start) == ["refused 400"]


def test_idle() -> None:
    """
    A connection is idle before, between and never within requests, and repr says where it is.
    """
    parser = RequestParser()
    seen = [parser.idle]
    for piece in (b"P", get("Content-Length: 1", line="POST / HTTP/1.1")[1:], b"x"):
        parser.feed(piece)
        seen.append(parser.idle)
        while parser.next() not in (None, END):
            pass
        seen.append(parser.idle)

    assert seen == [True, False, False, False, False, False, True]
    assert repr(parser) == "<RequestParser head, 0 bytes>"


def test_feed_takes_every_kind_of_bytes() -> None:
    """
    Bytes may come as bytearray and memoryview; what is handed out is bytes all the same.
    """
    data = get("Content-Length: 1", line="POST / HTTP/1.1") + b"x"
    for kind in (bytes, bytearray, memoryview):
        parser = RequestParser()
        parser.feed(kind(data))
        head, body = parser.next(), parser.next()

        assert isinstance(head, Head)
        assert type(head.target) is type(head.headers[0][0]) is type(body) is bytes


@pytest.mark.parametrize(
    ("first", "verdict"),
    [
        (b"", None),
        (b"P", None),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r", None),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", True),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0", True),
        (b"PO", False),
        (b"PRI * HTTP/1.1\r\n", False),
        (b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", False),
        (b"GET / HTTP/1.1\r\n\r\n", False),
    ],
)
def test_http2(first: bytes, verdict: bool | None) -> None:
    """
    HTTP/2 is told by its preface, as soon as the bytes can be nothing else.
    """
    assert is_http2(first) is verdict
    assert is_http2(bytearray(first)) is verdict


FRAGMENTS = st.sampled_from(
    [
        b"GET ", b"POST ", b"/", b"/a?b", b"*", b"http://a/", b" HTTP/1.1", b" HTTP/1.0", b"\r\n",
        b"\r\n\r\n", b"\n", b"\r", b"Host: a\r\n", b"Content-Length: 3\r\n", b"abc", b"0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n", b"Connection: close\r\n", b": ", b";",
        b"Connection: upgrade\r\nUpgrade: websocket\r\n", b"Upgrade: h2c\r\n", b" ", b"\t", b"\0",
        b"Expect: 100-continue\r\n", get(), get("Transfer-Encoding: chunked"), b"\xff", b"a" * 90,
    ]
)  # fmt: skip


@given(st.lists(FRAGMENTS | st.binary(max_size=8), max_size=12), st.integers(1, 9))
@example([get("Transfer-Encoding: chunked"), b"1\r\nab\r\n"], 1)
def test_only_this(fragments: list[bytes], step: int) -> None:
    """
    ONLY THIS: garbage parses or raises BadRequest, nothing else, and the same in every cut.
    """
    data = b"".join(fragments)
    limits = Limits(head_bytes=300, target_bytes=80, headers=5)
    pieces = [data[at : at + step] for at in range(0, len(data), step)]

    assert outcome([data], limits) == outcome(pieces, limits)


@given(
    st.sampled_from(["GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE"]),
    st.text("abc/?&=%20._~-!$'()*+,;:@", max_size=20),
    st.lists(
        st.tuples(
            st.text("abcXYZ-09", min_size=1, max_size=9).map(lambda name: f"x{name}"),
            st.text(' \tab,;="\xe9', max_size=12),
        ),
        max_size=5,
    ),
    st.binary(max_size=40),
    st.sampled_from(["none", "length", "chunked"]),
    st.sampled_from(["", "close", "keep-alive", "x, Close"]),
    st.sampled_from(["1.0", "1.1"]),
)
def test_h11_reads_the_same(
    method: str,
    path: str,
    headers: list[tuple[str, str]],
    body: bytes,
    framing: str,
    connection: str,
    version: str,
) -> None:
    """
    Of a valid request h11's server reads the same method, target, headers, body and end.
    """
    lines = [f"{name}: {value}" for name, value in headers]
    data = b""
    if framing == "length":
        lines.append(f"Content-Length: {len(body)}")
        data = body
    elif framing == "chunked" and version == "1.1":
        lines.append("Transfer-Encoding: chunked")
        data = b"".join(b"1;x\r\n%c\r\n" % byte for byte in body) + b"0\r\nT: u\r\n\r\n"
    if connection:
        lines.append(f"Connection: {connection}")
    data = get(*lines, line=f"{method} /{path} HTTP/{version}") + data

    peer = h11.Connection(h11.SERVER)
    peer.receive_data(data)
    request = peer.next_event()
    assert isinstance(request, h11.Request)
    theirs = b""
    while isinstance(event := peer.next_event(), h11.Data):
        theirs += event.data
    assert isinstance(event, h11.EndOfMessage)

    head, *rest = only_outcome(data)
    assert isinstance(head, Head)
    assert head.method.encode() == request.method
    assert head.target == request.target
    assert head.http_version.encode() == request.http_version
    assert head.headers == [(name, value.rstrip(b" \t")) for name, value in request.headers]
    if version == "1.1":  # h11 knows no keep-alive of HTTP/1.0
        assert head.keep_alive is (peer.their_state is h11.DONE)
    assert rest == [*([theirs] if theirs else []), "end"]
    assert theirs == (body if len(rest) == 2 else b"")
