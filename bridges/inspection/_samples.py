# The last minute of a process, for a small chart: taken only while somebody looks.
#
# Who asks for it has it begin, and it ends a minute after the last question. Its task belongs to
# the tree and ends with it.
#
# Invariants, each with a test of that name in tests/bridges/inspection/test_ask_process.py:
#   UNSEEN   nobody looks: there is no task, and nothing is kept.
#   ENDS     when the tree begins to stop, and not at its deadline.

from collections import deque
from collections.abc import Mapping
from contextvars import Context
from typing import Any

import trio

from ...supervisor import Root
from ._memory import resident_bytes

EVERY = 1.0
"""Seconds between two samples."""
KEPT = 60
"""Samples that are kept."""
UNSEEN_SECONDS = 60.0
"""How long they are taken when nobody asks any more."""
_RATES: Mapping[str, tuple[str, ...]] = {
    "restarts": ("slot.restarted",),
    "crashes": ("slot.crashed", "slot.fatal"),
    "opened": ("connection.opened",),
    "closed": ("connection.closed",),
    "letters": ("message.dead_letter",),
    "overflows": ("mailbox.overflow",),
}
"""Of which kinds of event a sample tells how many there were in a second. They are counted anyhow;
a sample reads the counters."""
COLUMNS = ("at", "lag", "rss", "connections", "events", *_RATES, "busy", "waiting")
"""What each sample has: seconds before the answer, negative; seconds that the loop was late; bytes;
how many are open; events in a second, and those of some kinds; jobs that have a thread, and those
that wait for one, of all pools. Columns are added at the end, and found by their names."""


class Samples:
    """
    The samples of one tree. Loop thread only.

    Args:
        root: The tree.
    """

    def __init__(self, root: Root) -> None:
        self._root = root
        self._kept: deque[tuple[float, ...]] = deque(maxlen=KEPT)
        self._wanted_until = 0.0
        self._running = False

    @classmethod
    def of(cls, root: Root) -> "Samples":
        """Return those of *root*, always the same ones."""
        samples = root.bridged.get(cls)
        if samples is None:
            samples = root.bridged[cls] = cls(root)
        return samples

    @property
    def running(self) -> bool:
        """Whether they are being taken."""
        return self._running

    def read(self) -> list[list[Any]]:
        """Return what there is, the oldest first, and have it taken for another while."""
        now, tasks = trio.current_time(), self._root.tasks
        self._wanted_until = now + UNSEEN_SECONDS
        if not self._running and tasks is not None and not self._root.ending.is_set():
            self._running = True
            # In no context: that of who asks must not live on in it.
            Context().run(tasks.start_soon, self._take, "greenroom inspection")
        return [[round(at - now, 3), *rest] for at, *rest in self._kept]

    async def _take(self, _name: str) -> None:
        try:
            counts = self._counts()
            while trio.current_time() < self._wanted_until:
                due = trio.current_time() + EVERY
                with trio.move_on_at(due):
                    await self._root.ending.wait()
                    return
                before, counts = counts, self._counts()
                self._add(trio.current_time() - due, before, counts)
        finally:
            self._running = False
            self._kept.clear()

    def _add(self, late: float, before: tuple[int, ...], now: tuple[int, ...]) -> None:
        seconds = EVERY + late
        pools = [pool.statistics() for pool in self._root.pools]
        self._kept.append((
            trio.current_time(),
            round(max(late, 0.0), 4),
            resident_bytes() or 0,
            self._root.connections.open,
            *(round((new - old) / seconds, 2) for new, old in zip(now, before, strict=True)),
            sum(each.running for each in pools),
            sum(each.queued for each in pools),
        ))  # fmt: skip

    def _counts(self) -> tuple[int, ...]:
        """Return how many events there were from the beginning, and how many of some kinds."""
        counts = self._root.events.counts()
        rates = (sum(counts[kind] for kind in kinds) for kinds in _RATES.values())
        return sum(counts.values()), *rates
