# What the test's transaction is to its application: what it wrote is there, what is written is
# rolled back with it. See bridges/django/_sharing.py.
#
# The connections of the thread that has opened the transaction are lent. A test on asyncio runs in
# another one where Django's TestCase awaits it: that thread is asked, as the ORM would ask it.
#
# With pytest-asyncio it is the other way round: the transaction is in the test's own thread, and
# what the test asks of the ORM asgiref does in a thread of its own. That is lent them, too.

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from asgiref.sync import SyncToAsync, sync_to_async
from django.db import connections

from ....actors._lowlevel import inside_trio
from ...django._sharing import current_sharing, share_connections

T = TypeVar("T")

_asgiref: Any = SyncToAsync  # whose thread has a type that no other executor is of


class _Shared:
    lock = threading.Lock()
    users = 0
    block: AbstractContextManager[None] | None = None


async def share() -> Callable[[], None]:
    """Lend the test's connections until what is returned is called. A checkpoint on asyncio."""
    if inside_trio():
        _enter()
    elif _without_loop(_has_transaction):
        _without_loop(_enter)
    else:
        await sync_to_async(_enter)()
    return _leave


class _Lent(Executor):
    """asgiref's thread, which has the lent connections for as long as each call takes."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Have *fn* called there."""
        return self.executor.submit(_lent, fn, args, kwargs)


def _lent(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    sharing = current_sharing()
    if sharing is None:
        return function(*args, **kwargs)
    sharing.lend()
    try:
        return function(*args, **kwargs)
    finally:
        sharing.give_back()


def _without_loop(function: Callable[[], T]) -> T:
    """Call *function* as if no asyncio loop ran here: with one Django knows of no connections."""
    loop = asyncio._get_running_loop()  # noqa: SLF001
    asyncio._set_running_loop(None)  # noqa: SLF001
    try:
        return function()
    finally:
        asyncio._set_running_loop(loop)  # noqa: SLF001


def _has_transaction() -> bool:
    return any(each.in_atomic_block for each in connections.all(initialized_only=True))


def _enter() -> None:
    with _Shared.lock:
        if not _Shared.users:
            _Shared.block = share_connections()
            _Shared.block.__enter__()
            if current_sharing() is not None:
                _asgiref.single_thread_executor = _Lent(_asgiref.single_thread_executor)
        _Shared.users += 1


def _leave() -> None:
    with _Shared.lock:
        _Shared.users -= 1
        if not _Shared.users:
            assert _Shared.block is not None
            executor = _asgiref.single_thread_executor
            if isinstance(executor, _Lent):
                _asgiref.single_thread_executor = executor.executor
            _Shared.block.__exit__(None, None, None)
            _Shared.block = None
