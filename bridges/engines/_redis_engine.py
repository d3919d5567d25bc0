# The engine that carries groups between processes and machines by the pub/sub of Redis.
#
# A message is an array of msgpack: who has sent it, and what. Each process drops its own. Beside
# the topics there is one channel on which processes say that they are there, and that what they
# have sent may not have arrived, which to the others is a gap.
# In a tree that is traced the context of a message goes beside it (_redis_wire.py), and a process
# that is not, or knows nothing of that, gets the message all the same.
#
# Invariants: those of supervisor/_engine.py, by the suite of bridges/testing/engine_suite.py in
# tests/bridges/engines/test_redis_engine.py.

import logging
import random
import time
import uuid
from collections.abc import Mapping
from functools import partial
from threading import Lock
from typing import Any, cast

import trio

from ...actors._lowlevel import LoopThread, Parker
from ...supervisor._engine import Carrier, Engine, EngineSink, EngineStatistics
from ._redis_errors import RedisUnavailable
from ._redis_extra import RedisError
from ._redis_hosts import Host, hosts_of
from ._redis_link import BACKOFF
from ._redis_outbox import BYTES, MESSAGES, Outbox
from ._redis_pubsub import PubSub
from ._redis_ring import shard_of
from ._redis_wire import msgpack, packed_with, unpacked_with

logger = logging.getLogger("greenroom.redis")

HELLO_SECONDS = 5.0
LAST_SECONDS = 1.0
"""How long what waits may take to be sent yet when the engine ends."""
_MISSED_HELLOS = 3
_AT_ONCE = 500

_HELLO, _GAP = "hello", "gap"


class _Lane:
    """One server: what is published there, and what is heard."""

    def __init__(self, host: Host, outbox: Outbox, deliver: Any, on_up: Any) -> None:
        self.outbox = outbox
        self.pubsub = PubSub(host, deliver, on_up=on_up, on_down=_nothing)
        self.parker = Parker()
        """Where who publishes waits for something to publish."""
        self.emptied = Parker()
        """Where the end waits until all is published."""

    @property
    def is_empty(self) -> bool:
        """Whether Redis has all that was to be published."""
        return self.parker.parked and not self.outbox.lag()[0]


class RedisEngine(Engine):
    """
    Reaches all processes that use the same Redis and prefix.

    Given to ``Greenroom`` as ``engine=lambda: RedisEngine(["redis://localhost"])``.

    Args:
        hosts: A list of Redis servers, as channel layers have them; topics are spread over them.
        prefix: Begins the names of all Redis channels.
        max_lag_messages: Messages that wait while Redis is away or slow, for each server.
        max_lag_bytes: And their size.

    Raises:
        ValueError: *hosts* can't be understood.
    """

    def __init__(
        self,
        hosts: object = None,
        *,
        prefix: str = "greenroom",
        max_lag_messages: int = MESSAGES,
        max_lag_bytes: int = BYTES,
    ) -> None:
        self._prefix = prefix
        self._id = uuid.uuid4().hex
        self._lock = Lock()
        self._topics: set[str] = set()
        self._lanes = [
            _Lane(
                host,
                Outbox(max_lag_messages, max_lag_bytes),
                partial(self._heard, number),
                partial(self._up, number),
            )
            for number, host in enumerate(hosts_of(hosts))
        ]
        self._control = f"{prefix}:processes"
        self._sink: EngineSink | None = None
        self._carrier: Carrier | None = None
        self._loop: LoopThread | None = None
        self._ran = self._ended = False
        self._peers: dict[str, float] = {}
        self._published = self._received = self._gaps = self._unreadable = 0

    def __repr__(self) -> str:
        links = ", ".join(repr(lane.pubsub.link) for lane in self._lanes)
        return f"<RedisEngine {len(self._topics)} topics, {links}>"

    # -- its life ---------------------------------------------------------------------------

    def carry(self, carrier: Carrier) -> None:
        """Have what *carrier* says go with each dict that is published. Before `run`."""
        self._carrier = carrier

    async def run(
        self,
        sink: EngineSink,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """
        Work until cancelled. Always a checkpoint; Redis may come and go.

        A cancellation takes a second at most, in which what was published before is sent.

        Raises:
            RuntimeError: it has been run before.
        """
        if self._ran:
            raise RuntimeError("an engine serves one root, once; make a new one.")
        self._ran, self._sink = True, sink
        try:
            async with trio.open_nursery() as nursery:
                with self._lock:
                    for lane in self._lanes:
                        lane.pubsub.want(self._control)
                    for topic in self._topics:
                        self._lane(topic).pubsub.want(self._name(topic))
                    self._loop = LoopThread.current()
                work = trio.CancelScope(shield=True)
                nursery.start_soon(self._work, work)
                try:
                    task_status.started()
                    await trio.sleep_forever()
                finally:
                    try:
                        with trio.move_on_after(LAST_SECONDS, shield=True):
                            await self._send_the_rest()
                    finally:
                        work.cancel()
        finally:
            with self._lock:
                self._loop, self._ended = None, True
            for lane in self._lanes:
                lane.outbox.lost(len(lane.outbox.take(MESSAGES)))

    async def _work(self, scope: trio.CancelScope) -> None:
        with scope:
            async with trio.open_nursery() as nursery:
                for lane in self._lanes:
                    nursery.start_soon(lane.pubsub.run)
                    nursery.start_soon(self._publish_on, lane)
                nursery.start_soon(self._say_hello)

    async def _send_the_rest(self) -> None:
        """Wait until all is published, on the servers that are there."""
        for lane in self._lanes:
            while lane.pubsub.link.is_up and not lane.is_empty:
                await lane.emptied.park()

    async def _publish_on(self, lane: _Lane) -> None:
        """Send what is in the outbox, in order, and then the gaps that are owed."""
        link, outbox = lane.pubsub.link, lane.outbox
        refusals = 0  # in a row
        while True:
            await link.until_up()
            batch = outbox.take(_AT_ONCE)
            commands = [("PUBLISH", each.channel, each.data) for each in batch]
            owed = not batch and outbox.pay_gap()
            if owed:
                commands = [("PUBLISH", self._control, self._packed(_GAP))]
            if not commands:
                lane.emptied.wake()
                await lane.parker.park()
                continue
            try:
                await link.requests(commands)
                refusals = 0
            except RedisUnavailable:  # they may have arrived, or not; they are not sent twice
                outbox.lost(len(batch))
            except RedisError as error:  # its rules, a failover under way ...
                outbox.lost(len(batch))
                refusals += 1
                if refusals == 1:
                    logger.warning("Redis at %s refuses to publish (%s)", link.host, error)
                await trio.sleep(BACKOFF.delay(refusals + 1, random.random()))  # noqa: S311

    async def _say_hello(self) -> None:
        while True:
            await trio.sleep(HELLO_SECONDS)
            self._hello()
            with self._lock:
                gone = time.monotonic() - HELLO_SECONDS * _MISSED_HELLOS
                self._peers = {name: at for name, at in self._peers.items() if at > gone}

    def _hello(self) -> None:
        for lane in self._lanes:
            if lane.pubsub.link.is_up:
                lane.outbox.put(self._control, self._packed(_HELLO))
                lane.parker.wake()

    def _up(self, number: int, again: bool) -> None:
        lane = self._lanes[number]
        if again:
            lane.outbox.lost(0)  # what was under way may not have arrived: a gap to the others
            self._tell_gap(f"the connection to Redis at {lane.pubsub.link.host} was lost")
        self._hello()

    def _tell_gap(self, reason: str) -> None:
        self._gaps += 1
        if self._sink is not None:
            self._sink.gap(reason)

    # -- what is heard ------------------------------------------------------------------------

    def _heard(self, number: int, channel: str, data: bytes) -> None:
        try:
            carried = b""
            if self._carrier is None:
                sender, payload = msgpack.unpackb(data, strict_map_key=False)
            else:
                (sender, payload), carried = unpacked_with(data)
            if not isinstance(sender, str):
                raise TypeError("its sender is no text")
        except (TypeError, ValueError) as error:  # of somebody else, who uses our prefix
            self._unreadable += 1
            if self._unreadable == 1:
                logger.warning("what was published to %s can't be read: %s", channel, error)
            return
        if sender == self._id:
            return
        with self._lock:
            known = sender in self._peers
            self._peers[sender] = time.monotonic()
        if channel != self._control:
            self._received += 1
            self._deliver(channel.removeprefix(f"{self._prefix}:topic:"), payload, carried)
        elif payload == _GAP:
            self._tell_gap("another process could not pass on all that it had to say")
        if not known:
            self._hello()

    def _deliver(self, topic: str, payload: object, carried: bytes) -> None:
        if self._sink is None:
            return
        if self._carrier is None or not carried:
            self._sink.deliver(topic, payload)
        else:
            with self._carrier.within(carried):
                self._sink.deliver(topic, payload)

    # -- any thread -----------------------------------------------------------------------------

    def _name(self, topic: str) -> str:
        return f"{self._prefix}:topic:{topic}"

    def _lane(self, topic: str) -> _Lane:
        return self._lanes[shard_of(topic, len(self._lanes))]

    def _packed(self, payload: object) -> bytes:
        packed: bytes = msgpack.packb([self._id, payload], strict_types=True)
        return packed

    def _packed_as_sent(self, payload: object) -> bytes:
        if self._carrier is None or type(payload) is not dict or not payload:
            return self._packed(cast("object", payload))
        said, message = self._carrier.said(), cast("dict[object, object]", payload)
        return packed_with(said, self._id, message) if said else self._packed(message)

    def publish(self, topic: str, payload: object) -> None:
        """
        Send *payload*, of text, bytes, numbers, lists, dicts, booleans and None, to the others.

        Raises:
            TypeError: It holds something else, a tuple for instance. Nothing was sent.
        """
        if not isinstance(payload, str | bytes | Mapping):
            raise TypeError(f"an engine carries str, bytes and dicts. Got: {payload!r}")
        try:
            data = self._packed_as_sent(cast("object", payload))
        except (OverflowError, ValueError) as error:
            raise TypeError(f"Redis can't carry this message: {error}") from error
        lane = self._lane(topic)
        with self._lock:
            self._published += 1
            ended = self._ended
        if ended:
            lane.outbox.lost(1)
        elif lane.outbox.put(self._name(topic), data):
            self._soon(lane.parker.wake)

    def subscribe(self, topic: str) -> None:
        """Ask for what others publish to *topic*; at once, any thread."""
        with self._lock:
            if topic in self._topics:
                return
            self._topics.add(topic)
        self._soon(self._agree, topic)

    def unsubscribe(self, topic: str) -> None:
        """Ask for no more of *topic*; at once, any thread."""
        with self._lock:
            self._topics.discard(topic)
        self._soon(self._agree, topic)

    def _agree(self, topic: str) -> None:
        """Have Redis know what is wanted of *topic* now. On the loop."""
        pubsub, name = self._lane(topic).pubsub, self._name(topic)
        if topic in self._topics:
            pubsub.listen(name)
        else:
            pubsub.unsubscribe(name)

    def _soon(self, function: Any, *arguments: Any) -> None:
        with self._lock:
            loop = self._loop
        if loop is None:
            return  # run() begins with what is wanted then
        if loop.is_here():
            function(*arguments)
            return
        try:
            loop.call_soon(function, *arguments)
        except trio.RunFinishedError:
            return

    def peers(self) -> frozenset[str]:
        """Return the other processes that were heard within the last fifteen seconds."""
        with self._lock:
            return frozenset(self._peers)

    def statistics(self) -> EngineStatistics:
        """Return counters and lag; any thread."""
        lags = [lane.outbox.lag() for lane in self._lanes]
        with self._lock:
            return EngineStatistics(
                connected=not self._ended and all(lane.pubsub.link.is_up for lane in self._lanes),
                subscriptions=len(self._topics),
                published=self._published,
                received=self._received,
                dropped=self._unreadable + sum(lane.outbox.dropped for lane in self._lanes),
                gaps=self._gaps,
                lag_messages=sum(messages for messages, _, _ in lags),
                lag_bytes=sum(size for _, size, _ in lags),
                lag_seconds=max(age for _, _, age in lags),
            )


def _nothing(*_: object) -> None: ...
