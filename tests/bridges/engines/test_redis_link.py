# One connection to one Redis, made again whenever it is lost.

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from free_ports import free_port
from layer_mailbox import until
from redis_server import RedisServer, running_redis, running_sentinel

from greenroom.bridges.engines import RedisUnavailable
from greenroom.bridges.engines._redis_hosts import host_of
from greenroom.bridges.engines._redis_link import Link, primary_of


@asynccontextmanager
async def running(url: object, **options: Any) -> AsyncGenerator[Link, None]:
    link = Link(host_of(url), **options)
    failure = None
    async with trio.open_nursery() as nursery:
        await nursery.start(link.run)
        try:
            with trio.fail_after(30):
                yield link
        except BaseException as error:
            failure = error
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def test_requests_share_a_connection(redis_server: RedisServer) -> None:
    """
    Requests of many tasks go over one connection, and each gets its own answer.
    """
    answers: dict[int, Any] = {}
    async with running(redis_server.url) as link:

        async def ask(number: int) -> None:
            answers[number] = await link.request("ECHO", str(number))

        async with trio.open_nursery() as nursery:
            for number in range(100):
                nursery.start_soon(ask, number)

        assert link.connections == 1
    assert answers == {number: str(number).encode() for number in range(100)}


async def test_a_cancelled_request_does_not_mix_up_answers(redis_server: RedisServer) -> None:
    """
    After a request was cancelled, the next one gets its own answer.
    """
    async with running(redis_server.url) as link:
        await link.request("PING")
        with trio.move_on_after(0):
            await link.request("ECHO", "cancelled")
        assert await link.request("ECHO", "mine") == b"mine"


async def test_a_request_behind_the_end_raises(redis_server: RedisServer) -> None:
    """
    Who asks, or waits for a connection, when `run` has ended is told so, and waits no longer.
    """
    async with running(redis_server.url) as link:
        await link.request("PING")
    with trio.fail_after(20), pytest.raises(RedisUnavailable, match="was closed"):
        await link.request("PING")


async def test_what_redis_refuses(redis_server: RedisServer) -> None:
    """
    An error of Redis is raised, and the connection stands.
    """
    from coredis.exceptions import RedisError

    async with running(redis_server.url) as link:
        with pytest.raises(RedisError, match="unknown command"):
            await link.request("NOPE")
        assert await link.request("PING") == b"PONG"
        assert link.connections == 1


async def test_fail_fast() -> None:
    """
    Where nobody listens each request raises at once, with the reason, and so does the repr.
    """
    async with running(("127.0.0.1", free_port())) as link:
        for _ in range(3):
            with pytest.raises(RedisUnavailable, match="refused"):
                await link.request("PING")
        assert "refused" in repr(link)
        assert not link.is_up


async def test_lost_and_made_again(redis_server: RedisServer) -> None:
    """
    A connection that breaks is made again, and who asks meanwhile gets an answer.
    """
    ups: list[bool] = []
    downs: list[str] = []
    async with running(redis_server.url, on_up=ups.append, on_down=downs.append) as link:
        await link.request("PING")
        link.break_off()
        assert await link.request("PING") == b"PONG"
        assert link.connections == 2
    assert ups == [False, True]
    assert downs == ["the connection was lost"]


async def test_no_repeat() -> None:
    """
    A request that was under way when Redis died raises; it is not sent again.
    """
    with running_redis() as server:
        async with running(server.url) as link:
            await link.request("PING")
            async with trio.open_nursery() as nursery:

                @nursery.start_soon
                async def ask() -> None:
                    with pytest.raises(RedisUnavailable):
                        await link.request("BLPOP", "never", 0)

                await until(lambda: server.info("clients")["blocked_clients"])
                await trio.to_thread.run_sync(server.restart)
            await link.until_up()
            assert server.info("clients")["blocked_clients"] == 0


async def test_a_wrong_password() -> None:
    """
    A password that Redis refuses is the reason that requests give.
    """
    with running_redis("--requirepass", "right") as server:
        url = f"redis://:wrong@127.0.0.1:{server.port}"
        async with running(url) as link:
            with pytest.raises(RedisUnavailable, match="invalid username-password pair"):
                await link.request("PING")
        async with running(url.replace("wrong", "right")) as link:
            assert await link.request("PING") == b"PONG"


async def test_stale_master(redis_server: RedisServer) -> None:
    """
    A server that sentinels call the primary, and that has become a replica, is not used.
    """
    with running_redis() as server, running_sentinel(server, "main") as sentinel:
        host = {"sentinels": [("127.0.0.1", sentinel.port)], "master_name": "main"}
        assert await primary_of(host_of(host)) == ("127.0.0.1", server.port)
        server.ask("REPLICAOF", "127.0.0.1", str(redis_server.port))
        async with running(host) as link:
            with pytest.raises(RedisUnavailable, match="its primary is a slave now"):
                await link.request("PING")


async def test_no_sentinel_knows(redis_server: RedisServer) -> None:
    """
    If no sentinel can say where the primary is, the error names each and why.
    """
    with running_sentinel(redis_server, "main") as sentinel:
        places = [("127.0.0.1", free_port()), ("127.0.0.1", sentinel.port)]
        host = host_of({"sentinels": places, "master_name": "other"})
        with pytest.raises(RedisUnavailable, match=r"refused; sentinel .* not know 'other'"):
            await primary_of(host)
