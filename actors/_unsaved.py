"""What is to be saved when the handler that runs now has succeeded, such as its session."""

# As with _run_end.py the loop looks only while the flag is up: who changes nothing pays nothing.
# A handler that raises saves nothing: whoever keeps the change sees that its incarnation is over.

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

import trio

from ._context import current_life, in_background
from ._threads import part_with

if TYPE_CHECKING:
    from ._life import Life
    from ._workers import Workers


class HeldBack:
    """What is to be saved once one of the handlers that run beside each other has succeeded."""

    __slots__ = ("over", "save")

    def __init__(self) -> None:
        self.save: Callable[[], object] | None = None
        self.over = False
        """Whether that handler has ended."""

    def hand_on(self, life: Life) -> None:
        """Have it saved: the handler has succeeded. Loop thread only."""
        if self.save is not None:
            life.unsaved = self.save
            life.flagged = True


held_back: ContextVar[HeldBack | None] = ContextVar("greenroom_held_back", default=None)
"""Set where a handler runs beside the loop, and inherited by the tasks that it starts."""


class HasWorkers(Protocol):
    """Whoever has work done in threads: a slot, and others like it."""

    path: str
    pool: Workers
    shutdown_seconds: float


def save_when_handler_succeeds(save: Callable[[], object]) -> Life | None:
    """
    Have *save* called in a worker thread once the calling handler has succeeded. Any thread.

    Before the actor takes its next message; a second call of one handler is no different. What
    *save* raises is a crash. Called by a background task, it is called soon.

    Returns:
        The incarnation; None, and nothing is called, where none runs.
    """
    life = current_life.get()
    if life is None or life.over:
        return None
    held = held_back.get()
    if held is not None and not held.over:
        held.save = save
        return life
    life.unsaved = save
    life.flagged = True
    life.hop.pausing = True  # of several messages in one job the next one waits for it
    if in_background.get():
        life.host.loop.call_soon(life.host.mailbox.parker.wake)
    return life


async def save_unsaved(life: Life) -> None:
    """Call what is to be called, in a worker thread. A checkpoint if there is something."""
    save, life.unsaved = life.unsaved, None
    if save is not None:
        await in_worker(life.host, save, "what has changed is saved")


async def in_worker(host: HasWorkers, work: Callable[[], Any], what: str) -> Any:
    """
    Return what *work* returns in a worker thread. A checkpoint.

    Cancelled, it waits ``shutdown_seconds`` for work that has begun, then leaves it alone.
    """
    job = host.pool.submit(work, label=f"{host.path} {what}")
    try:
        try:
            await job.wait()
        except trio.Cancelled:
            await part_with(job, host.shutdown_seconds)  # noqa: ASYNC102 - has both inside
            raise
        return job.result()
    finally:
        del job  # an error's traceback holds this frame, and the job holds the error
