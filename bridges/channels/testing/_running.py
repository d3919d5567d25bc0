# One application under test: a task on trio, and what became of it.
#
# It has the interface of a future as far as tests look at that: done(), result(), cancel() ...

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import suppress
from functools import partial
from typing import Any

import trio

from ....actors._lowlevel import LoopThread, checkpoint
from ...asgi import Application, ConsumerApplication
from ...testing import serve
from .._application import ChannelsApplication
from .._on_asyncio import HOME
from .._rest import REST, Rest
from ._guest import GuestLoop, running_loop
from ._loop import run_on_trio
from ._mail import Mail

_TURNS = 5  # of a loop; under Channels it takes some to put a consumer away


class Running:
    """
    The task on trio that calls an application with a scope, once it has begun.

    Args:
        inputs: What its ``receive`` takes from.
        outputs: What its ``send`` appends to; closed when it has ended.
        rest: Where its consumers count their handlers.
    """

    def __init__(self, inputs: Mail, outputs: Mail, rest: Rest) -> None:
        self._inputs, self._outputs, self._rest = inputs, outputs, rest
        self._value: Any = None
        self._error: BaseException | None = None
        self._cancelled = False
        self._cancel = trio.CancelScope()
        self._guest: GuestLoop | None = None
        self._done = Mail()  # closed when it has ended; nothing is ever put in
        self._loop: LoopThread | None = None

    @property
    def begun(self) -> bool:
        """Whether it was begun."""
        return self._loop is not None

    def begin(self, application: Any, scope: Any, release: Callable[[], None]) -> None:
        """Have *application* called with *scope*; *release* is called when it has ended."""
        run = partial(self._run, application, scope, release, running_loop())
        self._loop = run_on_trio(run, "an application under test", self._leave)

    # As a future has them.

    def done(self) -> bool:
        """Whether it has ended."""
        return self._done.closed

    def cancelled(self) -> bool:
        """Whether it has ended because it was cancelled."""
        return self.done() and self._cancelled

    def result(self) -> Any:
        """
        Return what it returned, or raise what it raised.

        Raises:
            asyncio.CancelledError: It was cancelled.
            asyncio.InvalidStateError: It has not ended.
        """
        if not self.done():
            raise asyncio.InvalidStateError("the application has not ended")
        if self._cancelled:
            raise asyncio.CancelledError
        if self._error is not None:
            raise self._error
        return self._value

    def exception(self) -> BaseException | None:
        """Return what it raised."""
        return self._error

    def cancel(self) -> None:
        """Have it cancelled, if it was begun. Any thread; returns at once."""
        if self._loop is None:
            return
        if self._loop.is_here():
            self._cancel.cancel()
        else:
            with suppress(trio.RunFinishedError):  # then it has ended
                self._loop.call_soon(self._cancel.cancel)

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._result().__await__()

    async def _result(self) -> Any:
        await self._done.wait()
        return self.result()

    async def wait(self) -> None:
        """Wait until it has ended. A checkpoint if it has not."""
        await self._done.wait()

    # On trio.

    def _leave(self) -> None:
        """Have it end although its test is over, and maybe the loop of that."""
        self._cancel.cancel()
        if self._guest is not None:
            self._guest.abandon()

    async def _run(
        self,
        application: Any,
        scope: Any,
        release: Callable[[], None],
        loop: asyncio.AbstractEventLoop | None,
    ) -> None:
        REST.set(self._rest)
        if loop is not None:
            self._guest = GuestLoop(loop)
            HOME.set(self._guest)
        try:
            with self._cancel:
                self._value = await self._call(application, scope)
            self._cancelled = self._cancel.cancelled_caught
        except trio.Cancelled:  # the run of trio ends
            self._cancelled = True
            raise
        except BaseException as error:  # noqa: BLE001, ASYNC103 - the test's next call raises it
            self._error = error
        finally:
            release()
            self._tell_end(loop)

    def _tell_end(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """
        Have the test see that the application has ended.

        A test on asyncio sees it when its loop has had some turns, as if both shared it: calls
        between which nothing is waited for are no race against the application's thread, and
        what was sent before can be read first.
        """
        if loop is not None and loop.is_running():
            with suppress(RuntimeError):  # it was closed meanwhile
                loop.call_soon_threadsafe(self._close_in, loop, _TURNS)
                return
        self._close()

    def _close_in(self, loop: asyncio.AbstractEventLoop, turns: int) -> None:
        if turns:
            loop.call_soon(self._close_in, loop, turns - 1)
        else:
            self._close()

    def _close(self) -> None:
        self._done.close()
        self._outputs.close()

    async def _call(self, application: Any, scope: Any) -> Any:
        if not _wants_tree(application) or "state" in scope:
            return await application(scope, self._inputs.get, self._send)
        async with serve(application) as server:
            scope["state"] = server.state.copy()
            return await application(scope, self._inputs.get, self._send)

    async def _send(self, message: Any) -> None:
        self._outputs.put(message)
        await checkpoint()


def _wants_tree(application: Any) -> bool:
    """Whether it can do nothing without the tree that a server's lifespan would have made."""
    ours = isinstance(application, (Application, ConsumerApplication))
    return ours and not isinstance(application, ChannelsApplication)
