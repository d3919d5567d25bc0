# Objects that live on a portal's loop, for code that is elsewhere: in a plain function
# (`Blocking`), or in a coroutine of asyncio's or trio's (`Awaiting`).
#
# A method is called on the loop. What it returns is awaited there; an async context manager is
# entered and left there; what has async methods itself comes back as such an object, too. So all
# that the drivers have is there without being written a second time, and what a driver learns
# later, too.

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, suppress
from functools import lru_cache
from types import TracebackType
from typing import Any, cast

import trio

from ...actors import ActorRef
from ...actors._lowlevel import LoopThread, inside_trio
from ._portal import Held, Portal, users_part

_END = object()


class Remote:
    """What `Blocking` and `Awaiting` have in common."""

    def __init__(self, portal: Portal, target: Any) -> None:
        self._portal, self._target = portal, target

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._target!r}>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        value = self._portal.call(_Plain(getattr), self._target, name).value
        if inspect.isroutine(value):
            return self._method(value)
        return self._result(value)

    def _method(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            asked = _Plain(method, kwargs)
            value = self._portal.call(asked, *map(_target_of, args)).value
            return self._result(value, _seconds_of(method, args, kwargs))

        call.__name__, call.__doc__ = method.__name__, method.__doc__
        return call

    def _result(self, value: Any, seconds: float = 0.0) -> Any:
        raise NotImplementedError


class Blocking(Remote):
    """An object on the portal's loop, for plain functions: its async methods block."""

    def _result(self, value: Any, seconds: float = 0.0) -> Any:
        __tracebackhide__ = True
        if isinstance(value, AbstractAsyncContextManager):
            return _BlockingManager(self._portal, cast("Any", value), seconds)
        if isinstance(value, Coroutine) or inspect.isawaitable(value):
            return self._result(self._portal.call(_awaited, value, seconds=seconds))
        if isinstance(value, AsyncIterator):
            return self._each(cast("AsyncIterator[Any]", value))
        return Blocking(self._portal, value) if _is_remote(value) else value

    def _each(self, values: AsyncIterator[Any]) -> Iterator[Any]:
        while (value := self._portal.call(_next, values)) is not _END:
            yield self._result(value)


class _Closed:
    """What a method returns that opens something: not open yet."""

    _with = "with"

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"it has no {name!r}, for it is not open yet."
            f" Write `{self._with} server.websocket(...) as client:`, or so."
        )


class _BlockingManager(_Closed):
    def __init__(
        self, portal: Portal, manager: AbstractAsyncContextManager[Any], seconds: float
    ) -> None:
        self._portal, self._seconds = portal, seconds
        self._held = Held(portal, manager)

    def __enter__(self) -> Any:
        __tracebackhide__ = True
        value = self._portal.call(self._held.open, seconds=self._seconds)
        return Blocking(self._portal, value) if _is_remote(value) else value

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        try:
            self._portal.call(self._held.close, seconds=self._seconds)
        except Exception as another:
            if error is None:
                raise
            if another is not error:
                error.add_note(f"and leaving it raised {another!r}")


class Awaiting(Remote):
    """
    An object on the portal's loop, for coroutines on another: its methods are as they are there.

    A method that is no coroutine blocks the caller's loop for a turn of the portal's.
    """

    def _result(self, value: Any, seconds: float = 0.0) -> Any:
        if isinstance(value, AbstractAsyncContextManager):
            return _AwaitingManager(self._portal, cast("Any", value))
        if isinstance(value, Coroutine) or inspect.isawaitable(value):
            return self._awaited(cast("Awaitable[Any]", value))
        if isinstance(value, AsyncIterator):
            return self._each(cast("AsyncIterator[Any]", value))
        return Awaiting(self._portal, value) if _is_remote(value) else value

    async def _awaited(self, value: Awaitable[Any]) -> Any:
        __tracebackhide__ = True
        return self._result(await wait_for(self._portal.submit(_awaited, value)))

    async def _each(self, values: AsyncIterator[Any]) -> AsyncIterator[Any]:
        while (value := await wait_for(self._portal.submit(_next, values))) is not _END:
            yield self._result(value)


class _AwaitingManager(_Closed):
    _with = "async with"

    def __init__(self, portal: Portal, manager: AbstractAsyncContextManager[Any]) -> None:
        self._portal = portal
        self._held = Held(portal, manager)

    async def __aenter__(self) -> Any:
        __tracebackhide__ = True
        value = await wait_for(self._portal.submit(self._held.open))
        return Awaiting(self._portal, value) if _is_remote(value) else value

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        try:
            # Cancelled, it has been told to leave all the same, and does in its own task.
            await wait_for(self._portal.submit(self._held.close))  # noqa: ASYNC102
        except Exception as another:
            if error is None:
                raise
            if another is not error:
                error.add_note(f"and leaving it raised {another!r}")


async def wait_for(future: Future[Any]) -> Any:
    """
    Return the result of *future*, on asyncio or trio. A checkpoint; cancelled, it is, too.
    """
    __tracebackhide__ = True
    try:
        return await _wait_for(future)
    except BaseException as error:
        error.with_traceback(users_part(error.__traceback__))
        raise error from error.__cause__  # noqa: ASYNC104 - the same one


async def _wait_for(future: Future[Any]) -> Any:
    if not inside_trio():
        return await asyncio.wrap_future(future)
    loop, done = LoopThread.current(), trio.Event()

    def tell(_future: object) -> None:
        with suppress(trio.RunFinishedError):  # the caller has been cancelled, and is gone
            loop.call_soon(done.set)

    future.add_done_callback(tell)
    try:
        await done.wait()
    except trio.Cancelled:
        future.cancel()
        raise
    return future.result()


class _Plain:
    """A call whose result is handed over as it is, though it could be awaited."""

    def __init__(self, function: Callable[..., Any], kwargs: dict[str, Any] | None = None) -> None:
        self._function, self._kwargs = function, kwargs or {}
        self.__qualname__ = getattr(function, "__qualname__", repr(function))
        self.value: Any = None

    def __call__(self, *args: Any) -> "_Plain":
        kwargs = {name: _target_of(value) for name, value in self._kwargs.items()}
        self.value = self._function(*args, **kwargs)
        return self


async def _awaited(value: Awaitable[Any]) -> Any:
    __tracebackhide__ = True
    return await value


async def _next(values: AsyncIterator[Any]) -> Any:
    return await anext(values, _END)


def _seconds_of(method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
    """Return the timeout that a call of *method* has, given or by default; 0 without one."""
    try:
        bound = inspect.signature(method).bind(*args, **kwargs)
    except ValueError:  # a builtin that has none
        return 0.0
    bound.apply_defaults()
    seconds = bound.arguments.get("timeout")
    return float(seconds) if isinstance(seconds, (int, float)) else 0.0


def _target_of(value: Any) -> Any:
    return object.__getattribute__(value, "_target") if isinstance(value, Remote) else value


def _is_remote(value: object) -> bool:
    return _has_async_methods(type(value))


@lru_cache(maxsize=256)
def _has_async_methods(kind: type) -> bool:
    """Whether *kind* has async methods, or properties that lead to such."""
    if not kind.__module__.startswith(("greenroom.", "trio.")):
        return False
    return issubclass(kind, ActorRef) or any(
        inspect.iscoroutinefunction(value) or inspect.isasyncgenfunction(value)
        for base in kind.__mro__
        for name, value in vars(base).items()
        if not name.startswith("_")
    )
