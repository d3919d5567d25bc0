# A consumer of Channels' kind as an actor: what stands in the slot, and calls the user's object.
#
# One actor class for each consumer class, named like it, so that the tree and the reports show the
# user's name. Each incarnation makes a new object of the user's; its attributes, and not the
# adapter's, are what a crash is survived by (Actor.state_holder).
#
#   _InThread    a SyncConsumer: handlers run as an actor's `def` handlers do, in batches
#   _OnTrio      an AsyncConsumer, and a SyncConsumer whose `dispatch` is overridden: as `async def`
#   OnAsyncio    the same on the asyncio loop; see _adapter_on_asyncio.py

from __future__ import annotations

import types
from collections.abc import Mapping
from difflib import get_close_matches
from functools import partial
from types import MappingProxyType
from typing import Any, ClassVar, NoReturn, cast

import trio

from ...actors import MailboxFull, WebsocketConsumer
from ...actors._actor import HOOKS, connection_of
from ...actors._messages import message_key
from ...actors._ports import Host
from ._attachments import events_of
from ._channel import Channel, attaches, called
from ._on_asyncio import (
    NO_LOOP_ERRORS,
    AsyncioTasks,
    names_the_switch,
    new_consumer,
    runs_on_asyncio,
)
from ._socket import Socket
from ._variables import Variables
from .consumer import AsyncConsumer, SyncConsumer, get_channel_layer
from .exceptions import StopConsumer

_KEY = "greenroom.channels"
_MADE = "_greenroom_adapters"
_OWN = frozenset(
    (
        "catch_all", "defer_capacity", "ending_handler", "frame_handler", "groups", "idle_seconds",
        "late_handshake", "max_keys", "max_presences", "on_exceeded", "opening_handler",
        "protocols", "restart", "servers", "subprotocol_required", "subprotocols",
    )
)  # fmt: skip
"""What of an actor's settings is not for a consumer of this kind to say."""
_SETTABLE = sorted(
    name
    for base in WebsocketConsumer.__mro__
    for name in vars(base).get("__annotations__", ())
    if not name.startswith("_") and name not in _OWN
)
_RETRY_SECONDS = (0.1, 10.0)
_MESSAGE = {"message": "message"}
_SPECIAL = {
    **{name: offered for name, offered in HOOKS.items() if name != "stopped"},
    "connect": _MESSAGE,
    "receive": _MESSAGE,
    "disconnect": _MESSAGE,
}


def adapter_of(consumer_class: type[AsyncConsumer]) -> type[Adapter]:
    """Return the actor class for *consumer_class*, the same each time."""
    return _adapter(consumer_class, on_asyncio=runs_on_asyncio(consumer_class))


def check_supervision(consumer_class: type[AsyncConsumer]) -> None:
    """
    Refuse a ``supervision`` that could not be kept.

    Raises:
        TypeError, ValueError: It is wrong; the message says how.
    """
    wanted: object = consumer_class.supervision
    if not isinstance(wanted, Mapping):
        raise TypeError(f"{consumer_class.__qualname__}.supervision is a dict. Got: {wanted!r}")
    for name in cast("Mapping[object, object]", wanted):
        if name not in _SETTABLE:
            close = get_close_matches(str(name), _SETTABLE, 1)
            known = (
                f"Did you mean {close[0]!r}?" if close else f"There are: {', '.join(_SETTABLE)}."
            )
            raise TypeError(f"{consumer_class.__qualname__}.supervision has no {name!r}. {known}")
    _adapter(consumer_class, on_asyncio=False)


def _adapter(consumer_class: type[AsyncConsumer], *, on_asyncio: bool) -> type[Adapter]:
    # Kept by the class itself: each refers to the other, and both may go together.
    made: dict[bool, type[Adapter]] | None = vars(consumer_class).get(_MADE)
    if made is None:
        made = {}
        setattr(consumer_class, _MADE, made)
    if on_asyncio not in made:
        made[on_asyncio] = _new_adapter(consumer_class, on_asyncio)
    return made[on_asyncio]


def _base(consumer_class: type[AsyncConsumer], on_asyncio: bool) -> type[Adapter]:
    if (
        issubclass(consumer_class, SyncConsumer)
        and consumer_class.dispatch is SyncConsumer.dispatch
    ):
        return _InThread
    if not on_asyncio:
        return _OnTrio
    from ._adapter_on_asyncio import OnAsyncio

    return OnAsyncio


def _new_adapter(consumer_class: type[AsyncConsumer], on_asyncio: bool) -> type[Adapter]:
    base = _base(consumer_class, on_asyncio)
    body = {
        **consumer_class.supervision,
        "__module__": consumer_class.__module__,
        "__qualname__": consumer_class.__qualname__,
        "__doc__": consumer_class.__doc__,
    }
    if hasattr(consumer_class, "restarted"):
        body["after_start"] = cast("Any", base).tell_restarted
    adapter = types.new_class(
        consumer_class.__name__, (base,), exec_body=lambda ns: ns.update(body)
    )
    adapter.consumer_class = consumer_class
    adapter.layer_on_asyncio = on_asyncio
    adapter.protocols = _protocols(consumer_class)
    return adapter


def _protocols(consumer_class: type[AsyncConsumer]) -> frozenset[str]:
    """Say what it serves, by the names of its handlers; both, where they don't tell."""
    both = frozenset(("http", "websocket"))
    prefixes = {name.partition("_")[0] for name in dir(consumer_class) if "_" in name}
    return both & prefixes or both


class _Seat:
    """What lasts as long as the slot: the channel, and whether the last handler was run."""

    def __init__(self, layer: Any) -> None:
        self.channel = Channel(layer)
        self.told = False
        self.tasks: AsyncioTasks | None = None  # of the incarnation that ran last


class Adapter(WebsocketConsumer, runtime=True):
    """The actor of a consumer class; it makes and calls objects of that class."""

    __slots__ = ("_consumer", "_seat", "_socket")

    __greenroom_actor__: ClassVar[bool] = True
    servers: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "websocket": WebsocketConsumer.servers["websocket"],
            "http": "greenroom.bridges.channels._request:serve_request",
        }
    )
    late_handshake: ClassVar[bool] = True
    consumer_class: ClassVar[type[AsyncConsumer]] = AsyncConsumer
    layer_on_asyncio: ClassVar[bool] = False
    _special: ClassVar[dict[str, dict[str, str]]] = _SPECIAL

    def __init__(self, **initkwargs: Any) -> None:
        consumer_class = self.consumer_class
        scope: Any = connection_of(self).scope
        seat: _Seat | None = scope.get(_KEY)
        if seat is None:
            seat = scope[_KEY] = _Seat(get_channel_layer(consumer_class.channel_layer_alias))
        self._seat = seat
        self._socket = Socket(self._life)
        self._consumer = consumer = self._new_consumer(initkwargs)
        consumer._life = self._life  # noqa: SLF001
        consumer.scope = scope
        consumer.base_send = self._socket.in_thread if consumer._sync else self._socket  # noqa: SLF001
        seat.channel.give_to(consumer)

    def _new_consumer(self, initkwargs: dict[str, Any]) -> Any:
        return new_consumer(self.consumer_class, initkwargs)

    def state_holder(self) -> object:
        """Return the user's object."""
        return self._consumer

    async def started(self) -> None:
        """Have a channel, in the first incarnation; look after what its predecessor has left."""
        seat, host = self._seat, self._life.host
        if seat.tasks is not None:
            await seat.tasks.end(host.shutdown_seconds)
        seat.tasks = await self._tasks_begun()
        channel, first = seat.channel, seat.channel.name is None
        if channel.layer is not None:
            if first:
                try:
                    with trio.fail_after(host.handshake_seconds):
                        await channel.open(self._run)
                except NO_LOOP_ERRORS as error:
                    self._raise_named(error)
                channel.give_to(self._consumer)
            if not attaches(channel.layer):
                self.start_soon(self._receive_from_layer)
            elif first:
                events = events_of(self._consumer)
                channel.layer.attach(channel.name, partial(_deliver, host), events)
                host.call_at_end(partial(channel.layer.detach, channel.name))
        if self.epoch > 1 and not connection_of(self).decided:
            self.start_soon(self._decide_in_time)

    def _raise_named(self, error: BaseException) -> NoReturn:
        """Raise *error*, or, if it wanted asyncio's loop, one that names the switch."""
        named = names_the_switch(error, self.consumer_class.__qualname__)
        if named is None:
            raise error
        raise named from error

    async def _tasks_begun(self) -> AsyncioTasks | None:
        return None

    async def _run(self, function: Any) -> Any:
        return await called(function)

    async def _receive_from_layer(self) -> None:
        """Fetch what a layer that is not ours has, and wait for room for it."""
        least, most = _RETRY_SECONDS
        receive, seconds = self._seat.channel.receiver(self._run), least
        while True:
            try:
                message = await receive()
            except Exception as error:  # noqa: BLE001 - the layer's trouble is not the consumer's end
                self._life.host.resumed(error, "the channel layer's receive()")
                await trio.sleep(seconds)
                seconds = min(2 * seconds, most)
                continue
            seconds = least
            await self.ref.send(message)

    async def _decide_in_time(self) -> None:
        """Refuse the handshake if nobody has answered it in time."""
        host, connection = self._life.host, connection_of(self)
        await trio.sleep(host.handshake_seconds)
        if not connection.decided:
            reason = f"the consumer neither accepted nor closed within {host.handshake_seconds:g} s"
            connection.close(1000, "")
            host.request_stop(reason)

    def _opened(self) -> None:
        """Behind ``connect``: an answer may come later, but not at any time."""
        if not connection_of(self).decided:
            self.start_soon(self._decide_in_time)

    def _done(self) -> None:
        """A handler has raised StopConsumer."""
        if not self._socket.ending:
            self._life.host.request_stop("StopConsumer", patient=True)

    def _last(self) -> bool:
        """Whether the last handler is still to be run; from now on it was."""
        told, self._seat.told, self._socket.ending = self._seat.told, True, True
        if told:
            return False
        consumer_class = self.consumer_class
        own = consumer_class.dispatch not in (AsyncConsumer.dispatch, SyncConsumer.dispatch)
        return own or hasattr(consumer_class, "websocket_disconnect")

    def _is_end(self, message: Any) -> None:
        """Take note if *message*, out of the layer, is what has the last handler run."""
        if message_key(message) == "websocket.disconnect":
            self._seat.told = True


def _deliver(host: Host, message: Any) -> bool:
    """Put a message of the layer into the slot's mailbox; whether it was taken. Any thread."""
    try:
        return host.ref.cast(message)
    except MailboxFull:
        host.dead_letter(message, "a channel layer's message for a full mailbox")
        return False


class _InThread(Adapter, runtime=True):
    """For a SyncConsumer."""

    __slots__ = ("_variables",)
    __greenroom_actor__: ClassVar[bool] = True
    catch_all: ClassVar[str] = "other"

    def __init__(self, **initkwargs: Any) -> None:
        super().__init__(**initkwargs)
        self._variables = Variables()

    async def _run(self, function: Any) -> Any:
        if self.layer_on_asyncio:
            return await AsyncioTasks(self._life.host.path).run(function)
        return await called(function)

    def tell_restarted(self) -> object:
        return self._consumer.restarted() if self.epoch > 1 else None

    def connect(self, message: Any) -> object:
        value = self._dispatch(message)
        self._opened()
        return value

    def receive(self, message: Any) -> object:
        return self._dispatch(message)

    def other(self, message: Any) -> object:
        self._is_end(message)
        return self._dispatch(message)

    def disconnect(self, message: Any) -> None:
        if self._last():
            self._dispatch(message)

    def _dispatch(self, message: Any) -> object:
        try:
            return self._variables.call(self._consumer._dispatch_here, message)  # noqa: SLF001
        except StopConsumer:
            return self._done()


class _OnTrio(Adapter, runtime=True):
    """For an AsyncConsumer."""

    __slots__ = ()
    __greenroom_actor__: ClassVar[bool] = True
    catch_all: ClassVar[str] = "other"

    async def tell_restarted(self) -> None:
        if self.epoch > 1:
            await self._consumer.restarted()

    async def connect(self, message: Any) -> None:
        await self.receive(message)
        self._opened()

    async def receive(self, message: Any) -> None:
        try:
            await self._consumer.dispatch(message)
        except StopConsumer:
            self._done()
        except NO_LOOP_ERRORS as error:
            self._raise_named(error)

    async def other(self, message: Any) -> None:
        self._is_end(message)
        await self.receive(message)

    async def disconnect(self, message: Any) -> None:
        if self._last():
            await self.receive(message)
