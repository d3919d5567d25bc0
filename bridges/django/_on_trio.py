# Django's own uses of asyncio, and asgiref's, made to work in trio tasks.
#
# What is replaced, each looked up by Django when it is called:
#   asgiref              see bridges/asgiref
#   django.dispatch      receivers that run at the same time: asyncio.TaskGroup in 6.1, in
#                        _run_parallel(); asyncio.gather before, by the module's name `asyncio`
#   django.utils.asyncio the guard of the ORM asks for asyncio's loop only, so that a query in a
#                        trio task would stop the whole loop without a word
#   ASGIHandler.handle   of Django's own handlers, ASGIStaticFilesHandler among them: says on trio
#                        what to use there
#
# In anybody else's hands all four do what they did.

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import copy_context
from functools import partial
from types import ModuleType
from typing import Any

import trio
from django.core.handlers.asgi import ASGIHandler
from django.dispatch import dispatcher
from django.utils import asyncio as guard

from ...actors import current_job
from ...actors._lowlevel import inside_trio
from ...actors._serving import in_context
from ...supervisor import Root
from .. import asgiref
from ..asgiref._context import restore_context
from ._database import database_hooks, in_transaction
from ._settings import load_options

_original_run_parallel: Any = getattr(dispatcher, "_run_parallel", None)
_original_asyncio: Any = getattr(dispatcher, "asyncio", None)
_original_guard: Any = getattr(guard, "get_running_loop")  # noqa: B009 - stubs lack it
_original_handle: Any = getattr(ASGIHandler, "handle")  # noqa: B009

NO_ASYNCIO = (
    "Django's own {name} needs asyncio and can't run on trio. Write django_application(), and for"
    " static files `manage.py runserver`, or whitenoise, or a web server in front."
)


def teach_asgiref() -> None:
    """Install all of it, unless ``GREENROOM["PATCH_ASGIREF"]`` is False. May be called again."""
    asgiref.set_default_flavour(lambda: load_options().async_views)
    asgiref.configure_hops(
        asgiref.HopSettings(
            threads=lambda: load_options().orm_threads,
            spare=lambda: load_options().parked_threads,
            hooks=database_hooks,
            in_transaction=in_transaction,
        )
    )
    if not load_options().patch_asgiref or not asgiref.patch_asgiref():
        return
    if _original_run_parallel is not None:
        _replace(dispatcher, "_run_parallel", _run_parallel)
    elif _original_asyncio is not None:
        _replace(dispatcher, "asyncio", _AsyncioForDispatcher("asyncio"))
    _replace(guard, "get_running_loop", _get_running_loop)
    _replace(ASGIHandler, "handle", _handle)


def unteach_asgiref() -> None:
    """Put back what was there."""
    asgiref.unpatch_asgiref()
    if _original_run_parallel is not None:
        _replace(dispatcher, "_run_parallel", _original_run_parallel)
    if _original_asyncio is not None:
        _replace(dispatcher, "asyncio", _original_asyncio)
    _replace(guard, "get_running_loop", _original_guard)
    _replace(ASGIHandler, "handle", _original_handle)


def _replace(module: object, name: str, value: object) -> None:
    setattr(module, name, value)


@asynccontextmanager
async def hops_of(root: Root) -> AsyncGenerator[None, None]:
    """Have the pool "orm" and the asyncio loop while *root* runs, and in its tree."""
    options = root.options
    async with asgiref.open_hops(
        root.workers,
        threads=options.orm_threads,
        spare=options.parked_threads,
        listed=root.pools,
        timeout=options.shutdown_seconds,
    ):
        yield


def _get_running_loop() -> object:
    if inside_trio() and current_job() is None:  # else a test runs `def` handlers inline
        return "trio"
    return _original_guard()


async def _handle(self: ASGIHandler, *args: Any) -> None:
    if inside_trio():
        raise RuntimeError(NO_ASYNCIO.format(name=type(self).__name__))
    await _original_handle(self, *args)


async def _run_parallel(*coroutines: Awaitable[Any]) -> list[Any]:
    if not inside_trio():
        return await _original_run_parallel(*coroutines)
    context = copy_context()  # one for all of them, as there
    try:
        shared = [partial(in_context, context, partial(_whole, each)) for each in coroutines]
        return await _all(shared)
    finally:
        restore_context(context)


def _whole(coroutine: Awaitable[Any]) -> Awaitable[Any]:
    return coroutine


async def _all(functions: Sequence[Callable[[], Awaitable[Any]]]) -> list[Any]:
    """Await all at the same time. The first that raises cancels the others and is raised."""
    results: list[Any] = [None] * len(functions)
    failed: list[Exception] = []

    async def one(at: int, function: Callable[[], Awaitable[Any]]) -> None:
        try:
            results[at] = await function()
        except Exception as error:  # noqa: BLE001 - raised below, outside of the nursery
            failed.append(error)
            nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        for at, function in enumerate(functions):
            nursery.start_soon(one, at, function)
    if len(failed) > 1:
        raise ExceptionGroup("several receivers raised", failed)
    if failed:
        raise failed[0]
    return results


class _AsyncioForDispatcher(ModuleType):
    """The module asyncio for django.dispatch before 6.1, whose gather() knows trio."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    @staticmethod
    def gather(*coroutines: Awaitable[Any], **options: Any) -> Awaitable[Any]:
        if inside_trio() and not options:
            return _all([partial(_whole, each) for each in coroutines])
        return asyncio.gather(*coroutines, **options)
