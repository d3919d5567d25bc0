# The loop's half of an Api on asyncio, for stock Channels.

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from parity._api import SECONDS, Api, Task


class OnAsyncio(Api):
    """
    An Api in a running asyncio loop.
    """

    Cancelled = asyncio.CancelledError

    async def sleep(self, seconds: float) -> None:
        """Sleep."""
        await asyncio.sleep(seconds)

    async def in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run *function* in a thread of its own kind."""
        return await asyncio.to_thread(function, *arguments)

    def event(self) -> asyncio.Event:
        """Return an event."""
        return asyncio.Event()

    def fail_after(self, seconds: float) -> asyncio.Timeout:
        """Return a timeout."""
        return asyncio.timeout(seconds)

    def spawn(self, function: Callable[..., Awaitable[Any]], *arguments: Any) -> Task:
        """Run *function* beside the case."""
        task = Task()
        running = asyncio.create_task(task.run(self, function, *arguments))
        task.cancel = running.cancel
        self._tasks.append(running)
        return task

    def from_thread(self, function: Callable[[], Any]) -> None:
        """Call *function* in the loop's thread."""
        self._loop.call_soon_threadsafe(function)


def run(package: str, function: Callable[[Any], Awaitable[Any]]) -> Any:
    """Run *function* with an Api in a loop of its own."""

    async def main() -> Any:
        api = OnAsyncio(package)
        tasks: list[asyncio.Task[None]] = []
        api.__dict__.update(_tasks=tasks, _loop=asyncio.get_running_loop())
        try:
            async with asyncio.timeout(2 * SECONDS):
                return await function(api)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    return asyncio.run(main())
