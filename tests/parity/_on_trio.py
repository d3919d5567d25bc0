# The loop's half of an Api on trio, for Greenroom.

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio
from parity._api import SECONDS, Api, Task


class OnTrio(Api):
    """
    An Api in a running trio loop.
    """

    Cancelled = trio.Cancelled

    async def sleep(self, seconds: float) -> None:
        """Sleep."""
        await trio.sleep(seconds)

    async def in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run *function* in a thread that trio's pool has, not ours."""
        return await trio.to_thread.run_sync(function, *arguments)

    def event(self) -> trio.Event:
        """Return an event."""
        return trio.Event()

    @asynccontextmanager
    async def fail_after(self, seconds: float) -> AsyncIterator[None]:
        """Raise TimeoutError where trio raises TooSlowError."""
        with trio.move_on_after(seconds) as scope:
            yield
        if scope.cancelled_caught:
            raise TimeoutError

    def spawn(self, function: Callable[..., Awaitable[Any]], *arguments: Any) -> Task:
        """Run *function* beside the case."""
        task = Task()
        scope = trio.CancelScope()
        task.cancel = scope.cancel

        async def run() -> None:
            with scope:
                await task.run(self, function, *arguments)
            if task.outcome is None:
                task.outcome = "cancelled"  # as a group of Cancelled, out of a nursery of its own

        self._nursery.start_soon(run)
        return task

    def from_thread(self, function: Callable[[], Any]) -> None:
        """Call *function* in the loop's thread."""
        self._token.run_sync_soon(function)


def run(package: str, function: Callable[[Any], Awaitable[Any]]) -> Any:
    """Run *function* with an Api in a loop of its own."""

    async def main() -> Any:
        api = OnTrio(package)
        with trio.fail_after(2 * SECONDS):
            async with trio.open_nursery() as nursery:
                api.__dict__.update(_nursery=nursery, _token=trio.lowlevel.current_trio_token())
                result = await function(api)
                nursery.cancel_scope.cancel()
        return result

    return trio.run(main)
