# The HTTP response that refuses a handshake: its events, and what an application may say in it.

from collections.abc import Mapping, Sequence
from typing import Any

Headers = Sequence[tuple[bytes, bytes]]

_OURS = (b"connection", b"content-length", b"transfer-encoding", b"upgrade")


def check_denial(status: object, headers: Headers, body: object) -> None:
    """
    Refuse what can be no denial.

    Raises:
        TypeError: The status is no whole number, or the body no bytes.
        ValueError: The status lies outside 300 to 599, or a header is the server's own.
    """
    if isinstance(status, bool) or not isinstance(status, int):
        raise TypeError(f"the status of a denial is a whole number. Got: {status!r}")
    if not 300 <= status <= 599:
        raise ValueError(f"the status of a denial is one from 300 to 599. Got: {status!r}")
    if not isinstance(body, bytes):
        raise TypeError(f"the body of a denial is bytes, or a str. Got: {type(body).__qualname__}")
    refuse_own_headers(headers)


def refuse_own_headers(headers: Headers) -> None:
    """Refuse headers that the server sets itself, with a ValueError."""
    for name, _ in headers:
        if name in _OURS:
            raise ValueError(f"the server sets this header itself. Got: {name!r}")


def denial_events(
    scope: Mapping[str, Any], status: int, headers: Headers, body: bytes
) -> list[dict[str, Any]]:
    """Return the events that refuse a handshake: the denial response, or a plain close."""
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        return [{"type": "websocket.close", "code": 1000, "reason": ""}]
    length = (b"content-length", str(len(body)).encode())
    return [
        {"type": "websocket.http.response.start", "status": status, "headers": [*headers, length]},
        {"type": "websocket.http.response.body", "body": body},
    ]
