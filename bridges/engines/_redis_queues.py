# Queues that are sorted sets in one Redis: how messages get in, and how they are read.
#
# Reading blocks a connection, so each reader has one of its own.

import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import trio

from ._redis_errors import RedisUnavailable
from ._redis_extra import RedisError
from ._redis_hosts import ANSWER_SECONDS, Host
from ._redis_link import BACKOFF, Link
from ._redis_scripts import RESTORE, SEND

logger = logging.getLogger("greenroom.redis")

BLOCK_SECONDS = 5
IDLE_SECONDS = 60.0
_MORE = 99

Taken = tuple[bytes, float]
"""A message as it was stored, and its score."""


async def put(link: Link, key: str, data: bytes, *, expiry: float, capacity: int) -> bool:
    """
    Add *data* to the queue *key*; say whether there was room.

    Raises:
        RedisUnavailable: Redis can't be reached.
    """
    now = repr(time.time())
    answer = await link.request("EVAL", SEND, 1, key, data, now, int(expiry), capacity)
    return answer == 1


async def put_back(link: Link, key: str, taken: Taken, expiry: float) -> None:
    """Return what a reader took and nobody wanted to its place in the queue."""
    data, score = taken
    await link.requests([("ZADD", key, score, data), ("EXPIRE", key, int(expiry))])


async def delete_all(link: Link, prefix: str) -> None:
    """Delete all keys that begin with *prefix*. Raises RedisUnavailable."""
    pattern = "".join(f"\\{each}" if each in r"*?[]^\\" else each for each in prefix) + "*"
    cursor: Any = b"0"
    while True:
        cursor, keys = await link.request("SCAN", cursor, "MATCH", pattern, "COUNT", 1000)
        if keys:
            await link.request("UNLINK", *keys)
        if int(cursor) == 0:
            break


class QueueReader:
    """
    Takes what comes into the queue *key* of *host*, for as long as it is wanted.

    Args:
        host: Where it is.
        key: Its key.
        take: Awaited with each message. The next ones are taken when it has returned.
        wanted: Asked before each wait, of which one lasts five seconds at most.
        retire: Asked when it has not been wanted for a while: True ends it.
        several: Take up to a hundred at a time; right where nobody else reads the queue.
    """

    def __init__(
        self,
        host: Host,
        key: str,
        take: Callable[[Taken], Awaitable[object]],
        *,
        wanted: Callable[[], bool],
        retire: Callable[[], bool],
        several: bool,
    ) -> None:
        # Its answers wait behind a blocking read, so a sign of life takes as long.
        self._link = Link(host, heartbeat_timeout=BLOCK_SECONDS + ANSWER_SECONDS)
        self._key = key
        self._take = take
        self._wanted, self._retire = wanted, retire
        self._several = several
        self._asked = trio.Event()
        self._refusals = 0  # in a row

    async def ask(self) -> None:
        """Have it look again whether it is wanted. In its own loop; no checkpoint."""
        self._asked.set()

    async def run(self) -> None:
        """Read until it retires, whatever happens to Redis. A checkpoint."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self._link.run)
            while await self._is_wanted():
                await self._link.until_up()
                try:
                    await self._read_on()
                except RedisUnavailable:
                    continue  # the link has said so, and waits before it tries again
                except RedisError as error:  # it is loading, a failover is under way ...
                    await self._refused(error)
            nursery.cancel_scope.cancel()

    async def _refused(self, error: RedisError) -> None:
        """Wait before it is tried again; whatever Redis refuses today it may allow later."""
        self._refusals += 1
        if self._refusals == 1:
            logger.warning(
                "Redis at %s refuses to hand over %s (%s); it is tried again",
                self._link.host,
                self._key,
                error,
            )
        await trio.sleep(BACKOFF.delay(self._refusals + 1, random.random()))  # noqa: S311

    async def _is_wanted(self) -> bool:
        while not self._wanted():
            with trio.move_on_after(IDLE_SECONDS) as scope:
                await self._asked.wait()
            if scope.cancelled_caught and self._retire():
                return False
            self._asked = trio.Event()
        return True

    async def _read_on(self) -> None:
        link, key = self._link, self._key
        await link.request("EVAL", RESTORE, 2, key, key + "$inflight")
        while self._wanted():
            popped = await link.request(
                "BZPOPMIN", key, BLOCK_SECONDS, timeout=BLOCK_SECONDS + ANSWER_SECONDS
            )
            self._refusals = 0
            if not popped:
                continue
            await self._hand((popped[1], float(popped[2])))
            if self._several:
                for taken in _pairs(await link.request("ZPOPMIN", key, _MORE)):
                    await self._hand(taken)

    async def _hand(self, taken: Taken) -> None:
        try:
            await self._take(taken)
        except Exception:  # the next one is none the worse
            logger.exception("a message of %s could not be handed on, and is lost", self._key)


def _pairs(answer: Iterable[Any]) -> list[Taken]:
    return [(data, float(score)) for data, score in answer]
