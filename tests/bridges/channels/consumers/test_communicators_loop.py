# The loop of trio beside asyncio's on which communicators run what a test looks at.

import threading
from functools import partial

import pytest
import trio

from greenroom.actors._lowlevel import LoopThread
from greenroom.bridges.channels.testing import _loop as loops


def test_what_ends_in_this_very_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The last application may end while it is told to: then there is nobody to be told.
    """
    begun: list[LoopThread] = []

    async def main() -> None:
        begun.append(LoopThread.current())

    thread = threading.Thread(target=partial(trio.run, main))
    thread.start()
    thread.join()
    monkeypatch.setattr(loops._in_thread, "_thread", thread)
    monkeypatch.setattr(loops._in_thread, "_loop", begun[0])
    monkeypatch.setattr(loops._in_thread, "_cancels", {lambda: None})

    loops.end_what_is_left()
