# What a slot does when its incarnation is over. Pure: no trio, no clock.
#
# Intent was judged before (actors/_exits.py); here policy answers it. The budget
# is charged by the caller, on the slot's clock, which stands still during backoff.

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from ..actors import Actor
from ..actors._decider import Directive, directive_for
from ..actors._exits import Exit, ExitKind
from ._backoff import Backoff
from ._intensity import RestartWindow
from ._spec import OnExceeded, Restart


class Next(Enum):
    """What comes after an incarnation."""

    RESTART = "restart"
    PARK = "park"
    END = "end"
    ESCALATE = "escalate"


@dataclass(frozen=True, slots=True)
class Order:
    """What comes next, and after how many seconds."""

    next: Next
    seconds: float = 0.0


@dataclass(frozen=True)
class Policy:
    """When a slot restarts, and what it does when it may not."""

    restart: Restart
    on_exceeded: OnExceeded
    backoff: Backoff | None = None
    """Its pauses; None: those of the class, or of the tree."""


def lives_again(exit_: Exit, restart: Restart) -> bool:
    """
    Say whether *exit_* calls for another life, as far as it and the kind of child go.

    A crash does, and as in OTP the end of a permanent child that was not asked for.
    """
    if exit_.kind is ExitKind.CRASHED:
        return restart is not Restart.TEMPORARY and not exit_.opening
    return exit_.kind is ExitKind.STOPPED and exit_.own and restart is Restart.PERMANENT


def policy_of(actor: type[Actor], restart: Restart, on_exceeded: OnExceeded) -> Policy:
    """Return the policy of *actor*'s slot, where it says nothing else."""
    return _policy(getattr(actor, "restart", restart), getattr(actor, "on_exceeded", on_exceeded))


@lru_cache  # a handful of them, for any number of connections
def _policy(restart: str, on_exceeded: str) -> Policy:
    return Policy(Restart(restart), OnExceeded(on_exceeded))


def directive_of(exit_: Exit, supervise: Mapping[type[Exception], str]) -> Directive | None:
    """
    Return what *supervise* says of *exit_*; None also where it is not asked.

    What has ended can't be resumed: of a task or a hook that raised, that is a restart.
    """
    if exit_.kind is not ExitKind.CRASHED or exit_.opening or exit_.error is None:
        return None
    directive = directive_for(supervise, exit_.error)
    return Directive.RESTART if directive is Directive.RESUME else directive


def decide(
    exit_: Exit,
    policy: Policy,
    window: RestartWindow,
    alive: float,
    directive: Directive | None = None,
) -> Next:
    """
    Decide what follows *exit_*.

    Args:
        exit_: The end of the incarnation.
        policy: The slot's.
        window: The slot's budget; a restart is charged to it here.
        alive: The slot's seconds of being alive so far.
        directive: What the actor's class says of the error, see :func:`directive_of`.
    """
    if directive is Directive.STOP:
        return Next.END
    if directive is Directive.ESCALATE:
        return Next.ESCALATE
    if not lives_again(exit_, policy.restart):
        return Next.END
    if window.admit(alive):
        return Next.RESTART
    return {
        OnExceeded.PARK: Next.PARK,
        OnExceeded.STOP: Next.END,
        OnExceeded.CLOSE: Next.END,
        OnExceeded.ESCALATE: Next.ESCALATE,
    }[policy.on_exceeded]
