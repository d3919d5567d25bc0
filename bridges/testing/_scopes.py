# The scope of a driver's connection, as hypercorn makes it of what a client sends.

import sys
from collections.abc import Iterable
from typing import Any, cast
from urllib.parse import unquote

Headers = Iterable[tuple[str, str]]

_ADDRESS = "127.0.0.1"


def scope_of(kind: str, path: str, headers: Headers, state: dict[str, Any]) -> dict[str, Any]:
    """
    Return the scope of a connection of *kind* to *path*, which may have a query string.

    Like any client's it names a host, that of Django's own test client, unless *headers* do.

    Raises:
        ValueError: *path* is no path.
        TypeError: *headers* are no pairs of str.
    """
    if not isinstance(cast("Any", path), str) or not path.startswith("/"):
        raise ValueError(
            f"a path begins with a slash, and names no host, like '/ws/chat/'. Got: {path!r}"
        )
    plain, _, query = path.partition("?")
    pairs = _encoded(headers)
    if all(name != b"host" for name, _ in pairs):
        pairs.insert(0, (b"host", _host().encode()))
    return {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": "ws" if kind == "websocket" else "http",
        "path": unquote(plain),
        "raw_path": plain.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": pairs,
        "client": (_ADDRESS, 50000),
        "server": (_ADDRESS, 80),
        "state": state.copy(),
    }


def offered(subprotocols: Iterable[str]) -> list[str]:
    """
    Return *subprotocols* as a list.

    Raises:
        TypeError: It is one str, whose letters would be offered one by one.
    """
    if isinstance(subprotocols, str):
        raise TypeError(f"subprotocols must be a list, like ['chat.v1']. Got: {subprotocols!r}")
    return list(subprotocols)


def must_be_bytes(body: object) -> None:
    """
    Refuse a *body* that can't be sent.

    Raises:
        TypeError: It is no bytes.
    """
    if not isinstance(body, bytes):
        raise TypeError(f"a request's body is bytes, as text.encode() gives. Got: {body!r:.80}")


def _encoded(headers: Headers) -> list[tuple[bytes, bytes]]:
    pairs: list[tuple[bytes, bytes]] = []
    # A dict gives its keys, whose letters are no pair.
    for pair in cast("Iterable[object]", headers):
        if not isinstance(pair, (tuple, list)) or list(map(type, cast("Any", pair))) != [str, str]:
            raise TypeError(
                "headers must be pairs of str, like [('cookie', 'sessionid=x')]."
                f" Got: {cast('object', pair)!r} in {headers!r}"
            )
        name, value = cast("tuple[str, str]", pair)
        pairs.append((name.lower().encode(), value.encode()))
    return pairs


def _host() -> str:
    if "greenroom.bridges.django" in sys.modules:
        from ..django._test_host import test_host

        return test_host() or _ADDRESS
    return _ADDRESS
