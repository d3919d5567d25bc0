# Whose hops share a thread that is kept: a handler's run, an async view, else a task.
#
# asgiref has ThreadSensitiveContext for it, in which everything goes to one thread. Here any
# thread will do, as long as none is kept: a thread for each would be as many threads, or waits,
# as there are sockets.
#
#   handler   from its begin to its end; the next message has a new one
#   view      what `hop_scope()` encloses, also for an async stream
#   task      a background task, or one that a handler or a view has started: its own, unless
#             it was started while a thread was kept, which it then shares

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar

from ...actors._serving import Serving, serving_here
from ._work import Kept


class _Scope:
    """Whose hops share a thread while it is kept."""

    closed = False
    kept: Kept | None = None

    def thread(self) -> Kept | None:
        """Return the thread that is kept."""
        if self.kept is not None and self.kept.ended:
            self.kept = None
        return self.kept

    def close(self) -> None:
        """Give it back, behind what it was given; keep none any more."""
        self.closed = True
        if self.kept is not None:
            self.kept.end()


_scope: ContextVar[_Scope | None] = ContextVar("greenroom_hop_scope", default=None)


@contextmanager
def hop_scope() -> Generator[None, None, None]:
    """Keep no thread beyond this block that a hop inside it has left in a transaction."""
    scope = _Scope()
    token = _scope.set(scope)
    try:
        yield
    finally:
        scope.close()
        if (other := _scope.get()) is not None:  # made inside, since this one was taken
            other.close()
        _scope.reset(token)


def keep(thread: Kept, when_it_ends: Callable[[Callable[[], object]], object]) -> None:
    """Keep *thread* for this scope; made now, for the running code, if there is none."""
    scope = _scope.get()
    # Two tasks that share a scope may each begin a transaction at the same moment.
    if scope is None or scope.closed or scope.thread() is not None:
        scope = _Scope()
        _scope.set(scope)
        when_it_ends(scope.close)
    scope.kept = thread


def thread_of_scope() -> Serving | None:
    """Return the thread that must do what is next, or None: any of the pool. See _hops.py."""
    thread = serving_here()
    if thread is None and (scope := _scope.get()) is not None:
        thread = scope.thread()
    return thread
