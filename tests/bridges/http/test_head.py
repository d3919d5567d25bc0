# One head: what is read from it, and everything that is refused.

import pytest
from http_requests import get, only_outcome

from greenroom.bridges.http import _head
from greenroom.bridges.http._head import read_head
from greenroom.bridges.http._request import BadRequest, Head, Limits

CHUNKED = "Transfer-Encoding: chunked"
EMPTY = b"0\r\n\r\n"


def head_of(data: bytes, limits: Limits | None = None) -> Head:
    """Return the head that *data* begins with, however it is cut."""
    first = only_outcome(data, limits)[0]
    assert isinstance(first, Head), first
    return first


def test_a_browsers_request() -> None:
    """
    Names come in lower case, values without white space around them, in order.
    """
    head = head_of(
        get(
            "X-Empty:",
            "Accept:\t */* \t",
            "X-Two: b, c ",
            "x-two:a",
            line="GET /a%20b?c=d HTTP/1.1",
        )
    )

    assert head == Head(
        method="GET",
        target=b"/a%20b?c=d",
        http_version="1.1",
        headers=[
            (b"host", b"a"),
            (b"x-empty", b""),
            (b"accept", b"*/*"),
            (b"x-two", b"b, c"),
            (b"x-two", b"a"),
        ],
        keep_alive=True,
        expects_continue=False,
        upgrade=False,
        content_length=None,
        chunked=False,
    )


# Each row: why, the request, the status. Rows that name llhttp are what it lets through.
REFUSED: list[tuple[str, bytes, int]] = [
    # two lengths
    ("both lengths", get("Content-Length: 5", CHUNKED) + EMPTY, 400),
    ("both lengths, turned", get(CHUNKED, "Content-Length: 5") + EMPTY, 400),
    ("both lengths, one of them folded away", get("Content-Length: 5", f"{CHUNKED}, x"), 400),
    ("lengths that differ", get("Content-Length: 1", "Content-Length: 2") + b"xx", 400),
    ("equal lengths twice", get("Content-Length: 1", "Content-Length: 1") + b"x", 400),
    ("equal lengths as a list", get("Content-Length: 1, 1") + b"x", 400),
    ("length with a plus", get("Content-Length: +3") + b"xxx", 400),
    ("negative length", get("Content-Length: -1") + b"x", 400),
    ("hexadecimal length", get("Content-Length: 0x3") + b"xxx", 400),
    ("length with an underscore", get("Content-Length: 1_0") + b"x" * 10, 400),
    ("two numbers", get("Content-Length: 1 1") + b"x", 400),
    ("no number", get("Content-Length:") + b"x", 400),
    ("5,000 digits", get("Content-Length: " + "9" * 5000), 400),
    ("llhttp: 5,000 zeros", get("Content-Length: " + "0" * 5000 + "1") + b"x", 400),
    ("a number larger than 64 bits", get("Content-Length: 18446744073709551616"), 400),
    ("llhttp: a number larger than 63 bits", get("Content-Length: 18446744073709551615"), 400),
    # codings
    ("space before the colon", get("Transfer-Encoding : chunked") + EMPTY, 400),
    ("tab before the colon", get("Transfer-Encoding\t: chunked") + EMPTY, 400),
    ("vertical tab in the coding", get("Transfer-Encoding: \x0bchunked") + EMPTY, 400),
    ("no coding", get("Transfer-Encoding:") + EMPTY, 400),
    ("llhttp: another coding first", get("Transfer-Encoding: gzip, chunked") + EMPTY, 501),
    ("llhttp: identity first", get("Transfer-Encoding: identity, chunked") + EMPTY, 501),
    ("llhttp: an empty element first", get("Transfer-Encoding: , chunked") + EMPTY, 501),
    ("another coding last", get("Transfer-Encoding: chunked, gzip") + EMPTY, 501),
    ("another coding", get("Transfer-Encoding: gzip") + EMPTY, 501),
    ("identity", get("Transfer-Encoding: identity") + EMPTY, 501),
    ("xchunked", get("Transfer-Encoding: xchunked") + EMPTY, 501),
    ("chunked twice", get(CHUNKED, CHUNKED) + EMPTY, 501),
    ("chunked twice in one line", get(f"{CHUNKED}, chunked") + EMPTY, 501),
    ("other codings in two lines", get("Transfer-Encoding: gzip", CHUNKED) + EMPTY, 501),
    ("llhttp: chunked in 1.0", get(CHUNKED, line="GET / HTTP/1.0") + EMPTY, 400),
    # line ends and characters
    ("bare CR in a value", get("X: a\rb"), 400),
    ("bare CR as a line end", get("X: a\rY: b"), 400),
    ("bare LF as a line end", get("X: a\nY: b"), 400),
    ("bare LF everywhere", b"GET / HTTP/1.1\nHost: a\n\n", 400),
    ("bare LF behind the request line", b"GET / HTTP/1.1\nHost: a\r\n\r\n", 400),
    ("bare LF as the empty line", b"GET / HTTP/1.1\r\nHost: a\r\n\n", 400),
    ("bare LF as the last line end", b"GET / HTTP/1.1\r\nHost: a\n\r\n", 400),
    ("LF CR", b"GET / HTTP/1.1\r\nHost: a\n\r\n\r", 400),
    ("CR CR LF", b"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", 400),
    ("NUL in a value", get("X: a\0b"), 400),
    ("NUL in a name", get("X\0: a"), 400),
    ("escape in a value", get("X: a\x1bb"), 400),
    ("DEL in a value", get("X: a\x7fb"), 400),
    ("folded line", get("X: a", " b"), 400),
    ("folded line with a tab", get("X: a", "\tb"), 400),
    ("folded line behind an empty value", get("X:", " b"), 400),
    ("folded Host", b"GET / HTTP/1.1\r\nHost:\r\n a\r\n\r\n", 400),
    ("white space before the first header", b"GET / HTTP/1.1\r\n X: a\r\nHost: a\r\n\r\n", 400),
    ("no name", get(": x"), 400),
    ("no colon", get("X"), 400),
    ("space in a name", get("X Y: z"), 400),
    ("no token as a name", get("X(: z"), 400),
    ("a name that is not ASCII", get("X\xe9: z"), 400),
    # the start
    ("white space before the request line", b" " + get(), 400),
    ("two empty lines before the request line", b"\r\n\r\n" + get(), 400),
    ("llhttp: LF before the request line", b"\n" + get(), 400),
    ("llhttp: CR before the request line", b"\r" + get(), 400),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ("nothing but line ends", b"\r\n" * 5, 400),
    # the request line
    ("no method of a token", get(line="G(T / HTTP/1.1"), 400),
    ("no method", get(line=" / HTTP/1.1"), 400),
    ("a method nobody knows", get(line="FOO / HTTP/1.1"), 501),
    ("a method in lower case", get(line="get / HTTP/1.1"), 501),
    ("llhttp: SOURCE", get(line="SOURCE / HTTP/1.1"), 501),
    ("llhttp: RTSP", get(line="DESCRIBE / RTSP/1.0"), 400),
    ("llhttp: ICE", get(line="SOURCE / ICE/1.0"), 400),
    ("llhttp: two spaces behind the method", get(line="GET  / HTTP/1.1"), 400),
    ("llhttp: two spaces before the version", get(line="GET /  HTTP/1.1"), 400),
    ("no target", get(line="GET  HTTP/1.1"), 400),
    ("tabs", get(line="GET\t/\tHTTP/1.1"), 400),
    ("space at the end", get(line="GET / HTTP/1.1 "), 400),
    ("tab at the end", get(line="GET / HTTP/1.1\t"), 400),
    ("llhttp: HTTP/0.9", get(line="GET /"), 400),
    ("llhttp: HTTP/0.9 by number", get(line="GET / HTTP/0.9"), 505),
    ("llhttp: HTTP/2.0", get(line="GET / HTTP/2.0"), 505),
    ("HTTP/1.2", get(line="GET / HTTP/1.2"), 505),
    ("HTTP/3.7", get(line="GET / HTTP/3.7"), 505),
    ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("PRI in 1.1", get(line="PRI * HTTP/1.1"), 501),
    ("http in lower case", get(line="GET / http/1.1"), 400),
    ("a version of two digits", get(line="GET / HTTP/1.10"), 400),
    ("no version", get(line="GET / HTTP/"), 400),
    # the target
    ("llhttp: a fragment", get(line="GET /a#b HTTP/1.1"), 400),
    ("a relative target", get(line="GET a HTTP/1.1"), 400),
    ("llhttp: CONNECT", get(line="CONNECT a:80 HTTP/1.1"), 501),
    ("authority form", get(line="GET a:80 HTTP/1.1"), 400),
    ("llhttp: * for GET", get(line="GET * HTTP/1.1"), 400),
    ("llhttp: more than *", get(line="OPTIONS *x HTTP/1.1"), 400),
    ("llhttp: an absolute form that is not HTTP", get(line="GET ftp://a/b HTTP/1.1"), 400),
    ("llhttp: an absolute form with a user", get(line="GET http://u@a/ HTTP/1.1"), 400),
    ("absolute form without a host", get(line="GET http:///b HTTP/1.1"), 400),
    ("llhttp: absolute form for another host", get(line="GET http://b/ HTTP/1.1"), 400),
    ("llhttp: absolute form for another port", get(line="GET http://a:81/ HTTP/1.1"), 400),
    # Host
    ("llhttp: no Host", get(host=""), 400),
    ("llhttp: two Hosts", get("Host: b"), 400),
    ("llhttp: the same Host twice", get("Host: a"), 400),
    ("llhttp: two Hosts in 1.0", get("Host: b", line="GET / HTTP/1.0"), 400),
    ("llhttp: an empty Host", get(host="Host:"), 400),
    ("llhttp: two Hosts in one", get(host="Host: a, b"), 400),
    ("llhttp: two Hosts without space", get(host="Host: a,b"), 400),
    ("llhttp: a Host with a path", get(host="Host: a/b"), 400),
    ("llhttp: a Host with a user", get(host="Host: u@a"), 400),
    ("llhttp: a Host that is not ASCII", get(host="Host: \xe9"), 400),
    ("llhttp: a Host with a bad port", get(host="Host: a:b"), 400),
    ("llhttp: a Host with a broken bracket", get(host="Host: [::1"), 400),
    ("llhttp: a Host with a broken escape", get(host="Host: a%2"), 400),
]


@pytest.mark.parametrize(("data", "status"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_one_reading(data: bytes, status: int) -> None:
    """
    ONE READING: what is malformed or ambiguous is refused with its status, however it is cut.
    """
    assert only_outcome(data) == [f"refused {status}"]


@pytest.mark.parametrize("place", ["/a{}b", "/?a={}", "/{}"])
def test_characters_of_a_target(place: str) -> None:
    """
    Of 256 bytes only visible ASCII but `#` may stand in a target.
    """
    let_through: set[int] = set()
    for byte in range(256):
        target = place.format(chr(byte)).encode("latin-1")
        try:
            head = read_head(get(line=b"GET " + target + b" HTTP/1.1"), Limits())
        except BadRequest:
            continue
        assert head.target == target
        let_through.add(byte)

    assert let_through == set(range(0x21, 0x7F)) - {ord("#")}


def test_characters_of_a_name_and_a_value() -> None:
    """
    Names are tokens; values hold all bytes but control characters, with the tab.
    """
    names: set[int] = set()
    values: set[int] = set()
    for byte in range(256):
        each = bytes([byte])
        for line, allowed in ((b"X" + each + b"X: y", names), (b"X: a" + each + b"b", values)):
            try:
                read_head(get(line), Limits())
            except BadRequest:
                continue
            allowed.add(byte)

    token = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    assert names == {*token, ord(":")}  # "X:X: y" is the name X with the value "X: y"
    assert values == {9, *range(0x20, 0x7F), *range(0x80, 0x100)}


@pytest.mark.parametrize("method", sorted(_head._METHODS.values()))
def test_methods(method: str) -> None:
    """
    Every method of the list passes llhttp, too.
    """
    assert head_of(get(line=f"{method} / HTTP/1.1")).method == method


OUR_VERDICT = [
    # lines, version, the fact, its value
    ([], "1.1", "keep_alive", True),
    ([], "1.0", "keep_alive", False),
    (["Connection: close"], "1.1", "keep_alive", False),
    (["Connection: Keep-Alive"], "1.0", "keep_alive", True),
    (["Connection: keep-alive, CLOSE"], "1.0", "keep_alive", False),
    (["Connection: x", "Connection: close "], "1.1", "keep_alive", False),
    (["Connection: closer"], "1.1", "keep_alive", True),
    (["Content-Length: 3"], "1.1", "content_length", 3),
    (["Content-Length: 003 "], "1.1", "content_length", 3),
    (["Content-Length:\t3\t "], "1.1", "content_length", 3),
    (["Content-Length: 0"], "1.0", "content_length", 0),
    ([], "1.1", "content_length", None),
    (["Transfer-Encoding: Chunked"], "1.1", "chunked", True),
    (["Transfer-Encoding: \tchunked "], "1.1", "chunked", True),
    ([], "1.1", "chunked", False),
    (["Expect: 100-Continue", "Content-Length: 3"], "1.1", "expects_continue", True),
    (["Expect: 100-continue", CHUNKED], "1.1", "expects_continue", True),
    (["Expect: 100-continue"], "1.1", "expects_continue", False),
    (["Expect: 100-continue", "Content-Length: 0"], "1.1", "expects_continue", False),
    (["Expect: 100-continue", "Content-Length: 3"], "1.0", "expects_continue", False),
    (["Expect: something", "Content-Length: 3"], "1.1", "expects_continue", False),
    (["Connection: Upgrade", "Upgrade: WebSocket"], "1.1", "upgrade", True),
    (["Connection: keep-alive, Upgrade", "Upgrade: h2c, websocket"], "1.1", "upgrade", True),
    (["Connection: a", "Connection: upgrade", "Upgrade: websocket"], "1.1", "upgrade", True),
    (["Connection: Upgrade", "Upgrade: websocket"], "1.0", "upgrade", False),
    (["Upgrade: websocket"], "1.1", "upgrade", False),
    (["Connection: upgrade"], "1.1", "upgrade", False),
    (["Connection: keep-alive", "Upgrade: websocket"], "1.1", "upgrade", False),
    (["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"], "1.1", "upgrade", False),
]


@pytest.mark.parametrize(("lines", "version", "fact", "value"), OUR_VERDICT)
def test_our_verdict(lines: list[str], version: str, fact: str, value: object) -> None:
    """
    OUR VERDICT: lists are read over repeated headers and without regard to case.
    """
    head = head_of(get(*lines, line=f"GET / HTTP/{version}"))

    assert getattr(head, fact) == value
    assert head.http_version == version


@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
def test_upgrade_is_for_get(method: str) -> None:
    """
    Another method than GET is an ordinary request, whatever it asks to upgrade to.
    """
    lines = ["Connection: upgrade", "Upgrade: websocket"]

    assert not head_of(get(*lines, line=f"{method} / HTTP/1.1")).upgrade


@pytest.mark.parametrize(
    ("line", "host", "target"),
    [
        ("GET http://a/b?c HTTP/1.1", "Host: a", b"/b?c"),
        ("GET HTTPS://A:80/b HTTP/1.1", "Host: a:80", b"/b"),
        ("GET http://a HTTP/1.1", "Host: a", b"/"),
        ("GET http://a?b=/c HTTP/1.1", "Host: a", b"/?b=/c"),
        ("GET http://[::1]:80/ HTTP/1.1", "Host: [::1]:80", b"/"),
        ("OPTIONS * HTTP/1.1", "Host: a", b"*"),
        ("GET //x HTTP/1.1", "Host: a", b"//x"),
        ("GET /http://b/ HTTP/1.1", "Host: a", b"/http://b/"),
    ],
)
def test_forms_of_a_target(line: str, host: str, target: bytes) -> None:
    """
    The absolute form is brought to the origin form where it agrees with Host.
    """
    assert head_of(get(line=line, host=host)).target == target


def test_absolute_form_brings_the_host() -> None:
    """
    A request of HTTP/1.0 without Host gets that of its target.
    """
    head = head_of(get(line="GET http://a:80/b HTTP/1.0", host=""))

    assert (head.target, head.headers) == (b"/b", [(b"host", b"a:80")])


@pytest.mark.parametrize(
    "host",
    ["example.org", "a:", "a:8000", "127.0.0.1:80", "[::1]", "[fe80::1]:80", "[v1.a:b]", "a%20_~"],
)
def test_hosts(host: str) -> None:
    """
    Names, addresses of both kinds and ports are good Hosts.
    """
    assert head_of(get(host=f"Host: {host}")).headers == [(b"host", host.encode())]


@pytest.mark.parametrize(
    ("length", "coding", "status"),
    [
        (b"1,1", None, 400),
        (b"", None, 400),
        (b"1", b"chunked", 400),
        (None, b"chunked,chunked", 501),
        (None, b"", 501),
    ],
)
def test_our_verdict_alone(length: bytes | None, coding: bytes | None, status: int) -> None:
    """
    OUR VERDICT: the framing is refused here, too, were llhttp to let it through one day.
    """
    with pytest.raises(BadRequest, match=str(status)):
        _head._framing("1.1", length, coding)


def test_no_confusion() -> None:
    """
    NO CONFUSION: a name with an underscore is dropped, also one that would decide.
    """
    head = head_of(
        get("X_Forwarded_For: evil", "X-Forwarded-For: proxy", "Content_Length: 5", "_: a")
    )

    assert head.headers == [(b"host", b"a"), (b"x-forwarded-for", b"proxy")]
    assert head.content_length is None


def test_fresh() -> None:
    """
    FRESH: a head that llhttp gave up on leaves nothing behind for the next.
    """
    with pytest.raises(BadRequest):
        read_head(get("X: a\0b", CHUNKED), Limits())

    assert read_head(get(), Limits()).chunked is False


def test_headers_are_counted() -> None:
    """
    One header more than the limit is answered 431, also one that would be dropped.
    """
    limits = Limits(headers=3)

    assert len(head_of(get("A: b", "A: c"), limits).headers) == 3
    assert only_outcome(get("A: b", "A: c", "A: d"), limits) == ["refused 431"]
    assert only_outcome(get("A: b", "A: c", "_: d"), limits) == ["refused 431"]


def test_targets_are_measured() -> None:
    """
    A target of just the limit is served, one byte more is answered 414.
    """
    limits = Limits(target_bytes=100)

    assert len(head_of(get(line="GET /" + "a" * 99 + " HTTP/1.1"), limits).target) == 100
    assert only_outcome(get(line="GET /" + "a" * 100 + " HTTP/1.1"), limits) == ["refused 414"]
    assert only_outcome(get(line="GET /" + "a" * 500 + " HTTP/1.1"), limits) == ["refused 414"]
    assert only_outcome(b"GET /" + b"a" * 129, limits) == ["refused 414"]


def test_part_of_a_head_is_refused() -> None:
    """
    What llhttp finds nothing wrong with, and is no whole head, is refused all the same.
    """
    with pytest.raises(BadRequest, match="breaks off"):
        read_head(b"GET / HTTP/1.1\r\nHost: a\r\n", Limits())
