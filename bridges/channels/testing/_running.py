# One application under test: a task on trio, and what became of it.
#
# It has the interface of a future as far as tests look at that: done(), result(), cancel() ...

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any

import trio

from ....actors._lowlevel import LoopThread, checkpoint
from ...asgi import Application, ConsumerApplication
from ...testing import serve
from .._application import ChannelsApplication
from ._loop import run_on_trio
from ._mail import Mail


class Running:
    """
    Calls *application* with *scope* in a task on trio.

    Args:
        inputs: What its ``receive`` takes from.
        outputs: What its ``send`` appends to; closed when it has ended.
        release: Called when it has ended.
    """

    def __init__(
        self, application: Any, scope: Any, inputs: Mail, outputs: Mail, release: Callable[[], None]
    ) -> None:
        self._application, self._scope = application, scope
        self._inputs, self._outputs = inputs, outputs
        self._release = release
        self._error: BaseException | None = None
        self._cancelled = False
        self._cancel = trio.CancelScope()
        self._done = Mail()  # closed when it has ended; nothing is ever put in
        self._loop: LoopThread = run_on_trio(self._run, "an application under test")

    # As a future has them.

    def done(self) -> bool:
        """Whether it has ended."""
        return self._done.closed

    def cancelled(self) -> bool:
        """Whether it has ended because it was cancelled."""
        return self.done() and self._cancelled

    def result(self) -> None:
        """Return None, or raise what it raised; asyncio.CancelledError if it was cancelled."""
        if self._cancelled:
            raise asyncio.CancelledError
        if self._error is not None:
            raise self._error

    def exception(self) -> BaseException | None:
        """Return what it raised."""
        return self._error

    def cancel(self) -> None:
        """Have it cancelled. Any thread; returns at once."""
        if self._loop.is_here():
            self._cancel.cancel()
        else:
            with suppress(trio.RunFinishedError):  # then it has ended
                self._loop.call_soon(self._cancel.cancel)

    def __await__(self) -> Generator[Any, Any, None]:
        return self._result().__await__()

    async def _result(self) -> None:
        await self._done.wait()
        self.result()

    async def wait(self) -> None:
        """Wait until it has ended. A checkpoint if it has not."""
        await self._done.wait()

    # On trio.

    async def _run(self) -> None:
        try:
            with self._cancel:
                await self._call()
            self._cancelled = self._cancel.cancelled_caught
        except trio.Cancelled:  # the run of trio ends
            self._cancelled = True
            raise
        except BaseException as error:  # noqa: BLE001, ASYNC103 - the test's next call raises it
            self._error = error
        finally:
            self._release()
            self._done.close()
            self._outputs.close()

    async def _call(self) -> None:
        application, scope = self._application, self._scope
        if not _wants_tree(application) or "state" in scope:
            await application(scope, self._inputs.get, self._send)
            return
        async with serve(application) as server:
            scope["state"] = server.state.copy()
            await application(scope, self._inputs.get, self._send)

    async def _send(self, message: Any) -> None:
        self._outputs.put(message)
        await checkpoint()


def _wants_tree(application: Any) -> bool:
    """Whether it can do nothing without the tree that a server's lifespan would have made."""
    ours = isinstance(application, (Application, ConsumerApplication))
    return ours and not isinstance(application, ChannelsApplication)
