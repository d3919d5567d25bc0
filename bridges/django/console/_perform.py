# Doing one thing for somebody: may he, write it down, have it done, write down what became of it.
#
# Blocks: for worker threads. Pure is what the answers mean (`judge`).
#
# Invariants, each with a test of that name in tests/bridges/django/test_console_perform.py:
#   PERMITTED  who lacks the permission has nothing done, and nothing written.
#   RECORDED   whatever becomes of it stands in the audit log.
#   NO GHOST   what a process did not answer in time it does not do later.

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from django.core.exceptions import PermissionDenied

from ...inspection import Answer
from ...inspection._act import ACT_SECONDS
from . import _audit
from ._actions import Action
from ._ask import ask
from ._hidden import without_text

SECONDS = ACT_SECONDS + 2
"""How long an action may take, with the way there and back."""
_REFUSALS = frozenset({"refused", "bad-question", "not-found"})


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants done."""

    action: Action
    process: str = ""
    """The id of the process; "" for all of them, where the action may be done everywhere."""
    path: str = ""
    user: str = ""
    arguments: Mapping[str, object] = field(default_factory=dict[str, object])
    reason: str = ""

    def problem(self) -> str:
        """Say what is missing; "" if nothing is."""
        if not self.process and not self.action.everywhere:
            return f"{self.action.title}: which process? process=... is missing."
        for aim, value in (("path", self.path), ("user", self.user)):
            if self.action.aim == aim and not value:
                return f"{self.action.title}: which {aim}? {aim}=... is missing."
        return ""

    def question(self) -> dict[str, object]:
        """Return it as a tree is asked."""
        asked: dict[str, object] = {
            "ask": "act",
            "action": self.action.name,
            "arguments": dict(self.arguments),
        }
        if self.action.aim != "process":
            asked[self.action.aim] = self.path if self.action.aim == "path" else self.user
        return asked

    @property
    def target(self) -> str:
        """What it is done to, in words."""
        if self.action.aim == "user":
            return f"user {self.user}"
        return self.path if self.action.aim == "path" else f"process {self.process}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a wish."""

    outcome: str
    """``done``, ``partly``, ``refused``, ``failed`` or ``silent``."""
    text: str
    """Why it is not done; "" if it is."""
    answer: dict[str, Any] = field(default_factory=dict[str, Any])
    """What the tree says was done; of several processes, the sums."""


def perform(
    user: Any, address: str, wish: Wish, *, asked: Callable[..., Any] = ask
) -> tuple[Verdict, bool]:
    """
    Have *wish* done for *user*; return what became of it, and whether the log knows that.

    Raises:
        PermissionDenied: The user may not.
        NotRecorded: It can't be written down, so it was not done.
        ValueError: It does not say what it is for.
    """
    if not (user.is_active and user.has_perm(f"greenroom.{wish.action.permission}")):
        raise PermissionDenied(f"This needs the permission greenroom.{wish.action.permission}.")
    if problem := wish.problem():
        raise ValueError(problem)
    entry = _audit.begin(
        user,
        address,
        action=wish.action.name,
        process=wish.process,
        path=wish.path if wish.action.aim != "user" else f"user {wish.user}",
        arguments=dict(wish.arguments),
        reason=wish.reason,
    )
    question = {
        **wish.question(),
        "by": str(user.get_username())[:255],
        "reason": wish.reason,
        "until_ms": int((time.time() + SECONDS) * 1000),
    }
    verdict = Verdict("failed", "the question could not be asked")
    try:
        gathered = asked(question, seconds=SECONDS, only=wish.process or None)
        verdict = judge(gathered.answers, SECONDS)
    except Exception as error:
        verdict = Verdict("failed", f"{type(error).__name__}: {error}")
        raise
    finally:
        told = without_text(verdict.text)  # the log is there for long, and for others
        recorded = _audit.complete(entry, verdict.outcome, told, verdict.answer)
    if not user.has_perm("greenroom.view_traceback"):
        verdict = replace(verdict, text=told)
    return verdict, recorded


def preview(wish: Wish, *, asked: Callable[..., Any] = ask) -> list[Answer]:
    """Ask what *wish* would reach; return what each process says. Nothing is done."""
    question: dict[str, object] = {**wish.question(), "arguments": {}, "preview": True}
    return list(asked(question, seconds=1.0, only=wish.process or None).answers)


def judge(said: Iterable[Answer], seconds: float) -> Verdict:
    """Say what the answers of one or several processes mean. Pure."""
    verdicts = [_of_one(each, seconds) for each in said]
    if not verdicts:
        gone = "no such process answers: it has ended, or was replaced."
        return Verdict("failed", gone, {"code": "not-found"})
    if len(verdicts) == 1:
        return verdicts[0]
    # A place that is there in one process need not be in the others.
    there = [each for each in verdicts if each.answer.get("code") != "not-found"] or verdicts[:1]
    done = [each for each in there if each.outcome == "done"]
    texts = "; ".join(each.text for each in there if each.text)
    if not done:
        return Verdict(there[0].outcome, texts)
    sums = {"processes": len(done), **_sums(each.answer for each in done)}
    return Verdict("done" if len(done) == len(there) else "partly", texts, sums)


def _of_one(said: Answer, seconds: float) -> Verdict:
    if said.answer is None:
        why = said.silent or f"no answer within {seconds:.3g} s"
        return Verdict("silent", f"process {said.pid}: {why}; it will not do it later either")
    error = cast("Mapping[str, Any]", said.error or {})
    if error:
        outcome = "refused" if error.get("code") in _REFUSALS else "failed"
        text = f"process {said.pid}: {error.get('text', '')}"
        return Verdict(outcome, text, {"code": error.get("code")})
    return Verdict("done", "", dict(said.answer.get("done") or {}))


def _sums(answers: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for answer in answers:
        for name, value in answer.items():
            if isinstance(value, int) and not isinstance(value, bool):
                sums[name] = sums.get(name, 0) + value
    return sums
