# What the processes of a project have said, and which of them have said nothing. Pure.

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ._identity import ProcessId


@dataclass(frozen=True, slots=True)
class Answer:
    """What one process has said, or that it has not."""

    process: ProcessId
    """Which one."""
    answer: Mapping[str, Any] | None = None
    """Its answer, which may be an ``error``; None if it has given none."""
    silent: str = ""
    """Why it has not; "" if it has."""
    kernel: Mapping[str, object] = field(default_factory=dict[str, object])
    """Of one that is silent: its ``state`` in words, its share of one ``cpu``, if that is known."""
    heartbeat: float | None = None
    """Of one that is silent: when its loop has shown life last, in seconds since 1970."""

    @property
    def id(self) -> str:
        """The process's name, by which it alone can be asked."""
        return self.process.id

    @property
    def pid(self) -> int:
        """Its number."""
        return self.process.pid

    @property
    def error(self) -> Mapping[str, str] | None:
        """Its answer's ``error``, with ``code`` and ``text``; None if there is none."""
        found: Mapping[str, str] | None = (self.answer or {}).get("error")
        return found

    def as_dict(self) -> dict[str, object]:
        """Return it as data that JSON can carry."""
        said: dict[str, object] = {"process": self.process.as_dict()}
        if self.answer is not None:
            return {**said, "answer": dict(self.answer)}
        return {
            **said,
            "silent": self.silent,
            "kernel": dict(self.kernel),
            "heartbeat": self.heartbeat,
        }


@dataclass(frozen=True, slots=True)
class Gathered:
    """What all that were asked have said."""

    answers: list[Answer]
    """Of each process that was asked, in the order of their numbers."""
    asked: int
    """How many that were."""
    seconds: float
    """How long it took."""
    trouble: str = ""
    """Why nobody could be asked, or not all: a sentence; "" if nothing was wrong."""

    @property
    def answered(self) -> list[Answer]:
        """Those that have answered."""
        return [each for each in self.answers if each.answer is not None]

    @property
    def silent(self) -> list[Answer]:
        """Those that have not."""
        return [each for each in self.answers if each.answer is None]

    @property
    def partial(self) -> bool:
        """Whether somebody has not answered."""
        return bool(self.silent)

    def as_dict(self) -> dict[str, object]:
        """Return it as data that JSON can carry."""
        return {
            "answers": [each.as_dict() for each in self.answers],
            "asked": self.asked,
            "answered": len(self.answered),
            "seconds": round(self.seconds, 3),
            "trouble": self.trouble,
        }
