# What an ASGI application is told about a request: the scope of an HTTP request or a WebSocket.
#
# Invariants, each with a test of that name in tests/bridges/http/test_scope.py:
#   SAME KEYS      the scopes hold what hypercorn's hold, so that an application can't tell by
#                  its scope which of the two handlers it runs under.
#   NEVER SHARED   what is mutable in a scope belongs to this request alone (Channels'
#                  CVE-2020-35681 was a scope that two requests shared).
#   NEVER RAISES   a path of any bytes that the parser lets through has a text.
#
# spec_version 2.4 promises that send() raises OSError once the client is gone: whoever serves
# these scopes keeps that. Frameworks decide by it whether they watch for the end themselves.
#
# Percent signs are decoded as hypercorn does: what is no UTF-8 turns into U+FFFD; the bytes are
# in raw_path. Turned down: refusing such a path, which is the application's business.

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from ._request import Head

Address = tuple[str, int | None] | None
Scope = dict[str, Any]


def http_scope(
    head: Head,
    *,
    scheme: str = "http",
    client: Address = None,
    server: Address = None,
    root_path: str = "",
    state: Mapping[str, Any] | None = None,
) -> Scope:
    """
    Return the scope of an HTTP request.

    Args:
        head: The request's; its list of headers becomes the scope's.
        scheme: "http" or "https".
        client: The peer's address and port.
        server: The address and port that it reached.
        root_path: Where the application is mounted.
        state: What the lifespan left for requests; a shallow copy goes into the scope.
    """
    raw_path, path, query = _split(head.target)
    return {
        "type": "http",
        "http_version": head.http_version,
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "method": head.method,
        "scheme": scheme,
        "path": path,
        "raw_path": raw_path,
        "query_string": query,
        "root_path": root_path,
        "headers": head.headers,
        "client": client,
        "server": server,
        "state": dict(state) if state else {},
        "extensions": {},
    }


def websocket_scope(
    head: Head,
    *,
    scheme: str = "ws",
    client: Address = None,
    server: Address = None,
    root_path: str = "",
    state: Mapping[str, Any] | None = None,
    subprotocols: Sequence[str] = (),
) -> Scope:
    """
    Return the scope of a WebSocket.

    Args:
        head: The handshake's.
        scheme: "ws" or "wss".
        client: As in :func:`http_scope`, like the next three.
        server: Likewise.
        root_path: Likewise.
        state: Likewise.
        subprotocols: What the client offers, in its order.
    """
    raw_path, path, query = _split(head.target)
    return {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "scheme": scheme,
        "http_version": head.http_version,
        "path": path,
        "raw_path": raw_path,
        "query_string": query,
        "root_path": root_path,
        "headers": head.headers,
        "client": client,
        "server": server,
        "state": dict(state) if state else {},
        "subprotocols": list(subprotocols),
        "extensions": {"websocket.http.response": {}},
    }


def _split(target: bytes) -> tuple[bytes, str, bytes]:
    """Return the path as it came, the path as text, and the query of *target*."""
    raw, _, query = target.partition(b"?")
    path = raw.decode("ascii")
    return raw, unquote(path) if "%" in path else path, query
