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

    def abandon(self) -> None:
        """
        Wait for nothing there any more, unless the test still runs: nothing would come. On trio.

        What was begun there, or is from now on, raises RuntimeError.
        """
        with self._starting:
            if self._loop is not None and self._loop.is_running():
                return
            self._closing = True
            lost = list(self._calls)
        for call in lost:
            call.lose()

    def _started(self) -> asyncio.AbstractEventLoop:
        if self._closing or self._loop is None:
            raise RuntimeError("the asyncio loop of the test is over")
        return self._loop


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the asyncio loop that the caller runs on, if it does."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
