# How many connections there are of one address, of one user, of one class; and who is too many.
# Pure: no trio, no clock.
#
# A place is claimed before the connection has a slot and given back when it is over, so that a
# thousand handshakes that wait for something count as well.

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Any, cast

from ..actors import Actor
from ._connection_limits import ConnectionLimits

_SITE_BITS = 64  # of an IPv6 address: one customer has at least so many addresses


@dataclass(frozen=True, slots=True)
class Claim:
    """A place among those with the same key."""

    key: Hashable
    most: int
    status: int
    """What a client is refused with if there is none."""
    text: str
    """Why, for it and for the log."""


class Caps:
    """The places that are taken. Loop thread only."""

    def __init__(self) -> None:
        self._taken: dict[Hashable, int] = {}

    def claim(self, claims: Iterable[Claim]) -> Claim | None:
        """Take all of *claims*, or none of them; return the first for which there is no place."""
        claims = tuple(claims)
        for claim in claims:
            if self._taken.get(claim.key, 0) >= claim.most:
                return claim
        for claim in claims:
            self._taken[claim.key] = self._taken.get(claim.key, 0) + 1
        return None

    def release(self, claims: Iterable[Claim]) -> None:
        """Give the places of *claims* back."""
        for claim in claims:
            left = self._taken[claim.key] - 1
            if left:
                self._taken[claim.key] = left
            else:
                del self._taken[claim.key]

    def taken(self, key: Hashable) -> int:
        """Return how many places with *key* are taken."""
        return self._taken.get(key, 0)


def claims_of_address(
    actor: type[Actor], limits: ConnectionLimits, scope: Mapping[str, Any]
) -> list[Claim]:
    """Return what a connection claims for its class and for its address."""
    name, claims = actor.__qualname__, list[Claim]()
    if (most := limits.own_connections) is not None:
        text = f"too many connections of {name}: {most} at most (max_connections)"
        claims.append(Claim(actor, most, 503, text))
    address = address_key(scope)
    if address is None:
        return claims
    return claims + _claims(actor, limits.address_connections, "address", address)


def claims_of_user(actor: type[Actor], limits: ConnectionLimits, user: Hashable) -> list[Claim]:
    """Return what a connection of *user* claims for him; nothing if that is None."""
    return [] if user is None else _claims(actor, limits.user_connections, "user", user)


def _claims(
    actor: type[Actor], most: tuple[int | None, int | None], kind: str, whose: Hashable
) -> list[Claim]:
    own, of_all = most
    claims = list[Claim]()
    for limit, owner, what in ((own, actor, f" of {actor.__qualname__}"), (of_all, None, "")):
        if limit is not None:
            text = f"too many connections{what} from this {kind}: {limit} at most"
            text = f"{text} (connections_per_{kind})"
            claims.append(Claim((kind, owner, whose), limit, 429, text))
    return claims


def address_key(scope: Mapping[str, Any]) -> str | None:
    """
    Return what is counted as the address of the peer; None where it has none, as on a Unix socket.

    An IPv6 address counts with all of its /64, one that stands for an IPv4 address as that one.
    What a proxy says of the client is as hypercorn's ProxyFixMiddleware hands it on: with
    brackets, or with a port behind it, perhaps. A name, or what is no address, is one of its own.
    """
    client = cast("tuple[object, ...] | None", scope.get("client"))
    if not client or not client[0]:
        return None
    host = str(client[0]).strip().strip('"')
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:  # an IPv4 address and its port
        host = host.partition(":")[0]
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        site = int(address) >> _SITE_BITS << _SITE_BITS
        return f"{IPv6Address(site)}/{_SITE_BITS}"
    return str(address)
