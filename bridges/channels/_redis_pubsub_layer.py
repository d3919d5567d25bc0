# The layer on Redis' pub/sub: nothing is stored, a group is a Redis channel, and the members of a
# group are known only in the process that they live in.
#
# On the wire it is channels_redis.pubsub: processes of both share groups.

import inspect
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

from ..asgiref import on_trio
from ..engines._redis_hosts import Host
from ..engines._redis_pubsub import PubSub
from ..engines._redis_ring import shard_of
from ._attachments import Deliver, Message, copied
from ._layer_queue import ChannelQueue
from ._redis_base import RedisLayer, Task, logger

QUEUED = 10_000
"""Messages that wait for a reader before the oldest goes."""


@on_trio
class RedisPubSubChannelLayer(RedisLayer):
    """
    Channels and groups between processes, on Redis' pub/sub.

    Args:
        hosts: A list of Redis servers; see how-to/redis.md.
        prefix: Begins the names of all Redis channels.
        on_disconnect: Called, in a thread of ours, when a connection is lost.
        on_reconnect: Called, in a thread of ours, when it stands again.
        symmetric_encryption_keys: The first encrypts, all decrypt.
        serializer_format: "msgpack", "json", or what was registered.
        capacity: Messages that wait for a reader that is no supervised consumer.
    """

    def __init__(
        self,
        hosts: object = None,
        prefix: str = "asgi",
        on_disconnect: Callable[[], object] | None = None,
        on_reconnect: Callable[[], object] | None = None,
        symmetric_encryption_keys: Sequence[str | bytes] | None = None,
        serializer_format: str = "msgpack",
        capacity: int = QUEUED,
        channel_capacity: Mapping[Any, int] | None = None,
        expiry: float = 60,
        **kwargs: Any,
    ) -> None:
        for each in (on_disconnect, on_reconnect):
            if inspect.iscoroutinefunction(each):
                raise TypeError(f"on_disconnect and on_reconnect are plain functions. Got: {each}")
        self.on_disconnect, self.on_reconnect = on_disconnect, on_reconnect
        super().__init__(
            hosts=hosts,
            prefix=prefix,
            expiry=expiry,
            capacity=capacity,
            channel_capacity=channel_capacity,
            serializer_format=serializer_format,
            symmetric_encryption_keys=symmetric_encryption_keys,
            serializing={},
        )

    def _new_process(self) -> None:
        super()._new_process()
        self.groups: dict[str, set[str]] = {}
        self._shards: list[PubSub] = []

    def _open(self) -> None:
        self._shards = [
            PubSub(
                host,
                self._arrived,
                on_up=partial(self._up, host),
                on_down=partial(self._down, host),
            )
            for host in self.hosts
        ]
        for name in (*self.channels, *self.groups, *self._attached.channels()):
            self._shard(name).want(name)

    def _tasks(self) -> Sequence[Task]:
        return [shard.run for shard in self._shards]

    def _shard(self, name: str) -> PubSub:
        return self._shards[shard_of(name, self.ring_size)]

    def _group_channel(self, group: str) -> str:
        return f"{self.prefix}__group__{group}"

    def _down(self, host: Host, reason: str) -> None:
        super()._down(host, reason)
        _tell(self.on_disconnect)

    def _up(self, host: Host, again: bool) -> None:
        super()._up(host, again)
        if again:
            _tell(self.on_reconnect)

    # -- the seam to supervised consumers -----------------------------------------------------

    def attach(self, channel: str, deliver: Deliver, events: Collection[str] = ()) -> None:
        """Hand what arrives for *channel* to *deliver*; see InMemoryChannelLayer.attach."""
        hub = self._started()
        with self._lock:
            self._attached.add(channel, deliver, events)
            queue = self.channels.pop(channel, None)
            members = self.groups.items()
            self._groups_of[channel] = {name for name, each in members if channel in each}
        if queue is None:
            hub.spawn(lambda: self._shard(channel).subscribe(channel))
            return
        while not queue.empty():
            self._put(channel, queue.get_nowait(), "its queue")

    def detach(self, channel: str) -> None:
        """Hand over nothing more, and take *channel* out of all its groups. Any thread."""
        if self._attached.remove(channel):
            self.forget(channel)

    def forget(self, channel: str) -> None:
        """Listen to *channel* no more, and take it out of all its groups. Any thread."""
        with self._lock:
            gone = [channel]
            for name in self._groups_of.pop(channel, ()):
                gone.extend(self._left(name, channel))
            if channel in self.channels and not self.channels[channel].readers:
                del self.channels[channel]
        self._unsubscribe(gone)

    def _unsubscribe(self, names: list[str]) -> None:
        async def unsubscribe() -> None:  # noqa: ASYNC124 - a task of the hub
            for name in names:
                if not self._is_wanted(name):
                    self._shard(name).unsubscribe(name)

        if names and self._shards:
            self._started().spawn(unsubscribe)

    def _is_wanted(self, name: str) -> bool:
        """Whether somebody has come for *name* in the meantime."""
        with self._lock:
            return name in self.channels or name in self.groups or name in self._attached

    # -- channels -----------------------------------------------------------------------------

    async def send(self, channel: str, message: Message) -> None:
        """
        Send *message* to *channel*: to who listens now. A checkpoint.

        Raises:
            RedisUnavailable: Redis can't be reached.
        """
        await self._publish(channel, self.serialize(message))

    async def _publish(self, name: str, data: bytes) -> None:
        self._started()
        await self._on_hub(lambda: self._shard(name).publish(name, data))

    async def new_channel(self, prefix: str = "specific.") -> str:
        """Return the name of a channel that only this process listens to. A checkpoint."""
        channel = f"{self.prefix}{prefix}{uuid.uuid4().hex}"
        try:
            await self._listen(channel)
        except BaseException:  # nobody knows the name
            self.forget(channel)
            raise
        return channel

    async def _listen(self, channel: str) -> ChannelQueue:
        with self._lock:
            queue = self.channels.get(channel)
            if queue is not None:
                return queue
            self._started()
            queue = ChannelQueue(self.get_capacity(channel), self._lock)
            self.channels[channel] = queue
        await self._on_hub(lambda: self._shard(channel).subscribe(channel))
        return queue

    async def receive(self, channel: str) -> Message:
        """
        Wait for a message on *channel*. Cancelled, this process listens to it no more.

        Raises:
            RuntimeError: A supervised consumer gets what is sent there.
        """
        if channel in self._attached:
            raise RuntimeError(f"{channel} belongs to a consumer, which gets its messages.")
        queue = await self._listen(channel)
        try:
            return await queue.get()
        except BaseException:
            with self._lock:
                last = not queue.readers and self.channels.get(channel) is queue
                if last:
                    del self.channels[channel]
            if last:
                self._unsubscribe([channel])
            raise

    def _arrived(self, name: str, data: bytes) -> None:
        """Take what was published to *name*. In the hub's thread."""
        with self._lock:
            if name in self.channels or name in self._attached:
                members = [name]
            else:
                members = list(self.groups.get(name, ()))
        if not members:
            return
        message = self._read(data, name)
        if message is None:
            return
        *others, last = members
        for channel in others:
            self._put(channel, copied(message), name)
        self._put(last, message, name)
        self._attached.has_room(members)

    def _put(self, channel: str, message: Message, what: str) -> None:
        taken = self._attached.put(channel, message)
        if taken is None:
            with self._lock:
                queue = self.channels.get(channel)
                taken = queue is None or not queue.put_over(message)
        if not taken:
            self._attached.drop(channel, what)

    # -- groups -------------------------------------------------------------------------------

    async def group_add(self, group: str, channel: str) -> None:
        """
        Have *channel*, of this process, get what is sent to *group*. A checkpoint.

        While Redis can't be reached it is noted, and holds as soon as it can.

        Raises:
            RuntimeError: *channel* is none of this process.
        """
        name = self._group_channel(group)
        with self._lock:
            if channel not in self.channels and channel not in self._attached:
                raise RuntimeError(
                    "You can only call group_add() on channels that exist in-process.\n"
                    "Consumers are encouraged to use the common pattern:\n"
                    f"   self.channel_layer.group_add({group!r}, self.channel_name)"
                )
            self.groups.setdefault(name, set()).add(channel)
            if channel in self._groups_of:
                self._groups_of[channel].add(name)
        self._started()
        await self._on_hub(lambda: self._shard(name).subscribe(name))

    async def group_discard(self, group: str, channel: str) -> None:
        """Have *channel* no longer get what is sent to *group*; if it is no member, nothing."""
        name = self._group_channel(group)
        with self._lock:
            self._groups_of.get(channel, set()).discard(name)
            gone = self._left(name, channel)
        self._unsubscribe(gone)

    def _left(self, name: str, channel: str) -> list[str]:
        """Take *channel* out of a group; return its name if that is empty then."""
        members = self.groups.get(name, set())
        members.discard(channel)
        if members or name not in self.groups:
            return []
        del self.groups[name]
        return [name]

    async def group_send(self, group: str, message: Message) -> None:
        """
        Send *message* to all members of *group* that there are now. A checkpoint.

        Raises:
            RedisUnavailable: Redis can't be reached.
        """
        await self._publish(self._group_channel(group), self.serialize(message))

    async def flush(self) -> None:
        """Forget all queues and groups of this process; attached consumers stay attached."""
        with self._lock:
            gone = [*self.channels, *self.groups]
            self.channels.clear()
            self.groups.clear()
            for groups in self._groups_of.values():
                groups.clear()
        self._unsubscribe(gone)


def _tell(function: Callable[[], object] | None) -> None:
    try:
        if function is not None:
            function()
    except Exception:  # noqa: BLE001 - a function of the project
        logger.exception("%r has failed", function)
