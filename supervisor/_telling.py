# Telling listeners of changes, in the order in which they were made.
#
# Called under the lock of what changes: order is worth nothing otherwise. So listeners have to
# be quick. A change that a listener makes is told behind the one it was told of.

import logging
from collections import deque
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_logger = logging.getLogger("greenroom")


class Telling:
    """What is to be told of one table. Under its lock."""

    def __init__(self) -> None:
        self._news: deque[Callable[[], None]] = deque()
        self._telling = False

    def add(self, tell: Callable[[], None]) -> None:
        """Have *tell* called by the next :meth:`all`."""
        self._news.append(tell)

    def all(self) -> None:
        """Call what was added; not within itself: then the outer one does, behind its own."""
        if self._telling:
            return
        self._telling = True
        try:
            while self._news:
                self._news.popleft()()
        finally:
            self._telling = False


def drop(entries: list[list[T]], entry: list[T]) -> None:
    """Take *entry* out, by identity, and empty it: what is on its way to it is not told."""
    entries[:] = [each for each in entries if each is not entry]
    entry.clear()


def call(listener: Callable[[T], object], news: T, whose: str) -> None:
    """Call *listener*, of *whose*; what it raises is logged and goes no further."""
    try:
        listener(news)
    except Exception:
        _logger.exception("a listener of %s failed", whose)
