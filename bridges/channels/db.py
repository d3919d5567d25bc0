# Sync code that uses the database, called from async code, as Channels has it.
#
# On trio it runs in the threads that stand behind sync_to_async there (bridges/asgiref). The
# connections of that thread are looked at before and after, as in Channels, though those threads
# keep theirs in order by themselves.
#
# One that is inside a transaction is left alone, which is better than there: it may be a test's,
# lent to this thread, or one that sync code around us has begun in the same thread.

import functools
from typing import Any

from asgiref.sync import SyncToAsync, sync_to_async
from django.db import connections

from ...actors._lowlevel import inside_trio
from ..asgiref import is_patched
from ..django._on_trio import teach_asgiref


def ready_for_trio() -> None:
    """See to it that asgiref knows trio, where nobody has seen to it yet: in a test, mostly."""
    if inside_trio() and not is_patched():
        teach_asgiref()


def close_old_connections() -> None:
    """Close the calling thread's connections that are past their time, outside of transactions."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()


class DatabaseSyncToAsync(SyncToAsync[Any, Any]):
    """``sync_to_async`` for code that uses the database: old connections are closed around it."""

    def __init__(self, func: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(func, *args, **kwargs)
        self.func: Any = _between_closing(func)

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function in a worker thread. A checkpoint."""
        ready_for_trio()
        return await super().__call__(*args, **kwargs)


def _between_closing(function: Any) -> Any:
    @functools.wraps(function, updated=())
    def closing(*args: Any, **kwargs: Any) -> Any:
        close_old_connections()
        try:
            return function(*args, **kwargs)
        finally:
            close_old_connections()

    return closing


database_sync_to_async: Any = DatabaseSyncToAsync
"""A decorator, also of methods, or called with the function."""


async def aclose_old_connections() -> None:
    """Close the connections of this task's thread that are past their time. A checkpoint."""
    ready_for_trio()
    await sync_to_async(close_old_connections)()
