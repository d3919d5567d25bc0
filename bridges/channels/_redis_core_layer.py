# The layer that stores messages in Redis: a channel is a sorted set, and so is a group.
#
# On the wire it is channels_redis.core: processes of both share channels and groups. One key
# serves all consumers of a process (the part of their names up to the "!"), and one reader for
# each server takes what comes there.
#
# Better here: memberships of living consumers are renewed, also after Redis was away; a message is
# stored in one step; who sends and who receives ask the same server for a channel.

import time
import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

import trio

from ..asgiref import on_trio
from ..engines import _redis_groups as redis_groups
from ..engines import _redis_queues as redis_queues
from ..engines._redis_errors import RedisUnavailable
from ..engines._redis_link import Link
from ..engines._redis_queues import QueueReader, Taken
from ..engines._redis_ring import shard_of
from ..engines._redis_scripts import GROUP_SEND
from ._attachments import Deliver, Message, copied
from ._redis_base import Task, logger
from ._redis_shared import ADDRESS, SharedChannels, names_in
from .exceptions import ChannelFull

MOST_TO_LEAVE = 10_000  # memberships that are remembered to be ended while Redis is away


@on_trio
class RedisChannelLayer(SharedChannels):
    """
    Channels and groups between processes, with messages stored in Redis until they are read.

    Args:
        hosts: A list of Redis servers; see how-to/redis.md.
        prefix: Begins all keys.
        expiry: Seconds that a message waits before it is thrown away.
        group_expiry: Seconds after which a channel that no living consumer is attached to leaves
            a group.
        capacity: Messages that may wait on one channel, or for all consumers of one process.
        channel_capacity: Other capacities, by glob or pattern for names of channels.
        symmetric_encryption_keys: The first encrypts, all decrypt.
        random_prefix_length: Bytes that make equal messages differ.
        serializer_format: "msgpack", "json", or what was registered.
    """

    def __init__(
        self,
        hosts: object = None,
        prefix: str = "asgi",
        expiry: float = 60,
        group_expiry: float = 86400,
        capacity: int = 100,
        channel_capacity: Mapping[Any, int] | None = None,
        symmetric_encryption_keys: Sequence[str | bytes] | None = None,
        random_prefix_length: int = 12,
        serializer_format: str = "msgpack",
    ) -> None:
        self.group_expiry = group_expiry
        super().__init__(
            hosts=hosts,
            prefix=prefix,
            expiry=expiry,
            capacity=capacity,
            channel_capacity=channel_capacity,
            serializer_format=serializer_format,
            symmetric_encryption_keys=symmetric_encryption_keys,
            serializing={"random_prefix_length": random_prefix_length, "expiry": expiry},
        )

    def _new_process(self) -> None:
        super()._new_process()
        self.client_prefix = uuid.uuid4().hex
        self._to_leave: set[tuple[str, str]] = set()  # groups and channels: Redis was away
        self._links: list[Link] = []
        self._own: set[str] = set()

    def _open(self) -> None:
        self._links = [
            Link(
                host,
                greet=partial(self._rejoin, index),
                on_up=partial(self._up, host),
                on_down=partial(self._down, host),
            )
            for index, host in enumerate(self.hosts)
        ]
        own, self._own = self._own, set()
        self._read_again()
        for name in own:
            self._listen(name)

    def _tasks(self) -> Sequence[Task]:
        return [*(link.run for link in self._links), self._stay_members, self._sweep]

    def _link(self, name: str) -> Link:
        return self._links[shard_of(name, self.ring_size)]

    def _group_key(self, group: str) -> str:
        return f"{self.prefix}:group:{group}"

    # -- the seam to supervised consumers -----------------------------------------------------

    def attach(self, channel: str, deliver: Deliver, events: Collection[str] = ()) -> None:
        """Hand what arrives for *channel* to *deliver*; see InMemoryChannelLayer.attach."""
        self.require_valid_channel_name(channel)
        self._require_own(channel)
        self._started()
        with self._lock:
            self._attached.add(channel, deliver, events)
            self.adopt(channel)
            queue = self.channels.pop(channel, None)
        self._listen(self.non_local_name(channel))
        while queue is not None and not queue.empty():
            self._put(channel, queue.get_nowait()[1], "its queue")

    def detach(self, channel: str) -> None:
        """
        Hand over nothing more, and take *channel* out of all its groups. Any thread.

        Redis is told in the background. Where it can't be reached, the membership lapses by itself.
        """
        if self._attached.remove(channel):
            self.forget(channel)

    def forget(self, channel: str) -> None:
        """Take *channel*, on which nobody receives any more, out of all its groups. Any thread."""
        with self._lock:
            groups = self._groups_of.pop(channel, set())
            if channel in self.channels and not self.channels[channel].readers:
                del self.channels[channel]

        async def leave() -> None:
            for group in groups:
                await self._leave(group, channel)

        if groups:
            self._started().later(leave)

    async def _leave(self, group: str, channel: str) -> None:
        """Take a consumer of this process out of a group, now or when Redis is there again."""
        try:
            await redis_groups.leave(self._link(group), self._group_key(group), channel)
        except RedisUnavailable:
            with self._lock:
                if len(self._to_leave) < MOST_TO_LEAVE:  # the others lapse in time
                    self._to_leave.add((group, channel))

    def _require_own(self, channel: str) -> None:
        mine = "!" in channel and self.non_local_name(channel).endswith(f"{self.client_prefix}!")
        assert mine, "Wrong client prefix"

    # -- channels -----------------------------------------------------------------------------

    async def new_channel(self, prefix: str = "specific") -> str:
        """Return the name of a channel that only this process receives on."""
        return f"{prefix}.{self.client_prefix}!{uuid.uuid4().hex}"

    async def send(self, channel: str, message: Message) -> None:
        """
        Send *message* to *channel*. A checkpoint.

        Raises:
            ChannelFull: It has no room. Nothing was sent.
            RedisUnavailable: Redis can't be reached.
            TypeError: *channel* is no name for a channel.
        """
        assert isinstance(message, dict), "message is not a dict"
        self.require_valid_channel_name(channel)
        assert ADDRESS not in message, f"a message has no key {ADDRESS}"
        name = self.non_local_name(channel)
        data = self.serialize({**message, ADDRESS: channel} if "!" in channel else message)
        capacity = self.get_capacity(channel)
        self._started()
        taken = await self._on_hub(
            lambda: redis_queues.put(
                self._link(name), self.prefix + name, data, expiry=self.expiry, capacity=capacity
            )
        )
        if not taken:
            raise ChannelFull(channel)

    async def receive(self, channel: str) -> Message:
        """
        Wait for a message on *channel* and take it. Cancelled, it takes nothing.

        Raises:
            RuntimeError: A supervised consumer gets what is sent there.
            TypeError: *channel* is no name for a channel.
        """
        self.require_valid_channel_name(channel)
        if channel in self._attached:
            raise RuntimeError(f"{channel} belongs to a consumer, which gets its messages.")
        self._started()
        if "!" not in channel:
            return await self._receive_shared(channel)
        self._require_own(channel)
        self._listen(self.non_local_name(channel))
        with self._lock:
            queue = self._queue(channel)
        try:
            _, message = await queue.get()
        finally:
            self._let_go(channel, queue)
        return message

    # -- what comes for this process ------------------------------------------------------------

    def _listen(self, name: str) -> None:
        """Have what comes for consumers of this process read, on all servers. Any thread."""
        with self._lock:
            if name in self._own:
                return
            self._own.add(name)
        key = self.prefix + name
        for host in self.hosts:
            reader = QueueReader(
                host, key, self._arrived, wanted=lambda: True, retire=lambda: False, several=True
            )
            self._spawn(reader.run)

    async def _arrived(self, taken: Taken) -> None:
        message = self._read(taken[0], "this process' queue")
        if message is None:
            return
        names = names_in(message.pop(ADDRESS, None))
        if not names:
            self._attached.drop("this process' queue", "an unknown address")
        for name in names[1:]:
            self._put(name, copied(message), "a group")
        for name in names[:1]:
            self._put(name, message, "a group")
        self._attached.has_room(names)

    def _put(self, channel: str, message: Message, what: str) -> None:
        taken = self._attached.put(channel, message)
        if taken is None:
            with self._lock:
                taken = not self._queue(channel).put_over((time.time(), message))
        if not taken:
            self._attached.drop(channel, what)

    async def _sweep(self) -> None:
        """Throw away what waits for consumers that are gone."""
        while True:
            await trio.sleep(max(self.expiry, 1))
            with self._lock:
                for channel, queue in list(self.channels.items()):
                    while not queue.empty() and queue.oldest()[0] < time.time() - self.expiry:
                        queue.get_nowait()
                    self._let_go(channel, queue)

    # -- groups -------------------------------------------------------------------------------

    async def group_add(self, group: str, channel: str) -> None:
        """
        Have *channel* get what is sent to *group*. A checkpoint.

        For a supervised consumer it holds for as long as that lives, and while Redis can't be
        reached it is noted.

        Raises:
            RedisUnavailable: Redis can't be reached.
            TypeError: A name is none.
        """
        self.require_valid_group_name(group)
        self.require_valid_channel_name(channel)
        self._started()
        with self._lock:
            alive = channel in self._groups_of
            if alive:
                self._groups_of[channel].add(group)
        joining = {self._group_key(group): [channel]}

        async def join() -> None:
            await redis_groups.join(self._link(group), joining, self.group_expiry)
            with self._lock:
                gone = alive and group not in self._groups(channel)
            if gone:  # it ended, or left, while Redis was told
                await self._leave(group, channel)

        try:
            await self._on_hub(join)
        except RedisUnavailable:
            if not alive:
                raise

    async def group_discard(self, group: str, channel: str) -> None:
        """
        Have *channel* no longer get what is sent to *group*; if it is no member, nothing.

        For a supervised consumer it is noted while Redis can't be reached.

        Raises:
            RedisUnavailable: Redis can't be reached.
            TypeError: A name is none.
        """
        self.require_valid_group_name(group)
        self.require_valid_channel_name(channel)
        self._started()
        with self._lock:
            alive = channel in self._groups_of
            self._groups(channel).discard(group)
        if alive:
            await self._on_hub(lambda: self._leave(group, channel))
            return
        key = self._group_key(group)
        await self._on_hub(lambda: redis_groups.leave(self._link(group), key, channel))

    async def _rejoin(self, index: int, link: Link) -> None:
        """Have all living consumers in their groups on one server, whatever it has forgotten."""
        memberships: dict[str, list[str]] = defaultdict(list)
        with self._lock:
            gone = [each for each in self._to_leave if shard_of(each[0], self.ring_size) == index]
            gone = [(group, name) for group, name in gone if group not in self._groups(name)]
        for group, channel in gone:
            await redis_groups.leave(link, self._group_key(group), channel)
        with self._lock:
            self._to_leave.difference_update(gone)
            for channel, groups in self._groups_of.items():
                for group in groups:
                    if shard_of(group, self.ring_size) == index:
                        memberships[self._group_key(group)].append(channel)
        await redis_groups.join(link, memberships, self.group_expiry)

    def _groups(self, channel: str) -> set[str]:
        return self._groups_of.get(channel, set())

    async def _stay_members(self) -> None:
        while True:
            await trio.sleep(max(self.group_expiry / 4, 1))
            for index, link in enumerate(self._links):
                try:
                    await self._rejoin(index, link)
                except RedisUnavailable:
                    continue  # they join again with the next connection
                except Exception as error:  # noqa: BLE001 - it is loading, its memory is full ...
                    logger.warning("%s renews no group (%s); tried again", link.host, error)

    async def group_send(self, group: str, message: Message) -> None:
        """
        Send *message* to all members of *group*. A checkpoint.

        Processes without room miss it. That is logged and counted, see `statistics`.

        Raises:
            RedisUnavailable: Redis can't be reached.
            TypeError: *group* is no name for a group.
        """
        assert isinstance(message, dict), "Message is not a dict"
        self.require_valid_group_name(group)
        self._started()
        full = await self._on_hub(partial(self._send_to_members, group, message))
        if full:
            self._attached.drop(f"group {group}", f"{full} queues of it", full)
        else:
            self._attached.has_room([f"group {group}"])

    async def _send_to_members(self, group: str, message: Message) -> int:
        """Return how many queues had no room."""
        key = self._group_key(group)
        addressed: dict[str, list[str]] = defaultdict(list)
        for name in await redis_groups.members(self._link(group), key, self.group_expiry):
            addressed[self.non_local_name(name)].append(name)
        shards: dict[int, list[str]] = defaultdict(list)
        for name in addressed:
            shards[shard_of(name, self.ring_size)].append(name)
        full, now = 0, repr(time.time())
        for index, queues in shards.items():
            values: list[Any] = [now, int(self.expiry)]
            for name in queues:
                data = self.serialize({**message, ADDRESS: addressed[name]})
                values += [self.get_capacity(addressed[name][0]), data]
            keys = [self.prefix + name for name in queues]
            full += await self._links[index].request("EVAL", GROUP_SEND, len(keys), *keys, *values)
        return full

    # -- end ----------------------------------------------------------------------------------

    async def wait_received(self) -> None:
        """Do nothing: what was received needs no cleaning up."""

    async def flush(self) -> None:
        """Delete all keys with this prefix on all servers, and close the connections."""
        self._started()
        with self._lock:
            for channel, queue in list(self.channels.items()):
                queue.clear()
                self._let_go(channel, queue)
            for groups in self._groups_of.values():
                groups.clear()
        for link in self._links:
            await self._on_hub(partial(redis_queues.delete_all, link, self.prefix))
        await self.close()
