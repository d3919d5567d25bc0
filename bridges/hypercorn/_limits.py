# What a connection may cost its server, and how long it may take, checked when made; and whose
# limits hold.

from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import inf
from typing import Any, cast

from ...supervisor import Options
from ..http._request import Limits as HeadLimits
from ._state import STATE

_MAY_BE_ZERO = ("unread_body_bytes", "ping_seconds", "linger_seconds", "compress_from_bytes")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of the connection handler; seconds and bytes."""

    head_bytes: int = 16384
    """Of a request line and its headers together; 431 beyond."""
    target_bytes: int = 8190
    """Of a request's target; 414 beyond."""
    headers: int = 100
    """Of a request; 431 beyond."""
    head_seconds: float = 10.0
    """From the first byte of a head to its last."""
    body_seconds: float = 30.0
    """Between two pieces of a request's body that the application waits for."""
    write_seconds: float = 30.0
    """For a peer to take anything at all of what waits for it."""
    unread_body_bytes: int = 65536
    """Of a body that the application did not read: more, and the connection ends."""
    message_bytes: int = 1 << 20
    """Of one WebSocket message; 1009 beyond."""
    fragments: int = 1024
    """Of one WebSocket message; 1008 beyond."""
    compress_from_bytes: int | None = None
    """Of a WebSocket message that is sent compressed where the peer can; None: compress nothing."""
    ping_seconds: float = 20.0
    """Of a WebSocket's silence, after which its peer is pinged; 0 for never."""
    pong_seconds: float = 20.0
    """For a sign of life after a ping."""
    linger_seconds: float = 2.0
    """For the peer to end its half after the last byte was sent."""

    def __post_init__(self) -> None:
        """Refuse what is no limit."""
        given: dict[str, Any] = dict(vars(self))
        if self.compress_from_bytes is None:
            del given["compress_from_bytes"]
        for name, value in given.items():
            if not 0 <= value < inf or (not value and name not in _MAY_BE_ZERO):
                raise ValueError(f"{name} must be a positive, finite number. Got: {value!r}")

    @cached_property
    def of_heads(self) -> HeadLimits:
        """What of it the parser of requests looks after."""
        return HeadLimits(self.head_bytes, self.target_bytes, self.headers)


@lru_cache(maxsize=8)
def limits_from(options: Options) -> Limits | None:
    """Return the limits that *options* set, one object for all; None without the handler."""
    if not options.fast_connections:
        return None
    return Limits(
        head_bytes=options.head_bytes,
        head_seconds=options.head_seconds,
        body_seconds=options.body_seconds,
        write_seconds=options.output_stall_seconds,
        message_bytes=options.message_bytes,
        fragments=options.message_fragments,
        compress_from_bytes=options.compress_from_bytes,
        ping_seconds=options.ping_seconds,
        pong_seconds=options.pong_seconds,
    )


def application_of(wrapper: object) -> object:
    """Return the application inside hypercorn's *wrapper*."""
    return getattr(wrapper, "app", None)


def limits_of(wrapper: object, state: Any, otherwise: Limits) -> Limits | None:
    """
    Return the limits that the application sets; None if it wants none of this handler.

    A middleware around it hides them: then those of the tree that runs count.
    """
    application = application_of(wrapper)
    if hasattr(application, "connection_limits"):
        return cast("Any", application).connection_limits
    root = state.get(STATE)
    return otherwise if root is None else limits_from(root.options)
