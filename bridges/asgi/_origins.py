# Which pages may open a connection: the header Origin against a list of patterns. Pure.
#
# A browser sends cookies with a WebSocket that a stranger's page opens, and asks nobody before.
# So the server has to look where the page is from. Programs that are no browsers send no Origin:
# they have no cookies of somebody else's either.
#
# A pattern, in either case of letters, IDNA names written as they are or in punycode:
#
#   *                         every origin
#   example.com               that host, any scheme, any port
#   .example.com              that host and all below it; *.example.com only those below it
#   example.com:8443          and only that port
#   https://example.com       that scheme, with that one's own port if none is written
#   https://*.example.com:*   any port
#   null                      pages without an origin: sandboxed frames, files
#   capacitor://localhost     as it is, the scheme of an app
#
# ws and wss count as http and https: no page has such an origin, but people write them.

import functools
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

_PORTS = {"http": 80, "https": 443}
_SCHEMES = {"ws": "http", "wss": "https"}
_ORIGIN = re.compile(r"(?:([a-z][a-z0-9+.-]*)://)?(\[[0-9a-f:.]+\]|[^\s/?#@:\[\]]*)(?::([^/]*))?/?")
_ANY = "*"


@dataclass(frozen=True, slots=True)
class Origin:
    """A page's origin, taken apart."""

    scheme: str
    host: str
    port: int | None
    """As written, else the scheme's own; None for a scheme that has none."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """What an entry of ``ORIGINS`` or ``ALLOWED_HOSTS`` stands for."""

    scheme: str | None
    host: str
    port: int | None
    below: bool = False
    """Whether hosts below `host` match."""
    itself: bool = True
    """Whether `host` does."""
    any_port: bool = True

    def matches(self, origin: Origin) -> bool:
        """Say whether *origin* is one of those that are meant."""
        if self.scheme not in (None, origin.scheme):
            return False
        if not self.any_port and self.port != origin.port:
            return False
        if self.itself and origin.host == self.host:
            return True
        return self.below and origin.host.endswith(f".{self.host}")


NULL = Origin("", "null", None)
EVERY = Pattern(None, "", None)


@functools.lru_cache(maxsize=1024)
def origin_of(header: str) -> Origin | None:
    """
    Return the origin that *header*, the value of ``Origin``, names; None if it is malformed.

    Only what a browser would send: scheme, host, perhaps a port, and nothing behind.
    """
    text = header.strip().lower()
    if text == "null":
        return NULL
    found = _ORIGIN.fullmatch(text)
    if found is None or not found[1] or text.endswith("/"):
        return None
    scheme = _SCHEMES.get(found[1], found[1])
    host, port = host_of(found[2]), _port(found[3])
    if host is None or port == "":
        return None
    return Origin(scheme, host, _PORTS.get(scheme) if port is None else int(port))


def host_of(written: str) -> str | None:
    """Return *written* in the one form that is compared; None if no host can be called so."""
    name = written.rstrip(".").lower()
    if name.startswith("["):
        try:
            return f"[{ipaddress.IPv6Address(name[1:-1]).compressed}]"
        except ValueError:
            return None
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            return None
    if not name or any(
        char.isspace() or char in "/?#@\\" or not char.isprintable() for char in name
    ):
        return None
    return name


def _port(written: str | None) -> str | None:
    """Return the digits of a port, None if there is none, "" if it is none that can be."""
    if written is None:
        return None
    good = written.isascii() and written.isdigit() and 0 < int(written) <= 65535
    return written if good else ""


def pattern_of(entry: object) -> Pattern:
    """
    Return what *entry* stands for.

    Raises:
        TypeError: It is no string.
        ValueError: It is none of the forms in the header of this file.
    """
    if not isinstance(entry, str):
        raise TypeError(f"an origin is a string like 'https://example.com'. Got: {entry!r}")
    text = entry.strip().lower()
    if text == _ANY:
        return EVERY
    if text == "null":
        return Pattern("", "null", None)
    found = _ORIGIN.fullmatch(text)
    if found is None:
        raise ValueError(_unreadable(entry))
    scheme = _SCHEMES.get(found[1], found[1])
    written, port = found[2], None if found[3] == _ANY else _port(found[3])
    itself, below = not written.startswith("*."), written.startswith(("*.", "."))
    host = host_of(written.removeprefix("*").removeprefix("."))
    if host is None or _ANY in host or port == "":
        raise ValueError(_unreadable(entry))
    any_port = found[3] == _ANY or (scheme is None and port is None)
    own = _PORTS.get(scheme or "") if port is None else int(port)
    return Pattern(scheme, host, None if any_port else own, below, itself, any_port)


def _unreadable(entry: str) -> str:
    return (
        "an origin is a host, a domain like '.example.com', or either behind a scheme, like"
        f" 'https://example.com:8443'. Got: {entry!r}"
    )


def may_connect(origin: Origin, patterns: Iterable[Pattern]) -> bool:
    """Say whether one of *patterns* stands for *origin*."""
    return any(pattern is EVERY or pattern.matches(origin) for pattern in patterns)


def is_same_host(origin: Origin, host_header: str) -> bool:
    """
    Say whether *origin* is a page of the host that was asked, by the header ``Host``.

    Ports don't count, and schemes: behind a proxy neither need be those that the browser sees.
    """
    found = _ORIGIN.fullmatch(host_header.strip().lower())
    if found is None or found[1]:
        return False
    host = host_of(found[2])
    return host is not None and host == origin.host
