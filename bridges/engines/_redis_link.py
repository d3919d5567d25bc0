# One connection to one Redis, for as long as somebody wants it: lost, it is made again, with
# pauses; and who asks meanwhile is told so at once.
#
# All commands share it: they are written in the order of the calls, several in one go, and
# answered in that order. RESP3 sends what was published over the same connection.
#
# Invariants, each with a test of that name in tests/bridges/engines/test_redis_link.py:
#   FAIL FAST     a request raises at once while the last attempt to connect has failed; while the
#                 first attempt after a loss is under way it waits for that, and no longer.
#   NO REPEAT     a request whose answer was lost raises; whether it was carried out is not known.
#   STALE MASTER  a primary that sentinels named and that is none any more is left again.

import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, cast

import trio
from coredis.connection import BaseConnection
from coredis.exceptions import ConnectionError as ConnectionLost
from coredis.exceptions import ReadOnlyError

from ...supervisor._backoff import Backoff
from ._redis_errors import RedisUnavailable
from ._redis_hosts import Host

logger = logging.getLogger("greenroom.redis")

BACKOFF = Backoff(0.1, 5.0, 0.5)
HEARTBEAT_SECONDS = 15.0

Push = Callable[[list[Any]], object]


def _nothing(*_: object) -> None: ...


async def _no_greeting(_: "Link") -> None: ...


class Link:
    """
    A connection to *host*, made again whenever it is lost. `run` does the work.

    Args:
        host: Where Redis is.
        greet: Awaited with this link after each connect, before anybody else's requests; what it
            raises ends that connection.
        on_push: Called with what Redis sends without being asked.
        on_up: Called when the connection stands; with True if there has been one before.
        on_down: Called with the reason when a connection is lost, or the first one fails.
        backoff: Pauses between attempts.
        heartbeat_timeout: Seconds that the answer to a sign of life may take, where it has to wait
            behind a blocking command; else as long as any answer may.
    """

    def __init__(
        self,
        host: Host,
        *,
        greet: "Callable[[Link], Awaitable[object]]" = _no_greeting,
        on_push: Push | None = None,
        on_up: Callable[[bool], object] = _nothing,
        on_down: Callable[[str], object] = _nothing,
        backoff: Backoff = BACKOFF,
        heartbeat_timeout: float | None = None,
    ) -> None:
        self.host = host
        self._heartbeat_timeout = heartbeat_timeout
        self._greet = greet
        self._on_push = on_push
        self._on_up, self._on_down = on_up, on_down
        self._backoff = backoff
        self._greeting: BaseConnection | None = None
        self._connection: BaseConnection | None = None
        self._reason = ""  # of the last failure, while there is no connection
        self._dropped_for = ""  # why the connection was let go of, if a request did so
        self._changed = trio.Event()
        self._was_up = False
        self.connections = 0
        """How many connections have been made so far."""

    def __repr__(self) -> str:
        state = "up" if self.is_up else f"down: {self._reason}" if self._reason else "connecting"
        return f"<Link {self.host} {state}>"

    @property
    def is_up(self) -> bool:
        """Whether the connection stands."""
        return self._connection is not None

    # -- requests -------------------------------------------------------------------------

    async def request(self, *command: Any, timeout: float | None = None) -> Any:
        """
        Send *command* and return the answer. Cancelled, it may or may not be carried out.

        Raises:
            RedisUnavailable: There is no connection, or it was lost before the answer came.
            RedisError: Redis refuses the command.
        """
        [answer] = await self.requests([command], timeout=timeout)
        return answer

    async def requests(
        self, commands: list[tuple[Any, ...]], *, timeout: float | None = None
    ) -> list[Any]:
        """Send *commands* in one go and return the answers; else as `request`."""
        connection = self._greeting or await self._standing()
        try:
            sent = [
                connection.create_request(_bytes(name), *arguments, timeout=timeout)
                for name, *arguments in commands
            ]
            return [await each for each in sent]
        except (ConnectionLost, TimeoutError) as error:
            self._drop(connection, error)
            raise RedisUnavailable(str(self.host), _said(error)) from error
        except ReadOnlyError as error:  # a replica now: the failover is not yet through
            self._drop(connection, error)
            raise RedisUnavailable(str(self.host), "it has become a replica") from error

    def tell(self, *command: Any) -> bool:
        """Send *command*, which has no answer of its own; say whether there was a connection."""
        connection = self._greeting or self._connection
        if connection is None:
            return False
        name, *arguments = command
        try:
            connection.send_command(_bytes(name), *arguments)
        except ConnectionLost:
            return False
        return True

    async def _standing(self) -> BaseConnection:
        while True:
            connection = self._connection
            if connection is not None and connection.usable:
                return connection
            if self._reason:
                raise RedisUnavailable(str(self.host), self._reason)
            await self._changed.wait()  # at most until the attempt under way is over

    async def settled(self) -> bool:
        """Wait while an attempt is under way that requests wait for; say whether it is up then."""
        while self._connection is None and not self._reason:
            await self._changed.wait()
        return self._connection is not None

    async def until_up(self) -> None:
        """Wait until the connection stands."""
        while self._connection is None:
            await self._changed.wait()

    def _drop(self, connection: BaseConnection, error: BaseException) -> None:
        """Let go of *connection*, which can't be relied on."""
        if connection is self._connection:
            self._connection, self._dropped_for = None, _said(error)
        connection.invalidate(_said(error))

    def break_off(self) -> None:
        """Cut the connection, as a failing network does; it is made again. For tests."""
        if self._connection is not None:
            self._connection.invalidate("broken off")

    # -- the connection's life --------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep the connection until cancelled. Always a checkpoint; does not raise by itself."""
        task_status.started()
        try:
            await self._keep()
        finally:
            self._connection = self._greeting = None
            self._reason = "the connection was closed"
            self._change()

    async def _keep(self) -> None:
        failures = 0
        while True:
            failures += 1
            await trio.sleep(self._backoff.delay(failures, random.random()))  # noqa: S311
            before, self._dropped_for = self.connections, ""
            try:
                await self._session()
                reason = self._dropped_for or "the connection was lost"
            except Exception as error:  # noqa: BLE001 - whatever it is, the next attempt may work
                reason = _said(error)
            if self.connections > before:
                failures = 0  # it stood: the first attempt to have it back comes at once
            self._lost(reason, stood=self.connections > before)

    def _lost(self, reason: str, *, stood: bool) -> None:
        self._connection = self._greeting = None
        first = not self._reason
        self._reason = "" if stood else reason  # while empty, requests wait for the next attempt
        if stood or (first and not self._was_up):
            logger.warning("Redis at %s is lost (%s); it is tried again", self.host, reason)
            self._on_down(reason)
        self._change()

    def _change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def _session(self) -> None:
        async with trio.open_nursery() as nursery:
            connection = await self._connected(nursery)
            if self._on_push is not None:
                nursery.start_soon(self._read_pushes, connection, self._on_push)
            self._greeting = connection
            await self._greet(self)
            self._greeting, self._connection, self._reason = None, connection, ""
            self.connections += 1
            again, self._was_up = self._was_up, True
            if again:
                logger.warning("Redis at %s is there again", self.host)
            self._on_up(again)
            self._change()
            nursery.start_soon(self._heartbeat, connection)

    async def _connected(self, nursery: trio.Nursery) -> BaseConnection:
        """Return an open connection, whose end cancels *nursery*."""
        if not self.host.master_name:
            return await _opened(nursery, self.host.connection())
        connection = await _opened(nursery, self.host.connection(await primary_of(self.host)))
        role: Any = await connection.create_request(b"ROLE")
        if role[0] != b"master":
            raise RedisUnavailable(str(self.host), f"its primary is a {role[0].decode()} now")
        return connection

    async def _read_pushes(self, connection: BaseConnection, on_push: Push) -> None:
        with suppress(ConnectionLost):  # whose end is told elsewhere
            async for push in connection.push_messages:
                on_push(push)

    async def _heartbeat(self, connection: BaseConnection) -> None:
        """Find out that the other side is gone, where TCP alone would not tell."""
        while True:
            await trio.sleep(HEARTBEAT_SECONDS)
            await connection.create_request(b"PING", timeout=self._heartbeat_timeout)


async def primary_of(host: Host) -> tuple[str, int]:
    """
    Ask the sentinels of *host*, one after the other, where its primary is.

    Raises:
        RedisUnavailable: None of them knows.
    """
    reasons: list[str] = []
    for sentinel in host.sentinels:
        try:
            async with trio.open_nursery() as nursery:
                connection = await _opened(nursery, sentinel.connection())
                found: Any = await connection.create_request(
                    b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", host.master_name
                )
                nursery.cancel_scope.cancel()
        except Exception as error:  # noqa: BLE001 - the next one may know
            reasons.append(f"sentinel {sentinel}: {_said(error)}")
            continue
        if found:
            return found[0].decode(), int(found[1])
        reasons.append(f"sentinel {sentinel} does not know {host.master_name!r}")
    raise RedisUnavailable(str(host), "; ".join(reasons))


async def _opened(nursery: trio.Nursery, connection: BaseConnection) -> BaseConnection:
    await nursery.start(partial(_live, nursery, connection))
    return connection


async def _live(
    nursery: trio.Nursery, connection: BaseConnection, *, task_status: trio.TaskStatus[None]
) -> None:
    try:
        await connection.run(task_status=task_status)
    finally:
        _close_buffers(connection)
    nursery.cancel_scope.cancel()


def _close_buffers(connection: BaseConnection) -> None:
    """Do what coredis forgets where a connection was never open; else Python warns of them."""
    for name in ("_push_message_buffer", "_streamed_message_buffer", "_write_buffer"):
        for side in ("_in", "_out"):
            buffer = getattr(connection, name + side, None)
            if buffer is not None:
                buffer.close()


def _bytes(name: str | bytes) -> bytes:
    return name.encode() if isinstance(name, str) else name


def _said(error: BaseException) -> str:
    """Say in a few words what went wrong: the innermost cause, which knows best."""
    said = ""
    inner: BaseException | None = error
    while inner is not None:
        said = str(inner) or said
        if isinstance(inner, BaseExceptionGroup):
            inner = cast("BaseExceptionGroup[BaseException]", inner).exceptions[0]
        else:
            inner = inner.__cause__
    return said or type(error).__name__
