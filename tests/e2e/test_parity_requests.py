# What Django makes of a request is the same under Greenroom as under its own handler.
#
# One table of requests: each is sent to both servers, byte by byte the same, and the whole answers
# are compared. The status beside each is what both must say, so that two equal failures are none.

import json
import re
from typing import Any

import pytest
from e2e._parity import Client, Pair

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
CUT = {"Content-Type": "multipart/form-data; boundary=cut"}


def part(name: str, content: bytes, filename: str | None = None, kind: str = "") -> bytes:
    """One part of a multipart form."""
    shown = "" if filename is None else f'; filename="{filename}"'
    head = f'--cut\r\nContent-Disposition: form-data; name="{name}"{shown}\r\n'
    if kind:
        head += f"Content-Type: {kind}\r\n"
    return head.encode() + b"\r\n" + content + b"\r\n"


def fields(count: int) -> str:
    """A form of so many fields."""
    return "&".join(f"f{n}={n}" for n in range(count))


def parts(*each: bytes) -> bytes:
    """A whole multipart form."""
    return b"".join(each) + b"--cut--\r\n"


REQUESTS: dict[str, tuple[int, tuple[Any, ...]]] = {
    "GET": (200, ("/echo/",)),
    "GET with a query": (200, ("/echo/?a=1&a=2&b=%C3%A9&c&d=+x%20y&=e&%20f=%26",)),
    "GET with a broken query": (200, ("/echo/?a=%E9&b=%&c=%zz&&&d==",)),
    "GET with a query like a path": (200, ("/echo/?/../?x=/y",)),
    "GET with an empty query": (200, ("/echo/?",)),
    "GET with a body": (200, ("/echo/", "GET", "a=1", FORM)),
    "HEAD": (200, ("/echo/", "HEAD")),
    "HEAD of a page that is not there": (404, ("/nowhere/", "HEAD")),
    "HEAD of an error": (500, ("/raise/lookup/", "HEAD")),
    "HEAD of a stream": (200, ("/stream/sync/", "HEAD")),
    "HEAD of an async stream": (200, ("/stream/async/", "HEAD")),
    "HEAD of a file": (200, ("/file/disk/", "HEAD")),
    "OPTIONS": (200, ("/echo/", "OPTIONS")),
    "OPTIONS *": (500, ("*", "OPTIONS")),
    "DELETE": (200, ("/echo/", "DELETE")),
    "PUT": (200, ("/body/whole/", "PUT", "put", JSON)),
    "PATCH": (200, ("/body/pieces/", "PATCH", b"x" * 2500, JSON)),
    "a percent-encoded path": (200, ("/echo/a%20b%2Fc%3Fd/%25/",)),
    "a path in UTF-8": (200, ("/echo/caf%C3%A9/%E2%98%95/",)),
    "a path that is not UTF-8": (200, ("/echo/caf%E9/%ff/",)),
    "a path with a broken escape": (200, ("/echo/%zz%/",)),
    "a path with dots and doubled slashes": (200, ("/echo//a/../b/./;c=d/",)),
    "a path with a null": (200, ("/echo/%00/",)),
    "no slash at the end": (301, ("/slash?a=1",)),
    "no slash at the end of a form": (301, ("/slash", "POST", "a=1", FORM)),
    "a page that is not there": (404, ("/nowhere/?a=1",)),
    "a host that is not allowed": (400, ("/echo/", "GET", b"", None, "elsewhere.example")),
    "a host below an allowed one": (200, ("/echo/", "GET", b"", None, "www.shown.example:8000")),
    "a host in capitals": (200, ("/echo/", "GET", b"", None, "PARITY.EXAMPLE")),
    "an IPv6 host": (400, ("/echo/", "GET", b"", None, "[::1]:80")),
    "a host with a dot behind": (200, ("/echo/", "GET", b"", None, "parity.example.")),
    "forwarded headers that nobody trusts": (
        200,
        ("/echo/", "GET", b"", {"X-Forwarded-Host": "x.example", "X-Forwarded-Proto": "https"}),
    ),
    "Accept": (200, ("/echo/", "GET", b"", {"Accept": "text/html;q=0.5, application/json;q=0"})),
    "Accept-Language": (200, ("/echo/", "GET", b"", {"Accept-Language": "fr-CH, de;q=0.9"})),
    "cookies": (200, ("/echo/", "GET", b"", {"Cookie": 'a=1; b="x y"; a=2; c=caf\xe9; =d; e'})),
    "a header in Latin-1": (200, ("/echo/", "GET", b"", {"X-Name": "caf\xe9"})),
    "a header with an underscore": (200, ("/echo/", "GET", b"", {"X_Name": "spoofed"})),
    "an empty header": (200, ("/echo/", "GET", b"", {"X-Name": "", "X-Other": "  spaces  "})),
    "a form": (200, ("/echo/", "POST", "a=1&a=2&b=caf%C3%A9&c=+", FORM)),
    "a form in Latin-1": (
        400,
        (
            "/echo/",
            "POST",
            b"a=caf%E9",
            {"Content-Type": FORM["Content-Type"] + "; charset=latin-1"},
        ),
    ),
    "an empty form": (200, ("/echo/", "POST", "", FORM)),
    "a form as PUT": (200, ("/echo/", "PUT", "a=1", FORM)),
    "a form of all fields that are allowed": (200, ("/echo/", "POST", fields(20), FORM)),
    "a form of one field too many": (400, ("/echo/", "POST", fields(21), FORM)),
    "a query of one field too many": (400, ("/echo/?" + fields(21),)),
    "a form of all bytes that are allowed": (200, ("/echo/", "POST", "a=" + "x" * 19_998, FORM)),
    "a form of one byte too many": (400, ("/echo/", "POST", "a=" + "x" * 19_999, FORM)),
    "JSON": (200, ("/body/whole/", "POST", json.dumps({"a": "é"}), JSON)),
    "JSON that is too large": (400, ("/body/whole/", "POST", b"[" + b"1," * 10_000 + b"1]", JSON)),
    "JSON that is large and not read": (200, ("/body/not-at-all/", "POST", b"1" * 30_000, JSON)),
    "a large body read in pieces": (200, ("/body/pieces/", "POST", b"1" * 30_000, JSON)),
    "a body read by lines": (200, ("/body/lines/", "POST", b"a\nb\r\n\nc", JSON)),
    "a body read by line and byte": (200, ("/body/readline/", "POST", b"a\nb\r\n\nc", JSON)),
    "a body read twice": (500, ("/body/twice/", "POST", b"abcd", JSON)),
    "a form read twice": (200, ("/body/post-then-body/", "POST", "a=1", FORM)),
    "a form read after its body": (200, ("/body/read-then-post/", "POST", "xxa=1", FORM)),
    "multipart": (200, ("/echo/", "POST", parts(part("a", b"1"), part("a", b"\xc3\xa9")), CUT)),
    "an upload that stays in memory": (
        200,
        (
            "/echo/",
            "POST",
            parts(part("f", b"x" * 4000, "é.txt", "text/plain; charset=utf-8")),
            CUT,
        ),
    ),
    "an upload that goes to disk": (
        200,
        ("/echo/", "POST", parts(part("f", b"x" * 50_000, "../a/b.bin", "image/png")), CUT),
    ),
    "uploads beside fields": (
        200,
        (
            "/echo/",
            "POST",
            parts(part("a", b"1"), part("f", b"", "empty"), part("f", b"two", "2"), part("b", b"")),
            CUT,
        ),
    ),
    "a file too many": (
        400,
        ("/echo/", "POST", parts(*[part(f"f{n}", b"x", "x") for n in range(5)]), CUT),
    ),
    "a part too many": (
        400,
        ("/echo/", "POST", parts(*[part(f"f{n}", b"x") for n in range(21)]), CUT),
    ),
    "fields that are too large": (400, ("/echo/", "POST", parts(part("a", b"x" * 20_001)), CUT)),
    "a part without its end": (200, ("/echo/", "POST", part("a", b"1"), CUT)),
    "a part that is cut": (200, ("/echo/", "POST", part("a", b"1")[:-8], CUT)),
    "multipart that is none": (200, ("/echo/", "POST", b"no parts", CUT)),
    "multipart without a boundary": (
        400,
        ("/echo/", "POST", b"--x", {"Content-Type": "multipart/form-data"}),
    ),
    "multipart in base64": (
        200,
        (
            "/echo/",
            "POST",
            parts(
                part("f", b"aGVsbG8=", "f").replace(
                    b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: base64\r\n\r\n", 1
                )
            ),
            CUT,
        ),
    ),
    "multipart read in pieces": (200, ("/body/pieces/", "POST", parts(part("a", b"1")), CUT)),
    "multipart read twice": (500, ("/body/post-then-body/", "POST", parts(part("a", b"1")), CUT)),
    "a type that is none": (200, ("/echo/", "POST", b"x", {"Content-Type": "; charset=x"})),
    "a charset that is none": (
        200,
        ("/echo/", "POST", b"a=1", {"Content-Type": FORM["Content-Type"] + "; charset=none-such"}),
    ),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request(pair: Pair, name: str) -> None:
    """
    Both answer the same to the same request, down to the order of their headers.
    """
    status, arguments = REQUESTS[name]

    answer = pair.ask(*arguments)

    assert answer.status == status


def chunked(path: str, body: bytes, kind: dict[str, str] = FORM) -> Any:
    """A request whose length nobody says."""
    head = [f"POST {path} HTTP/1.1", "Host: parity.example", "Transfer-Encoding: chunked"]
    head.append(f"Content-Type: {kind['Content-Type']}")
    cut = [body[at : at + 1000] for at in range(0, len(body), 1000)]
    content = b"".join(b"%x;x=y\r\n%s\r\n" % (len(each), each) for each in cut) + b"0\r\n\r\n"
    return lambda client: client.raw("\r\n".join(head).encode(), content)


def test_a_chunked_body(pair: Pair) -> None:
    """
    A body whose length is not said is read by the same methods, and as a form.
    """
    body = b"a=1&b=" + b"x" * 3000

    assert pair.both(chunked("/body/whole/", body)).body == body
    assert pair.both(chunked("/body/pieces/", body)).body.replace(b"|", b"") == body
    assert pair.both(chunked("/body/post-then-body/", body)).body.endswith(body)
    assert pair.both(chunked("/body/not-at-all/", body)).status == 200


def test_a_chunked_body_is_measured(pair: Pair) -> None:
    """
    Better than Django's handler: a chunked upload arrives, and the limits hold for chunked bodies.
    """
    theirs, ours = Client(pair.theirs), Client(pair.ours)
    upload = chunked("/echo/", parts(part("f", b"content", "name")), CUT)
    large = chunked("/body/whole/", b"1" * 30_000, JSON)

    assert json.loads(upload(theirs).body)["FILES"] == []
    assert [file[2:4] for file in json.loads(upload(ours).body)["FILES"]] == [["name", 7]]
    assert large(ours).status == 400  # Django's newer ones say so, too
    assert large(theirs).status in (200, 400)


def test_expect_100_continue(pair: Pair) -> None:
    """
    Who waits for 100 Continue before a body gets it from both, and then the same answer.
    """

    def story(client: Client) -> Any:
        with client.connected() as raw:
            raw.sendall(
                b"POST /body/whole/ HTTP/1.1\r\nHost: parity.example\r\nContent-Length: 4\r\n"
                b"Expect: 100-continue\r\nConnection: close\r\n\r\n"
            )
            first = client.until(raw, b"\r\n\r\n")
            raw.sendall(b"body")
            return client.read(raw, "POST", first)

    answer = pair.both(story)

    assert (answer.informational, answer.status, answer.body) == ([100], 200, b"body")


def test_pipelined_requests(pair: Pair) -> None:
    """
    Requests that were sent in one go are answered in their order.
    """

    def story(client: Client) -> Any:
        one = "GET /echo/{} HTTP/1.1\r\nHost: parity.example\r\n{}\r\n"
        with client.connected() as raw:
            raw.sendall(
                "".join(
                    one.format(n, "Connection: close\r\n" if n == 4 else "") for n in range(5)
                ).encode()
            )
            return re.findall(rb'"rest": "(\d)"', client.read_raw(raw))

    assert pair.both(story) == [b"0", b"1", b"2", b"3", b"4"]


def test_many_headers_of_one_name(pair: Pair) -> None:
    """
    Headers of one name are joined with a comma; so are cookies until Django 6.
    """

    def story(client: Client) -> Any:
        lines = ["GET /echo/ HTTP/1.1", "Host: parity.example", "X-Many: one", "Cookie: a=1"]
        lines += ["x-many: two", "Cookie: b=2", "X-MANY:three", "X-Forwarded-For: 10.0.0.1"]
        return client.raw("\r\n".join([*lines, "X-Forwarded-For: 10.0.0.2"]).encode())

    seen = json.loads(pair.both(story).body)

    assert seen["META"]["HTTP_X_MANY"] == "one,two,three"
    assert seen["COOKIES"] in ({"a": "1", "b": "2"}, {"a": "1,b=2"})


def test_http_1_0(pair: Pair) -> None:
    """
    A client of HTTP/1.0 gets the same page, without chunks.
    """

    def story(path: str) -> Any:
        return lambda client: client.raw(f"GET {path} HTTP/1.0\r\nHost: parity.example".encode())

    assert pair.both(story("/echo/")).status == 200
    assert pair.both(story("/stream/async/")).body.count(b"async part") == 3
