"""What a class of actors may not define, because the runtime uses it; checked at import."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._actor import Actor

_OPEN = {
    "keep", "mailbox_capacity", "overflow", "cancel_on_disconnect", "restart", "max_restarts",
    "max_keys", "max_presences", "max_seconds", "shutdown_seconds", "expected_errors",
    "supervise", "snapshot", "restarted",
    "started", "restored", "stopped", "connect", "receive", "disconnect", "connected",
    "disconnected",
    "frame_handler", "history",  # set by the classes of the runtime, for those below them
    "groups", "max_connections", "subprotocols", "subprotocol_required", "lifetime_code",
    "after_start", "describe", "idle", "idle_seconds", "defer_capacity",
    "receive_json", "encode_json", "decode_json", "on_invalid", "dispatch_by", "json_depth",
    "invalid_per_minute", "invalid_close_code",
    "poll_seconds", "expiry_seconds", "window_messages", "window_bytes", "on_window_full",
    "body_bytes", "body_seconds", "max_sessions", "sessions_per_address", "session_cookie",
    "check_origin", "revalidate_seconds",
}  # fmt: skip


_runtime: set[type] = set()


def reserve(cls: type[Actor], *parts: type) -> None:
    """Take note that *cls*, made of *parts*, is the runtime's: its names are not for subclasses."""
    _runtime.update((cls, *parts))
    names = {name for each in (cls, *parts) for name in vars(each)}
    own = {name for name in names if not name.startswith("__")} - _OPEN
    cls._reserved = cls._reserved | own  # pyright: ignore[reportPrivateUsage]


def refuse_overrides(cls: type[Actor]) -> None:
    """
    Refuse a *cls* that defines what the runtime uses itself.

    Raises:
        TypeError: It does, or a base of it does.
    """
    hidden: set[str] = set()  # what a mixin defines behind a class of the runtime counts not
    for base in cls.__mro__:
        names = set(vars(base))
        if hasattr(base, "__greenroom_actor__"):  # a mixin may annotate what it expects of its host
            names |= set(vars(base).get("__annotations__", ()))
        if base in _runtime:
            hidden |= names
            continue
        taken = sorted((names & cls._reserved) - hidden)  # pyright: ignore[reportPrivateUsage]
        if taken:
            whose = "" if base is cls else f", a base of {cls.__qualname__},"
            raise TypeError(
                f"{base.__qualname__}{whose} defines {', '.join(taken)}, which the runtime uses"
                " itself. Choose another name."
            )
