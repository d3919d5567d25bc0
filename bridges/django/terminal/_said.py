# What the processes have said to one question, in one form for all that is drawn. Pure.

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ._data import Data

EVERYBODY: Mapping[str, object] = {"ask": "process", "samples": False}
"""What all processes are asked, to know how they are."""


@dataclass(frozen=True, slots=True)
class Said:
    """What one process has said to one question."""

    process: Data
    """Which one: ``id``, ``host``, ``pid``, ``started``."""
    answer: Data | None = None
    """Its answer; None if it has given none."""
    silent: str = ""
    """Why it has given none."""
    kernel: Data = field(default_factory=dict[str, object])
    """Of one that is silent: what the kernel says of it."""
    heartbeat: float | None = None
    """Of one that is silent: when its loop was alive last, in unix seconds."""

    @property
    def id(self) -> str:
        """The name that no other process has had."""
        return str(self.process.get("id", ""))


@dataclass(frozen=True, slots=True)
class Heard:
    """What all of those that were asked have said."""

    said: Sequence[Said] = ()
    trouble: str = ""
    """Why nobody, or not all of them, could be asked; "" if nothing was wrong."""


Ask = Callable[[Mapping[str, object], str | None], Heard]
"""Asks all processes a question, or only the one with that id; blocks, within a deadline."""
