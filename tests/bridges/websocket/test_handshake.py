# The opening handshake: none of ours, refused, or accepted, and the 101.

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.bridges.websocket._handshake import (
    Handshake,
    Refusal,
    accept_key,
    accept_response,
    examine,
)

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455, 1.3
GOOD = {
    b"host": b"example.org",
    b"upgrade": b"websocket",
    b"connection": b"Upgrade",
    b"sec-websocket-key": KEY,
    b"sec-websocket-version": b"13",
}


def asked(
    *more: tuple[bytes, bytes], method: bytes = b"GET", version: bytes = b"1.1", **changed: bytes
) -> Handshake | Refusal | None:
    """Examine a good request with some headers changed, others left out (b""), and *more*."""
    headers = GOOD | {name.replace("_", "-").encode(): value for name, value in changed.items()}
    return examine(method, version, [*((k, v) for k, v in headers.items() if v), *more])


def status(answer: Handshake | Refusal | None) -> int | None:
    """Return the status of a refusal, 101 for a handshake, None for ordinary HTTP."""
    if answer is None:
        return None
    return answer.status if isinstance(answer, Refusal) else 101


def test_good() -> None:
    """
    A plain handshake is accepted with its key.
    """
    assert asked() == Handshake(KEY, (), ())


@pytest.mark.parametrize(
    "changed",
    [
        {"method": b"POST"},
        {"method": b"get"},
        {"version": b"1.0"},
        {"version": b"2"},
        {"upgrade": b""},
        {"upgrade": b"h2c"},
        {"upgrade": b"websockets"},
        {"connection": b""},
        {"connection": b"close"},
        {"connection": b"keep-alive, up grade"},
    ],
)
def test_three_answers_none(changed: dict[str, bytes]) -> None:
    """
    THREE ANSWERS: what asks for no WebSocket by the rules of HTTP is left to HTTP.
    """
    assert asked(**changed) is None


@pytest.mark.parametrize(
    ("upgrade", "connection"),
    [
        ([b"WebSocket"], [b"keep-alive, UPGRADE"]),
        ([b"h2c,  websocket\t"], [b"upgrade,,"]),
        ([b"h2c", b"websocket"], [b"keep-alive", b"Upgrade"]),
    ],
)
def test_lists_over_repeated_headers(upgrade: list[bytes], connection: list[bytes]) -> None:
    """
    Upgrade and Connection are lists, may be repeated, and are read without regard to case.
    """
    more = [(b"upgrade", each) for each in upgrade]
    more += [(b"connection", each) for each in connection]

    assert status(asked(*more, upgrade=b"", connection=b"")) == 101


@pytest.mark.parametrize("version", [b"", b"8", b"14", b"013", b"13.0", b"13, 8", b"\xff"])
def test_other_versions(version: bytes) -> None:
    """
    Another version, or none, is answered with 426 and the one that is spoken here.
    """
    answer = asked(sec_websocket_version=version)

    assert isinstance(answer, Refusal)
    assert answer.status == 426
    assert (b"sec-websocket-version", b"13") in answer.headers
    assert (b"upgrade", b"websocket") in answer.headers


BAD_KEYS = [
    b"",
    b"short",
    b"dGhlIHNhbXBsZSBub25jZQ=",
    b"dGhlIHNhbXBsZSBub25jZQ==A",
    b"dGhlIHNhbXBsZSBub25jZ===",
    b"dGhlIHNhbXBsZSBub25jZ!==",
    b"dGhlIHNhbXBsZSBub25jZWFh",
    b"dGhlIHNhbXBsZSBub25jZ\xff==",
]


@pytest.mark.parametrize("key", BAD_KEYS)
def test_bad_keys(key: bytes) -> None:
    """
    A key that is not 16 bytes in base64 is refused.
    """
    assert status(asked(sec_websocket_key=key)) == 400


@pytest.mark.parametrize(
    "more",
    [
        (b"sec-websocket-key", KEY),
        (b"sec-websocket-version", b"13"),
        (b"content-length", b"5"),
        (b"content-length", b"0, 0"),
        (b"transfer-encoding", b"chunked"),
        (b"sec-websocket-protocol", b"a b"),
        (b"sec-websocket-protocol", b"chat, caf\xc3\xa9"),
        (b"sec-websocket-protocol", b"\xff"),
    ],
)
def test_refused(more: tuple[bytes, bytes]) -> None:
    """
    What must stand once, a body, and a subprotocol that is no token are refused with a sentence.
    """
    answer = asked(more)

    assert isinstance(answer, Refusal)
    assert answer.status == 400
    assert answer.text.endswith(".\n")


def test_empty_body() -> None:
    """
    `Content-Length: 0` says that there is no body.
    """
    assert status(asked((b"content-length", b"0"))) == 101


def test_offers() -> None:
    """
    Subprotocols are one list over repeated headers; extensions are handed on as they are.
    """
    answer = asked(
        (b"sec-websocket-protocol", b"chat.v2, chat"),
        (b"sec-websocket-protocol", b" ,json"),
        (b"sec-websocket-extensions", b"permessage-deflate"),
        (b"sec-websocket-extensions", b"\xff"),
    )

    assert answer == Handshake(KEY, ("chat.v2", "chat", "json"), (b"permessage-deflate", b"\xff"))


NAMES = st.sampled_from([*GOOD, b"sec-websocket-protocol", b"content-length"])
HEADERS = st.lists(st.tuples(NAMES, st.binary(max_size=30) | st.sampled_from([*GOOD.values()])))


@given(st.sampled_from([b"GET", b"\xff"]), st.sampled_from([b"1.1", b"\xff"]), HEADERS)
def test_three_answers(method: bytes, version: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    """
    THREE ANSWERS: whatever the bytes, there is one, and nothing is raised.
    """
    whole = [*GOOD.items(), *headers]

    assert status(examine(method, version, headers)) in (None, 101, 400, 426)
    assert status(examine(method, version, whole)) in (None, 101, 400, 426)


def test_accept_key() -> None:
    """
    The key of RFC 6455 is answered as the RFC says.
    """
    assert accept_key(KEY) == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_response() -> None:
    """
    The 101 holds what was agreed on, then the application's headers, in order.
    """
    headers = [(b"X-Room", b"7"), (b"set-cookie", b"a=\xe9"), (b"set-cookie", b"b=2")]

    assert accept_response(KEY, "chat", b"permessage-deflate", headers) == (
        b"HTTP/1.1 101 Switching Protocols\r\n"
        b"Upgrade: websocket\r\n"
        b"Connection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
        b"Sec-WebSocket-Protocol: chat\r\n"
        b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
        b"X-Room: 7\r\nset-cookie: a=\xe9\r\nset-cookie: b=2\r\n\r\n"
    )


def test_shortest_response() -> None:
    """
    Nothing is said of what was not agreed on.
    """
    response = accept_response(KEY)

    assert response.count(b"\r\n") == 5
    assert b"Protocol:" not in response
    assert b"Extensions" not in response


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ((b"x", b"a\r\nb: c"), "CR, LF or NUL"),
        ((b"x", b"a\n"), "CR, LF or NUL"),
        ((b"x", b"\0"), "CR, LF or NUL"),
        ((b"x\r\ny", b"a"), "must be a token"),
        ((b"x:", b"a"), "must be a token"),
        ((b"x\n", b"a"), "must be a token"),
        ((b"", b"a"), "must be a token"),
        ((b"caf\xe9", b"a"), "must be a token"),
        ((b"Upgrade", b"h2c"), "sets this header itself"),
        ((b"Sec-WebSocket-Protocol", b"chat"), "sets this header itself"),
        ((b"content-length", b"0"), "sets this header itself"),
    ],
)
def test_no_splitting(header: tuple[bytes, bytes], text: str) -> None:
    """
    NO SPLITTING: a header that would end a line, or contradict the handshake, is refused.
    """
    with pytest.raises(ValueError, match=text):
        accept_response(KEY, headers=[header])


@pytest.mark.parametrize("subprotocol", ["", "a b", "a\r\nb", "café", "chat\n"])
def test_no_splitting_by_subprotocol(subprotocol: str) -> None:
    """
    NO SPLITTING: a subprotocol is a token.
    """
    with pytest.raises(ValueError, match="must be a token"):
        accept_response(KEY, subprotocol)
