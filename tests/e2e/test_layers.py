# Channel layers on Redis in real processes: the server on trio with its views and sockets, scripts
# without a loop, workers, and stock Channels beside them.

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from e2e._server import WAIT_SECONDS, Server, dial, in_thread
from e2e.test_runserver import Runserver
from redis_server import RedisServer, running_redis
from stock_layer import Peer

HERE = Path(__file__).resolve().parent / "layers"
BACKENDS = {
    "core": "channels_redis.core.RedisChannelLayer",
    "pubsub": "channels_redis.pubsub.RedisPubSubChannelLayer",
}


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture(scope="module", params=BACKENDS)
def env(request: pytest.FixtureRequest, redis: RedisServer) -> dict[str, str]:
    return {
        "LAYERS_BACKEND": BACKENDS[request.param],
        "LAYERS_REDIS": redis.url,
        "LAYERS_PREFIX": f"e2e-{request.param}",
    }


@pytest.fixture(scope="module")
def server(env: dict[str, str]) -> Iterator[Server]:
    with Server("asgi:application", cwd=HERE, env=env) as server:
        yield server


class Program:
    """manage.py or a script of the project, in a process of its own."""

    def __init__(self, env: dict[str, str], *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=HERE,
            env={**os.environ, **env, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def end(self, number: int | None = None) -> tuple[int, str]:
        """Wait until it has ended, of the signal *number* if given; return status and output."""
        if number is not None:
            self.process.send_signal(number)
        try:
            said, _ = self.process.communicate(timeout=WAIT_SECONDS)
        finally:
            self.process.kill()
            self.process.wait()
        return self.process.returncode, said


def script(env: dict[str, str], kind: str, name: str, *messages: dict[str, Any]) -> None:
    status, said = Program(env, "send.py", kind, name, *map(json.dumps, messages)).end()
    assert (status, said) == (0, "")


def message(text: str) -> dict[str, str]:
    return {"type": "say", "text": text}


async def heard(socket: Any) -> str:
    with trio.fail_after(WAIT_SECONDS):
        return await socket.get_message()


async def joined(server: Server, socket: Any) -> None:
    """Wait until the consumer is in its group."""
    await in_thread(server.get, "/trio")
    assert await heard(socket) == "trio view"


async def test_sent_from_everywhere(
    server: Server, env: dict[str, str], redis: RedisServer
) -> None:
    """
    Views of all kinds, a script without a loop, and stock Channels reach the socket.
    """
    kind = "core" if "core" in env["LAYERS_BACKEND"] else "pubsub"
    peer = await in_thread(lambda: Peer(kind, hosts=[redis.url], prefix=env["LAYERS_PREFIX"]))
    try:
        async with dial(server, "/room") as socket:
            await joined(server, socket)
            for path in ("sync", "blocking", "asyncio"):
                assert (await in_thread(server.get, f"/{path}"))[0] == 200
                assert await heard(socket) == f"{path} view"
            await in_thread(script, env, "group", "room", message("script"))
            assert await heard(socket) == "script"
            await in_thread(peer, "group_send", "room", message("stock"))
            assert await heard(socket) == "stock"
    finally:
        peer.stop()


async def test_views_open_no_connections(server: Server, redis: RedisServer) -> None:
    """
    A hundred group sends from views in worker threads open no connection to Redis.
    """
    await in_thread(server.get, "/sync")
    before = redis.info("stats")["total_connections_received"]
    for _ in range(50):
        await in_thread(server.get, "/sync")
        await in_thread(server.get, "/asyncio")

    assert redis.info("stats")["total_connections_received"] == before + 1  # the one that asks


async def test_a_socket_outlives_redis(server: Server, redis: RedisServer) -> None:
    """
    A socket stays open while Redis is away, is told, and hears its group again afterwards.
    """
    async with dial(server, "/room") as socket:
        await joined(server, socket)
        await in_thread(redis.halt)
        assert await heard(socket) == "down"
        assert (await in_thread(server.get, "/sync"))[0] == 500
        await in_thread(redis.start)
        assert await heard(socket) == "up"
        await joined(server, socket)


@pytest.mark.parametrize("env", ["core"], indirect=True)  # a pub/sub stores nothing to work on
@pytest.mark.parametrize("channel", ["jobs", "blocking"])
async def test_a_worker(server: Server, env: dict[str, str], channel: str) -> None:
    """
    A worker's consumer handles what a script sends; one that fails is logged, and the next works.
    """
    worker = Program(
        {**env, "LAYERS_APPLICATION": "asgi.workers"}, "manage.py", "runworker", "jobs", "blocking"
    )
    try:
        async with dial(server, "/room") as socket:
            await joined(server, socket)
            jobs = [{"type": "job", "text": text} for text in ("one", "fail", "two")]
            jobs.insert(1, {"no": "type"})
            await in_thread(script, env, "channel", channel, *jobs)
            prefix = "job" if channel == "jobs" else "blocking"
            expected = ["one", "two"] if channel == "jobs" else ["one", "fail", "two"]
            assert [await heard(socket) for _ in expected] == [f"{prefix} {x}" for x in expected]
        status, said = await in_thread(worker.end, signal.SIGTERM)
    finally:
        worker.process.kill()
    assert status == -signal.SIGTERM
    assert "Worker received message with no type." in said
    assert ("this job failed" in said) == (channel == "jobs")
    assert f"/residents/{channel}" in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("application", "arguments", "said"),
    [
        ("asgi.application", ["jobs"], "ASGI_APPLICATION serves no channels"),
        ("asgi.no_channels", ["jobs"], "ASGI_APPLICATION serves no channels"),
        ("asgi.workers", ["--layer", "other", "jobs"], "CHANNEL_LAYERS has no 'other'."),
        ("asgi.nothing", ["jobs"], "ASGI_APPLICATION"),
        ("asgi.workers", [], "the following arguments are required: channels"),
    ],
)
def test_runworker_refuses(
    env: dict[str, str], application: str, arguments: list[str], said: str
) -> None:
    """
    What can't work is one line, and no traceback.
    """
    env = {**env, "LAYERS_APPLICATION": application}
    status, output = Program(env, "manage.py", "runworker", *arguments).end()

    assert status != 0
    assert said in output
    assert "Traceback" not in output


@pytest.mark.parametrize("env", ["core"], indirect=True)
async def test_runserver(env: dict[str, str]) -> None:
    """
    With this app alone installed, runserver is ours: views and sockets on trio.
    """
    with Runserver(HERE, "--noreload", **env) as program:
        await in_thread(program.wait_serving)  # it says so, and on which port
        assert (await in_thread(program.get, "/facts"))[0] == 200
        program.signal(signal.SIGTERM)
        await in_thread(program.wait_end)
