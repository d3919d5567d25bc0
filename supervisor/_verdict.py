# What a slot does when its incarnation is over. Pure: no trio, no clock.
#
# Intent was judged before (actors/_exits.py); here policy answers it. The budget
# is charged by the caller, on the slot's clock, which stands still during backoff.

from dataclasses import dataclass
from enum import Enum

from ..actors._exits import Exit, ExitKind
from ._intensity import RestartWindow
from ._spec import OnExceeded, Restart


class Next(Enum):
    """What comes after an incarnation."""

    RESTART = "restart"
    PARK = "park"
    END = "end"
    ESCALATE = "escalate"


@dataclass(frozen=True)
class Policy:
    """When a slot restarts, and what it does when it may not."""

    restart: Restart
    on_exceeded: OnExceeded


def decide(exit_: Exit, policy: Policy, window: RestartWindow, alive: float) -> Next:
    """
    Decide what follows *exit_*.

    Args:
        exit_: The end of the incarnation.
        policy: The slot's.
        window: The slot's budget; a restart is charged to it here.
        alive: The slot's seconds of being alive so far.
    """
    if exit_.kind is not ExitKind.CRASHED or exit_.opening:
        return Next.END
    if policy.restart is Restart.TEMPORARY:
        return Next.END
    if window.admit(alive):
        return Next.RESTART
    return {
        OnExceeded.PARK: Next.PARK,
        OnExceeded.STOP: Next.END,
        OnExceeded.ESCALATE: Next.ESCALATE,
    }[policy.on_exceeded]
