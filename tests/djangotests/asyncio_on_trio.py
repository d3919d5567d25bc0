# What Django's tests take from asyncio themselves, for a test that runs on trio.
#
# Some wait with asyncio.sleep(), or for an asyncio.Event. That is the test's own, not Django's,
# so in the modules named in child.py the name `asyncio` stands for this.

import asyncio
from types import ModuleType
from typing import Any

import trio
from greenroom.actors._lowlevel import inside_trio


class AsyncioOnTrio(ModuleType):
    """The module asyncio; a few names stand for trio's in a trio task."""

    TimeoutError = TimeoutError
    CancelledError = (asyncio.CancelledError, trio.Cancelled)

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    @staticmethod
    def Event() -> Any:  # noqa: N802 - asyncio's name
        """Make an event of the loop that runs the caller."""
        return trio.Event() if inside_trio() else asyncio.Event()

    @staticmethod
    def sleep(seconds: float, result: Any = None) -> Any:
        """Sleep on the loop that runs the caller."""
        return trio.sleep(seconds) if inside_trio() else asyncio.sleep(seconds, result)
