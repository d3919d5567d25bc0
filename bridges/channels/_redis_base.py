# What the two Redis layers have in common: where Redis is, how messages look on the wire, the
# thread that keeps the connections, and who is attached.
#
# All connections live in one thread for the process (engines/_hub.py). Hence a layer can be used
# on trio, on asyncio, by async_to_sync in any thread, and after a fork; and no use of it opens a
# connection of its own.

import logging
import os
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from threading import RLock
from typing import Any, TypeVar, cast
from weakref import WeakSet

import trio

from ..engines._hub import Hub, current_hub
from ..engines._redis_hosts import Host, hosts_of
from ..engines._redis_wire import registry
from ._attachments import LAYER_DOWN, LAYER_UP, Attachments, Deliver, LayerStatistics, Message
from ._layer_base import BaseChannelLayer
from ._layer_queue import ChannelQueue

logger = logging.getLogger("greenroom.channels.layers")

T = TypeVar("T")
Task = Callable[[], Awaitable[object]]

BLOCKING_SECONDS = 10.0
"""How long a blocking call may take."""


_layers: "WeakSet[RedisLayer]" = WeakSet()


def _after_fork() -> None:
    """Have each layer begin anew: its connections and its consumers are the parent's."""
    for layer in list(_layers):
        layer.forget_parent()


os.register_at_fork(after_in_child=_after_fork)


class _Life:
    """From the first use of a layer until it is closed. In the hub's thread."""

    def __init__(self) -> None:
        self._scopes: set[trio.CancelScope] = set()
        self._ended = False

    async def run(self, task: Task) -> None:
        with trio.CancelScope() as scope:
            self._scopes.add(scope)
            try:
                if not self._ended:
                    await task()
            finally:
                self._scopes.discard(scope)

    async def end(self) -> None:
        self._ended = True
        for scope in self._scopes:
            scope.cancel()


class RedisLayer(BaseChannelLayer):
    """The base of both. What it keeps in a process is made with the first use, and after a fork."""

    extensions = ["groups", "flush"]  # noqa: RUF012 - a list, as Channels has it

    def __init__(
        self,
        *,
        hosts: object,
        prefix: str,
        expiry: float,
        capacity: int,
        channel_capacity: Mapping[Any, int] | None,
        serializer_format: str,
        symmetric_encryption_keys: Sequence[str | bytes] | None,
        serializing: Mapping[str, Any],
    ) -> None:
        super().__init__(expiry=expiry, capacity=capacity, channel_capacity=channel_capacity)
        assert isinstance(prefix, str), "Prefix must be unicode"
        self.prefix = prefix
        self.hosts: list[Host] = hosts_of(hosts)
        self.ring_size = len(self.hosts)
        self._serializer = registry.get_serializer(
            serializer_format, symmetric_encryption_keys=symmetric_encryption_keys, **serializing
        )
        self._lock = RLock()
        self._hub: Hub | None = None
        self._life = _Life()
        self._new_process()
        _layers.add(self)

    def __str__(self) -> str:
        return f"{type(self).__name__}(hosts=[{', '.join(map(str, self.hosts))}])"

    __repr__ = __str__

    def _new_process(self) -> None:
        """Begin without anything: in a new process, or because nothing is open any more."""
        self._attached = Attachments(self._lock)
        self.channels: dict[str, ChannelQueue] = {}
        self._groups_of: dict[str, set[str]] = {}  # of channels that are attached or adopted
        self._gaps = 0

    @property
    def receive_count(self) -> int:
        """On how many channels this process receives, those of its consumers included."""
        with self._lock:
            waiting = sum(1 for queue in self.channels.values() if queue.readers)
            return waiting + len(self._attached)

    def forget_parent(self) -> None:
        """Begin anew in a child: connections and consumers are its parent's. Its only thread."""
        self._lock = RLock()
        self._hub = None
        self._new_process()

    # -- its tasks on the hub ---------------------------------------------------------------

    def _started(self) -> Hub:
        """Return the hub, with this layer's tasks in it. Any thread."""
        hub = current_hub()
        if self._hub is hub:
            return hub
        with self._lock:
            if self._hub is not hub:
                self._life = _Life()
                self._hub = hub
                self._open()
                for task in self._tasks():
                    self._spawn(task)
        return hub

    def _open(self) -> None:
        """Make the connections that `_tasks` works with."""
        raise NotImplementedError

    def _tasks(self) -> Sequence[Task]:
        """Return what works until the layer is closed."""
        raise NotImplementedError

    def _spawn(self, task: Task) -> None:
        """Have *task* run on the hub until it ends or the layer is closed. Any thread."""
        life = self._life
        current_hub().spawn(lambda: life.run(task))

    async def _on_hub(self, function: Callable[[], Awaitable[T]]) -> T:
        return await self._started().call(function)

    def close_soon(self) -> None:
        """Close all connections, without waiting for it. They open again with the next use."""
        with self._lock:
            hub, self._hub = self._hub, None
        if hub is not None and hub is current_hub():
            hub.spawn(self._life.end)

    async def close(self) -> None:
        """
        Close all connections. They open again with the next use; at once, if somebody receives.

        A message that Redis is just handing over is lost.
        """
        self.close_soon()
        if self._is_received_on():
            self._started()

    async def close_pools(self) -> None:
        """Do as `close`, which is its newer name."""
        await self.close()

    def _is_received_on(self) -> bool:
        """Whether a consumer of this process, or a task, waits for messages."""
        with self._lock:
            waiting = any(queue.readers for queue in self.channels.values())
            return waiting or len(self._attached) > 0

    # -- what is told to consumers ------------------------------------------------------------

    def _down(self, host: Host, reason: str) -> None:
        self._attached.tell(LAYER_DOWN, host=str(host), reason=reason)

    def _up(self, host: Host, again: bool) -> None:
        if again:
            self._gaps += 1
            self._attached.tell(LAYER_UP, host=str(host))

    def statistics(self) -> LayerStatistics:
        """Return what this layer has done in this process so far. Any thread."""
        attached = self._attached
        return LayerStatistics(len(attached), attached.delivered, attached.dropped, self._gaps)

    def attach(self, channel: str, deliver: Deliver, events: Collection[str] = ()) -> None:
        """Hand what arrives for *channel* to *deliver*; see InMemoryChannelLayer.attach."""
        raise NotImplementedError

    def adopt(self, channel: str) -> None:
        """Have *channel*, until it is forgotten, in its groups. Any thread."""
        with self._lock:
            self._groups_of.setdefault(channel, set())

    def forget(self, channel: str) -> None:
        """Take *channel*, on which nobody receives any more, out of all its groups. Any thread."""
        raise NotImplementedError

    # -- messages -----------------------------------------------------------------------------

    def serialize(self, message: Any) -> bytes:
        """Return *message* as bytes. Raises TypeError if it holds what can't be carried."""
        return self._serializer.serialize(message)

    def deserialize(self, message: bytes) -> Any:
        """Return the message that *message*, bytes, stands for."""
        return self._serializer.deserialize(message)

    def _read(self, data: bytes, where: str) -> Message | None:
        """Return the message in *data*; None, and a word in the log, if there is none."""
        try:
            message = self.deserialize(data)
        except Exception:
            logger.exception(
                "a message on %s can't be read: do serializer, keys and random prefix agree?", where
            )
            message = None
        if isinstance(message, dict):
            return cast("Message", message)
        self._attached.drop(where, "another format")
        return None

    def send_blocking(self, channel: str, message: Message) -> None:
        """Do as `send`, in a thread without a loop: it blocks, for at most ten seconds."""
        self._started().call_blocking(lambda: self.send(channel, message), timeout=BLOCKING_SECONDS)

    def group_send_blocking(self, group: str, message: Message) -> None:
        """Do as `group_send`, in a thread without a loop: it blocks, for at most ten seconds."""
        self._started().call_blocking(
            lambda: self.group_send(group, message), timeout=BLOCKING_SECONDS
        )
