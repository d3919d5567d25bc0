# How a process leaves its server in its own time: what stands below the tree says so, if it can.
#
# Kept in root.bridged under this class by who serves (bridges/asgi); used by who has a process
# drained (bridges/inspection).

from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WayOut:
    """How the process of one tree ends without a signal, so that nobody takes it for a crash."""

    leave: Callable[[], Awaitable[None]]
    """Has the server take no more connections; with that the tree stops, and the process ends."""
    replaced: bool
    """Whether the server starts another process in its place."""
