# What a client class says about its connection, checked and put into words for the link.
# Pure: no trio, nothing is looked up or opened.

from __future__ import annotations

import functools
import math
import re
import ssl
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

_PORTS = {"ws": 80, "wss": 443}
_NAME = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_WORD = r"[^\x00\t-\r \u0100-\U0010ffff]+"
_VALUE = re.compile(rf"({_WORD}([ \t]+{_WORD})*)?")  # what h11 takes


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Where and how to connect."""

    name: str
    """The URL without user and query, which may be secret, for messages."""
    host: str
    port: int
    host_header: str
    resource: str
    """Path and query."""
    ssl_context: ssl.SSLContext | None
    subprotocols: tuple[str, ...]
    headers: tuple[tuple[bytes, bytes], ...]
    connect_timeout: float
    close_timeout: float
    ping_seconds: float | None
    message_limit_bytes: int


class ClientSettings:
    """
    What a client class may set, each also as a property or in `__init__`.

    Read at the start of every incarnation.
    """

    __slots__ = ()

    url: str
    """Where to connect: ``ws://host[:port]/path?query``, or ``wss://`` for TLS."""
    subprotocols: Iterable[str] = ()
    """Subprotocols to offer, the best first."""
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = ()
    """Further headers of the request, such as ``{"Authorization": "Bearer ..."}``."""
    ssl_context: ssl.SSLContext | None = None
    """For ``wss://``; None for the system's trusted certificates."""
    connect_timeout: float = 10.0
    """Seconds for the connection to be made, the handshake included."""
    close_timeout: float = 2.0
    """
    Seconds for a close to be answered, what waits to be sent included.

    No more than four fifths of `shutdown_seconds`.
    """
    ping_seconds: float | None = 20.0
    """
    Seconds between pings; a connection whose ping is not answered in as many is lost.

    None for no pings: then a peer that vanishes without a word is not noticed before
    something is sent.
    """
    message_limit_bytes: int = 1024 * 1024
    """Length of the longest message taken (characters, for text); past it, close 1009."""
    output_high_water_bytes: int = 64 * 1024
    """Output that waits, from which on ``await self.send(...)`` and threads wait."""
    output_limit_bytes: int = 1024 * 1024
    """Output that waits, past which the connection is given up."""


def plan_of(settings: ClientSettings, *, most_close_seconds: float = math.inf) -> Plan:
    """
    Return the plan for what *settings* say; a close may take *most_close_seconds*.

    Raises:
        TypeError: The URL is missing or no string, or a header is no pair of strings.
        ValueError: The URL is none of a WebSocket, a number is out of range, or a header can't be
            sent.
    """
    owner = type(settings).__qualname__
    url: object = getattr(settings, "url", None)
    if not isinstance(url, str):
        raise TypeError(
            f'{owner} needs a url: url = "wss://example.org/feed", or self.url in __init__.'
            f" Got: {url!r}"
        )
    for name in ("connect_timeout", "close_timeout", "ping_seconds"):
        _refuse_unless_positive(owner, name, getattr(settings, name), none=name == "ping_seconds")
    for name in ("message_limit_bytes", "output_high_water_bytes", "output_limit_bytes"):
        _refuse_unless_positive(owner, name, getattr(settings, name))
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{owner}.url has a bad port. Got: {_shown(url)!r}") from error
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(
            f"{owner}.url must begin with ws://host or wss://host. Got: {_shown(url)!r}"
        )
    secure = parts.scheme == "wss"
    if settings.ssl_context is not None and not secure:
        raise ValueError(f"{owner} has an ssl_context, so its url must begin with wss://")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if port is not None and port != _PORTS[parts.scheme]:
        host += f":{port}"
    path = parts.path or "/"
    return Plan(
        name=f"{parts.scheme}://{host}{path}",
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        host_header=host,
        resource=f"{path}?{parts.query}" if parts.query else path,
        ssl_context=(settings.ssl_context or _system_trust()) if secure else None,
        subprotocols=tuple(settings.subprotocols),
        headers=tuple(_pairs(owner, settings.headers)),
        connect_timeout=settings.connect_timeout,
        close_timeout=min(settings.close_timeout, most_close_seconds),
        ping_seconds=settings.ping_seconds,
        message_limit_bytes=settings.message_limit_bytes,
    )


def _shown(url: str) -> str:
    """Return *url* without user and query, as far as it can be taken apart."""
    return re.sub(r"//[^/]*@", "//", re.split(r"[?#]", url)[0])


@functools.cache
def _system_trust() -> ssl.SSLContext:
    # Once: reading the certificates takes longer than many a handshake.
    return ssl.create_default_context()


def _pairs(
    owner: str, headers: Mapping[str, str] | Iterable[tuple[str, str]]
) -> Iterable[tuple[bytes, bytes]]:
    # No value is quoted, and no name that is none: either may be a secret.
    pairs = cast("Mapping[str, str]", headers).items() if isinstance(headers, Mapping) else headers
    for number, pair in enumerate(pairs, 1):
        name, value = _pair(owner, pair)
        if not _NAME.fullmatch(name):
            raise ValueError(f"the name of header {number} of {owner}.headers is no name of one")
        if not _VALUE.fullmatch(value):
            raise ValueError(
                f"{owner}.headers can't have {name!r} as it is: a value holds no line break, no NUL"
                " and nothing beyond latin-1, and neither begins nor ends with a space"
            )
        yield name.encode("ascii"), value.encode("latin-1")


def _pair(owner: str, pair: object) -> tuple[str, str]:
    if isinstance(pair, tuple | list):
        match cast("Sequence[object]", pair):
            case [str() as name, str() as value]:
                return name, value
            case items:
                got = ", ".join(type(item).__name__ for item in items)
    else:
        got = type(pair).__name__
    raise TypeError(f"{owner}.headers must be pairs of strings. Got: {got}")


def _refuse_unless_positive(owner: str, name: str, value: Any, *, none: bool = False) -> None:
    if none and value is None:
        return
    if not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise ValueError(f"{owner}.{name} must be a number above 0. Got: {value!r}")
