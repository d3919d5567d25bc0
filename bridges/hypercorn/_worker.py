# Hearing at once that hypercorn's worker ends.
#
# hypercorn sets `terminated` in its worker's context when it takes no more connections. It tells
# the application nothing until the last of them has ended; one whose handler will not
# stop would keep the deadline of the whole shutdown from ever beginning. So the event is replaced
# by one that also calls whoever wants to know.

from collections.abc import Callable
from typing import Any, cast

from hypercorn.trio.worker_context import EventWrapper, WorkerContext

STATE = "greenroom.root"
"""The key of the root in ``scope["state"]``, and so in the state of a worker."""


class WorkerEnd(EventWrapper):
    """What a worker sets when it takes no more connections."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: set[Callable[[], object]] = set()

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
