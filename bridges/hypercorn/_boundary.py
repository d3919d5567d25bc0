# What an application raises ends its own connection and nothing else.
#
# Invariants, each with a test of that name in tests/bridges/hypercorn/test_boundary.py:
#   HOLDS      every Exception, and what is none but for the server's own cancellation.
#   NO FAULT   that the peer is gone, which our own send has raised, is nobody's fault.

from math import inf
from types import TracebackType
from typing import cast

import trio

from ._http import PeerGone


class Boundary:
    """A context manager around an application. An object: a coroutine takes five times as much."""

    __slots__ = ("failed",)

    def __init__(self) -> None:
        self.failed: BaseException | None = None
        """What the application has raised."""

    def __enter__(self) -> "Boundary":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        """Hold *error* back, unless it is the cancellation of the server's own."""
        if error is None or _is_only_of_peers(error):
            return True
        if not isinstance(error, Exception) and trio.current_effective_deadline() == -inf:
            return False  # others have to end, too
        self.failed = error
        return True


def _is_only_of_peers(error: BaseException) -> bool:
    """Whether *error* says that the peer is gone, if need be in a nursery's group."""
    if isinstance(error, BaseExceptionGroup):
        return cast("BaseExceptionGroup[BaseException]", error).split(PeerGone)[1] is None
    return isinstance(error, PeerGone)
