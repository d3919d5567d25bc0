# Putting our two methods in the place of asgiref's, if it is an asgiref that they know.

from __future__ import annotations

import inspect
import logging

from asgiref import sync as _sync
from asgiref.sync import AsyncToSync, SyncToAsync

from . import _patch

logger = logging.getLogger("greenroom.django")

_WANTED = {
    SyncToAsync: ("func", "_thread_sensitive", "_executor"),
    AsyncToSync: ("awaitable", "force_new_loop"),
}


def patch_problem() -> str:
    """Say why the installed asgiref can't be taught trio; empty if it can."""
    if not callable(getattr(_sync, "_restore_context", None)):
        return "asgiref.sync has no _restore_context()"
    if not inspect.iscoroutinefunction(_patch.original_sync_to_async):
        return "asgiref's SyncToAsync.__call__ is no coroutine function"
    if inspect.iscoroutinefunction(_patch.original_async_to_sync):
        return "asgiref's AsyncToSync.__call__ is a coroutine function"
    samples = (SyncToAsync(patch_problem), AsyncToSync(_sample))
    for sample in samples:
        for name in _WANTED[type(sample)]:
            if not hasattr(sample, name):
                return f"asgiref's {type(sample).__name__} has no attribute {name}"
    return ""


async def _sample() -> None:
    """Do nothing."""


def patch_asgiref() -> bool:
    """
    Let `sync_to_async` and `async_to_sync` work on trio, too. May be called again.

    Returns:
        Whether they do; not with an asgiref that is not known, which is logged.
    """
    if is_patched():
        return True
    if trouble := patch_problem():
        logger.warning("Django's async functions will not work on trio: %s", trouble)
        return False
    _set(_patch.sync_to_async, _patch.async_to_sync)
    return True


def unpatch_asgiref() -> None:
    """Put asgiref's own methods back."""
    _set(_patch.original_sync_to_async, _patch.original_async_to_sync)


def is_patched() -> bool:
    """Whether ours are in place."""
    return vars(SyncToAsync)["__call__"] is _patch.sync_to_async


def _set(sync_to_async: object, async_to_sync: object) -> None:
    for owner, method in ((SyncToAsync, sync_to_async), (AsyncToSync, async_to_sync)):
        setattr(owner, "__call__", method)  # noqa: B010 - its type is asgiref's own
