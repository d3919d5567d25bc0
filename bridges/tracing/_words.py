# What spans are called and what they say: pure, from what a message and a place in the tree are.
#
# A name holds nothing of which there are many: an actor's class, and the type of a message that has
# a handler. Attributes are those of OpenTelemetry's conventions for HTTP and for messaging, and
# our own, `greenroom.*`. None is a body, a header, a query or a user.

from collections.abc import MutableMapping
from typing import Any

from ...actors._life import Life
from ...actors._messages import InFrame, Item, Tick, key_name, message_key
from ._span import Attributes, Kind

SYSTEM = "greenroom"

_METHODS = frozenset(
    "CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT QUERY TRACE".split()  # noqa: SIM905
)


def type_of(message: object) -> str:
    """Return the type of *message*, as its handler is declared with it."""
    key = message_key(message)
    return key if isinstance(key, str) else key_name(key)


def type_of_item(item: Item) -> str:
    """Return the type of what lies in a mailbox."""
    if type(item) is not InFrame:
        return type_of(item.message)
    if item.text is not None and item.bytes is not None:
        return item.text  # of a request's body: which part of it
    return "binary frame" if item.text is None else "text frame"


def of_place(life: Life) -> dict[str, str | int | bool]:
    """Return the attributes that say which incarnation of which actor it is."""
    return {
        "greenroom.path": life.host.path,
        "greenroom.actor": life.actor.__qualname__,
        "greenroom.epoch": life.epoch,
    }


def of_handling(life: Life, item: Item, kind: Kind) -> tuple[str, Attributes]:
    """Return name and attributes of the span of a handler."""
    what = type_of_item(item)
    attributes = of_place(life)
    attributes["greenroom.message"] = what
    if kind is Kind.CONSUMER:
        attributes["messaging.system"] = SYSTEM
        attributes["messaging.operation.name"] = "process"
        attributes["messaging.operation.type"] = "process"
        attributes["messaging.destination.name"] = life.host.path
        if type(item) is InFrame:
            attributes["messaging.message.body.size"] = item.size
    return f"process {actor_of(life.host)} {what}", attributes


def kind_of(item: Item) -> Kind:
    """Return the kind of span that *item* is handled in: what somebody waits for is no message."""
    if type(item) is Tick:
        return Kind.INTERNAL
    return Kind.INTERNAL if hasattr(item, "reply") else Kind.CONSUMER


def of_sending(target: Any, message: object) -> tuple[str, Attributes]:
    """Return name and attributes of the span of a message on its way to the slot *target*."""
    return f"send {actor_of(target)}", {
        "greenroom.message": type_of(message),
        "messaging.system": SYSTEM,
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": target.path,
    }


def of_calling(target: Any, message: object) -> tuple[str, Attributes]:
    """Return name and attributes of the span of a call, from the message to its reply."""
    return f"call {actor_of(target)} {type_of(message)}", {
        "greenroom.message": type_of(message),
        "greenroom.target": target.path,
    }


def of_group(group: object, message: object) -> Attributes:
    """Return the attributes of the span of a message on its way to a group."""
    what = "frame" if message is None else type_of(message)
    return {
        "greenroom.message": what,
        "messaging.system": SYSTEM,
        "messaging.operation.name": "publish",
        "messaging.operation.type": "send",
        "messaging.destination.name": group if isinstance(group, str) else "",
    }


def actor_of(target: Any) -> str:
    """Return what lives in the slot *target*, in a word: its class, or the function of a task."""
    return target.called


def method_of(scope: MutableMapping[str, Any]) -> str:
    """Return the method of a request; a WebSocket's is that of its handshake."""
    method = scope.get("method") or "GET"
    return method if method in _METHODS else "_OTHER"


def of_request(scope: MutableMapping[str, Any]) -> Attributes:
    """Return what is known of a request, or a handshake, before it is answered."""
    secure = scope.get("scheme") in ("https", "wss")
    attributes: dict[str, str | int | bool] = {
        "http.request.method": method_of(scope),
        "url.path": scope["path"],
        "url.scheme": "https" if secure else "http",
        "network.protocol.name": "websocket" if scope["type"] == "websocket" else "http",
        "network.protocol.version": str(scope.get("http_version", "")),
    }
    server = scope.get("server")
    if server:
        attributes["server.address"] = str(server[0])
        if server[1] is not None:
            attributes["server.port"] = int(server[1])
    return attributes


def of_dialling(url: str, host: str, port: int) -> Attributes:
    """Return what is known of a WebSocket that is dialled; *url* is without user and query."""
    return {
        "http.request.method": "GET",
        "url.full": url,
        "network.protocol.name": "websocket",
        "server.address": host,
        "server.port": port,
    }
