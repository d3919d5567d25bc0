# Whether a process lives, and whether it should be given requests.

import threading
from typing import Any

import pytest
import trio
from helpers import running, settle
from trio.testing import MockClock

from greenroom.actors import Actor, handles
from greenroom.bridges.inspection import HealthApp
from greenroom.bridges.inspection._health import (
    liveness_from_thread,
    readiness,
    readiness_from_thread,
)
from greenroom.bridges.testing import virtual_clock
from greenroom.supervisor import Options


class Broken(Actor):
    restart = "permanent"

    @handles("crash")
    async def on_crash(self, message: object) -> None:
        raise RuntimeError("broken")


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


async def in_thread(function: Any, *arguments: Any) -> Any:
    return await trio.to_thread.run_sync(function, *arguments)


async def test_a_tree_that_runs() -> None:
    """
    A tree that runs is alive and ready, asked from a thread.
    """
    async with running() as server:
        assert (await in_thread(liveness_from_thread, server.root)).ok
        assert (await in_thread(readiness_from_thread, server.root)).ok


async def test_a_parked_resident(clock: MockClock) -> None:
    """
    A resident that has given up makes its process alive and not ready, and is named.
    """
    async with running(Broken, options=Options(max_restarts=0)) as server:
        server.root.find("/residents/broken").cast({"type": "crash"})
        await settle(lambda: server.root.residents.parked())
        found = readiness(server.root)

    assert found == ["/residents/broken is not up"]


async def test_a_tree_that_drains() -> None:
    """
    From the moment it drains a process is not ready, and alive still.
    """
    async with running() as server:
        await server.root.drain()
        ready = await in_thread(readiness_from_thread, server.root)
        live = await in_thread(liveness_from_thread, server.root)

    assert ready.problems == ("root is stopping",)
    assert live.ok


@pytest.mark.parametrize(("limit", "count"), [(0.5, 1), (2.0, 0), (None, 0)])
async def test_a_late_loop(limit: float | None, count: int) -> None:
    """
    A loop that is later than READY_LAG_SECONDS allows makes its process not ready.
    """
    async with running(options=Options(ready_lag_seconds=limit)) as server:
        found = readiness(server.root, late=1.5)

    assert len(found) == count
    assert all("the event loop is 1.5 s late, and may be 0.5 s" in each for each in found)


async def test_a_loop_that_stands_still() -> None:
    """
    A loop that does not answer is not alive; whoever asks waits no longer than it said.
    """
    asked, found = threading.Event(), list[Any]()

    async with running() as server:

        def ask() -> None:
            asked.wait(30)
            found.append(liveness_from_thread(server.root, 0.01))
            asked.clear()

        thread = threading.Thread(target=ask)
        thread.start()
        asked.set()
        thread.join(30)  # the loop stands still meanwhile

    assert found[0].problems == ("the event loop has not answered within 0.01 s",)


async def test_a_loop_that_has_ended() -> None:
    """
    Where the loop has ended the answer says so.
    """
    roots: list[Any] = []

    def run() -> None:
        async def serve() -> None:
            async with running() as server:
                roots.append(server.root)

        trio.run(serve)

    await in_thread(run)

    health = await in_thread(readiness_from_thread, roots[0])
    assert health.problems == ("the event loop has ended",)


async def asked_of(server: Any, path: str, method: str = "GET") -> tuple[int, bytes]:
    answer = await server.http(method, path)
    return answer.status, answer.body


async def test_the_application() -> None:
    """
    HealthApp answers on the loop: ok while all is well, 503 without a reason when it drains.
    """
    async with running(http=HealthApp()) as server:
        assert await asked_of(server, "/health/live") == (200, b'{"status": "ok"}')
        assert await asked_of(server, "/health/ready") == (200, b'{"status": "ok"}')
        assert (await asked_of(server, "/health/"))[0] == 404
        assert (await asked_of(server, "/health/live", "POST"))[0] == 405
        assert await asked_of(server, "/health/live", "HEAD") == (200, b"")


async def test_the_application_without_a_tree() -> None:
    """
    HealthApp alone, in no tree, is alive and not ready.
    """
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    for path, status in [("/live", 200), ("/ready", 503)]:
        await HealthApp()({"type": "http", "method": "GET", "path": path}, None, send)
        assert sent[-2]["status"] == status
    with pytest.raises(ValueError, match="Got: a scope of type 'websocket'"):
        await HealthApp()({"type": "websocket"}, None, send)
