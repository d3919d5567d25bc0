# The `hosts` of a channel layer, in all the ways in which Channels lets them be written.

import ssl
from typing import Any

import pytest
import trio
from redis_server import RedisServer

from greenroom.bridges.engines._redis_hosts import Host, host_of, hosts_of
from greenroom.bridges.engines._redis_link import Link

LOCAL = ("localhost", 6379)


@pytest.mark.parametrize(
    ("written", "place", "options"),
    [
        ("redis://localhost", LOCAL, {}),
        ("redis://h:1/2", ("h", 1), {"db": 2}),
        ("redis://h?db=3", ("h", 6379), {"db": 3}),
        ("redis://u:p%40ss@h", ("h", 6379), {"username": "u", "password": "p@ss"}),
        ("redis://:secret@h", ("h", 6379), {"password": "secret"}),
        ("unix:///run/redis.sock?db=1", "/run/redis.sock", {"db": 1}),
        ("unix://:secret@/run/redis.sock", "/run/redis.sock", {"password": "secret"}),
        (("h", 7), ("h", 7), {}),
        (["h", "7"], ("h", 7), {}),
        ({"address": "redis://h", "db": 4}, ("h", 6379), {"db": 4}),
        ({"host": "h", "port": 8, "socket_timeout": 3}, ("h", 8), {"stream_timeout": 3.0}),
        ({"path": "/s", "max_connections": 9}, "/s", {}),
        ({"unix_socket_path": "/s", "client_name": "me"}, "/s", {"client_name": "me"}),
        ({"retry_on_timeout": True, "health_check_interval": 3}, LOCAL, {}),
    ],
)
def test_ways_to_write_a_host(written: object, place: object, options: dict[str, Any]) -> None:
    """
    A URL, a pair, and a dict with the names of redis-py say where Redis is.
    """
    assert host_of(written) == Host(place, options)


def test_nothing_is_this_machine() -> None:
    """
    Without hosts it is the one on this machine.
    """
    assert hosts_of(None) == hosts_of([]) == [Host(LOCAL)]


def test_sentinels() -> None:
    """
    Sentinels have options of their own, beside those of the primary.
    """
    host = host_of(
        {
            "sentinels": [("a", 26379), ("b", 26380)],
            "master_name": "main",
            "sentinel_kwargs": {"password": "s"},
            "password": "p",
        }
    )

    assert (host.place, host.master_name, host.options) == (None, "main", {"password": "p"})
    assert [each.place for each in host.sentinels] == [("a", 26379), ("b", 26380)]
    assert host.sentinels[0].options == {"password": "s"}
    assert str(host) == "'main' of a:26379, b:26380"


def test_tls() -> None:
    """
    rediss:// checks who answers, unless it is told not to.
    """
    strict = host_of("rediss://h").options["ssl_context"]
    assert (strict.verify_mode, strict.check_hostname) == (ssl.CERT_REQUIRED, True)
    lax = host_of("rediss://h?ssl_cert_reqs=none").options["ssl_context"]
    assert (lax.verify_mode, lax.check_hostname) == (ssl.CERT_NONE, False)
    asked = host_of({"host": "h", "ssl": True, "ssl_check_hostname": False})
    assert asked.options["ssl_context"].check_hostname is False


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("redis://localhost", "You must pass a list of Redis hosts, even if there is only one."),
        (["http://h"], r"begins with redis://, rediss:// or unix://\. Got: 'http'"),
        (["localhost"], "Got: 'localhost'"),
        ([7], r"a URL, a pair of host and port, or a dict\. Got: 7"),
        ([{"hots": "h"}], r"no option 'hots'\. There are: client_name"),
        ([{"master_name": "main"}], "'main' needs sentinels"),
    ],
)
def test_what_can_not_be_understood(written: object, said: str) -> None:
    """
    A wrong host is refused with what to write instead.
    """
    with pytest.raises(ValueError, match=said):
        hosts_of(written)


async def test_unix_socket_and_database(redis_server: RedisServer) -> None:
    """
    Over a Unix socket, another database is another place.
    """
    for database in (0, 1):
        link = Link(host_of(f"unix://{redis_server.socket}?db={database}"))
        async with trio.open_nursery() as nursery:
            await nursery.start(link.run)
            assert await link.request("SET", "here", str(database)) == b"OK"
            nursery.cancel_scope.cancel()
    link = Link(host_of({"host": "127.0.0.1", "port": redis_server.port, "db": 1}))
    async with trio.open_nursery() as nursery:
        await nursery.start(link.run)
        assert await link.request("GET", "here") == b"1"
        nursery.cancel_scope.cancel()
