"""What a WebSocket consumer may say of its sockets: limits, deadlines, subprotocols."""

# No values for what is an option of the tree: what a class does not set is the tree's. Checked
# when the class is created.

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import ClassVar, cast


class Limited:
    """The part of a consumer that says what a peer may do."""

    __slots__ = ()

    subprotocols: ClassVar[Sequence[str]] = ()
    """Subprotocols that it speaks, the best first: ``accept()`` chooses the first one offered."""
    subprotocol_required: ClassVar[bool] = False
    """Whether a client that offers none of them is refused with 400, before ``connect``."""
    message_bytes: ClassVar[int]
    """The longest message of a peer, in bytes; a longer one closes with 1009."""
    messages_per_second: ClassVar[float | None]
    """Messages a second that are read from a peer; None for no limit."""
    bytes_per_second: ClassVar[float | None]
    """Bytes of messages a second that are read from a peer; None for no limit."""
    rate_burst_seconds: ClassVar[float]
    """What so many seconds of the two rates amount to may come at once."""
    rate_patience_seconds: ClassVar[float]
    """How long a peer may send more than that, and is only read more slowly; then 1008."""
    idle_limit_seconds: ClassVar[float | None]
    """Silence of a peer, with nothing in hand, after which it is closed with 1001; None: never."""
    lifetime_seconds: ClassVar[float | None]
    """Age at which a socket is closed with :attr:`lifetime_code`; None: never."""
    lifetime_jitter: ClassVar[float]
    """Share, 0 to 1, by which each socket's lifetime is shortened at random."""
    lifetime_code: ClassVar[int] = 1001
    """The close code at the end of its lifetime."""
    handshake_seconds: ClassVar[float]
    """How long ``connect`` may take to accept or close; then 500."""
    ping_seconds: ClassVar[float]
    """Silence of a peer after which it is pinged; 0 for never. Needs the connection handler."""
    pong_seconds: ClassVar[float]
    """How long a pinged peer may go on being silent. Needs the connection handler."""


def check_limits(cls: type, check_close: Callable[[int, str], None]) -> None:
    """
    Refuse limits of *cls* that could not be kept; *check_close* knows what may be sent.

    Raises:
        TypeError: One has the wrong type.
        ValueError: One is out of range.
    """
    _subprotocols(cls)
    _whole(cls, "message_bytes")
    for name in ("messages_per_second", "bytes_per_second", "idle_limit_seconds",
                 "lifetime_seconds", "rate_burst_seconds", "handshake_seconds",
                 "pong_seconds"):  # fmt: skip
        _number(cls, name, "a finite number above 0", float, lambda value: 0 < value < inf)
    for name in ("rate_patience_seconds", "ping_seconds"):
        _number(cls, name, "a finite number from 0 on", float, lambda value: 0 <= value < inf)
    _number(cls, "lifetime_jitter", "a number from 0 to 1", float, lambda value: 0 <= value <= 1)
    try:
        check_close(getattr(cls, "lifetime_code"), "")  # noqa: B009 - pyright knows no such type
    except (TypeError, ValueError) as error:
        raise type(error)(f"{cls.__qualname__}.lifetime_code: {error}") from None


def check_caps(cls: type) -> None:
    """
    Refuse numbers of connections of *cls* that are none.

    Raises:
        TypeError, ValueError: One is wrong; the message says which.
    """
    for name in ("max_connections", "connections_per_address", "connections_per_user"):
        _whole(cls, name)


def refuse_limits(cls: type) -> None:
    """
    Refuse limits of WebSockets in *cls*, which serves none.

    Raises:
        TypeError: It has one.
    """
    for name in Limited.__annotations__:
        if hasattr(cls, name):
            raise TypeError(
                f"{cls.__qualname__}.{name} is for WebSockets, and it serves none: nothing would"
                f" come of it. Take it away. Got: {getattr(cls, name)!r}"
            )


def _whole(cls: type, name: str) -> None:
    _number(cls, name, "a whole number from 1 on", int, lambda value: value >= 1)


_NONE = (
    "messages_per_second", "bytes_per_second", "idle_limit_seconds", "lifetime_seconds",
    "max_connections", "connections_per_address", "connections_per_user",
)  # fmt: skip


def _number(cls: type, name: str, wanted: str, kind: type, fits: Callable[[float], bool]) -> None:
    value: object = getattr(cls, name, None)
    if value is None and (name in _NONE or not hasattr(cls, name)):
        return
    told = f"{cls.__qualname__}.{name} must be {wanted}{', or None' if name in _NONE else ''}."
    if isinstance(value, bool) or not isinstance(value, int if kind is int else (int, float)):
        raise TypeError(f"{told} Got: {value!r}")
    if not fits(value):
        raise ValueError(f"{told} Got: {value!r}")


def _subprotocols(cls: type) -> None:
    spoken: object = getattr(cls, "subprotocols", ())
    listed = cast("tuple[object, ...]", spoken) if isinstance(spoken, (list, tuple)) else (None,)
    if not all(isinstance(each, str) and each for each in listed):
        raise TypeError(
            f'{cls.__qualname__}.subprotocols lists names: write subprotocols = ["chat.v2"].'
            f" Got: {spoken!r}"
        )
    required: object = getattr(cls, "subprotocol_required", False)
    if not isinstance(required, bool):
        raise TypeError(
            f"{cls.__qualname__}.subprotocol_required must be True or False. Got: {required!r}"
        )
    if required and not listed:
        raise ValueError(
            f"{cls.__qualname__} requires a subprotocol and speaks none: list them, as in"
            f' subprotocols = ["chat.v2"]. Got: subprotocols = {spoken!r}'
        )
