# A task of asyncio that waits for one of trio: the way back from the side loop.

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import Context
from functools import partial
from typing import Any

import trio

from ...actors._lowlevel import LoopThread, start_system_task
from ...actors._serving import in_context

logger = logging.getLogger("greenroom.asyncio")


class Back:
    """A task of asyncio that waits for one of trio."""

    def __init__(
        self,
        trio_thread: LoopThread,
        loop: asyncio.AbstractEventLoop,
        function: Callable[[], Awaitable[Any]],
        context: Context,
    ) -> None:
        self.context = context
        self.done: asyncio.Future[None] = loop.create_future()
        self._loop, self._function = loop, function
        self._scope: trio.CancelScope | None = None
        self._value: Any = None
        self._error: BaseException | None = None

    def result(self) -> Any:
        """Return what it returned, or raise what it raised."""
        if self._error is None:
            return self._value
        try:
            raise self._error
        finally:
            self._error = None

    def log_error(self) -> None:
        """Log what it raised, since nobody is there to hear it."""
        error, self._error = self._error, None
        log_late(name_of(self._function), error)

    # In trio's thread.

    def start(self) -> None:
        """Make its task."""
        self._scope = trio.CancelScope()
        start_system_task(self._run, "greenroom, for asyncio")

    def cancel(self) -> None:
        """Cancel it, if it has begun."""
        if self._scope is not None:
            self._scope.cancel()

    async def _run(self) -> None:
        assert self._scope is not None
        try:
            with self._scope:
                self._value = await in_context(self.context, self._function)
            if self._scope.cancelled_caught:
                self._error = asyncio.CancelledError()
        except trio.Cancelled:
            self._error = RuntimeError("the run of trio ended")
            raise
        except BaseException as error:  # noqa: BLE001, ASYNC103 - the task of asyncio raises it
            self._error = error
        finally:
            with suppress(RuntimeError):  # the loop is closed, and nobody waits
                self._loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        if not self.done.done():
            self.done.set_result(None)


def log_late(label: str, error: BaseException | None) -> None:
    """Log what came out of *label* when nobody waited any more."""
    if error is not None and not isinstance(error, asyncio.CancelledError):
        logger.warning("%s raised after it was cancelled", label, exc_info=error)


def name_of(function: Callable[..., object]) -> str:
    """Return what to call *function*."""
    inner = function.func if isinstance(function, partial) else function
    return getattr(inner, "__qualname__", None) or repr(inner)
