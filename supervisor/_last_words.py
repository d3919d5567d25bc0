# A slot's last handler, `disconnect` or `stopped`: within its deadline, and with the truth
# told about what kept it from running.
#
# Its seconds count from when it begins. A `def` one may first wait for a worker thread, which is
# not its fault, but bounded too: by the time that the whole tree may take to stop.

from enum import Enum
from typing import TYPE_CHECKING

import trio

from ..actors._exits import Verdict, judge
from ..actors._life import Life
from ..actors._messages import PeerEnd

if TYPE_CHECKING:
    from ._root import Root
    from ._slot import Slot


class Words(Enum):
    """Who says the last words of a slot."""

    OWN = "own"
    """The incarnation that ends."""
    FOR_IT = "for it"
    """One made for it, as nobody lives."""
    SAID = "said"
    """They were said: it stopped, and was to have a successor."""


async def last_words(slot: "Slot", root: "Root", life: Life, item: PeerEnd) -> None:
    """
    Run the last handler of *slot* on *life*; what goes wrong is recorded.

    A checkpoint, if there is such a handler.

    Bounded by ``disconnect_seconds``, and by ``total_shutdown_seconds`` for a thread.
    """
    if slot.actor.ending_handler not in life.table.special:
        return
    seconds, patience = root.options.disconnect_seconds, root.options.total_shutdown_seconds
    begun = False
    scope = trio.CancelScope(deadline=trio.current_time() + patience)

    def begins() -> None:
        nonlocal begun
        begun = True
        scope.deadline = trio.current_time() + seconds

    with scope:
        try:
            await life.close(slot.actor.ending_handler, item, begins)
        except BaseException as error:  # noqa: ASYNC103 - judged below
            verdict = judge(error)
            if verdict is Verdict.FOREIGN and scope.cancel_called:
                raise  # not foreign at all: its deadline
            if verdict in (Verdict.FATAL, Verdict.FOREIGN):
                slot.report(error, "the last handler")
            elif verdict is Verdict.CRASH:
                slot.note("disconnect.failed", exception=error)
            # Disconnected: it sent to a socket that is over, the very case it runs in.
    if scope.cancelled_caught:
        reason = f"it ran longer than {seconds:g} s"
        if not begun:
            reason = f"it did not run: {slot.pool.who_is_busy()} for {patience:g} s"
        slot.note("disconnect.failed", reason=reason)
