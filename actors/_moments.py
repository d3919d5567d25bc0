"""The handlers that run between messages: `after_start`, before the first, and `idle`."""

# OTP's gen_server has both: handle_continue, and a timeout that a callback returns. A class
# that has neither has no Moments, and rests as cheaply as ever: a scope for each rest would
# cost as much as a task switch.
#
# Invariants, each with a test of that name in tests/actors/test_moments.py:
#   ANY MESSAGE   whatever comes into the mailbox begins the silence anew, and a wake-up
#                 for nothing does not.
#   LOSES         what waits in the mailbox is handled first, also with 0 seconds.
#   NO SPINNING   0 seconds are over once in each silence.

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import inf
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from ._life import Life
    from ._loop import Loop


class Moment:
    """What is being handled while no message is: a handler of the class's own, by name."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def summary(self) -> str:
        """Say what it is."""
        return self.name


_AFTER_START, _IDLE = Moment("after_start"), Moment("idle")


class Moments:
    """Runs the handlers between the messages of *life*, which *loop* serves."""

    __slots__ = ("_box", "_life", "_loop")

    def __init__(self, life: Life, loop: Loop) -> None:
        self._life, self._loop = life, loop
        self._box = life.host.mailbox

    async def begin(self) -> Callable[[], Awaitable[None]]:
        """
        Run `after_start`, if there is one and the end is not there; return how to wait.

        A checkpoint as it is.
        """
        special = self._life.table.special
        if "after_start" in special and not self._ends:
            await self._loop.run_moment(_AFTER_START)
        return self._rest if "idle" in special else self._box.parker.park

    async def _rest(self) -> None:
        """
        Wait until something comes; run `idle` for each *idle_seconds* without. A checkpoint.

        A cancellation leaves nothing behind.
        """
        box, seconds = self._box, self._life.actor.idle_seconds
        assert seconds is not None, "refused when the class was made"
        due = trio.current_time() + seconds
        while True:
            box.idle = True
            with trio.CancelScope(deadline=due) as scope:
                await box.parker.park()
            if box.queued or self._ends or self._halts:
                return
            if not scope.cancelled_caught:
                continue  # woken for what was taken already
            await self._loop.run_moment(_IDLE)
            if box.queued or self._ends or self._halts:
                return
            due = trio.current_time() + seconds if seconds else inf

    @property
    def _halts(self) -> bool:
        life = self._life
        if not life.flagged:
            return False
        return life.host.suspended_until is not None or life.host.inquiry() is not None

    @property
    def _ends(self) -> bool:
        return bool(self._box.control) or self._life.failed or self._loop.left is not None


def moments_of(life: Life, loop: Loop) -> Moments | None:
    """Return what runs between *life*'s messages; None where nothing does."""
    special = life.table.special
    return Moments(life, loop) if "after_start" in special or "idle" in special else None
