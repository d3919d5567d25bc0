"""What others see of one incarnation: what it does now, and what it has set going."""

# Loop thread only, all of it. Only what is asked for is looked for: an incarnation that nobody
# looks at keeps nothing for this but when it began what it does.

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ._life import Life
    from ._monitors import Monitor
    from ._timers import Timer


class Pending(NamedTuple):
    """A timer that is set."""

    timer: Timer
    due: float
    """When, on trio's clock; in the past, if its tick waits in the mailbox."""


def facts_of(life: Life) -> dict[str, object]:
    """Return details for the tree, by name: what *life* does now."""
    facts = {"handling": life.busy_with, "calls": life.calls, "tasks": [*life.tasks.names()]}
    deferred = life.deferred
    if deferred is not None:
        facts |= {"deferred": len(deferred), "owed": len(deferred.outstanding or ())}
    if life.beside is not None:
        facts |= life.beside.facts()
    return {name: fact for name, fact in facts.items() if fact}


def busy_since(life: Life) -> float | None:
    """
    Return since when *life* does what it has done longest, on the clock of `perf_counter`.

    None if it does nothing. What waits for a thread is busy from when it began to wait.
    """
    beside = None if life.beside is None else life.beside.since
    if not life.busy_with:
        return beside
    return life.since if beside is None else min(life.since, beside)


def where_of(life: Life) -> str:
    """Return what *life* waits for in what it does, or which thread does it; "" if neither."""
    if life.calls:
        return f"waits for {life.calls}"
    thread = life.hop.thread
    if thread is None:
        return ""
    return f"in {thread}" if thread else "waits for a thread"


def timers_of(life: Life, most: int) -> list[Pending]:
    """Return the timers of *life*, *most* of them, the next due first."""
    if life.tasks.ended:  # they have ended with it
        return []
    return [Pending(timer, due) for due, timer in life.tasks.timers(most)]


def monitors_of(life: Life) -> list[Monitor]:
    """Return the monitors that *life* has begun, in that order."""
    return life.tasks.monitors()
