# What the kernel says of a process that does not answer: whether it is stopped, waits for a disk,
# or spins. Linux only; elsewhere nobody says anything.

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from ._identity import stat_fields

_TICKS = os.sysconf("SC_CLK_TCK")
_SPINS = 0.5  # of one core; on a busy machine it gets no more

_STATES = {
    "R": "running",
    "S": "sleeping",
    "I": "idle",
    "D": "waiting for a disk or the like (D)",
    "T": "stopped (T)",
    "t": "stopped by a debugger (t)",
    "Z": "ended (Z)",
    "X": "ended (X)",
}


@dataclass(frozen=True, slots=True)
class Sight:
    """One look at the main thread of a process, which is the one that runs its loop."""

    state: str
    """The kernel's letter."""
    ticks: int
    """Of the CPU that it has used."""
    at: float
    """By the monotonic clock."""

    @classmethod
    def of(cls, pid: int) -> Sight | None:
        """Look at the process *pid*; None if nothing can be seen."""
        fields = stat_fields(Path(f"/proc/{pid}/task/{pid}/stat"))
        if len(fields) < 13:
            return None
        return cls(fields[0], int(fields[11]) + int(fields[12]), time.monotonic())


def seen_between(before: Sight | None, after: Sight | None) -> dict[str, object]:
    """Return what two looks tell: ``state`` in words, ``cpu`` as a share of one core."""
    if after is None:
        return {}
    seen: dict[str, object] = {"state": _STATES.get(after.state, after.state)}
    if before is not None and after.at - before.at >= 0.1:
        cpu = (after.ticks - before.ticks) / _TICKS / (after.at - before.at)
        seen["cpu"] = round(min(max(cpu, 0.0), 1.0), 2)
    return seen


def in_words(seen: dict[str, object]) -> str:
    """Say what *seen* means for who waits for an answer; "" if it means nothing."""
    state, cpu = seen.get("state"), seen.get("cpu")
    if isinstance(cpu, float) and cpu >= _SPINS:
        return "it uses the CPU all the time: something holds its loop up"
    if isinstance(state, str) and "(" in state:
        return f"the process {'has' if state.startswith('ended') else 'is'} {state}"
    return ""
