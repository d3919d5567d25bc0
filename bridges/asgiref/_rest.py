# Whether the asyncio loops beside trio are at rest, for a clock that stands still while they work.
#
# A loop is asked for nothing: it notes when it begins to wait for the next event, and when it has
# one. Only where trio's clock is one for tests; elsewhere nobody wants to know.

import asyncio
from collections.abc import Callable, Sized
from contextlib import suppress
from typing import Any


class _Rest:
    """What one loop is doing."""

    def __init__(self, loop: Any) -> None:
        self.waits = False
        self._ready: Sized = getattr(loop, "_ready", ())

    @property
    def busy(self) -> bool:
        """Whether it runs something, or was told to and has not begun yet."""
        return not self.waits or len(self._ready) > 0


_watched: list[_Rest] = []


def watch(loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
    """
    Note from now on when *loop* waits; call this before it runs, and what it returns at its end.

    A kind of loop without a selector is let be.
    """
    selector: Any = getattr(loop, "_selector", None)
    select: Callable[..., Any] | None = getattr(selector, "select", None)
    if select is None:
        return _nothing
    rest = _Rest(loop)

    def noted(timeout: float | None = None) -> Any:
        rest.waits = timeout != 0
        try:
            return select(timeout)
        finally:
            rest.waits = False

    def end() -> None:
        with suppress(ValueError):  # it was called before
            _watched.remove(rest)
        if "select" in vars(selector):
            del selector.select  # else the two would hold each other

    selector.select = noted
    _watched.append(rest)
    return end


def side_loops_busy() -> bool:
    """Whether one of the loops that are watched has something to do. Any thread."""
    return any(rest.busy for rest in list(_watched))


def _nothing() -> None:
    """Do nothing."""
