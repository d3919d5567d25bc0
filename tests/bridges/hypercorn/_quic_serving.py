# A UDP server of ours over a real socket in the test's own loop, for clients on asyncio in threads.

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
import trio
from e2e._http3 import certificate
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.worker_context import WorkerContext

from greenroom.bridges.hypercorn._quic import GuardedUDPServer

App = Callable[[Any, Any, Any], Awaitable[None]]


class Quic:
    """A server, and what a test wants to know of it."""

    def __init__(self, server: GuardedUDPServer, nursery: trio.Nursery) -> None:
        self.server = server
        self.port: int = server.socket.getsockname()[1]
        self.nursery = nursery
        self.over = trio.Event()
        """Set when it has ended."""

    async def run(self, task_status: trio.TaskStatus[None]) -> None:
        try:
            await self.server.run(task_status)
        finally:
            self.over.set()

    async def end_worker(self) -> None:
        """Have the worker take no more connections."""
        await self.server.context.terminated.set()


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """hypercorn's configuration, with a certificate."""
    config = Config()
    config.certfile, config.keyfile = certificate(tmp_path_factory.mktemp("quic"))
    return config


@asynccontextmanager
async def serving(
    app: App, config: Config, state: dict[str, Any] | None = None
) -> AsyncIterator[Quic]:
    """Serve *app* over HTTP/3; at the end the server is cancelled, if it has not ended."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        context = WorkerContext(None)
        server = GuardedUDPServer(
            ASGIWrapper(cast("Any", app)), config, context, cast("Any", state or {}), sock
        )
        async with trio.open_nursery() as nursery:
            quic = Quic(server, nursery)
            await nursery.start(quic.run)
            try:
                yield quic
            finally:
                nursery.cancel_scope.cancel()
        sock.detach()  # trio's copy of it has been closed, or is no more


async def respond(send: Any, body: bytes = b"", status: int = 200, headers: Any = ()) -> None:
    """Answer a request."""
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})


def quic_tasks() -> list[str]:
    """Name the tasks that connections have."""
    names: list[str] = []
    pending = [trio.lowlevel.current_root_task()]
    while pending:
        task = pending.pop()
        if task is not None:
            names.append(task.name)
            pending += [child for each in task.child_nurseries for child in each.child_tasks]
    return [name for name in names if "QUIC connection" in name or "_quic_connection" in name]
