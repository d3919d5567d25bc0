# Groups that are sorted sets in one Redis: members are names of channels, scores the times, in
# seconds since 1970, at which they joined or said again that they are there.

import time
from collections.abc import Iterable, Mapping

from ._redis_link import Link


async def join(link: Link, memberships: Mapping[str, Iterable[str]], expiry: float) -> None:
    """
    Add channels to groups: *memberships* are channels by key of the group.

    Raises:
        RedisUnavailable: Redis can't be reached.
    """
    now, commands = time.time(), list[tuple[object, ...]]()
    for key, channels in memberships.items():
        scored = [each for channel in channels for each in (now, channel)]
        if scored:
            commands += [("ZADD", key, *scored), ("EXPIRE", key, int(expiry))]
    if commands:
        await link.requests(commands)


async def leave(link: Link, key: str, channel: str) -> None:
    """Take *channel* out of the group. Raises RedisUnavailable."""
    await link.request("ZREM", key, channel)


async def members(link: Link, key: str, expiry: float) -> list[str]:
    """Return the channels in the group, without those that joined too long ago."""
    joined_before = int(time.time()) - int(expiry)
    _, names = await link.requests(
        [("ZREMRANGEBYSCORE", key, "-inf", joined_before), ("ZRANGE", key, 0, -1)]
    )
    return [name.decode() for name in names]
