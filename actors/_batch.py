"""Work of an incarnation in a worker thread: a run of messages, one job."""

# Messages that wait go to the thread together, because a hop costs more than
# most handlers. What makes that safe is `begin`: the thread asks under a lock
# before each message, so that at any moment it is certain which messages were
# begun (consumed) and which go back to the mailbox.

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from ._context import current_batch
from ._errors import Stale
from ._job import current_job


class Batch:
    """A run of steps for one thread; told to stop, it begins no further step."""

    def __init__(
        self,
        path: str,
        epoch: int,
        steps: list[Callable[[], Any]],
        *,
        seconds: float,
        pause: Callable[[], object],
    ) -> None:
        self.path = path
        self.epoch = epoch
        self._steps = steps
        self._seconds = seconds
        self._pause = pause
        self._lock = threading.Lock()
        self._interrupts: set[threading.Event] = set()
        self.several = len(steps) > 1
        self.begun = 0  # how many steps were begun
        self.told = False
        self.value: Any = None  # of the last step

    @property
    def waiting(self) -> int:
        """How many steps wait behind the one that runs, or that waits for a thread. Any thread."""
        return len(self._steps) - max(self.begun, 1)

    def work(self) -> None:
        """Run the steps in order. Worker thread only."""
        current_batch.set(self)  # the job has a context of its own
        until = time.monotonic() + self._seconds
        for step in self._steps:
            if self.begun and (self._pause() or time.monotonic() > until):
                return
            if not self._begin():
                return
            self.value = step()

    def tell(self) -> None:
        """Have the thread stop: no further step, and its next ``self.*`` is Stale."""
        with self._lock:
            self.told = True
            interrupts = tuple(self._interrupts)
        for interrupt in interrupts:
            interrupt.set()

    def _begin(self) -> bool:
        with self._lock:
            if not self.told:
                self.begun += 1
            return not self.told

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait in the thread for *event*; False after *seconds*; Stale once told."""
        with self._lock:
            if self.told:
                raise Stale(self.path, self.epoch)
            self._interrupts.add(event)
        try:
            came = event.wait(max(0.0, seconds))
        finally:
            with self._lock:
                self._interrupts.discard(event)
        if self.told:
            raise Stale(self.path, self.epoch)
        return came


def wait_in_thread(event: threading.Event, seconds: float) -> bool:
    """
    Wait in a worker thread, whose place in its pool is free meanwhile.

    Raises:
        Stale: The work that this thread does was told to stop.
    """
    batch, job = current_batch.get(), current_job()
    if job is not None:
        with job.parked(event.is_set):
            return batch.wait(event, seconds) if batch else event.wait(max(0.0, seconds))
    return batch.wait(event, seconds) if batch else event.wait(max(0.0, seconds))
