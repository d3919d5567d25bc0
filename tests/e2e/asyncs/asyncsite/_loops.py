# The same few lines for either loop: what runs is asked for, as libraries do.
import asyncio
from typing import Any

import sniffio
import trio


def running_on() -> str:
    """Which loop runs the calling code."""
    return sniffio.current_async_library()


async def nap() -> None:
    """Wait a moment."""
    if running_on() == "trio":
        await trio.sleep(0.001)
    else:
        await asyncio.sleep(0.001)


async def for_ever() -> None:
    """Wait until cancelled."""
    if running_on() == "trio":
        await trio.sleep_forever()
    else:
        await asyncio.Event().wait()


async def both(*functions: Any) -> list[Any]:
    """Await all of them at once, in the loop's own way."""
    if running_on() == "asyncio":
        return list(await asyncio.gather(*(each() for each in functions)))
    results: dict[int, Any] = {}

    async def run(at: int, function: Any) -> None:
        results[at] = await function()

    async with trio.open_nursery() as nursery:
        for at, function in enumerate(functions):
            nursery.start_soon(run, at, function)
    return [results[at] for at in range(len(functions))]


async def clean_up() -> None:
    """Wait a little in a ``finally``, as who says goodbye to another server."""
    if running_on() == "trio":
        with trio.move_on_after(5, shield=True):
            await trio.sleep(0.01)
    else:
        await asyncio.sleep(0.01)
