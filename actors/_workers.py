"""Who carries out the work of `def` handlers: what an actor and its tree ask of a pool."""

# A port of its own, so that a test may have the work done without threads, where no time
# passes (bridges/testing/_inline.py).

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from ._job import Job
    from ._threads import PoolStatistics

T = TypeVar("T")


class Workers(Protocol):
    """Threads, or whoever stands in for them."""

    @property
    def name(self) -> str:
        """What to call them in the tree."""
        ...

    def submit(self, work: Callable[[], T], *, label: str) -> Job[T]:
        """
        Take *work*, to be done by the time that somebody has waited for the job.

        Until it has begun it can be withdrawn. Raises PoolClosed behind :meth:`aclose`.
        """
        ...

    def who_is_busy(self) -> str:
        """Say what kept a job from beginning. Any thread."""
        ...

    def oldest_jobs(self, most: int = 5) -> list[str]:
        """Say what runs longest and for how long, *most* jobs. Any thread."""
        ...

    def holders(self) -> list[tuple[Job[Any], int]]:
        """Return the jobs that a thread has, the oldest first, each with its ident. Any thread."""
        ...

    def statistics(self) -> PoolStatistics:
        """Return what they do at this moment. Any thread."""
        ...

    async def aclose(self, *, timeout: float) -> None:
        """Refuse new work, and wait *timeout* seconds at most for what is under way."""
        ...
