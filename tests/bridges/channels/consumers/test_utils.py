# The helpers of channels.utils, on both loops.

import asyncio
from typing import Any

import pytest
import trio
from channels_support import Run

from greenroom.actors._lowlevel import inside_trio
from greenroom.bridges.channels.exceptions import StopConsumer
from greenroom.bridges.channels.utils import await_many_dispatch


async def rest() -> None:
    """Wait for ever, on whichever loop."""
    if inside_trio():
        await trio.sleep_forever()
    await asyncio.Event().wait()


def test_many_sources(run: Run) -> None:
    """
    Each source is awaited again behind its message; what `dispatch` raises ends it, and cancels
    what is still awaited.
    """
    got: list[Any] = []
    ended: list[str] = []

    async def counts() -> int:
        return len(got)

    async def waits() -> None:
        try:
            await rest()
        finally:
            ended.append("waits")

    async def dispatch(message: int) -> None:
        got.append(message)
        if message == 2:
            raise StopConsumer

    async def main() -> None:
        got.clear()
        with pytest.raises(StopConsumer):
            await await_many_dispatch([waits, counts], dispatch)
        if not inside_trio():
            await asyncio.sleep(0)  # for what was cancelled to end

    run(main)
    assert got == [0, 1, 2]
    assert ended == ["waits"]


def test_a_source_that_fails(run: Run) -> None:
    """
    What a source raises is raised as it is.
    """

    async def fails() -> None:
        raise KeyError("broken")

    async def dispatch(message: Any) -> None:
        raise AssertionError(message)

    async def main() -> None:
        with pytest.raises(KeyError, match="broken"):
            await await_many_dispatch([rest, fails], dispatch)

    run(main)
