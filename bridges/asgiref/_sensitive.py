# asgiref's ThreadSensitiveContext on trio: all thread-sensitive hops inside it share one thread.
#
# For what belongs to a thread and is no transaction: a lock of the database's session, a temporary
# table, a library that keeps things in threading.local. The thread is one of the pool's; it gives
# its place away while it waits for the next hop. With an executor of one's own (asgiref 3.13) it is
# that executor's thread.

from __future__ import annotations

from concurrent.futures import Executor
from typing import Any
from weakref import WeakKeyDictionary

from asgiref.sync import SyncToAsync, ThreadSensitiveContext

from ...actors import ThreadPool, current_job
from ...actors._lowlevel import LoopThread, inside_trio
from ...actors._serving import Serving, serving_here
from ._side_loop import side_loop_here
from ._work import Kept

original_enter: Any = getattr(ThreadSensitiveContext, "__aenter__")  # noqa: B009
original_exit: Any = getattr(ThreadSensitiveContext, "__aexit__")  # noqa: B009

EXITED = (
    "ThreadSensitiveContext has exited. Tasks created inside a context with an executor must"
    " finish before it exits."
)


class _Entered:
    """What is known of a context that was entered on trio, or on the loop beside it."""

    def __init__(self) -> None:
        self.serving = serving_here()
        """What served the code around it."""
        self.kept: Kept | None = None


_entered: WeakKeyDictionary[Any, _Entered] = WeakKeyDictionary()


async def enter(self: ThreadSensitiveContext) -> ThreadSensitiveContext:
    """Enter; what stands for ``ThreadSensitiveContext.__aenter__``."""
    await original_enter(self)
    if self.token and (inside_trio() or side_loop_here() is not None):
        _entered[self] = _Entered()
    return self


async def leave(self: ThreadSensitiveContext, exc: Any, value: Any, tb: Any) -> None:
    """Give the thread back; what stands for ``ThreadSensitiveContext.__aexit__``."""
    entered = _entered.pop(self, None)
    if entered is not None and entered.kept is not None:
        entered.kept.end()
    await original_exit(self, exc, value, tb)


def executor_of_context() -> Executor | None:
    """
    Return the executor of the context that this code is in; None if it has none of its own.

    Raises:
        RuntimeError: The context has one, and has exited.
    """
    context: Any = SyncToAsync.thread_sensitive_context.get(None)
    if context is None:
        return None
    serving = serving_here()
    if getattr(context, "_exited", False) and serving is None:
        raise RuntimeError(EXITED)
    entered = _entered.get(context)
    if entered is None or serving is not entered.serving:  # inside it, a thread serves anew
        return None
    return SyncToAsync.context_to_thread_executor.get(context)


def thread_of_context(pool: ThreadPool, loop: LoopThread) -> Serving | None:
    """Return the thread of the context that this code is in, taken now from *pool*; or None."""
    context: Any = SyncToAsync.thread_sensitive_context.get(None)
    entered = _entered.get(context) if context is not None else None
    if entered is None:
        return None
    if entered.kept is None:
        kept = Kept(loop, f"{pool.name}, for a ThreadSensitiveContext")
        job = pool.new_job(lambda: _serve(kept), loop, label="a ThreadSensitiveContext")
        job.on_end = kept.end
        pool.submit_from_thread(job)
        entered.kept = kept  # only now: what it is given without a thread nobody would do
    return entered.kept


def _serve(kept: Kept) -> None:
    job = current_job()
    assert job is not None
    with job.parked(kept.has_work):
        kept.serve()
