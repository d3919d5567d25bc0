# What a consumer's class and the tree's options say together of each of its connections. Pure.
#
# Worked out once for each class, so that a connection looks at one object, and one without any
# such limits at two flags of it.

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..actors import Actor
from ._options import Options

_OF_BOTH = (
    "message_bytes", "messages_per_second", "bytes_per_second", "rate_burst_seconds",
    "rate_patience_seconds", "idle_limit_seconds", "lifetime_seconds", "lifetime_jitter",
    "ping_seconds", "pong_seconds", "handshake_seconds",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ConnectionLimits:
    """The limits of each connection of one class, in the words of Options."""

    message_bytes: int
    messages_per_second: float | None
    bytes_per_second: float | None
    rate_burst_seconds: float
    rate_patience_seconds: float
    idle_limit_seconds: float | None
    lifetime_seconds: float | None
    lifetime_jitter: float
    lifetime_code: int
    ping_seconds: float
    pong_seconds: float
    handshake_seconds: float
    subprotocols: Sequence[str]
    subprotocol_required: bool
    own_connections: int | None
    """Of the class, all together."""
    address_connections: tuple[int | None, int | None]
    """Of one address: with this class, and with all."""
    user_connections: tuple[int | None, int | None]
    """Of one user: with this class, and with all."""
    own_ends: bool
    """Whether the server is to be told of other bounds than the tree's."""

    @classmethod
    def of(cls, actor: type[Actor], options: Options) -> "ConnectionLimits":
        """Return what *actor* says, and where it says nothing, *options*."""
        both: dict[str, Any] = {
            name: getattr(actor, name, getattr(options, name)) for name in _OF_BOTH
        }
        ends = ("message_bytes", "ping_seconds", "pong_seconds")
        return cls(
            **both,
            lifetime_code=getattr(actor, "lifetime_code", 1001),
            subprotocols=tuple(getattr(actor, "subprotocols", ())),
            subprotocol_required=getattr(actor, "subprotocol_required", False),
            own_connections=getattr(actor, "max_connections", None),
            address_connections=_of_both(actor, options, "connections_per_address"),
            user_connections=_of_both(actor, options, "connections_per_user"),
            own_ends=any(both[name] != getattr(options, name) for name in ends),
        )

    @cached_property
    def counts_users(self) -> bool:
        """Whether it matters whose connections they are."""
        return self.user_connections != (None, None)

    @cached_property
    def counted(self) -> bool:
        """Whether connections are counted by anything."""
        by_address = self.address_connections != (None, None)
        return by_address or self.counts_users or self.own_connections is not None

    @cached_property
    def paced(self) -> bool:
        """Whether the peer may send only so fast."""
        return self.messages_per_second is not None or self.bytes_per_second is not None

    @cached_property
    def watched(self) -> bool:
        """Whether somebody has to look at each connection: its speed, its silence, its age."""
        timed = self.idle_limit_seconds is not None or self.lifetime_seconds is not None
        return self.paced or timed


def _of_both(actor: type[Actor], options: Options, name: str) -> tuple[int | None, int | None]:
    # A request is over soon: with all others only what stays is counted.
    stays = not getattr(actor, "_passing", False)
    return getattr(actor, name, None), getattr(options, name) if stays else None
