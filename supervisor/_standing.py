# How a place stands now, as data, beyond what a snapshot says.

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._tree import CrashReport


@dataclass(frozen=True, slots=True)
class Left:
    """How an incarnation has ended."""

    reason: str
    """In words."""
    at: float
    """When, in unix seconds."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a place stands now."""

    unwell: str = ""
    """What is wrong with it, in a word or two; "" if nothing is."""
    uptime: float | None = None
    """Seconds since its incarnation began; None if none runs."""
    restarts: int = 0
    """Restarts that count against its budget now."""
    restarts_left: int | None = None
    """Restarts that are covered yet, of a supervisor; None for no limit. A slot says it itself."""
    restarted: float | None = None
    """Seconds since it last began anew; None if it never did."""
    pause: float | None = None
    """Seconds until it begins again; None if it does not wait for that."""
    end: str | None = None
    """Why it has ended, if it has."""
    left: Left | None = None
    """How it ended last: it for good, or its last incarnation; None if none has ended."""
    crash: "CrashReport | None" = None
    """Its last crash, as a rule without its traceback."""
    busy: float | None = None
    """Seconds since it began what it does now; None if it does nothing."""
    idle: float | None = None
    """Seconds since it has done anything; None if it does something, or no incarnation runs."""
    where: str = ""
    """What it waits for in that: another actor, a thread; "" if nobody knows."""
    age: float | None = None
    """Seconds, at least, for which the next item of its mailbox has waited; None if none does."""
