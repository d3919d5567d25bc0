# What the report can find, and what to write instead. Pure.
#
# A finding is a "change" where the project does not run without it, or a "note" where it runs and
# something can go, or should be known.

from dataclasses import dataclass
from typing import Literal

Level = Literal["change", "note"]

OURS = "greenroom.bridges.channels"
_RENAMED = {
    "channels_redis.core": f"{OURS}.redis",
    "channels_redis.pubsub": f"{OURS}.redis",
    "channels_redis.serializers": f"{OURS}.redis",
}
# What stock Channels has and code reaches for, though it is no API; and what to do instead.
INTERNALS = {
    "await_many_dispatch": "Let the consumer do it: it takes messages of client and layer.",
    "RedisLoopLayer": "There is one client for the process; nothing depends on a loop.",
    "RedisPubSubLoopLayer": "There is one client for the process; nothing depends on a loop.",
    "RedisSingleShardConnection": "There is one client for the process.",
    "BoundedQueue": "Mailboxes are bounded already.",
    "ChannelLock": "It has no counterpart, and needs none.",
    "StatelessServer": "Run a Worker of greenroom.bridges.channels.worker, or a resident actor.",
    "receive_buffer": "Look at layer.statistics().",
    "receive_lock": "It has no counterpart, and needs none.",
    "_receive_single_from_shard": "Await layer.receive(channel).",
    "channel_receive": "Messages of the layer come to handlers by their type.",
    "brpop_timeout": "It has no counterpart, and needs none.",
    "thread_handlers": "Use greenroom.bridges.asgiref.",
}
# Libraries that work on asyncio only.
ASYNCIO_ONLY = {
    "aio_pika", "aiobotocore", "aiofiles", "aiohttp", "aiokafka", "aiomqtt", "aiomysql", "aiopg",
    "aioredis", "asyncpg", "asyncssh", "kombu.asynchronous", "motor", "nats", "redis.asyncio",
    "telethon", "websockets",
}  # fmt: skip
BACKENDS = {
    "channels.layers.InMemoryChannelLayer",
    "channels_redis.core.RedisChannelLayer",
    "channels_redis.pubsub.RedisPubSubChannelLayer",
}


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing to do, or to know."""

    path: str
    """The file, from the folder that was looked at."""
    line: int
    """From 1; 0 for the whole file."""
    rule: str
    """A short name that stays the same."""
    level: Level
    what: str
    """What is there."""
    instead: str
    """What to write, or to do."""

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else self.path
        return f"{place}: {self.level}: {self.what} {self.instead} [{self.rule}]"


def our_module(name: str) -> str:
    """Return the module of ours that stands for *name*, of channels or channels_redis."""
    for theirs, ours in _RENAMED.items():
        if name == theirs or name.startswith(f"{theirs}."):
            return ours
    if name.split(".", maxsplit=1)[0] == "channels_redis":
        return f"{OURS}.redis"
    return OURS + name.removeprefix("channels")


def is_below(name: str, package: str) -> bool:
    """Whether *name* is *package* or a module in it."""
    return name == package or name.startswith(f"{package}.")


def asyncio_library(name: str) -> str:
    """Return which library for asyncio only *name* belongs to, or nothing."""
    if is_below(name, "asyncio"):
        return "asyncio"
    return next((each for each in ASYNCIO_ONLY if is_below(name, each)), "")
