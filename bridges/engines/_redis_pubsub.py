# What a process says and hears on the pub/sub of one Redis, over one connection.
#
# Invariants, each with a test of that name in tests/bridges/engines/test_redis_pubsub.py:
#   HEARD      when subscribe() returns, and Redis can be reached, what is published afterwards
#              arrives.
#   RENEWED    after a lost connection all subscriptions stand again before on_up is called.

import logging
from collections.abc import Callable
from typing import Any

import trio

from ._redis_errors import RedisUnavailable
from ._redis_hosts import ANSWER_SECONDS, Host
from ._redis_link import BACKOFF, Link

logger = logging.getLogger("greenroom.redis")

UNCONFIRMED = (
    f"it has not confirmed within {ANSWER_SECONDS:g} s that this process listens to %s; do its"
    " rules (ACL) let us?"
)
_AT_ONCE = 500


class PubSub:
    """
    Publishes to, and listens to channels of *host*. `run` does the work; all in one loop.

    Args:
        host: Where Redis is.
        deliver: Called with a channel and what was published there.
        on_up: As for a `Link`.
        on_down: As for a `Link`.
    """

    def __init__(
        self,
        host: Host,
        deliver: Callable[[str, bytes], object],
        *,
        on_up: Callable[[bool], object],
        on_down: Callable[[str], object],
        backoff: Any = BACKOFF,
    ) -> None:
        self._deliver = deliver
        self._on_down = on_down
        self._wanted: dict[str, None] = {}
        self._confirmed: set[str] = set()
        self._waiting: dict[str, trio.Event] = {}
        self.link = Link(
            host,
            greet=self._renew,
            on_push=self._pushed,
            on_up=on_up,
            on_down=self._lost,
            backoff=backoff,
        )

    def __repr__(self) -> str:
        return f"<PubSub {self.link!r}, {len(self._wanted)} subscriptions>"

    async def run(self) -> None:
        """Keep the connection until cancelled."""
        await self.link.run()

    async def publish(self, channel: str, data: bytes) -> int:
        """
        Publish *data*; return how many connections heard it.

        Raises:
            RedisUnavailable: It can't be.
        """
        return int(await self.link.request("PUBLISH", channel, data))

    def want(self, channel: str) -> None:
        """Listen to *channel* from the first connection on; before `run` only."""
        self._wanted[channel] = None

    async def subscribe(self, channel: str) -> None:
        """Listen to *channel*; returns when Redis has confirmed it, or can't be reached now."""
        self._wanted[channel] = None
        if not await self.link.settled() or channel in self._confirmed:
            return
        event = self._waiting.setdefault(channel, trio.Event())
        self.link.tell("SUBSCRIBE", channel)
        with trio.move_on_after(ANSWER_SECONDS) as scope:
            await event.wait()
        if scope.cancelled_caught:
            logger.warning("Redis at %s: %s", self.link.host, UNCONFIRMED % channel)

    def listen(self, channel: str) -> None:
        """Listen to *channel* from about now on; returns at once."""
        if channel not in self._wanted:
            self._wanted[channel] = None
            self.link.tell("SUBSCRIBE", channel)

    def unsubscribe(self, channel: str) -> None:
        """Listen to *channel* no more; what is under way may still arrive."""
        if channel in self._wanted:
            del self._wanted[channel]
            self._confirmed.discard(channel)
            self.link.tell("UNSUBSCRIBE", channel)

    async def _renew(self, link: Link) -> None:
        """Have all subscriptions again, on a new connection."""
        wanted = list(self._wanted)
        for at in range(0, len(wanted), _AT_ONCE):
            link.tell("SUBSCRIBE", *wanted[at : at + _AT_ONCE])
        for channel in wanted:
            if channel in self._wanted and channel not in self._confirmed:
                with trio.move_on_after(ANSWER_SECONDS) as scope:
                    await self._waiting.setdefault(channel, trio.Event()).wait()
                if scope.cancelled_caught:
                    raise RedisUnavailable(str(link.host), UNCONFIRMED % channel)

    def _pushed(self, push: list[Any]) -> None:
        kind, name = push[0], push[1].decode()
        if kind == b"message":
            self._deliver(name, push[2])
        elif kind == b"subscribe":
            if name in self._wanted:
                self._confirmed.add(name)
            self._release(name)

    def _lost(self, reason: str) -> None:
        self._confirmed.clear()
        for channel in list(self._waiting):
            self._release(channel)
        self._on_down(reason)

    def _release(self, channel: str) -> None:
        event = self._waiting.pop(channel, None)
        if event is not None:
            event.set()
