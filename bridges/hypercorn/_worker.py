# Hearing at once that hypercorn's worker ends.
#
# hypercorn sets `terminated` in its worker's context when it takes no more connections. It tells
# the application nothing until the last of them has ended; one whose handler will not
# stop would keep the deadline of the whole shutdown from ever beginning. So the event is replaced
# by one that also calls whoever wants to know.
#
# And the nursery of its connections may be cancelled, by the end of the grace that they are given
# or by an error. A connection whose task is shielded, as a consumer's is, has to be told. One
# task for all of them watches for that.

from collections.abc import Callable, Mapping
from typing import Any, cast

import trio
from hypercorn.trio.worker_context import EventWrapper, WorkerContext

from ...actors._lowlevel import Parker, nursery_of_this_task
from ._leaving import worker
from ._state import STATE


class WorkerEnd(EventWrapper):
    """What a worker sets when it takes no more connections."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: set[Callable[[], object]] = set()
        self._shielded: set[Callable[[], object]] = set()
        self._last_has_gone = Parker()
        self._watching = False
        self._cancelled = False

    @classmethod
    def of(cls, context: WorkerContext) -> "WorkerEnd":
        """Return the one of *context*, put in place of hypercorn's own at the first call."""
        end = context.terminated
        if not isinstance(end, cls):
            end = cls()
            if context.terminated.is_set():
                end._event.set()
            cast("Any", context).terminated = end
        return end

    def call(self, function: Callable[[], object]) -> None:
        """Call *function*, which must not raise, at the end: once, however often it is given."""
        if self.is_set():
            function()
        else:
            self._calls.add(function)

    def forget(self, function: Callable[[], object]) -> None:
        """Take back what :meth:`call` was given; nothing if it was not."""
        self._calls.discard(function)

    async def set(self) -> None:
        """Set it, and call all who want to know."""
        await super().set()
        calls, self._calls = self._calls, set()
        for function in calls:
            function()

    def watch(self) -> None:
        """
        Have a task in the nursery of the running one notice that it is cancelled.

        All tasks that call this must be of one nursery, as a worker's connections are. It ends
        with the worker, once nobody has to be told any more.
        """
        if not self._watching:
            self._watching = True
            nursery_of_this_task().start_soon(self._watch, name="greenroom worker watch")

    def on_cancel(self, function: Callable[[], object]) -> None:
        """Call *function*, which must not raise, when that nursery is cancelled, or was."""
        if self._cancelled:  # it was on its way here when that happened
            function()
        self._shielded.add(function)

    def not_on_cancel(self, function: Callable[[], object]) -> None:
        """Take back what :meth:`on_cancel` was given."""
        self._shielded.discard(function)
        if not self._shielded:
            self._last_has_gone.wake()

    async def _watch(self) -> None:
        try:
            await self.wait()
            while self._shielded:
                await self._last_has_gone.park()
        except trio.Cancelled:
            self._cancelled = True
            for function in tuple(self._shielded):
                function()
            raise
        finally:
            self._watching = False


def tell_of_the_end(context: WorkerContext, state: Mapping[str, Any]) -> None:
    """Have the root of the tree in *state*, if there is one, stop when the worker ends."""
    root = state.get(STATE)
    if root is not None:
        WorkerEnd.of(context).call(root.stop)


class KnownContext(WorkerContext):
    """A worker's context that the lifespan of its application finds."""

    def __init__(self, max_requests: int | None) -> None:
        super().__init__(max_requests)
        worker.set(self)
