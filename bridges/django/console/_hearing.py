# What the processes of the project say to one page: several questions under one deadline.
#
# A process that has been silent once is not asked again for the same page, so that a page
# takes no longer because it asks more; and it says of each process what came of it.

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ...inspection import Answer
from ._ask import ask
from ._hidden import without_secrets
from ._words import mapping

PAGE_SECONDS = 1.8
"""How long all questions of a page may take together."""
FIRST_SECONDS = 1.0
"""How long the first one may: after that a process is silent."""
NO_SUCH = "no process of this id is there: it has ended, or was replaced by another"
_LEAST = 0.05

Question = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Voice:
    """What one process has said to one question."""

    process: str
    """Its id, by which it alone can be asked."""
    pid: int
    host: str = ""
    answer: dict[str, Any] = field(default_factory=dict[str, Any])
    """What it has answered; empty if it has not."""
    silent: str = ""
    """Why it has not answered; "" if it has."""
    error: str = ""
    """The sentence with which it has refused; "" if it has not."""
    code: str = ""
    """What kind of refusal that is, such as ``not-found``."""
    heartbeat: float | None = None
    """When a silent one has shown life last, in unix seconds."""
    tree: int = 1
    """Which of the trees of its process it is."""

    @property
    def title(self) -> str:
        """Which process it is, as a heading says it."""
        host = f" on {self.host}" if self.host else ""
        return f"Process {self.pid}{host}" + ("" if self.tree == 1 else f", tree {self.tree}")

    @property
    def well(self) -> bool:
        """Whether it has answered what was asked."""
        return not self.silent and not self.error


class Hearing:
    """
    The processes as one page hears them. For threads: it blocks.

    Args:
        seconds: How long all questions may take together; None for `PAGE_SECONDS`.
        asked: How one is asked; for tests.
        secrets: Whether who looks may see tracebacks, stacks and the texts of exceptions.
    """

    def __init__(
        self,
        seconds: float | None = None,
        asked: Callable[..., Any] = ask,
        *,
        secrets: bool = False,
    ) -> None:
        self._secrets = secrets
        self._until = time.monotonic() + (PAGE_SECONDS if seconds is None else seconds)
        self._ask = asked
        self._first: dict[str, Voice] = {}
        self.problem = ""
        """Why nobody could be asked, or not all; "" if nothing was wrong."""

    @property
    def voices(self) -> list[Voice]:
        """What each process has said last, in the order of their pids."""
        return sorted(self._first.values(), key=_order)

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
        silent = self.silent
        if not silent:
            return self._hear(question, None)
        heard = [voice for process in self.ready for voice in self._hear(question, process)]
        return sorted([*heard, *silent], key=_order)

    def one(self, process: str, question: Question) -> Voice:
        """Ask one process. Return what it said, also if there is none of that id."""
        known = self._first.get(process)
        if known is not None and known.silent:
            return known
        if time.monotonic() > self._until:
            return Voice(process, _pid(process), silent="the time for this page was up before")
        heard = self._hear(question, process)
        return next(
            (voice for voice in heard if voice.process == process),
            Voice(process, _pid(process), silent=NO_SUCH),
        )

    def aside(self, question: Question) -> dict[str, Voice]:
        """
        Ask those that have answered something that the page can do without.

        It is asked in what is left of the time, and who does not answer that counts as silent no
        more than before.

        Returns:
            What those said that have answered, by their ids.
        """
        found: dict[str, Voice] = {}
        for only in self.ready if self.silent else [None]:
            left = self._until - time.monotonic()
            if left <= 0:
                break
            gathered = self._ask(question, seconds=min(FIRST_SECONDS, left), only=only)
            voices = [self._told(voice_of(each)) for each in gathered.answers]
            found |= {voice.process: voice for voice in voices if voice.well}
        return found

    def _hear(self, question: Question, only: str | None) -> list[Voice]:
        left = max(_LEAST, min(FIRST_SECONDS, self._until - time.monotonic()))
        gathered = self._ask(question, seconds=left, only=only)
        self.problem = self.problem or gathered.trouble
        voices = [self._slow(self._told(voice_of(each))) for each in gathered.answers]
        self._first.update({voice.process: voice for voice in voices})
        return voices

    def _told(self, voice: Voice) -> Voice:
        if self._secrets:
            return voice
        return replace(voice, answer=dict(mapping(without_secrets(voice.answer))))

    def _slow(self, voice: Voice) -> Voice:
        known = self._first.get(voice.process)
        if not voice.silent or known is None or known.silent:
            return voice
        return replace(voice, silent=f"it answers slowly; to the last question {voice.silent}")


def voice_of(said: Answer) -> Voice:
    """Return what one process has said, or that it has not, as a page tells it."""
    who = said.process
    voice = Voice(who.id, who.pid, who.host, tree=who.tree)
    if said.answer is None:
        return replace(voice, silent=said.silent, heartbeat=said.heartbeat)
    error = mapping(said.answer.get("error"))
    if error:
        text, code = str(error.get("text", "")), str(error.get("code", ""))
        return replace(voice, error=text or code or "refused", code=code)
    return replace(voice, answer=dict(said.answer))


def _order(voice: Voice) -> tuple[str, int, str]:
    return voice.host, voice.pid, voice.process


def _pid(process: str) -> int:
    return next((int(part) for part in process.split(":")[1:2] if part.isdecimal()), 0)
