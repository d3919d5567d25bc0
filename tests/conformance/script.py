# What members of a tree do in a scenario, whatever library runs them. Knows none.

from __future__ import annotations

import gc
import math
import os
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import trio


class Journal:
    """
    What happened, in order, a line each; and what is to fail.

    Args:
        style: How members are written: "async" functions, or plain ("def") ones that run inline.
            In "threads" plain ones have threads.
    """

    def __init__(self, style: str = "async") -> None:
        self.style = style
        self.lines: list[str] = []
        self.when: list[float] = []
        """When each line was written, on trio's clock; nan in a thread."""
        self.fails: dict[str, list[bool]] = {}
        self.hangs: dict[str, int] = {}
        self.declines: dict[str, set[int]] = {}
        self.made: list[weakref.ref[Any]] = []
        """Each member that was made, as an object."""
        self.blind = False
        """Whether a member that is to describe its state can't."""
        self.down = False
        """Whether what everybody needs, a database say, is away."""
        self.gate = threading.Event()
        """What a member in a thread waits for when it is told to block."""

    def write(self, line: str) -> None:
        """Add *line*."""
        self.lines.append(line)
        self.when.append(trio.current_time() if trio.lowlevel.in_trio_run() else math.nan)

    def since(self, mark: int) -> list[str]:
        """Return what was written behind the first *mark* lines."""
        return self.lines[mark:]

    def moments(self, line: str) -> list[float]:
        """Return when *line* was written, each time."""
        return [when for when, each in zip(self.when, self.lines, strict=True) if each == line]

    def living(self) -> int:
        """Return how many of the members that were made are still held by anything."""
        gc.collect()
        return sum(ref() is not None for ref in self.made)

    def hang(self, name: str, times: int) -> None:
        """Have the next *times* starts of *name*, which was made with `waits`, never return."""
        self.hangs[name] = times

    def fail(self, name: str, *starts: bool) -> None:
        """Have the next starts of *name* fail where *starts* is True."""
        self.fails[name] = list(starts)

    def decline(self, name: str, *epochs: int) -> None:
        """Have *name* decline to start as one of these incarnations."""
        self.declines[name] = set(epochs)


class Script:
    """
    What one member does at its start and end.

    Args:
        slow: Seconds that its start takes.
        stubborn: Seconds that its end takes.
        waits: Whether its start may hang.
        broken: Whether it can't even be made.
        brief: Whether it has done everything once it has started.
    """

    def __init__(
        self,
        journal: Journal,
        name: str,
        *,
        slow: float = 0.0,
        stubborn: float = 0.0,
        waits: bool = False,
        broken: bool = False,
        brief: bool = False,
    ) -> None:
        self.journal, self.name = journal, name
        self.broken, self.brief = broken, brief
        self.slow, self.stubborn, self.waits = slow, stubborn, waits

    def make(self) -> None:
        """Be made: the very first that happens."""
        if self.broken:
            raise LookupError("no such thing")

    @property
    def takes_time(self) -> bool:
        """Whether its start or its end may wait, which plain functions can't on this clock."""
        return self.waits or self.slow > 0 or self.stubborn > 0

    async def take_time_to_begin(self) -> None:
        """Wait as long as a start takes."""
        if self.slow:
            await trio.sleep(self.slow)
        if self.journal.hangs.get(self.name):
            self.journal.hangs[self.name] -= 1
            await trio.sleep_forever()

    async def take_time_to_end(self) -> None:
        """Wait as long as an end takes."""
        if self.stubborn:
            await trio.sleep(self.stubborn)

    def begin(self, epoch: int) -> bool:
        """Begin, and write it down; False for a member that declines."""
        if epoch in self.journal.declines.get(self.name, ()):
            self.journal.write(f"no {self.name}")
            return False
        fails = self.journal.fails.get(self.name)
        if fails and fails.pop(0):
            raise OSError(f"{self.name} can't start")
        self.journal.write(f"+{self.name}")
        return True

    def end(self) -> None:
        """Write the end down."""
        self.journal.write(f"-{self.name}")


async def settle(condition: Callable[[], object]) -> None:
    """
    Give tasks and threads turns until *condition* holds; for a clock that does not move.

    The deadline is for a scenario that fails: a loaded machine may take long to get there.
    """
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until, "it did not come to that"
        os.sched_yield()
        await trio.lowlevel.checkpoint()


def crash(message: dict[str, Any]) -> None:
    """Raise what *message* asks for."""
    text = message.get("text", "boom")
    raise OSError("gone") if message.get("os") else ValueError(text)


FATAL: dict[str, type[BaseException]] = {
    "SystemExit": SystemExit,
    "KeyboardInterrupt": KeyboardInterrupt,
}
