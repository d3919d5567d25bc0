# One response, read back by h11's client, which nobody here wrote.

from email.utils import formatdate

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.bridges.http._request import BadRequest, Head
from greenroom.bridges.http._response import ResponseWriter, error_response

DATE = formatdate(0, usegmt=True).encode()
Headers = list[tuple[bytes, bytes]]


def writer(method: str = "GET", version: str = "1.1", **more: object) -> ResponseWriter:
    """Return the writer for a request that keeps the connection, with Connection for 1.0."""
    head = Head(method, b"/", version, [], True, False, False, None, False)
    return ResponseWriter(head, date=DATE, **more)


def read(
    data: bytes, method: str = "GET", version: str = "1.1"
) -> tuple[int, dict[str, str], bytes, bool]:
    """
    Return what h11 reads in *data*: status, headers, body, and whether it may go on.

    Where the connection ends behind it, the end is told as well.
    """
    peer = h11.Connection(h11.CLIENT)
    peer.send(h11.Request(method=method, target="/", headers=[("host", "a")]))
    peer.send(h11.EndOfMessage())
    peer.receive_data(data)
    event = peer.next_event()
    while isinstance(event, h11.InformationalResponse):
        event = peer.next_event()
    assert isinstance(event, h11.Response)
    assert event.http_version == b"1.1"
    headers = {name.decode(): value.decode("latin-1") for name, value in event.headers}
    assert len(headers) == len(list(event.headers))
    status, body, told = event.status_code, b"", False
    while not isinstance(event := peer.next_event(), h11.EndOfMessage):
        if event is h11.NEED_DATA:
            assert not told
            peer.receive_data(b"")
            told = True
        else:
            assert isinstance(event, h11.Data)
            body += event.data
    return status, headers, body, peer.their_state is h11.DONE and not told


COMMON = {"date": DATE.decode()}


def test_one_write() -> None:
    """
    ONE WRITE: head, length and the whole body are the bytes of one piece.
    """
    response = writer(server=b"greenroom")
    response.start(200, [(b"Content-Type", b"text/plain")])
    assert not response.head_sent

    assert response.body(b"hello", False) == (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\ndate: " + DATE + b"\r\n"
        b"server: greenroom\r\ncontent-length: 5\r\n\r\nhello"
    )
    assert (response.head_sent, response.complete, response.keep_alive) == (True, True, True)


FRAMED = [
    # method, version, status, headers, pieces; headers and body that are read, and goes on
    ("GET", "1.1", 200, [], [b"abc"], {"content-length": "3"}, b"abc", True),
    ("GET", "1.1", 200, [], [b""], {"content-length": "0"}, b"", True),
    ("GET", "1.1", 200, [], [b"ab", b"", b"c"], {"transfer-encoding": "chunked"}, b"abc", True),
    ("GET", "1.1", 200, [], [b"", b"abc", b""], {"transfer-encoding": "chunked"}, b"abc", True),
    ("GET", "1.1", 200, [], [b"", b""], {"transfer-encoding": "chunked"}, b"", True),
    ("GET", "1.1", 200, [("content-length", "3")], [b"a", b"bc"], {"content-length": "3"}, b"abc",
     True),
    ("GET", "1.1", 200, [("Content-Length", "0")], [b"", b""], {"content-length": "0"}, b"", True),
    ("GET", "1.0", 200, [], [b"abc"], {"content-length": "3", "connection": "keep-alive"}, b"abc",
     True),
    ("GET", "1.0", 200, [], [b"ab", b"c"], {"connection": "close"}, b"abc", False),
    ("HEAD", "1.1", 200, [], [b"abc"], {"content-length": "3"}, b"", True),
    ("HEAD", "1.1", 200, [], [b""], {}, b"", True),
    ("HEAD", "1.1", 200, [], [b"ab", b"c"], {}, b"", True),
    ("HEAD", "1.0", 200, [], [b"ab", b"c"], {"connection": "keep-alive"}, b"", True),
    ("HEAD", "1.1", 200, [("content-length", "9")], [b""], {"content-length": "9"}, b"", True),
    ("HEAD", "1.1", 304, [], [b"abc"], {}, b"", True),
    ("GET", "1.1", 304, [("content-length", "9")], [b""], {"content-length": "9"}, b"", True),
    ("GET", "1.1", 304, [], [b"abc"], {}, b"", True),
    ("GET", "1.1", 204, [], [b"abc"], {}, b"", True),
    ("GET", "1.1", 204, [("content-length", "0")], [b"a", b"b"], {}, b"", True),
    ("POST", "1.1", 205, [], [b""], {"content-length": "0"}, b"", True),
    ("GET", "1.1", 404, [], [b"abc"], {"content-length": "3"}, b"abc", True),
    ("GET", "1.1", 799, [], [b"abc"], {"content-length": "3"}, b"abc", True),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "version", "status", "headers", "pieces", "seen", "body", "goes_on"), FRAMED
)
def test_framed(
    method: str,
    version: str,
    status: int,
    headers: list[tuple[str, str]],
    pieces: list[bytes],
    seen: dict[str, str],
    body: bytes,
    goes_on: bool,
) -> None:
    """
    FRAMED: the peer finds the end of each body, and whether the connection goes on.
    """
    response = writer(method, version)
    response.start(status, [(name.encode(), value.encode()) for name, value in headers])
    data = b""
    for at, piece in enumerate(pieces, start=1):
        data += response.body(piece, at < len(pieces))

    assert read(data, method, version) == (status, COMMON | seen, body, goes_on)
    assert response.keep_alive is goes_on
    assert response.complete
    assert not response.short


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=6), st.sampled_from(["1.0", "1.1"]))
def test_framed_whatever_it_holds(pieces: list[bytes], version: str) -> None:
    """
    FRAMED: any pieces come out as the body that they make.
    """
    response = writer(version=version)
    response.start(200, [])
    data = b"".join(
        response.body(piece, at < len(pieces)) for at, piece in enumerate(pieces, start=1)
    )

    assert read(data)[2] == b"".join(pieces)


@pytest.mark.parametrize("pieces", [[b"ab"], [b"a", b"b"], [b"", b""]])
def test_framed_too_short(pieces: list[bytes]) -> None:
    """
    FRAMED: a body shorter than its length is told by the close of the connection.
    """
    response = writer()
    response.start(200, [(b"content-length", b"3")])
    data = b"".join(
        response.body(piece, at < len(pieces)) for at, piece in enumerate(pieces, start=1)
    )

    assert (response.short, response.keep_alive, response.complete) == (True, False, True)
    with pytest.raises(h11.RemoteProtocolError):
        read(data)


def test_framed_too_long() -> None:
    """
    FRAMED: of a body longer than its length nothing goes out, and the connection closes.
    """
    response = writer()
    response.start(200, [(b"content-length", b"3")])
    assert response.body(b"ab", True).endswith(b"\r\n\r\nab")

    with pytest.raises(ValueError, match="2 bytes come where 1 are left"):
        response.body(b"cd", False)
    assert (response.keep_alive, response.complete) == (False, False)


def test_its_fault_too_long_at_once() -> None:
    """
    ITS FAULT: a first piece that is too long is refused before the head is out.
    """
    response = writer()
    response.start(200, [(b"content-length", b"3")])

    with pytest.raises(ValueError, match="longer than its Content-Length"):
        response.body(b"abcd", False)
    assert not response.head_sent


@pytest.mark.parametrize("byte", [*range(9), *range(10, 32), 127])
def test_no_splitting(byte: int) -> None:
    """
    NO SPLITTING: a control character in a value is refused by the name of its header.
    """
    value = b"a" + bytes([byte]) + b"b"
    for bad in (value, value[:2], value[1:], value[1:2], b"a\r\nSet-Cookie: b" + value):
        response = writer()
        with pytest.raises(ValueError, match="the value of b'X-Bad' must not hold control"):
            response.start(200, [(b"X-Good", b"a"), (b"X-Bad", bad)])
        response.start(500, [])
        assert read(response.body(b"", False))[0] == 500


@pytest.mark.parametrize(
    "name", [b"", b" x", b"x ", b"x:", b":status", b"x y", b"x\r\n", b"x\n", b"x\0", b"\xe9"]
)
def test_no_splitting_by_name(name: bytes) -> None:
    """
    NO SPLITTING: a name that is no token is refused, every time.
    """
    for _ in range(2):
        with pytest.raises(ValueError, match="a header's name must be a token. Got: b"):
            writer().start(200, [(name, b"a")])


@pytest.mark.parametrize(
    "header", [("x", b"a"), (b"x", "a"), (b"x", 1), (None, b"a"), (b"x", bytearray(b"a"))]
)
def test_its_fault_types(header: tuple[object, object]) -> None:
    """
    ITS FAULT: what is no bytes is a TypeError that shows the header.
    """
    with pytest.raises(TypeError, match=r"must be bytes. Got: \("):
        writer().start(200, [header])
    with pytest.raises(TypeError, match=r"must be bytes. Got: \("):
        writer().informational(103, [header])


@pytest.mark.parametrize(
    "headers",
    [
        [(b"content-length", value)]
        for value in (b"", b"-1", b"+1", b"1, 1", b"x", b"1_0", b"0x1", b"9" * 20)
    ]
    + [[(b"content-length", b"1"), (b"Content-Length", b"1")]],
)
def test_its_fault_length(headers: Headers) -> None:
    """
    ITS FAULT: a length that is no number, or is given twice, is refused.
    """
    with pytest.raises(ValueError, match="content-length must be one number, given once"):
        writer().start(200, headers)


@pytest.mark.parametrize(
    ("status", "error"),
    [(100, ValueError), (199, ValueError), (1000, ValueError), (0, ValueError), ("200", TypeError)],
)
def test_its_fault_status(status: object, error: type[Exception]) -> None:
    """
    ITS FAULT: a response starts with a final status of three digits.
    """
    with pytest.raises(error, match="status must be"):
        writer().start(status, [])


def test_its_fault_order() -> None:
    """
    ITS FAULT: start, then bodies, then nothing; what comes out of order is refused.
    """
    response = writer()
    with pytest.raises(RuntimeError, match="was not started"):
        response.body(b"", False)
    response.start(200, [])
    for late in (lambda: response.start(200, []), response.informational):
        with pytest.raises(RuntimeError, match="started"):
            late()
    response.body(b"", False)
    with pytest.raises(RuntimeError, match="is complete"):
        response.body(b"", False)


def test_kinds_of_bytes() -> None:
    """
    A piece may be bytearray or memoryview; anything else is a TypeError, and can be mended.
    """

    class Sub(bytes):
        pass

    response = writer()
    response.start(200, [])
    for wrong in ("abc", None, 3, [1]):
        with pytest.raises(TypeError, match="a piece of a body must be bytes"):
            response.body(wrong, False)
    data = response.body(bytearray(b"ab"), True)
    data += response.body(memoryview(b"cd"), True)
    data += response.body(Sub(b"ef"), False)

    assert read(data)[2] == b"abcdef"


HOP_BY_HOP = [
    ([(b"Transfer-Encoding", b"gzip")], {"content-length": "1"}, True),
    ([(b"Keep-Alive", b"timeout=5")], {"content-length": "1"}, True),
    ([(b"Connection", b"keep-alive, x")], {"content-length": "1"}, True),
    ([(b"Connection", b"x, Close")], {"content-length": "1", "connection": "close"}, False),
    (
        [(b"upgrade", b"websocket"), (b"connection", b"Upgrade")],
        {"content-length": "1", "upgrade": "websocket", "connection": "upgrade"},
        True,
    ),
    (
        [(b"connection", b"upgrade"), (b"connection", b"close")],
        {"content-length": "1", "connection": "upgrade, close"},
        False,
    ),
]


@pytest.mark.parametrize(("headers", "seen", "goes_on"), HOP_BY_HOP)
def test_hop_by_hop(headers: Headers, seen: dict[str, str], goes_on: bool) -> None:
    """
    HOP BY HOP: of what is said about the connection only close and upgrade reach the peer.
    """
    response = writer()
    response.start(426, headers)

    assert read(response.body(b"x", False)) == (426, COMMON | seen, b"x", goes_on)
    assert response.keep_alive is goes_on


def test_date_and_server_of_the_application() -> None:
    """
    An application's own Date and Server stand in place of the server's.
    """
    response = writer(server=b"greenroom")
    response.start(200, [(b"Server", b"mine"), (b"Date", b"today")])
    headers = read(response.body(b"", False))[1]

    assert (headers["server"], headers["date"]) == ("mine", "today")


def test_close() -> None:
    """
    The server may close: from the start, before the head is out, and silently after it.
    """
    early, before, after = writer(close=True), writer(), writer()
    for response in (early, before, after):
        response.start(200, [])
    before.close()
    data = after.body(b"a", True)
    after.close()

    for response in (early, before):
        assert read(response.body(b"", False))[1]["connection"] == "close"
        assert not response.keep_alive
    assert "connection" not in read(data + after.body(b"", False))[1]
    assert not after.keep_alive


def test_a_peer_that_closes_is_told_so() -> None:
    """
    A request that closes is answered with `Connection: close`.
    """
    head = Head("GET", b"/", "1.1", [], False, False, False, None, False)
    response = ResponseWriter(head, date=DATE)
    response.start(200, [])

    assert read(response.body(b"", False))[1]["connection"] == "close"


def test_informational() -> None:
    """
    Interim responses come before the final one; HTTP/1.0 has none; 101 is not one of them.
    """
    response = writer()
    data = response.informational()
    assert data == b"HTTP/1.1 100 Continue\r\n\r\n"
    data += response.informational(103, [(b"link", b"</a>; rel=preload")])
    assert data.endswith(b"\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n")
    response.start(200, [])

    assert read(data + response.body(b"a", False))[2] == b"a"
    assert writer(version="1.0").informational() == b""
    for status in (99, 101, 200):
        with pytest.raises(ValueError, match="an interim one, and not 101"):
            writer().informational(status)
    with pytest.raises(ValueError, match="control characters"):
        writer().informational(103, [(b"link", b"a\r\nb")])


def test_an_unknown_status_has_no_phrase() -> None:
    """
    A status without a name goes out with the space that stands before one.
    """
    response = writer()
    response.start(299, [])

    assert response.body(b"", False).startswith(b"HTTP/1.1 299 \r\n")


def test_error_response() -> None:
    """
    A refusal is text that closes, with more headers where it needs them.
    """
    error = BadRequest(405, "No.")
    data = error_response(error, date=DATE, server=b"s", headers=[(b"allow", b"GET")])

    assert read(data) == (
        405,
        {
            "content-type": "text/plain; charset=utf-8",
            "allow": "GET",
            "date": DATE.decode(),
            "server": "s",
            "content-length": "4",
            "connection": "close",
        },
        b"No.\n",
        False,
    )
    assert "date" not in read(error_response(BadRequest(400, "Bad.")))[1]


def test_repr() -> None:
    """
    The representation says where the response stands.
    """
    response = writer(version="1.0")
    assert repr(response) == "<ResponseWriter new>"
    assert response.status == 0
    response.start(404, [])
    assert repr(response) == "<ResponseWriter started 404>"
    response.body(b"", True)
    assert repr(response) == "<ResponseWriter body 404, closes>"
    assert response.status == 404
