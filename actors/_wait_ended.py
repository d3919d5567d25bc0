"""Waiting for the end of a slot, outside of actors: on trio, and in worker threads."""

# An actor has monitors, and goes on with its mail meanwhile; a view or a test just waits.

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import trio

from ._batch import wait_in_thread
from ._errors import StillAlive

if TYPE_CHECKING:
    from ._monitors import Down, Restarted
    from ._ports import Target


class _Waiter:
    """What is told of the end in an actor's stead."""

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self.down: Down | None = None

    def ended(self, down: Down) -> None:
        """Wake who waits."""
        self.down = down
        self._wake()

    def restarted(self, news: Restarted) -> None:
        """Wait on: the reference stands."""


async def wait_ended(target: Target, seconds: float) -> Down:
    """Wait on trio for the end of *target*. Always a checkpoint."""
    event = trio.Event()
    waiter = _Waiter(event.set)
    target.monitors.watch(target, waiter)
    try:
        with trio.move_on_after(seconds):
            await event.wait()
    finally:
        target.monitors.unwatch(target, waiter)
    if waiter.down is None:
        raise StillAlive(target.path, seconds)
    return waiter.down


def wait_ended_in_thread(target: Target, seconds: float) -> Down:
    """Wait for the end of *target* in a worker thread, whose place in its pool is free."""
    until = time.monotonic() + seconds
    event = threading.Event()
    waiter = _Waiter(event.set)
    target.monitors.watch(target, waiter)
    try:
        left = until - time.monotonic()
        wait_in_thread(event, min(left, threading.TIMEOUT_MAX))
    finally:
        target.monitors.unwatch(target, waiter)
    if waiter.down is None:
        raise StillAlive(target.path, seconds)
    return waiter.down
