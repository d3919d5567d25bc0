# A real hypercorn trio worker inside a program that is somebody else's, as a test's process is: on
# a port that is free, until its block is left. It takes no signals, and says nothing.

import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import hypercorn.trio
import trio

from ._development import ListeningConfig
from ._serve import LifespanFailureError, ServeError, first_of


@asynccontextmanager
async def serving(
    application: Callable[..., Any], host: str = "127.0.0.1", port: int = 0, *, grace: float = 1.5
) -> AsyncGenerator[int, None]:
    """
    Serve *application* while the block lasts; yield the port. Always a checkpoint.

    Args:
        application: An ASGI application.
        host: The address to listen at, IPv4 or, with a colon in it, IPv6.
        port: The port, or 0 for any that is free.
        grace: Seconds that open requests are given at the end.

    Raises:
        ServeError: The application did not start.
        OSError: The address can't be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen()
        config = ListeningConfig(listening)
        config.loglevel = "WARNING"
        config.graceful_timeout = grace
        stop = trio.Event()
        serve: Callable[..., Awaitable[None]] = cast("Any", hypercorn.trio).serve

        async def run(task_status: trio.TaskStatus[object]) -> None:
            await serve(
                application,
                config,
                shutdown_trigger=stop.wait,
                mode="asgi",
                task_status=task_status,
            )

        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(run)
                try:
                    yield listening.getsockname()[1]
                finally:
                    stop.set()
        except* LifespanFailureError as group:
            raise ServeError(f"the application did not start: {first_of(group)}") from None
