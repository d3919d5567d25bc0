# Presence in two servers, joined by Redis.

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Self

import pytest
import trio
from helpers import Routes, happened
from layer_mailbox import until
from redis_server import RedisServer, running_redis

from greenroom.actors import Actor, PresenceDiff, WebsocketConsumer, handles
from greenroom.bridges.asgi import Application
from greenroom.bridges.engines import _redis_engine
from greenroom.bridges.engines.redis import RedisEngine
from greenroom.bridges.testing import WebsocketDriver, serve
from greenroom.supervisor import Options


class Visitor(WebsocketConsumer):
    """Is present as the last part of its path, and tells its client of the others."""

    async def connect(self) -> None:
        await self.accept()
        self.presence_watch("room")
        self.presence_track("room", self.scope["path"].split("/")[-1])

    @handles(PresenceDiff)
    async def tell(self, diff: PresenceDiff) -> None:
        await self.send(text=f"+{','.join(diff.joined)} -{','.join(diff.left)}")


class Resident(Actor):
    """Is present for as long as its process is."""

    async def started(self) -> None:
        self.presence_track("room", "cem")


class Process:
    """A server with an engine of its own: a process, as far as another one can see."""

    def __init__(
        self, redis: RedisServer, prefix: str, kept: int = 10_000, *residents: type[Actor]
    ) -> None:
        self.engine = RedisEngine([redis.url], prefix=prefix, max_lag_messages=kept)
        self._application = Application(
            router=Routes({"room": Visitor}),
            children=residents,
            engine=lambda: self.engine,
            options=Options(presence_grace_seconds=0.2),
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Serve."""
        async with serve(self._application) as self.server:
            yield self

    def enter(self, name: str) -> AbstractAsyncContextManager[WebsocketDriver]:
        """Come in as *name*."""
        return self.server.websocket(f"/room/{name}")

    def listed(self) -> list[str]:
        """Who is there."""
        return list(self.server.root.presences.listed("room"))


@asynccontextmanager
async def two(
    redis: RedisServer, prefix: str, kept: int = 10_000
) -> AsyncIterator[tuple[Process, Process, WebsocketDriver]]:
    """Two processes that know each other, and the socket of ann, who is there in the first."""
    async with (
        Process(redis, prefix, kept).running() as here,
        Process(redis, prefix, kept).running() as there,
        here.enter("ann") as ann,
    ):
        assert await ann.receive_text() == "+ann -"
        async with there.enter("ben"):
            assert await ann.receive_text(timeout=20) == "+ben -"
            assert here.listed() == ["ann", "ben"]
        assert await ann.receive_text(timeout=20) == "+ -ben"
        await until(lambda: there.listed() == ["ann"])  # where the grace is over by its own clock
        yield here, there, ann


async def test_who_comes_and_goes_is_told_in_the_other_process(redis_server: RedisServer) -> None:
    """
    Both list the same, and a change in one is told in the other.
    """
    async with two(redis_server, "crosses") as (here, there, ann):
        async with there.enter("cem"):
            assert await ann.receive_text(timeout=20) == "+cem -"
            assert sorted(here.listed()) == sorted(there.listed()) == ["ann", "cem"]
        assert await ann.receive_text(timeout=20) == "+ -cem"


async def test_a_process_that_stops_takes_its_own_along(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    What ends with it is told before it is gone: nobody has to wait until it is silent.
    """
    # For its last words a process has a second, which a busy machine may need for something else.
    monkeypatch.setattr(_redis_engine, "LAST_SECONDS", 60.0)
    async with two(redis_server, "stops") as (here, _, ann):
        async with Process(redis_server, "stops", 10_000, Resident).running():
            assert await ann.receive_text(timeout=20) == "+cem -"
        assert await ann.receive_text(timeout=40) == "+ -cem"
        assert happened(here.server, "presence.lost") == []


@pytest.mark.slow
@pytest.mark.parametrize("kept", [10_000, 1])
async def test_redis_restarts(kept: int) -> None:
    """
    Who came and went while Redis was away is there, and gone, when it is back: also if the engine
    could not keep what was said meanwhile.
    """
    with running_redis() as redis:
        async with two(redis, "restarts", kept) as (here, there, ann), AsyncExitStack() as stack:
            dan = await stack.enter_async_context(there.enter("dan"))
            assert await ann.receive_text(timeout=20) == "+dan -"
            await until(lambda: sorted(there.listed()) == sorted(here.listed()))
            await trio.to_thread.run_sync(redis.halt)
            for each in (here, there):
                await until(lambda each=each: not each.engine.statistics().connected)
            await stack.enter_async_context(there.enter("cem"))
            dan.disconnect()
            await until(lambda: sorted(there.listed()) == ["ann", "cem"])
            assert sorted(here.listed()) == ["ann", "dan"]
            await trio.to_thread.run_sync(redis.start)
            heard = ""
            while not ("+cem" in heard and "-dan" in heard):  # together, or one by one
                heard += await ann.receive_text(timeout=30)
            assert sorted(here.listed()) == sorted(there.listed()) == ["ann", "cem"]
