# What the processes of the project say to one page: several questions under one deadline.
#
# A process that has been silent once is not asked again for the same page, so that a page
# takes no longer because it asks more; and it says of each process what came of it.

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ._ask import ask
from ._words import mapping

PAGE_SECONDS = 1.8
"""How long all questions of a page may take together."""
FIRST_SECONDS = 1.0
"""How long the first one may: after that a process is silent."""
_LEAST = 0.05

Question = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Voice:
    """What one process has said to one question."""

    process: str
    """Its id: host, pid and start."""
    pid: int
    answer: dict[str, Any] = field(default_factory=dict[str, Any])
    """What it has answered; empty if it has not."""
    silent: str = ""
    """Why it has not answered; "" if it has."""
    error: str = ""
    """The sentence with which it has refused; "" if it has not."""
    code: str = ""
    """What kind of refusal that is, such as ``not-found``."""

    @property
    def well(self) -> bool:
        """Whether it has answered what was asked."""
        return not self.silent and not self.error

    @property
    def host(self) -> str:
        """Where it runs."""
        return self.process.rsplit(":", 2)[0]


class Hearing:
    """
    The processes as one page hears them. For threads: it blocks.

    Args:
        seconds: How long all questions may take together.
        asked: How one is asked; for tests.
    """

    def __init__(self, seconds: float = PAGE_SECONDS, asked: Callable[..., Any] = ask) -> None:
        self._until = time.monotonic() + seconds
        self._ask = asked
        self._first: dict[str, Voice] = {}
        self._problem = ""

    @property
    def voices(self) -> list[Voice]:
        """What each process has said last, in the order of their pids."""
        return sorted(self._first.values(), key=lambda voice: (voice.host, voice.pid))

    @property
    def silent(self) -> list[Voice]:
        """Those that have not answered."""
        return [voice for voice in self.voices if voice.silent]

    @property
    def ready(self) -> list[str]:
        """The ids of those that have answered."""
        return [voice.process for voice in self.voices if not voice.silent]

    def all(self, question: Question) -> list[Voice]:
        """Ask every process that has not been silent yet; return what they said, with those."""
        if not self.silent:
            return self._hear(question, None)
        for process in self.ready:
            self._hear(question, process)
        return self.voices

    def one(self, process: str, question: Question) -> Voice:
        """Ask one process. Return what it said, also if there is none of that id."""
        known = self._first.get(process)
        if known is not None and known.silent:
            return known
        heard = self._hear(question, process)
        gone = "no process of this id is there: it has ended, or was replaced by another"
        return next(
            (voice for voice in heard if voice.process == process),
            Voice(process, _pid(process), silent=gone),
        )

    def _hear(self, question: Question, only: str | None) -> list[Voice]:
        left = max(_LEAST, min(FIRST_SECONDS, self._until - time.monotonic()))
        gathered = self._ask(question, seconds=left, only=only)
        voices = list(voices_of(gathered.said))
        self._first.update({voice.process: voice for voice in voices})
        return voices


def voices_of(said: Iterable[Any]) -> Iterable[Voice]:
    """Yield what was said as voices."""
    for each in said:
        if each.answer is None:
            yield Voice(each.process, each.pid, silent=each.silent)
            continue
        error = mapping(each.answer.get("error"))
        if error:
            text, code = str(error.get("text", "")), str(error.get("code", ""))
            yield Voice(each.process, each.pid, error=text or code or "refused", code=code)
        else:
            yield Voice(each.process, each.pid, each.answer)


def _pid(process: str) -> int:
    pid = process.rsplit(":", 2)[-2] if process.count(":") >= 2 else ""
    return int(pid) if pid.isdecimal() else 0
