# One asyncio loop beside trio's, in a thread of its own, for async code written for asyncio.
#
# One, because libraries keep what they open for a loop: a pool of connections that is made in one
# request serves the next. It starts with the first call and ends with the application.
#
#   trio task       await side_loop.run(function)     a task of asyncio, awaited from here
#   asyncio task    await side_loop.on_trio(function) a system task of trio, awaited from there
#
# Invariants, each with a test of that name in tests/bridges/asgiref/test_side_loop.py:
#   CANCELLED     a cancelled call cancels the other side, and is over when that has ended.
#   OUTCOME       what one side raises the other gets, SystemExit included; no loop ends of it.
#   CONTEXT       variables set on one side are seen on the other, there and back.

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import Context, copy_context
from typing import Any, TypeVar

import trio

from ...actors._lowlevel import LoopThread, Parker, on_real_time
from ...actors._workers import Workers
from ._back import Back, log_late, name_of
from ._context import restore_context
from ._rest import watch
from ._winding_up import stack_of_thread, wind_up

logger = logging.getLogger("greenroom.asyncio")

T = TypeVar("T")

_here = threading.local()


def side_loop_here() -> SideLoop | None:
    """Return the side loop whose thread this is, or None."""
    return getattr(_here, "side_loop", None)


class SideLoop:
    """
    An asyncio loop in its own thread, for one run of trio. Made inside trio.

    Args:
        grace_seconds: How long a cancelled call waits for its task to end.
    """

    def __init__(self, grace_seconds: float = 5.0) -> None:
        self.grace_seconds = grace_seconds
        self.trio = self._trio = LoopThread.current()
        """The loop beside which it runs."""
        self.pool: Workers | None = None
        """Does the sync work of its tasks."""
        self._on_real_time = on_real_time()
        self._unwatch: Callable[[], None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._seconds = 0.0
        self._starting = threading.Lock()
        self._calls: dict[_Call, None] = {}
        self._closing = False
        self._ended = trio.Event()

    def __repr__(self) -> str:
        state = "closed" if self._closing else "running" if self._loop else "not started"
        return f"<SideLoop {state}, {len(self._calls)} calls>"

    def labels(self) -> list[str]:
        """Say what runs there, the oldest first. Loop thread only."""
        return [call.label for call in list(self._calls)]  # others add to it, from their threads

    async def run(self, function: Callable[[], Awaitable[T]], *, label: str = "") -> T:
        """
        Await *function* in a task of the side loop. Always a checkpoint.

        Cancelled, the task is cancelled, too, and waited for up to ``grace_seconds``.

        Raises:
            RuntimeError: The side loop is closed.
            BaseException: What *function* raises; asyncio.CancelledError if it was cancelled
                by somebody else than the caller.
        """
        parker, ended = Parker(), False

        def end() -> None:
            nonlocal ended
            ended = True
            parker.wake()

        def tell() -> None:
            with suppress(trio.RunFinishedError):  # else nobody waits
                self._trio.call_soon(end)

        call = self._begin(_Call(function, copy_context(), label or name_of(function), tell))
        try:
            while not ended:
                await parker.park()
        except trio.Cancelled:
            call.cancel()
            with trio.move_on_after(self.grace_seconds, shield=True):
                while not ended:
                    await parker.park()
            if not ended:
                logger.warning("%s goes on, though it was cancelled", call.label)
            else:
                call.log_error()
            raise
        restore_context(call.context)
        return call.result()

    def send(
        self,
        function: Callable[[], Awaitable[Any]],
        *,
        context: Context,
        label: str,
        ended: Callable[[Any, BaseException | None], object],
    ) -> Callable[[], object] | None:
        """
        Have *function* awaited in a task of the side loop, for which nobody waits. Any thread.

        Args:
            function: Called in the loop's thread.
            context: Where it runs; in use until the end, not a copy.
            label: What to call it in listings.
            ended: Told what it returned or raised, in the loop's thread; must not raise.

        Returns:
            What cancels it, in any thread; None if the loop is closed, and nothing was done.
        """
        call = _Call(function, context, label, lambda: ended(*call.outcome()))
        try:
            return self._begin(call).cancel
        except RuntimeError:  # it is closed
            return None

    def _begin(self, call: _Call) -> _Call:
        """Have *call* made a task. Raises RuntimeError if the loop is closed. Any thread."""
        with self._starting:  # so that none begins behind the last look at the calls
            call.begin(self._started(), self._calls)
        return call

    async def on_trio(self, function: Callable[[], Awaitable[T]]) -> T:
        """
        Await *function* in a system task of trio, from a task of the side loop.

        Cancelled, that is cancelled, too, and waited for.

        Raises:
            BaseException: What *function* raises.
        """
        back = Back(self._trio, asyncio.get_running_loop(), function, copy_context())
        try:
            self._trio.call_soon(back.start)
        except trio.RunFinishedError:
            raise RuntimeError("the run of trio beside this loop is over") from None
        cancelled: BaseException | None = None
        while not back.done.done():
            try:
                await asyncio.shield(back.done)
            except asyncio.CancelledError as error:  # noqa: ASYNC103
                cancelled = error  # raised below, also if it comes with the very end
                if not back.done.done():
                    self._trio.call_soon(back.cancel)
        restore_context(back.context)
        if cancelled is not None:
            back.log_error()
            try:
                raise cancelled
            finally:
                del cancelled, back  # its traceback holds this frame
        return back.result()

    async def aclose(self, timeout: float) -> None:
        """
        Cancel all tasks of the loop, and wait *timeout* seconds for its end. A checkpoint.

        What does not end by then is named in the log, and left in its thread.
        """
        with self._starting:
            self._seconds = timeout
            self._closing, loop = True, self._loop
        if loop is None or self._ended.is_set():
            await trio.sleep(0)
            return
        loop.call_soon_threadsafe(loop.stop)
        with trio.move_on_after(timeout):
            await self._ended.wait()
        if not self._ended.is_set():
            where = stack_of_thread(self._thread)
            logger.warning("the asyncio loop has not ended within %g s: %s", timeout, where)

    def _started(self) -> asyncio.AbstractEventLoop:
        """Return the loop, in a thread. Under the lock."""
        if self._closing:
            raise RuntimeError("the asyncio loop beside trio is closed")
        if self._loop is None:
            loop = asyncio.new_event_loop()
            if not self._on_real_time:
                self._unwatch = watch(loop)
            # Daemon: a task that never ends must not keep the process from ending.
            self._thread = threading.Thread(
                target=self._main, args=(loop,), name="greenroom-asyncio", daemon=True
            )
            self._thread.start()
            self._loop = loop
        return self._loop

    # In the side loop's thread.

    def _main(self, loop: asyncio.AbstractEventLoop) -> None:
        _here.side_loop = self
        asyncio.set_event_loop(loop)
        try:
            self._run(loop)
            wind_up(loop, self._seconds)
        finally:
            asyncio.set_event_loop(None)
            if self._unwatch is not None:
                self._unwatch()
            with self._starting:
                loop.close()
                lost = list(self._calls)
            for call in lost:
                call.lose()
            with suppress(trio.RunFinishedError):  # else nobody waits
                self._trio.call_soon(self._ended.set)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        while True:
            try:
                loop.run_forever()
            except (SystemExit, KeyboardInterrupt):
                logger.exception("a task of the asyncio loop raised; the loop goes on")
                continue
            # Asked behind it only: else the stop that is on its way would end the winding up.
            if self._closing:
                return


class _Call:
    """
    A task of asyncio for somebody in another thread.

    Args:
        function: Called in the loop's thread, in *context*.
        context: Where it runs.
        label: What to call it in listings.
        ended: Told of its end, in the loop's thread.
    """

    def __init__(
        self,
        function: Callable[[], Awaitable[Any]],
        context: Context,
        label: str,
        ended: Callable[[], object],
    ) -> None:
        self.label, self.context = label, context
        self._function, self._ended = function, ended
        self._task: asyncio.Task[None] | None = None
        self._value: Any = None
        self._error: BaseException | None = None

    def begin(self, loop: asyncio.AbstractEventLoop, listed: dict[_Call, None]) -> None:
        """Have the task made, and be *listed*. Raises RuntimeError if the loop is closed."""
        self._loop, self._listed = loop, listed
        listed[self] = None
        try:
            loop.call_soon_threadsafe(self._start)
        except BaseException:
            del listed[self]
            raise

    def cancel(self) -> None:
        """Cancel the task. Any thread."""
        with suppress(RuntimeError):  # the loop is closed: so it has ended
            self._loop.call_soon_threadsafe(self._cancel)

    def lose(self) -> None:
        """Tell that it will not end: its loop is closed."""
        self._error = RuntimeError(f"{self.label} did not end with the asyncio loop")
        self._end()

    def outcome(self) -> tuple[Any, BaseException | None]:
        """Return what it returned, and what it raised."""
        error, self._error = self._error, None
        return self._value, error

    def result(self) -> Any:
        """Return what it returned, or raise what it raised."""
        value, error = self.outcome()
        if error is None:
            return value
        try:
            raise error
        finally:
            del error  # its traceback holds this frame

    def log_error(self) -> None:
        """Log what it raised, since nobody is there to hear it."""
        log_late(self.label, self.outcome()[1])

    # In the side loop's thread.

    def _start(self) -> None:
        self._task = self._loop.create_task(self._run(), name=self.label, context=self.context)
        self._task.add_done_callback(self._done)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        try:
            restore_context(copy_context())
            self._value = await self._function()
        except BaseException as error:  # noqa: BLE001, ASYNC103 - the other thread raises it
            self._error = error

    def _done(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():  # before its first step
            self._error = asyncio.CancelledError()
        self._end()

    def _end(self) -> None:
        if self not in self._listed:  # it was lost, and has ended all the same
            return
        del self._listed[self]
        ended = self._ended
        del self._ended, self._function  # which may refer to this
        ended()
