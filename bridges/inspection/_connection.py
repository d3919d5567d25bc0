# One connection as data: whose it is, how old, what went through it.

from collections.abc import Mapping
from typing import Any, cast

from ...supervisor._connections import Attached
from ...supervisor._events import plain
from ...supervisor._request import RequestSlot
from ...supervisor._slot import Slot
from ...supervisor._witness import user_of as user

Row = dict[str, object]

_STATES = ("socket", "response")
_MOST = 200


def user_of(attached: Attached) -> str:
    """Return what stands for the user whose connection it is; "" if that is not known (yet)."""
    return user(attached.connection)[:_MOST] if isinstance(attached, Slot) else ""


def actor_of(attached: Attached) -> str:
    """Return the name of the class that serves it, or what does in its place."""
    if isinstance(attached, Slot):
        return attached.actor.__qualname__
    return attached.alone().actor


def route_of(path: str) -> str:
    """Return the route of the connection at *path*."""
    return path.removeprefix("/connections/").rpartition("/")[0]


def searched(attached: Attached) -> str:
    """Return what a search looks through, folded."""
    parts = [attached.path, actor_of(attached), user_of(attached)]
    if isinstance(attached, Slot) and attached.connection is not None:
        scope = attached.connection.scope
        parts += [str(scope.get("path", "")), _address(scope)]
    return "\n".join(parts).casefold()


def connection_of(attached: Attached) -> Row | None:
    """Return what is known of the connection itself; None of an actor that has none."""
    if isinstance(attached, RequestSlot):
        return _foreign(attached)
    if not isinstance(attached, Slot) or attached.connection is None:
        return None
    connection, box, standing = attached.connection, attached.mailbox, attached.standing()
    facts = cast("dict[str, Any]", plain(connection.facts()))
    traffic = cast("dict[str, Any]", plain(connection.traffic()))
    busy = standing.busy is not None
    return {
        "transport": traffic.pop("transport"),
        "route": route_of(attached.path),
        "url": facts.pop("url", ""),
        "address": facts.pop("client", ""),
        "user": user_of(attached),
        "subprotocol": traffic.pop("subprotocol", None),
        "state": traffic.pop("state", None)
        or next((facts.pop(name) for name in _STATES if isinstance(facts.get(name), str)), ""),
        "age": _rounded(attached.age()),
        "idle": 0.0 if busy else _rounded(standing.idle),
        "heard": _rounded(traffic.pop("heard", None)),
        "frames_in": box.frames_in,
        "bytes_in": box.bytes_in,
        "frames_out": traffic.pop("frames_out", None),
        "bytes_out": traffic.pop("bytes_out", None),
        "output_bytes": traffic.pop("output_bytes", None),
        "facts": {name: fact for name, fact in facts.items() if name not in _TOLD},
    }


_TOLD = ("user", "output_bytes", "sent", "window_bytes")


def _foreign(slot: RequestSlot) -> Row:
    """Return what is known of a request, or of a socket that somebody else's application serves."""
    node = slot.alone()
    facts = dict(node.facts)
    return {
        "transport": "HTTP request" if node.actor == "http" else "WebSocket",
        "route": route_of(slot.path),
        "url": str(facts.pop("request", "")),
        "address": "",
        "user": "",
        "subprotocol": None,
        "state": node.state,
        "age": facts.pop("seconds", None),
        "idle": None,
        "heard": None,
        "frames_in": None,
        "bytes_in": None,
        "frames_out": None,
        "bytes_out": None,
        "output_bytes": None,
        "facts": plain(facts),
    }


def _address(scope: Mapping[str, Any]) -> str:
    return ":".join(str(part) for part in scope.get("client") or ())


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
