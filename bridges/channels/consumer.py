"""Consumers as Channels has them: a message's type names the method that handles it."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any, ClassVar, cast

from asgiref.sync import async_to_sync, sync_to_async

from . import _bare
from .db import aclose_old_connections, database_sync_to_async
from .exceptions import StopConsumer
from .layers import DEFAULT_CHANNEL_LAYER, get_channel_layer
from .utils import await_many_dispatch

Message = Mapping[str, Any]
Scope = MutableMapping[str, Any]

__all__ = [
    "DEFAULT_CHANNEL_LAYER",
    "AsyncConsumer",
    "StopConsumer",
    "SyncConsumer",
    # Projects import from here what Channels only uses here, and so in the modules beside it.
    "aclose_old_connections",
    "async_to_sync",
    "await_many_dispatch",
    "database_sync_to_async",
    "get_channel_layer",
    "get_handler_name",
]


def get_handler_name(message: Message) -> str:
    """
    Return the name of the method that handles *message*: its type, with ``_`` for each dot.

    Raises:
        ValueError: It has no type, or one that would reach a private method.
    """
    if "type" not in message:
        raise ValueError("Incoming message has no 'type' attribute")
    name: str = message["type"].replace(".", "_")
    if name.startswith("_"):
        raise ValueError("Malformed type in message (leading underscore)")
    return name


class AsyncConsumer:
    """
    A consumer whose handlers are ``async def``.

    Below a Greenroom application it is a supervised actor: each message is handled by
    :meth:`dispatch`; one that raises ends the object, not the connection. Called as an ASGI
    application without a tree, as test communicators do, it behaves as under Channels: what a
    handler raises, the caller gets.

    Attributes, once it is called: ``scope``, ``channel_layer`` (None without one),
    ``channel_name`` (only with a layer), ``base_send``.
    """

    # What the runtime sets is in slots, so that a crash's successor gets none of it.
    __slots__ = (
        "__dict__", "__weakref__", "_life", "base_send", "channel_layer", "channel_name",
        "channel_receive", "scope",
    )  # fmt: skip

    __greenroom_holder__: ClassVar[bool] = True

    _sync: ClassVar[bool] = False
    channel_layer_alias: str = "default"

    on_asyncio: ClassVar[bool | None] = None
    """
    Whether :meth:`dispatch`, and with it all ``async def`` handlers, run on the asyncio loop beside
    trio, for code that uses asyncio. None: as ``GREENROOM["CHANNELS_ON_ASYNCIO"]`` says.
    """
    supervision: ClassVar[Mapping[str, object]] = {}
    """What an `Actor` may set about itself, by name, for supervision: ``{"max_restarts": 5}``."""

    scope: Scope
    channel_layer: Any
    channel_name: str
    channel_receive: Any
    base_send: Any

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "supervision" in vars(cls):
            from ._adapter import check_supervision

            check_supervision(cls)

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Serve one *scope* to its end, without supervision. A checkpoint."""
        await _bare.serve(self, scope, receive, send, get_channel_layer)

    async def dispatch(self, message: Message) -> None:
        """
        Have the method that *message*'s type names handle it. Override it to see each message.

        Raises:
            ValueError: There is no such method.
        """
        handler = getattr(self, get_handler_name(message), None)
        if handler is None:
            raise ValueError(f"No handler for message type {message['type']}")
        await handler(message)

    async def send(self, message: Message) -> None:
        """Send *message*, an ASGI event, to the client. A checkpoint if it has to wait."""
        await self.base_send(message)

    @classmethod
    def as_asgi(cls, **initkwargs: Any) -> Any:
        """
        Return an ASGI application that serves each scope with a new consumer.

        A class with a ``__call__`` of its own is called, as under Channels, and not supervised.

        Args:
            initkwargs: Given to ``__init__``.
        """
        from ._application import ChannelsApplication
        from ._called import CalledApplication

        own_call = cls.__call__ is not AsyncConsumer.__call__
        return (CalledApplication if own_call else ChannelsApplication)(cls, initkwargs)


class SyncConsumer(AsyncConsumer):
    """
    A consumer whose handlers are ``def``: each runs in a worker thread, where the ORM may be used.

    ``send`` and what is made of it are called there without ``await``.
    """

    __slots__ = ()

    __greenroom_holder__: ClassVar[bool] = True
    _sync: ClassVar[bool] = True

    async def dispatch(self, message: Message) -> None:
        """
        Have the method that *message*'s type names handle it, in a worker thread. A checkpoint.

        Raises:
            ValueError: There is no such method.
        """
        await sync_to_async(self._dispatch_here)(message)

    def _dispatch_here(self, message: Message) -> object:
        handler = getattr(self, get_handler_name(message), None)
        if handler is None:
            raise ValueError(f"No handler for message type {message['type']}")
        return handler(message)

    def send(self, message: Message) -> None:  # type: ignore[override]
        """Send *message*, an ASGI event, to the client; waits while too much is on its way."""
        cast("Any", self).base_send(message)
