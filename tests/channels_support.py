# What the tests of bridges/channels share.

from collections.abc import Awaitable, Callable

Run = Callable[[Callable[[], Awaitable[None]]], None]
"""Runs an async function on trio, or on asyncio: the fixture `run`."""
