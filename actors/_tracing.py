"""What is told of a message while an operator looks: who handled it, how long, how it ended."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._life import Life
    from ._messages import Item
    from ._ports import TracePort


class Told:
    """Follows what is handled, and tells *trace* of it."""

    __slots__ = ("_trace",)

    def __init__(self, trace: TracePort) -> None:
        self._trace = trace

    def around(self, life: Life, item: Item) -> AbstractContextManager[None]:
        """Return a block for the handler of *item*, which is told of at its end."""
        return traced(self._trace, life, item)


@contextmanager
def traced(trace: TracePort, life: Life, item: Item) -> Generator[None, None, None]:
    """Tell *trace* of what runs inside, which handles *item*. What it raises goes through."""
    began, outcome = time.perf_counter(), "ok"
    try:
        yield
    except BaseException as error:
        outcome = type(error).__qualname__
        raise
    finally:
        seconds = time.perf_counter() - began
        trace.handled(life.host.path, life.epoch, item.summary(), seconds, outcome)
