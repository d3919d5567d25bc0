# One thread with a trio loop of its own, for what a process keeps open whoever uses it: a server
# on trio, an asyncio loop beside it, a view in a worker thread, a management command, a task of
# Celery. They all share it, and so they share its connections; no call makes a loop or a
# connection.
#
# It starts with the first use, and again in a child after a fork, where the thread is not.
#
# Invariants, each with a test of that name in tests/bridges/engines/test_hub.py:
#   OUTCOME     a call returns or raises what its function does, on any loop and in any thread.
#   CANCELLED   a cancelled call cancels its function.
#   FORK        a child has a hub of its own.

from __future__ import annotations

import atexit
import logging
import os
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar, cast

import trio

from ...actors._lowlevel import LoopThread, inside_trio
from ._waiting import Waiter, new_waiter

logger = logging.getLogger("greenroom.hub")

T = TypeVar("T")
Function = Callable[[], Awaitable[T]]

LAST_SECONDS = 2.0
"""How long the end of the process waits for what nobody else waits for."""


class Hub:
    """A thread with a trio loop; started when it is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: LoopThread | None = None
        self._nursery: trio.Nursery | None = None
        self._in_background = 0
        self._idle = threading.Condition(self._lock)

    def __repr__(self) -> str:
        return f"<Hub {'running' if self._loop else 'not started'}>"

    def is_here(self) -> bool:
        """Whether the caller runs in the hub's own thread."""
        return self._loop is not None and self._loop.is_here()

    # -- any thread -------------------------------------------------------------------------

    async def call(self, function: Function[T]) -> T:
        """
        Await *function* on the hub, from any loop. A checkpoint.

        Cancelled, so is *function*; nobody waits for its end.
        """
        call = _Call(function, new_waiter())
        self._loop_started().call_soon(self._start, call)
        try:
            await call.waiter.wait()
        except BaseException:
            self._loop_started().call_soon(call.cancel)
            raise
        return call.result()

    def call_blocking(self, function: Function[T], *, timeout: float) -> T:
        """
        Await *function* on the hub, from a thread without a loop; it blocks.

        Args:
            timeout: Seconds after which *function* is cancelled.

        Raises:
            TimeoutError: It took longer.
            RuntimeError: Called in trio's thread, which would stand still.
        """
        if inside_trio():
            raise RuntimeError(
                "a blocking call can't be made in trio's thread, which would stand still: await"
                " the method without _blocking there."
            )
        waiter = _Blocking()
        call = _Call(function, waiter)
        self._loop_started().call_soon(self._start, call)
        if not waiter.event.wait(timeout):
            self._loop_started().call_soon(call.cancel)
            raise TimeoutError(f"not done within {timeout} seconds")
        return call.result()

    def spawn(self, function: Function[object]) -> None:
        """Have *function* run on the hub until it ends; what it raises is logged. Any thread."""
        self._loop_started().call_soon(self._spawn, function)

    def later(self, function: Function[object]) -> None:
        """As `spawn`; and the end of the process waits for it, for a while."""
        with self._lock:
            self._in_background += 1
        self.spawn(lambda: self._counted(function))

    def wait_idle(self, timeout: float) -> bool:
        """Block until nothing of `later` is left, at most *timeout* seconds; say whether so."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._in_background, timeout)

    # -- its own thread ---------------------------------------------------------------------

    def _loop_started(self) -> LoopThread:
        loop = self._loop
        if loop is not None:
            return loop
        with self._lock:
            if self._loop is None:
                ready = threading.Event()
                threading.Thread(
                    target=self._run, args=(ready,), name="greenroom-hub", daemon=True
                ).start()
                ready.wait()
            assert self._loop is not None
            return self._loop

    def _run(self, ready: threading.Event) -> None:
        try:
            trio.run(self._main, ready)
        except BaseException:  # noqa: ASYNC103 - told; nobody else is in this thread
            logger.critical("the hub has ended; it starts again when it is needed", exc_info=True)
        finally:
            self._loop = None
            ready.set()

    async def _main(self, ready: threading.Event) -> None:
        async with trio.open_nursery() as self._nursery:
            self._loop = LoopThread.current()
            ready.set()
            await trio.sleep_forever()

    def _start(self, call: _Call[Any]) -> None:
        assert self._nursery is not None
        self._nursery.start_soon(call.run)

    def _spawn(self, function: Function[object]) -> None:
        assert self._nursery is not None
        self._nursery.start_soon(_logged, function)

    async def _counted(self, function: Function[object]) -> None:
        try:
            await function()
        finally:
            with self._idle:
                self._in_background -= 1
                self._idle.notify_all()


class _Call(Generic[T]):
    """One function on its way through the hub. All but `result` happen in the hub's thread."""

    def __init__(self, function: Function[T], waiter: Waiter) -> None:
        self.waiter = waiter
        self._function = function
        self._scope = trio.CancelScope()
        self._value: T | None = None
        self._error: BaseException | None = None

    async def run(self) -> None:
        try:
            if self._scope.cancel_called:
                return  # else it could begin behind what its caller has asked for since
            with self._scope:
                self._value = await self._function()
        except Exception as error:  # noqa: BLE001 - the caller's
            self._error = error
        except BaseException:  # the hub ends, and not of this call: it must not seem done
            self._error = RuntimeError("the hub ended before the call did")
            raise
        finally:
            if self._scope.cancelled_caught:
                self._error = RuntimeError("the call was cancelled on the hub")
            self.waiter.wake()

    def cancel(self) -> None:
        self._scope.cancel()

    def result(self) -> T:
        if self._error is not None:
            try:
                raise self._error
            finally:
                self._error = None  # its traceback holds this frame
        return cast("T", self._value)


async def _logged(function: Function[object]) -> None:
    try:
        await function()
    except Exception:
        logger.exception("a task of the hub has failed")


class _Blocking:
    def __init__(self) -> None:
        self.event = threading.Event()

    def wake(self) -> None:
        self.event.set()

    async def wait(self) -> None:
        raise NotImplementedError("a thread without a loop does not await")


_hubs = [Hub()]


def current_hub() -> Hub:
    """Return the hub of this process."""
    return _hubs[0]


def _renew() -> None:
    _hubs[0] = Hub()


def _last_things() -> None:
    hub = current_hub()
    if not hub.wait_idle(LAST_SECONDS):
        logger.warning("the process ends before the hub has done all it was asked for")


os.register_at_fork(after_in_child=_renew)
atexit.register(_last_things)
