# Where a token may stand in a handshake, and the scope without it. Pure.
#
# Not in the query string, on purpose: URLs are logged, by us, by proxies, by browsers.

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PROTOCOLS = b"sec-websocket-protocol"


@dataclass(frozen=True, slots=True)
class Found:
    """A token, and the scope for those who need not know it."""

    token: str
    scope: dict[str, Any]


def in_header(scope: Mapping[str, Any], scheme: str) -> Found | None:
    """Return the token of ``Authorization: <scheme> <token>``, if there is one."""
    kept: list[tuple[bytes, bytes]] = []
    token: str | None = None
    for name, value in scope["headers"]:
        word, _, rest = value.decode("latin-1").strip().partition(" ")
        if name == b"authorization" and word.lower() == scheme.lower() and token is None:
            token = rest.strip()
        else:
            kept.append((name, value))
    return Found(token, {**scope, "headers": kept}) if token else None


def in_subprotocol(scope: Mapping[str, Any], prefix: str) -> Found | None:
    """
    Return the token of the subprotocol that begins with *prefix*, if there is one.

    It is gone from the scope's subprotocols, so nobody can echo it, and from the header.
    """
    offered: list[str] = list(scope.get("subprotocols") or ())
    tokens = [each for each in offered if each.startswith(prefix) and len(each) > len(prefix)]
    if not tokens:
        return None
    left = [each for each in offered if not each.startswith(prefix)]
    headers = [(name, value) for name, value in scope["headers"] if name != PROTOCOLS]
    if left:
        headers.append((PROTOCOLS, ", ".join(left).encode("latin-1")))
    inner = {**scope, "subprotocols": left, "headers": headers}
    return Found(tokens[0].removeprefix(prefix), inner)
