# Channels that several processes receive on, as workers do: who reads first gets the message.
#
# A message is taken from Redis only while somebody here waits for one; should he have gone when it
# comes, it goes back to its place, so that another process gets it.

from functools import partial
from typing import cast

from ..engines import _redis_queues as redis_queues
from ..engines._redis_link import Link
from ..engines._redis_queues import QueueReader, Taken
from ._attachments import Message
from ._layer_queue import ChannelQueue
from ._redis_base import RedisLayer

ADDRESS = "__asgi_channel__"
"""The key that says for whom a message is; Channels' own."""


def names_in(address: object) -> list[str]:
    """Return the channels that *address*, of a message, names; others may have written it."""
    names = cast("list[object]", address) if isinstance(address, list) else [address]
    return [each for each in names if isinstance(each, str)]


class SharedChannels(RedisLayer):
    """The part of a layer that receives on channels without a "!"."""

    _links: list[Link]

    def _new_process(self) -> None:
        super()._new_process()
        self._readers: dict[tuple[str, int], QueueReader] = {}
        self._demand: dict[str, int] = {}

    def _read_again(self) -> None:
        """Have what is waited for read over new connections."""
        self._readers.clear()
        for channel in self._demand:
            for index in range(self.ring_size):
                self._ask(channel, index)

    def _queue(self, channel: str) -> ChannelQueue:
        if channel not in self.channels:
            self.channels[channel] = ChannelQueue(self.get_capacity(channel), self._lock)
        return self.channels[channel]

    def _let_go(self, channel: str, queue: ChannelQueue) -> None:
        with self._lock:
            if queue.empty() and not queue.readers and self.channels.get(channel) is queue:
                del self.channels[channel]

    async def _receive_shared(self, channel: str) -> Message:
        with self._lock:
            queue = self._queue(channel)
            self._demand[channel] = self._demand.get(channel, 0) + 1
            for index in range(self.ring_size):
                self._ask(channel, index)
        try:
            while True:
                (data, _), _ = await queue.get()
                message = self._read(data, channel)
                if message is not None:
                    message.pop(ADDRESS, None)
                    return message
        finally:
            with self._lock:
                self._demand[channel] -= 1
                while queue.qsize() > self._demand[channel]:
                    self._put_back(channel, *queue.get_nowait())
                self._let_go(channel, queue)
                if not self._demand[channel]:
                    del self._demand[channel]

    def _ask(self, channel: str, index: int) -> None:
        reader = self._readers.get((channel, index))
        if reader is None:
            reader = QueueReader(
                self.hosts[index],
                self.prefix + channel,
                partial(self._came, channel, index),
                wanted=lambda: self._is_wanted(channel),
                retire=lambda: self._retire(channel, index),
                several=False,
            )
            self._readers[channel, index] = reader
            self._spawn(reader.run)
        else:
            self._spawn(reader.ask)

    def _is_wanted(self, channel: str) -> bool:
        with self._lock:
            waiting = self._demand.get(channel, 0)
            return waiting > 0 and waiting > self._queue(channel).qsize()

    def _retire(self, channel: str, index: int) -> bool:
        with self._lock:
            if not self._demand.get(channel):
                return self._readers.pop((channel, index), None) is not None
            return False

    async def _came(self, channel: str, index: int, taken: Taken) -> None:
        with self._lock:
            if self._is_wanted(channel):
                self._queue(channel).put_over((taken, index))
                return
        self._put_back(channel, taken, index)  # whoever waited has gone in the meantime

    def _put_back(self, channel: str, taken: Taken, index: int) -> None:
        async def put_back() -> None:
            key = self.prefix + channel
            await redis_queues.put_back(self._links[index], key, taken, self.expiry)

        self._started().later(put_back)
