# A task that waits to be woken from any thread, on whatever loop it runs: trio, the asyncio loop
# beside it, or the short-lived one that `async_to_sync` makes in a plain thread.

import asyncio
from contextlib import suppress
from typing import Protocol

import trio

from ...actors._lowlevel import LoopThread, Parker, inside_trio


class Waiter(Protocol):
    """Made by the task that will wait."""

    def wake(self) -> None:
        """Let the task go on, now or when it begins to wait. Any thread; never blocks."""
        ...

    async def wait(self) -> None:
        """Wait for `wake`. A cancellation leaves nothing behind. A checkpoint unless woken."""
        ...


def new_waiter() -> Waiter:
    """
    Return a waiter for the task that calls.

    Raises:
        RuntimeError: No loop runs here.
    """
    return _OnTrio() if inside_trio() else _OnAsyncio()


class _OnTrio:
    __slots__ = ("_loop", "_parker", "_woken")

    def __init__(self) -> None:
        self._loop = LoopThread.current()
        self._parker = Parker()
        self._woken = False

    def wake(self) -> None:
        if self._loop.is_here():
            self._wake()
        else:
            with suppress(trio.RunFinishedError):  # then nobody waits
                self._loop.call_soon(self._wake)

    def _wake(self) -> None:
        self._woken = True
        self._parker.wake()

    async def wait(self) -> None:
        while not self._woken:
            await self._parker.park()


class _OnAsyncio:
    __slots__ = ("_future", "_loop")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[None] = self._loop.create_future()

    def wake(self) -> None:
        with suppress(RuntimeError):  # the loop is closed, and nobody waits
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if not self._future.done():
            self._future.set_result(None)

    async def wait(self) -> None:
        await self._future


async def give_way() -> None:
    """Let others run, and look for a cancellation: a checkpoint on trio, nothing elsewhere."""
    if inside_trio():
        await trio.sleep(0)
