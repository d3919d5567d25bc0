# What asgiref's tests take from asyncio themselves, for a test that runs on trio: tasks, above all.

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Iterable
from contextlib import asynccontextmanager
from contextvars import Context
from typing import Any

import trio
from djangotests.asyncio_on_trio import AsyncioOnTrio, Loop

from greenroom.actors._lowlevel import inside_trio, one_of_this_run
from greenroom.actors._serving import in_context


class _Tasks:
    nursery: trio.Nursery


@asynccontextmanager
async def tasks_of_this_run() -> AsyncGenerator[None, None]:
    """Allow tasks to be made in the block; at its end they are cancelled, as asyncio.run() does."""
    async with trio.open_nursery() as nursery:
        one_of_this_run(_Tasks).nursery = nursery
        yield
        nursery.cancel_scope.cancel()


class Task:
    """asyncio.Task, for trio: it may be awaited, and cancelled."""

    def __init__(self, code: Awaitable[Any], context: Context | None = None) -> None:
        self._code = code if context is None else in_context(context, lambda: code)
        self._done = trio.Event()
        self._scope = trio.CancelScope()
        self._value: Any = None
        self._error: BaseException | None = None
        one_of_this_run(_Tasks).nursery.start_soon(self._run)

    async def _run(self) -> None:
        try:
            with self._scope:
                self._value = await self._code
            if self._scope.cancelled_caught:
                self._error = asyncio.CancelledError()
        except Exception as error:  # whoever awaits it raises it
            self._error = error
        finally:
            self._done.set()

    def cancel(self) -> None:
        """Ask it to end."""
        self._scope.cancel()

    def done(self) -> bool:
        """Say whether it has ended."""
        return self._done.is_set()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._outcome().__await__()

    async def _outcome(self) -> Any:
        await self._done.wait()
        if self._error is not None:
            raise self._error
        return self._value


class TrioFuture:
    """asyncio.Future, for trio."""

    def __init__(self) -> None:
        self._set = trio.Event()
        self._value: Any = None

    def set_result(self, value: Any) -> None:
        """Wake all that wait."""
        self._value = value
        self._set.set()

    def __await__(self) -> Generator[Any, Any, Any]:
        yield from self._set.wait().__await__()
        return self._value


class TrioBarrier:
    """asyncio.Barrier, for trio; to be met at once."""

    def __init__(self, parties: int) -> None:
        self._missing = parties
        self._all = trio.Event()

    async def wait(self) -> None:
        """Wait until all have come."""
        self._missing -= 1
        if not self._missing:
            self._all.set()
        await self._all.wait()


class Future:
    """Makes one for the loop that runs the caller; as a type it is asyncio's."""

    def __new__(cls) -> Any:
        """Make it."""
        return TrioFuture() if inside_trio() else asyncio.Future[Any]()

    def __class_getitem__(cls, value: Any) -> Any:
        """Stand in an annotation."""
        return asyncio.Future[value]


class RunningLoop(Loop):
    """Of an asyncio loop what the tests call in its own thread, too."""

    def create_future(self) -> TrioFuture:
        """Make a future."""
        return TrioFuture()

    def call_later(self, seconds: float, function: Callable[..., object], *args: Any) -> None:
        """Call it then."""

        async def call() -> None:
            await trio.sleep(seconds)
            function(*args)

        Task(call())


class AsyncioAndTasks(AsyncioOnTrio):
    """The same module as for Django's tests, with what makes tasks and waits for them."""

    CancelledError = asyncio.CancelledError  # type: ignore[assignment]
    Future = Future

    @staticmethod
    def create_task(code: Coroutine[Any, Any, Any], **options: Any) -> Any:
        """Begin a task on the loop that runs the caller."""
        make = Task if inside_trio() else asyncio.create_task
        return make(code, **options)

    ensure_future = create_task

    @staticmethod
    def get_running_loop() -> Any:
        """Return the loop that runs the caller."""
        return RunningLoop() if inside_trio() else asyncio.get_running_loop()

    @staticmethod
    def Barrier(parties: int) -> Any:  # noqa: N802 - asyncio's name
        """Make one for the loop that runs the caller."""
        return TrioBarrier(parties) if inside_trio() else asyncio.Barrier(parties)

    @staticmethod
    def wait(tasks: Iterable[Any]) -> Any:
        """Wait for all."""
        return _all_ended(tasks) if inside_trio() else asyncio.wait(tasks)

    @staticmethod
    def gather(*code: Any) -> Any:
        """Await all at the same time."""
        return _gathered(code) if inside_trio() else asyncio.gather(*code)

    @staticmethod
    def wait_for(code: Any, timeout: float) -> Any:
        """Await with a time limit, in a task of its own."""
        return _within(timeout, code) if inside_trio() else asyncio.wait_for(code, timeout)

    @staticmethod
    def timeout(seconds: float) -> Any:
        """Limit the time of a block."""
        return _limit(seconds) if inside_trio() else asyncio.timeout(seconds)

    @staticmethod
    def to_thread(function: Any, *args: Any) -> Any:
        """Run *function* in a thread that is nobody's."""
        if inside_trio():
            return trio.to_thread.run_sync(function, *args)
        return asyncio.to_thread(function, *args)


async def _all_ended(tasks: Iterable[Task]) -> None:
    for task in tasks:
        await task


async def _gathered(code: Iterable[Any]) -> list[Any]:
    tasks = [each if isinstance(each, Task) else Task(each) for each in code]
    return [await task for task in tasks]


async def _within(seconds: float, code: Any) -> Any:
    try:
        with trio.fail_after(seconds):
            return await (code if isinstance(code, Task) else Task(code))
    except trio.TooSlowError:
        raise TimeoutError from None


@asynccontextmanager
async def _limit(seconds: float) -> AsyncGenerator[None, None]:
    try:
        with trio.fail_after(seconds):
            yield
    except trio.TooSlowError:
        raise TimeoutError from None
