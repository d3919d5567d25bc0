"""What is told of a message while an operator looks: who handled it, how long, how it ended."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ._life import Life
    from ._messages import Item


class Told(Protocol):
    """Where an operator looks at what is handled. Any thread, never raises."""

    def handled(self, path: str, epoch: int, message: str, seconds: float, outcome: str) -> None:
        """Tell of a message that was handled."""
        ...


@contextmanager
def traced(trace: Told, life: Life, item: Item) -> Generator[None, None, None]:
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
