# Putting our methods in the place of asgiref's, if it is an asgiref that they know.
#
# Known means: what they use of it is there, and a self-test (_self_test.py), run once a process
# with them in place, has come to its end. Meanwhile and afterwards nobody else notices.

from __future__ import annotations

import inspect
import logging

from asgiref import sync as _sync
from asgiref.sync import AsyncToSync, SyncToAsync, ThreadSensitiveContext

from . import _patch, _sensitive
from ._self_test import trouble_on_trio

logger = logging.getLogger("greenroom.django")

_WANTED = {
    SyncToAsync: ("func", "_thread_sensitive", "_executor"),
    AsyncToSync: ("awaitable", "force_new_loop"),
    ThreadSensitiveContext: ("token",),
}


class _Tested:
    trouble: str | None = None  # not tested yet


def patch_problem() -> str:
    """Say why the installed asgiref can't be taught trio; empty if it can, so far as is known."""
    return _unknown() or _Tested.trouble or ""


def _unknown() -> str:
    if not callable(getattr(_sync, "_restore_context", None)):
        return "asgiref.sync has no _restore_context()"
    if not inspect.iscoroutinefunction(_patch.original_sync_to_async):
        return "asgiref's SyncToAsync.__call__ is no coroutine function"
    if inspect.iscoroutinefunction(_patch.original_async_to_sync):
        return "asgiref's AsyncToSync.__call__ is a coroutine function"
    if not hasattr(SyncToAsync, "thread_sensitive_context"):
        return "asgiref's SyncToAsync has no attribute thread_sensitive_context"
    samples = (SyncToAsync(patch_problem), AsyncToSync(_sample), ThreadSensitiveContext())
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
        False with an asgiref that is not known, which is logged; else True.
    """
    if is_patched():
        return True
    if not patch_problem():
        _set(ours=True)
        if _Tested.trouble is None:
            _Tested.trouble = trouble_on_trio()
    if trouble := patch_problem():
        unpatch_asgiref()
        logger.warning("Django's async functions will not work on trio: %s", trouble)
        return False
    return True


def unpatch_asgiref() -> None:
    """Put asgiref's own methods back."""
    _set(ours=False)


def is_patched() -> bool:
    """Whether ours are in place."""
    return vars(SyncToAsync)["__call__"] is _patch.sync_to_async


def _set(ours: bool) -> None:
    for owner, name, original, replacement in (
        (SyncToAsync, "__call__", _patch.original_sync_to_async, _patch.sync_to_async),
        (AsyncToSync, "__call__", _patch.original_async_to_sync, _patch.async_to_sync),
        (ThreadSensitiveContext, "__aenter__", _sensitive.original_enter, _sensitive.enter),
        (ThreadSensitiveContext, "__aexit__", _sensitive.original_exit, _sensitive.leave),
    ):
        setattr(owner, name, replacement if ours else original)
