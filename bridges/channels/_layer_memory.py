# The channel layer of one process: dictionaries under a lock.
#
# It belongs to no loop. Senders in any thread reach readers on trio, on asyncio, and consumers
# below a supervisor, whose mailboxes are attached (_attachments.py).
#
# `channels` and `groups` are public, since tests look into them: a channel is there while messages
# or a reader wait, a group while it has members; the values of a group are times of joining.

import random
import string
import time
from collections.abc import Collection, Mapping
from threading import RLock
from typing import Any

from ...supervisor._current import CURRENT
from ..asgiref import on_trio
from ..engines._waiting import give_way
from ._attachments import Attachments, Deliver, LayerStatistics, Message, copied
from ._layer_base import BaseChannelLayer
from ._layer_queue import ChannelQueue
from .exceptions import ChannelFull


@on_trio
class InMemoryChannelLayer(BaseChannelLayer):
    """
    Channels and groups within one process, for tests and for a server with one worker.

    Args:
        expiry: Seconds that a message waits on a channel before it is thrown away.
        group_expiry: Seconds after which a channel that no living consumer is attached to leaves
            a group.
        capacity: Messages that may wait on one channel.
        channel_capacity: Other capacities, by glob or pattern for names of channels.
    """

    extensions = ["groups", "flush"]  # noqa: RUF012 - a list, as Channels has it

    def __init__(
        self,
        expiry: float = 60,
        group_expiry: float = 86400,
        capacity: int = 100,
        channel_capacity: Mapping[Any, int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            expiry=expiry, capacity=capacity, channel_capacity=channel_capacity, **kwargs
        )
        self.group_expiry = group_expiry
        self.channels: dict[str, ChannelQueue] = {}
        self.groups: dict[str, dict[str, float]] = {}
        self._lock = RLock()
        self._attached = Attachments(self._lock)
        self._groups_of: dict[str, set[str]] = {}  # `groups`, the other way round
        self._alive: set[str] = set()  # channels that are attached or adopted

    def __repr__(self) -> str:
        return (
            f"<InMemoryChannelLayer {len(self._attached)} attached, {len(self.channels)} channels,"
            f" {len(self.groups)} groups>"
        )

    # -- the seam to supervised consumers ---------------------------------------------------

    def attach(self, channel: str, deliver: Deliver, events: Collection[str] = ()) -> None:
        """
        Hand what is sent to *channel* to *deliver* from now on. Any thread, at once.

        Args:
            channel: As `new_channel` gives it.
            deliver: Called in the sender's thread, with a message of its own; must not block or
                raise. It returns False if there is no room: then `send` raises ChannelFull, and
                a `group_send` counts a drop.
            events: Which of "layer.down" and "layer.up" to deliver, too. This layer is never down.

        Raises:
            ValueError: *channel* is attached already, or an event is unknown.
        """
        self.require_valid_channel_name(channel)
        with self._lock:
            self._attached.add(channel, deliver, events)
            queue = self.channels.pop(channel, None)
            self._alive.add(channel)
        while queue is not None and not queue.empty():
            if self._attached.put(channel, queue.get_nowait()[1]) is False:
                self._attached.drop(channel, "its queue")

    def detach(self, channel: str) -> None:
        """
        Hand over nothing more, and take *channel* out of all its groups. Any thread, at once.

        A sender in another thread that is at it already may still deliver one message.
        """
        if self._attached.remove(channel):
            self.forget(channel)

    def adopt(self, channel: str) -> None:
        """Have *channel*, until it is forgotten, in its groups. Any thread."""
        with self._lock:
            self._alive.add(channel)

    def forget(self, channel: str) -> None:
        """Take *channel*, on which nobody receives any more, out of all its groups. Any thread."""
        with self._lock:
            self._alive.discard(channel)
            self._remove_from_groups(channel)
            if channel in self.channels and not self.channels[channel].readers:
                del self.channels[channel]

    def statistics(self) -> LayerStatistics:
        """Return what this layer has done so far. Any thread."""
        return LayerStatistics(
            len(self._attached), self._attached.delivered, self._attached.dropped
        )

    # -- channels ---------------------------------------------------------------------------

    async def send(self, channel: str, message: Message) -> None:
        """
        Send *message* to *channel*. A checkpoint on trio; cancelled, nothing is sent.

        Raises:
            ChannelFull: Its queue, or its consumer's mailbox, has no room. Nothing was sent.
            TypeError: *channel* is no name for a channel.
        """
        self._refuse(channel, message)
        await give_way()
        self.send_blocking(channel, message)

    def send_blocking(self, channel: str, message: Message) -> None:
        """Do as `send`, in any thread, at once: the name is that of layers that have to wait."""
        self._refuse(channel, message)
        if not self._put(channel, copied(message)):
            raise ChannelFull(channel)

    def _refuse(self, channel: str, message: Message) -> None:
        assert isinstance(message, dict), "message is not a dict"
        self.require_valid_channel_name(channel)
        assert "__asgi_channel__" not in message, "a message has no key __asgi_channel__"

    def _put(self, channel: str, message: Message) -> bool:
        taken = self._attached.put(channel, message)
        if taken is None:
            with self._lock:
                queue = self._queue(channel)
                if queue.full():
                    self._clean_channel(channel, queue)
                    queue = self._queue(channel)
                taken = not queue.full()
                if taken:
                    queue.put_nowait((time.time() + self.expiry, message))
        return taken

    def _queue(self, channel: str) -> ChannelQueue:
        queue = self.channels.get(channel)
        if queue is None:
            queue = ChannelQueue(self.get_capacity(channel), self._lock)
            self.channels[channel] = queue
        return queue

    async def receive(self, channel: str) -> Message:
        """
        Wait for a message on *channel* and take it. Cancelled, it takes nothing.

        Raises:
            RuntimeError: A supervised consumer gets what is sent there.
            TypeError: *channel* is no name for a channel.
        """
        self.require_valid_channel_name(channel)
        await give_way()
        self._clean_expired()
        with self._lock:
            if channel in self._attached:
                raise RuntimeError(f"{channel} belongs to a consumer, which gets its messages.")
            queue = self._queue(channel)
        try:
            _, message = await queue.get()
        finally:
            with self._lock:
                if queue.empty() and not queue.readers and self.channels.get(channel) is queue:
                    del self.channels[channel]
        return message

    async def new_channel(self, prefix: str = "specific.") -> str:
        """Return the name of a channel that nobody has yet."""
        letters = random.choices(string.ascii_letters, k=12)  # noqa: S311 - told to nobody outside
        return f"{prefix}.inmemory!{''.join(letters)}"

    # -- groups -----------------------------------------------------------------------------

    async def group_add(self, group: str, channel: str) -> None:
        """Have *channel* get what is sent to *group*. Raises TypeError for a wrong name."""
        self.require_valid_group_name(group)
        self.require_valid_channel_name(channel)
        with self._lock:
            self.groups.setdefault(group, {})[channel] = time.time()
            self._groups_of.setdefault(channel, set()).add(group)

    async def group_discard(self, group: str, channel: str) -> None:
        """Have *channel* no longer get what is sent to *group*; if it is no member, nothing."""
        self.require_valid_group_name(group)
        self.require_valid_channel_name(channel)
        with self._lock:
            self._discard(group, channel)

    def _discard(self, group: str, channel: str) -> None:
        members = self.groups.get(group)
        if members is not None:
            members.pop(channel, None)
            if not members:
                del self.groups[group]
        mine = self._groups_of.get(channel)
        if mine is not None:
            mine.discard(group)
            if not mine:
                del self._groups_of[channel]

    async def group_send(self, group: str, message: Message) -> None:
        """
        Send *message* to all members of *group*. A checkpoint on trio; cancelled, nothing is sent.

        A member without room misses it. That is logged and counted, see `statistics`.

        Raises:
            TypeError: *group* is no name for a group.
        """
        assert isinstance(message, dict), "Message is not a dict"
        self.require_valid_group_name(group)
        await give_way()
        self.group_send_blocking(group, message)

    def group_send_blocking(self, group: str, message: Message) -> None:
        """Do as `group_send`, in any thread, at once."""
        assert isinstance(message, dict), "Message is not a dict"
        self.require_valid_group_name(group)
        with self._lock:
            self._clean_channels()
            self._clean_group(group)
            members = list(self.groups.get(group, ()))
        root = CURRENT.get()
        publish = None if root is None else root.kinds.publish
        if publish is None:
            self._put_all(group, members, message)
            return
        with publish(group, message) as tell:
            tell(self._put_all(group, members, message))

    def _put_all(self, group: str, members: list[str], message: Message) -> int:
        taken: list[str] = []
        for channel in members:
            if self._put(channel, copied(message)):
                taken.append(channel)
            else:
                self._attached.drop(channel, f"group {group}")
        self._attached.has_room(taken)
        return len(taken)

    # -- time and end -----------------------------------------------------------------------

    def _clean_expired(self) -> None:
        """Throw away what has waited too long; a channel where something did leaves its groups."""
        with self._lock:
            self._clean_channels()
            for group in list(self.groups):
                self._clean_group(group)

    def _clean_channels(self) -> None:
        for channel, queue in list(self.channels.items()):
            self._clean_channel(channel, queue)

    def _clean_channel(self, channel: str, queue: ChannelQueue) -> None:
        now = time.time()
        while not queue.empty() and queue.oldest()[0] < now:
            queue.get_nowait()
            self._remove_from_groups(channel)
            if queue.empty() and not queue.readers:
                self.channels.pop(channel, None)

    def _clean_group(self, group: str) -> None:
        joined_before = time.time() - self.group_expiry
        for channel, joined in list(self.groups.get(group, {}).items()):
            if joined < joined_before and channel not in self._alive:
                self._discard(group, channel)

    def _remove_from_groups(self, channel: str) -> None:
        for group in list(self._groups_of.get(channel, ())):
            self._discard(group, channel)

    async def flush(self) -> None:
        """Forget all messages and groups; attached consumers stay attached."""
        with self._lock:
            for channel, queue in list(self.channels.items()):
                queue.clear()
                if not queue.readers:
                    del self.channels[channel]
            self.groups.clear()
            self._groups_of.clear()

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""
