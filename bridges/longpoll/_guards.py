# What lets a request at a session, and what does not: pure functions of its scope.

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

Scope = Mapping[str, Any]

_DEFAULT_PORTS = {"http": 80, "https": 443}


def header(scope: Scope, name: bytes) -> str | None:
    """Return the first header *name*, which is in lower case; None without one."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value).decode("latin-1")
    return None


def cookie(scope: Scope, name: str | None) -> str | None:
    """Return the value of the cookie *name* as it was sent; None without one."""
    if name is None:
        return None
    for key, value in scope["headers"]:
        if key != b"cookie":
            continue
        for pair in bytes(value).decode("latin-1").split(";"):
            found, equals, content = pair.strip().partition("=")
            if equals and found == name:
                return content
    return None


def set_cookie(headers: Iterable[tuple[bytes, bytes]], name: str | None) -> str | None:
    """Return the value that *headers*, of an answer, give the cookie *name*; None if none."""
    found: str | None = None
    for key, value in headers:
        pair = value.decode("latin-1").partition(";")[0]
        cookie_name, equals, content = pair.strip().partition("=")
        if key == b"set-cookie" and equals and cookie_name == name:
            found = content
    return found


def is_own_page(scope: Scope) -> bool:
    """
    Say whether the page that a request comes from is of the host that it is for.

    A request without ``Origin`` is no browser's: browsers send it with every POST.
    """
    origin = header(scope, b"origin")
    if origin is None:
        return True
    theirs, ours = _place(origin), _place(f"{scope.get('scheme', 'http')}://{_host(scope)}")
    return theirs is not None and ours is not None and theirs == ours


def _host(scope: Scope) -> str:
    return header(scope, b"host") or ""


def _place(url: str) -> tuple[str, int | None] | None:
    """Return the host and the port that *url* names; None for ``null`` and other nonsense."""
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    # A proxy that ends TLS asks us by http, for pages that came by https: both ports are its own.
    port = None if port in _DEFAULT_PORTS.values() else port
    return (parts.hostname, port) if parts.hostname else None
