# The asyncio loop of a test on asyncio, in the place of the one beside trio.
#
# So a consumer with `on_asyncio` runs where its test does, as under Channels: what both share, an
# asyncio.Event say, belongs to one loop.

from __future__ import annotations

import asyncio

from ...asgiref import SideLoop


class GuestLoop(SideLoop):
    """*loop*, which belongs to the test. Made inside trio."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop

    def _started(self) -> asyncio.AbstractEventLoop:
        assert self._loop is not None
        return self._loop


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the asyncio loop that the caller runs on, if it does."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
