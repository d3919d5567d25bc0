# What has been heard of the processes so far. Pure: it is told, and asks nobody.
#
# Invariants, each with a test of that name in tests/bridges/django/terminal/test_world.py:
#   LAST SEEN   what a process had said stays while it is silent, and goes when it is gone.
#   BOUNDED     what nobody looks at any more is let go.

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from ._data import Data, mapping, mappings, refusal, text, whole
from ._said import Heard, Said

WATCH_SECONDS = 10.0
"""How long handlers are timed after the last question."""


@dataclass(frozen=True, slots=True)
class Branch:
    """What is below one place of one process: a page of it, or of what is looked for there."""

    process: str
    path: str
    after: str = ""
    search: str = ""
    unhealthy: bool = False
    limit: int = field(default=50, compare=False)

    def question(self) -> dict[str, object]:
        """Return what asks for it."""
        question: dict[str, object] = {"ask": "tree", "path": self.path, "limit": self.limit}
        if self.after:
            question["after"] = self.after
        if self.search:
            question["search"] = self.search
        if self.unhealthy:
            question["unhealthy"] = True
        return question


@dataclass(frozen=True, slots=True)
class Detail:
    """All of one place of one process."""

    process: str
    path: str
    state: bool = False
    watch: bool = False
    """Whether its handlers are timed as long as somebody looks."""

    @property
    def place(self) -> tuple[str, str]:
        """What it is about, whatever is asked of it."""
        return self.process, self.path

    def question(self) -> dict[str, object]:
        """Return what asks for it."""
        question: dict[str, object] = {"ask": "actor", "path": self.path}
        if self.watch:
            question["watch"] = WATCH_SECONDS
        return {**question, "traceback": True, "stack": True, "state": self.state}


Wanted = Branch | Detail


@dataclass(frozen=True, slots=True)
class Found:
    """A page, as it was when it was asked for."""

    node: Data
    rows: Sequence[Data]
    next: str = ""
    total: int = 0
    error: str = ""
    """Why it was refused; "" if it was not."""
    code: str = ""
    """The same for programs, such as not-found."""
    partial: bool = False
    """Whether there was so much to look at that the page is not full."""


@dataclass(slots=True)
class Process:
    """One process, as far as it is known."""

    who: Data
    facts: Data
    """What it said of itself last."""
    silent: str = ""
    """Why it has not answered the last question; "" if it has."""
    kernel: Data = field(default_factory=dict[str, object])
    """Of one that is silent: what the kernel says of it."""
    heard: float | None = None
    """When its loop was alive last, in unix seconds; None if nobody knows."""

    @property
    def id(self) -> str:
        """The name that no other process has had."""
        return text(self.who.get("id"))

    @property
    def pid(self) -> int:
        """Its number."""
        return whole(self.who.get("pid"))


class World:
    """
    The processes that were heard of, and what they said.

    Args:
        process: The pid, or the id, of the only one that counts; "" for all.
    """

    def __init__(self, process: str = "") -> None:
        self.processes: dict[str, Process] = {}
        self.trouble = ""
        """Why nobody could be asked at all; "" if that went well."""
        self._only = process
        self._found: dict[Branch, Found] = {}
        self._details: dict[Detail, Data] = {}

    def hear(self, heard: Heard, now: float) -> None:
        """Take what all of them have said of themselves; *now* is the unix time."""
        self.trouble = heard.trouble
        known, self.processes = self.processes, {}
        for said in sorted(heard.said, key=_order):
            if self._counts(said):
                self.processes[said.id] = _process(said, known.get(said.id), now)
        for gone in known.keys() - self.processes.keys():
            self._forget(gone)

    def learn(self, wanted: Wanted, said: Iterable[Said]) -> None:
        """Take what one of them has said to *wanted*; that it has said nothing changes nothing."""
        answers = [
            each.answer for each in said if each.id == wanted.process and each.answer is not None
        ]
        for answer in answers:
            if isinstance(wanted, Detail):
                self._details[wanted] = answer
            else:
                self._found[wanted] = found_in(answer)

    def found(self, branch: Branch) -> Found | None:
        """Return what *branch* was when it was heard of; None if it was not."""
        return self._found.get(branch)

    def detail(self, wanted: Detail) -> Data | None:
        """Return what was said of it, or what was to a shorter question; None if nothing was."""
        exact = self._details.get(wanted)
        if exact is not None:
            return exact
        return next(
            (said for each, said in self._details.items() if each.place == wanted.place), None
        )

    def roots(self, process: str) -> list[Data]:
        """Return what was said of the root of one of them, wherever it was said."""
        return [
            found.node
            for branch, found in self._found.items()
            if branch.process == process and branch.path == "/"
        ]

    def answering(self) -> list[Process]:
        """Return those that have answered last time."""
        return [each for each in self.processes.values() if not each.silent]

    def knows(self, wanted: Wanted) -> bool:
        """Say whether anything was said to *wanted*."""
        return wanted in (self._details if isinstance(wanted, Detail) else self._found)

    def keep(self, wanted: Collection[Wanted]) -> None:
        """Let go of all but *wanted*."""
        self._found = {each: found for each, found in self._found.items() if each in wanted}
        places = {each.place for each in wanted if isinstance(each, Detail)}
        kept = {each: said for each, said in self._details.items() if each.place in places}
        self._details = kept

    def _counts(self, said: Said) -> bool:
        return not self._only or self._only in (said.id, text(said.process.get("pid")))

    def _forget(self, process: str) -> None:
        self._found = {k: found for k, found in self._found.items() if k.process != process}
        self._details = {k: said for k, said in self._details.items() if k.process != process}


def found_in(answer: Data) -> Found:
    """Return the page in *answer*."""
    return Found(
        mapping(answer.get("node")),
        mappings(answer.get("rows")),
        text(answer.get("next")),
        whole(answer.get("total")),
        refusal(answer),
        text(mapping(answer.get("error")).get("code")),
        answer.get("partial") is True,
    )


def _process(said: Said, before: Process | None, now: float) -> Process:
    refused = "" if said.answer is None else refusal(said.answer)
    if said.answer is not None and not refused:
        return Process(said.process, said.answer, heard=now)
    facts = before.facts if before else mapping(None)
    heard = said.heartbeat or (before.heard if before else None)
    return Process(said.process, facts, said.silent or refused, said.kernel, heard)


def _order(said: Said) -> tuple[str, int, str]:
    return text(said.process.get("host")), whole(said.process.get("pid")), said.id
