# One run of trio in a thread of its own, for a test suite that runs in the main thread.
#
# Django wraps each async test in async_to_sync(), called in the main thread, where no worker of
# ours is. Here that call goes to the run of trio, and the main thread serves meanwhile: what
# the test does by sync_to_async() comes back to it, so the test finds its own transaction.

import threading
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from functools import partial
from typing import Any

import trio
from asgiref.sync import AsyncToSync

from greenroom.actors import current_job
from greenroom.actors._lowlevel import LoopThread, inside_trio
from greenroom.actors._serving import AsyncCall
from greenroom.bridges.asgiref import _patch
from greenroom.bridges.asgiref._context import restore_context


class TrioThread:
    """A run of trio that lasts as long as the process."""

    def __init__(self) -> None:
        self._ready = threading.Event()
        threading.Thread(target=trio.run, args=(self._main,), name="trio", daemon=True).start()
        self._ready.wait(10)

    async def _main(self) -> None:
        async with trio.open_nursery() as self._nursery:
            self._loop = LoopThread.current()
            self._ready.set()
            await trio.sleep_forever()

    def call(self, function: Callable[[], Awaitable[Any]]) -> Any:
        """Await *function* there; the calling thread does meanwhile what it is given."""
        context = copy_context()
        call = AsyncCall(self._loop, function, context, threading.current_thread().name)
        self._loop.call_soon(self._nursery.start_soon, call.carry_out)
        try:
            return call.wait_in_thread()
        finally:
            restore_context(context)


def serve_async_tests() -> None:
    """Have async_to_sync(), called in a thread that is nobody's, await on trio from now on."""
    trio_thread = TrioThread()
    ours = _patch.async_to_sync

    def async_to_sync(self: AsyncToSync[Any, Any], /, *args: Any, **kwargs: Any) -> Any:
        if inside_trio() or current_job() is not None or self.force_new_loop:
            return ours(self, *args, **kwargs)
        return trio_thread.call(partial(_awaited, self.awaitable, *args, **kwargs))

    AsyncToSync.__call__ = async_to_sync


async def _awaited(function: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
    restore_context(copy_context())
    return await function(*args, **kwargs)
