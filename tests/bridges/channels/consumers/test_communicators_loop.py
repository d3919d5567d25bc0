# The loop of trio beside asyncio's on which communicators run what a test looks at.

import asyncio
import threading
from functools import partial
from typing import Any

import pytest
import trio

from greenroom.actors._lowlevel import LoopThread
from greenroom.bridges.channels.consumer import AsyncConsumer
from greenroom.bridges.channels.testing import ApplicationCommunicator
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


class Waiter(AsyncConsumer):
    """Handles its message for an hour, on asyncio."""

    on_asyncio = True

    async def wait(self, message: Any) -> None:
        await self.send({"type": "begun"})
        await asyncio.sleep(3600)


def test_what_is_left_ends_when_the_loop_of_its_test_does_not_run() -> None:
    """
    An application whose handlers run on its test's loop ends behind the test, where none runs.
    """
    loop = asyncio.new_event_loop()
    wrong: list[Any] = []

    async def main() -> ApplicationCommunicator:
        communicator = ApplicationCommunicator(Waiter.as_asgi(), {"type": "channel"})
        await communicator.send_input({"type": "wait"})
        assert await communicator.receive_output() == {"type": "begun"}
        return communicator

    communicator = loop.run_until_complete(main())
    thread = loops._in_thread._thread
    assert thread is not None

    loops.end_what_is_left()

    assert not thread.is_alive()
    loop.run_until_complete(communicator.future.wait())
    assert communicator.future.done()
    loop.set_exception_handler(lambda _loop, context: wrong.append(context))
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
    assert not wrong
