# Who holds the worker threads: what, for whom, and where in the code.

import threading
from collections.abc import Generator

import pytest
from helpers import requested, running, settle, watch
from inspection_trees import ask

from greenroom.actors import Actor, WebsocketConsumer, handles
from greenroom.bridges.testing import ServerDriver
from greenroom.supervisor import ChildSpec, Options


@pytest.fixture
def gate() -> Generator[threading.Event]:
    """What the handlers of a test wait for; open at its end."""
    event = threading.Event()
    yield event
    event.set()


async def the_pool(server: ServerDriver, **fields: object) -> dict:
    [pool] = (await ask(server, "threads", **fields))["pools"]
    return pool


async def test_a_handler(gate: threading.Event) -> None:
    """
    A `def` handler that takes its time is named, with its path and the line where it waits.
    """

    begun = threading.Event()

    class Slow(WebsocketConsumer):
        def receive(self, text):
            self.wait_for_the_gate()

        def wait_for_the_gate(self):
            begun.set()
            gate.wait()

    async with running(slow=Slow, options=Options(consumer_threads=1)) as server:
        async with server.websocket("/slow") as one, server.websocket("/slow") as two:
            one.send_text("x")
            await settle(begun.is_set)
            two.send_text("x")
            await settle(lambda: server.root.pool.statistics().queued == 1)
            pool = await the_pool(server, stack=True)
            assert (pool["pool"], pool["size"]) == ("consumers", 1)
            assert (pool["busy"], pool["waiting"], pool["abandoned"]) == (1, 1, 0)
            [job] = pool["jobs"]
            assert job["path"] == "/connections/slow/1"
            assert job["what"] == "/connections/slow/1#1 receive"
            assert job["seconds"] >= 0
            assert job["thread"].startswith("consumers")
            assert job["stack"][0].endswith("in receive")
            assert __file__ in job["stack"][0]
            assert job["stack"][1].endswith("in wait_for_the_gate")
            assert (await the_pool(server))["jobs"][0]["stack"] is None
            gate.set()
            await settle(lambda: server.root.pool.statistics().running == 0)
            assert (await the_pool(server))["jobs"] == []


async def test_one_that_nobody_waits_for(gate: threading.Event) -> None:
    """
    A handler that has outlived its actor is abandoned, and holds its place.
    """

    begun = threading.Event()

    class Slow(Actor):
        @handles("x")
        def on_x(self, message):
            begun.set()
            gate.wait()

    async with running(ChildSpec(actor=Slow, name="slow", shutdown_seconds=0.01)) as server:
        server.root.find("/residents/slow").cast({"type": "x"})
        await settle(begun.is_set)
        abandoned = watch(server, "thread.abandoned")
        server.root.find("/residents/slow").stop()
        await abandoned.until()
        pool = await the_pool(server)
        assert pool["abandoned"] == 1
        assert [job["abandoned"] for job in pool["jobs"]] == [True]
        assert pool["jobs"][0]["path"] == "/residents/slow"
        gate.set()
        await settle(lambda: server.root.pool.statistics().running == 0)


async def test_a_request(gate: threading.Event) -> None:
    """
    The thread that works for a request is told with the request's path.
    """
    servers: list[ServerDriver] = []
    begun = threading.Event()

    def work():
        begun.set()
        gate.wait()

    async def app(scope, receive, send):
        await servers[0].root.pool.run(work, label="a view")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async with requested(http=app) as server:
        servers.append(server)
        async with server.request("GET", "/"):
            await settle(begun.is_set)
            [job] = (await the_pool(server))["jobs"]
            gate.set()
    assert job["what"] == "a view"
    assert job["path"].startswith("/connections/http/")
