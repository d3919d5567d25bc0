"""What is to be put away when the handler that runs now has ended."""

# For whoever lends a handler something for as long as it runs, such as a thread that is in the
# midst of a transaction (bridges/asgiref). Between two messages the loop looks only while the
# flag is up, so a handler that leaves nothing behind costs nothing.

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ._context import current_life, in_background
from ._lowlevel import this_task

if TYPE_CHECKING:
    from ._life import Life


def call_when_handler_ends(function: Callable[[], object]) -> bool:
    """
    Have *function*, which must not raise, called when the calling handler has ended.

    Returns:
        False, and nothing is called, where no handler runs in this very task: in a background
        task, in a task that a handler has started, or outside of any actor.
    """
    life = current_life.get()
    if life is None or in_background.get() or life.task is not this_task():
        return False
    life.leftovers += (function,)
    life.flagged = True
    return True


def put_away(life: Life) -> None:
    """Call what the handler has left to be called; none runs now. Loop thread only."""
    while life.leftovers:
        leftovers, life.leftovers = life.leftovers, ()
        for function in leftovers:
            function()
