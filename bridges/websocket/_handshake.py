# The opening handshake (RFC 6455, 4.2): is it one, is it right, and the 101 that answers it.
#
# Invariants, each with a test of that name in tests/bridges/websocket/test_handshake.py:
#   THREE ANSWERS  a request is none of ours, refused with a status and a sentence, or a
#                  handshake; whatever bytes the headers hold, nothing is raised.
#   NO SPLITTING   what an application adds to the response can't end a header or the head,
#                  and can't contradict what the handshake says.
#
# What is not ours is left to HTTP, as RFC 9110, 7.8 wants: an Upgrade in HTTP/1.0, with
# another method than GET, or without `Connection: upgrade`, which some proxies remove. A
# body is refused: its bytes would be taken for frames, by us or by a proxy.
#
# Host and the shape of names and values are the business of the HTTP parser in front. Turned
# down: choosing the subprotocol in here, which is up to the application.

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

Headers = Iterable[tuple[bytes, bytes]]

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NO_VALUE = re.compile(rb"[\r\n\0]")
_RESERVED = frozenset(
    (
        b"connection", b"content-length", b"sec-websocket-accept", b"sec-websocket-extensions",
        b"sec-websocket-protocol", b"transfer-encoding", b"upgrade",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Handshake:
    """A client that wants a WebSocket, and may have it."""

    key: bytes
    subprotocols: tuple[str, ...]
    """What the client offers, in its order of preference."""
    extensions: tuple[bytes, ...]
    """The values of Sec-WebSocket-Extensions; _deflate.py reads them."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A client that wants a WebSocket, and gets an HTTP response instead."""

    status: int
    text: str
    headers: tuple[tuple[bytes, bytes], ...] = ()


def examine(method: bytes, version: bytes, headers: Headers) -> Handshake | Refusal | None:
    """
    Say what a request is to a WebSocket server; None for ordinary HTTP.

    Args:
        method: As it was sent.
        version: Of HTTP, as ``b"1.1"``.
        headers: Names in lower case.
    """
    found: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        found.setdefault(name, []).append(value)
    if not (
        method == b"GET"
        and version == b"1.1"
        and b"websocket" in map(bytes.lower, _elements(found.get(b"upgrade", ())))
        and b"upgrade" in map(bytes.lower, _elements(found.get(b"connection", ())))
    ):
        return None
    return _refusal(found) or _handshake(found)


def _refusal(found: dict[bytes, list[bytes]]) -> Refusal | None:
    if b"transfer-encoding" in found or set(found.get(b"content-length", ())) - {b"0"}:
        return Refusal(400, "A WebSocket handshake has no body.\n")
    versions = found.get(b"sec-websocket-version", [])
    if len(versions) > 1:
        return Refusal(400, "There is more than one Sec-WebSocket-Version.\n")
    if not versions or versions[0].strip(b" \t") != b"13":
        return Refusal(
            426,
            "The version of WebSocket spoken here is 13.\n",
            (
                (b"sec-websocket-version", b"13"),
                (b"upgrade", b"websocket"),
                (b"connection", b"upgrade"),
            ),
        )
    keys = found.get(b"sec-websocket-key", [])
    if len(keys) != 1 or not _is_key(keys[0].strip(b" \t")):
        return Refusal(400, "Sec-WebSocket-Key must be 16 bytes in base64, once.\n")
    return None


def _handshake(found: dict[bytes, list[bytes]]) -> Handshake | Refusal:
    offered = list(_elements(found.get(b"sec-websocket-protocol", ())))
    if not all(map(_TOKEN.fullmatch, offered)):
        return Refusal(400, "Sec-WebSocket-Protocol must be a list of tokens.\n")
    return Handshake(
        key=found[b"sec-websocket-key"][0].strip(b" \t"),
        subprotocols=tuple(each.decode("ascii") for each in offered),
        extensions=tuple(found.get(b"sec-websocket-extensions", ())),
    )


def _elements(values: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the elements of a list that may be spread over repeated headers."""
    for value in values:
        for element in value.split(b","):
            if stripped := element.strip(b" \t"):
                yield stripped


def _is_key(key: bytes) -> bool:
    try:
        return len(key) == 24 and len(base64.b64decode(key, validate=True)) == 16
    except binascii.Error:
        return False


def accept_key(key: bytes) -> bytes:
    """Return the Sec-WebSocket-Accept that answers *key*."""
    digest = hashlib.sha1(key + _GUID, usedforsecurity=False).digest()
    return base64.b64encode(digest)


def accept_response(
    key: bytes,
    subprotocol: str | None = None,
    extension: bytes | None = None,
    headers: Sequence[tuple[bytes, bytes]] = (),
) -> bytes:
    """
    Return the 101 that opens the socket, to be written as it is.

    Args:
        key: The client's.
        subprotocol: One that the client offered, or None.
        extension: What was agreed on, or None.
        headers: More of them, in this order.

    Raises:
        ValueError: A header is one that the handshake sets, its name or the subprotocol is no
            token, or its value holds CR, LF or NUL.
    """
    lines = [
        b"HTTP/1.1 101 Switching Protocols",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Accept: " + accept_key(key),
    ]
    if subprotocol is not None:
        chosen = subprotocol.encode()
        if not _TOKEN.fullmatch(chosen):
            raise ValueError(f"subprotocol must be a token. Got: {subprotocol!r}")
        lines.append(b"Sec-WebSocket-Protocol: " + chosen)
    if extension is not None:
        lines.append(b"Sec-WebSocket-Extensions: " + extension)
    for name, value in headers:
        _check_header(name, value)
        lines.append(name + b": " + value)
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _check_header(name: bytes, value: bytes) -> None:
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"a header's name must be a token. Got: {name!r}")
    if name.lower() in _RESERVED:
        raise ValueError(f"the handshake sets this header itself. Got: {name!r}")
    if _NO_VALUE.search(value):
        raise ValueError(f"the value of {name!r} must not hold CR, LF or NUL. Got: {value!r}")
