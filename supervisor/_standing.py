# How a place with incarnations stands now, as data.

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Standing:
    """How a place stands now, beyond what a snapshot says."""

    uptime: float | None = None
    """Seconds since its incarnation began; None if none runs."""
    restarts: int = 0
    """Restarts that count against its budget now."""
    pause: float | None = None
    """Seconds until it begins again; None if it does not wait for that."""
    end: str | None = None
    """Why it has ended, if it has."""
    busy: float | None = None
    """Seconds since it began what it does now; None if it does nothing."""
    idle: float | None = None
    """Seconds since it has done anything; None if it does something, or no incarnation runs."""
    waited: float | None = None
    """Seconds, at least, for which the next message has waited; None if none does."""
