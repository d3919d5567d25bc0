# The two methods of asgiref that know asyncio, for those who call them from trio.
#
# Who calls decides, each time: a trio task, a task of the side loop, a worker thread of a pool of
# ours. Everybody else gets asgiref's own method, so an asyncio program in the same process does
# not notice.

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
from contextvars import Context, copy_context
from functools import partial
from types import GeneratorType
from typing import Any, cast

import trio
from asgiref.sync import AsyncToSync, SyncToAsync

from ...actors import ThreadPool, current_job
from ...actors._context import current_life
from ...actors._lowlevel import LoopThread, Parker, inside_trio
from ...actors._threads import tell_late
from ._asyncio_hops import hop_of_asyncio
from ._context import alone_in, restore_context
from ._flavour import flavour_of_call, on_asyncio, on_trio
from ._hops import current_hops, hop
from ._scopes import current_scope, take_scope_along
from ._sensitive import executor_of_context
from ._side_loop import side_loop_here
from ._work import Generators

logger = logging.getLogger("greenroom.threads")

original_sync_to_async: Any = getattr(SyncToAsync, "__call__")  # noqa: B004, B009
original_async_to_sync: Any = getattr(AsyncToSync, "__call__")  # noqa: B004, B009

ON_TRIO_THREAD = (
    "async_to_sync() can't wait on trio's thread, which would stand still: await {name}() there,"
    " or call this code in a worker thread."
)


async def sync_to_async(self: SyncToAsync[Any, Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call the function in a thread; what stands for ``SyncToAsync.__call__``."""
    __traceback_hide__ = True
    side_loop = None
    if not inside_trio() and (side_loop := side_loop_here()) is None:
        return await original_sync_to_async(self, *args, **kwargs)
    given: Context | None = getattr(self, "context", None)
    context = copy_context() if given is None else given
    scope = current_scope()
    child = partial(self.func, *args, **kwargs)

    def call() -> Any:
        if given is None:
            return context.run(_in_thread, context, child)
        with alone_in(given):
            return given.run(_in_thread, given, child)

    sensitive: bool = getattr(self, "_thread_sensitive", True)
    executor: Any = executor_of_context() if sensitive else getattr(self, "_executor", None)
    label = _label_of_hop(self.func)
    run: Callable[[], Awaitable[Any]]
    if executor is not None:
        run = partial(_on_executor, executor, call, label)
    else:
        generator = _generator_in(args)
        run = partial(hop, call, label=label, generator=generator, sensitive=sensitive)
        if side_loop is not None and isinstance(side_loop.pool, ThreadPool):
            run = partial(hop_of_asyncio, side_loop, side_loop.pool, *run.args, **run.keywords)
            side_loop = None
    try:
        if side_loop is None:
            return await run()
        return await side_loop.on_trio(run)
    finally:
        if given is None:
            take_scope_along(context, scope)
            restore_context(context)


def _in_thread(context: Context, child: Callable[[], Any]) -> Any:
    restore_context(context)
    return child()


def _generator_in(args: tuple[Any, ...]) -> Generators | None:
    """Return what a hop with *args* reads from, as Django's does for `async for`."""
    return cast("Generators", args[0]) if args and type(args[0]) is GeneratorType else None


def _label_of_hop(function: object) -> str:
    """Name *function*, and the actor whose code has it called."""
    life = current_life.get()
    return _label(function) if life is None else f"{life.host.path} {_label(function)}"


def _label(function: object) -> str:
    inner = function.func if isinstance(function, partial) else function
    return getattr(inner, "__qualname__", None) or type(inner).__qualname__


async def _on_executor(executor: Any, call: Callable[[], Any], label: str) -> Any:
    """Run *call* on the user's own executor. Cancelled, it is waited for if it has begun."""
    loop, parker = LoopThread.current(), Parker()
    future = executor.submit(call)

    def done(_: object) -> None:
        with suppress(trio.RunFinishedError):  # else nobody waits
            loop.call_soon(parker.wake)

    future.add_done_callback(done)
    try:
        while not future.done():
            await parker.park()
    except trio.Cancelled:
        if not future.cancel():
            future.add_done_callback(partial(_tell_late, label))
            with trio.move_on_after(5.0, shield=True):
                while not future.done():
                    await parker.park()
            if not future.done():
                logger.warning(
                    "%s goes on in an executor of its own, though it was cancelled", label
                )
        raise
    return future.result()


def _tell_late(label: str, future: Future[Any]) -> None:
    if not future.cancelled():
        tell_late(label, future.exception())


def async_to_sync(self: AsyncToSync[Any, Any], /, *args: Any, **kwargs: Any) -> Any:
    """Await the function for a thread; what stands for ``AsyncToSync.__call__``."""
    __traceback_hide__ = True
    if inside_trio():
        raise RuntimeError(ON_TRIO_THREAD.format(name=_label(self.awaitable)))
    job = current_job()
    if job is None or self.force_new_loop or asyncio._get_running_loop() is not None:  # noqa: SLF001
        return original_async_to_sync(self, *args, **kwargs)
    context = copy_context()
    handled = sys.exc_info()[1]
    code = partial(_awaited, partial(self.awaitable, *args, **kwargs), context, handled)
    if flavour_of_call(self.awaitable, args) == "asyncio":
        code = on_asyncio(partial(_on_side_loop, code, _label(self.awaitable)))
    else:
        on_trio(code)
    try:
        return job.run_async(code, context=context)
    finally:
        restore_context(context)
        del handled, code


async def _awaited(
    call: Callable[[], Awaitable[Any]], context: Context, handled: BaseException | None
) -> Any:
    restore_context(copy_context())
    if handled is None:
        return await call()
    try:
        raise handled
    except BaseException:  # noqa: BLE001, ASYNC103 - it is handled already
        return await call()  # noqa: ASYNC102, ASYNC104 - so that it is seen in there
    finally:
        del handled


async def _on_side_loop(code: Callable[[], Awaitable[Any]], label: str) -> Any:
    return await current_hops().side_loop.run(code, label=label)
