# Which requests have waited so long that a client that leaves should be noticed.
#
# To watch for one takes a nursery and a task, a tenth of all that a small request costs, and
# most are over before there is anything to see. So the watch begins only where a request still
# waits, for a thread or for an async view, when two rounds of the lookout are over.

from __future__ import annotations

import trio

from ...actors._lowlevel import Parker
from ._exchange import Exchange

ROUND_SECONDS = 0.02


class Lookout:
    """Calls `look_out` of each exchange that no thread has, one to two rounds after its `add`."""

    def __init__(self) -> None:
        self._new: set[Exchange] = set()
        self._old: set[Exchange] = set()
        self._parker = Parker()
        self._running = self._idle = False

    def add(self, exchange: Exchange) -> None:
        """Keep an eye on *exchange*. Not a checkpoint. Without `run`, its watch begins now."""
        if self._running:
            self._new.add(exchange)
            if self._idle:
                self._idle = False
                self._parker.wake()
        else:
            exchange.look_out()

    def discard(self, exchange: Exchange) -> None:
        """Forget *exchange*. Not a checkpoint."""
        self._new.discard(exchange)
        self._old.discard(exchange)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Make the rounds until cancelled. It sleeps for good while there is nothing to see."""
        self._running = True
        task_status.started()
        try:
            while True:
                self._idle = not (self._new or self._old)
                while self._idle:
                    await self._parker.park()
                await trio.sleep(ROUND_SECONDS)
                self._go_round()
        finally:
            self._running = False

    def _go_round(self) -> None:
        due, self._old, self._new = self._old, self._new, set()
        for exchange in due:
            if exchange.in_thread:
                self._old.add(exchange)  # it may have an async view before it yet
            else:
                exchange.look_out()
