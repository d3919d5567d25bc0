# Doing something for somebody: permission, audit, and what the answers mean.

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.exceptions import PermissionDenied

from greenroom.bridges.django.console._actions import ACTIONS
from greenroom.bridges.django.console._audit import NotRecorded
from greenroom.bridges.django.console._perform import SECONDS, Wish, judge, perform
from greenroom.bridges.django.models import AuditEntry
from greenroom.bridges.inspection import Answer, Gathered, ProcessId

HERE = ProcessId("host", 7, 1)
RESTART = Wish(ACTIONS["restart"], HERE.id, "/residents/a", reason="stuck")


class Asked:
    """Stands for the bus: keeps what was asked, and answers as told."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.questions: list[dict[str, Any]] = []
        self.begun: list[str] = []

    def __call__(self, question: Any, *, seconds: float, only: str | None) -> Gathered:
        self.questions.append(dict(question, only=only))
        self.begun = [entry.outcome for entry in AuditEntry.objects.all()]
        return Gathered(self.answers, len(self.answers), 0.0)


def done(pid: int = 7, **facts: Any) -> Answer:
    """What a process says that has done it."""
    return Answer(ProcessId("host", pid, 1), {"done": facts})


def error(code: str, pid: int = 7) -> Answer:
    """What a process says that has not."""
    return Answer(ProcessId("host", pid, 1), {"error": {"code": code, "text": f"it is {code}"}})


def silent(pid: int = 7) -> Answer:
    """What is known of a process that says nothing."""
    return Answer(ProcessId("host", pid, 1), None, "no answer within 12 s")


@pytest.fixture
def operator(user: Any) -> Any:
    """
    Ada, who may restart.
    """
    user.user_permissions.add(Permission.objects.get(codename="restart_actor"))
    return user


def test_permitted(user: Any) -> None:
    """
    PERMITTED: who lacks the permission has nothing done, and nothing written.
    """
    asked = Asked(done())
    with pytest.raises(PermissionDenied, match="greenroom.restart_actor"):
        perform(user, "", RESTART, asked=asked)
    assert asked.questions == []
    assert AuditEntry.objects.count() == 0


def test_permitted_only_while_active(operator: Any) -> None:
    """
    PERMITTED: an account that was switched off has lost all of them, a superuser's as well.
    """
    operator.is_superuser = True
    operator.is_active = False
    with pytest.raises(PermissionDenied):
        perform(operator, "", RESTART, asked=Asked(done()))


def test_recorded(operator: Any) -> None:
    """
    RECORDED: it is written down before it is asked for, and what came of it afterwards.
    """
    asked = Asked(done(touched=1, epoch=2))
    verdict, recorded = perform(operator, "10.0.0.1", RESTART, asked=asked)
    assert (verdict.outcome, recorded) == ("done", True)
    assert asked.begun == ["begun"]
    row = AuditEntry.objects.get()
    assert (row.action, row.path, row.process, row.reason, row.address) == (
        "restart", "/residents/a", HERE.id, "stuck", "10.0.0.1",
    )  # fmt: skip
    assert (row.outcome, row.answer) == ("done", {"touched": 1, "epoch": 2})
    [question] = asked.questions
    assert (question["by"], question["reason"], question["only"]) == ("ada", "stuck", HERE.id)
    assert (question["action"], question["path"]) == ("restart", "/residents/a")


def test_recorded_when_it_breaks(operator: Any) -> None:
    """
    RECORDED: an error on the way is in the log, and is raised.
    """

    def broken(question: Any, **_: Any) -> Gathered:
        raise RuntimeError("no bus")

    with pytest.raises(RuntimeError, match="no bus"):
        perform(operator, "", RESTART, asked=broken)
    row = AuditEntry.objects.get()
    assert (row.outcome, row.error) == ("failed", "RuntimeError: no bus")


def test_no_ghost(operator: Any) -> None:
    """
    NO GHOST: the question says until when it may be done, and that a silent one will not do it.
    """
    import time

    asked = Asked(silent())
    verdict, _ = perform(operator, "", RESTART, asked=asked)
    assert verdict.outcome == "silent"
    assert "will not do it later" in verdict.text
    until = asked.questions[0]["until_ms"] / 1000
    assert until <= time.time() + SECONDS
    assert AuditEntry.objects.get().outcome == "silent"


def test_not_recorded(operator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What can't be written down is not done.
    """
    from django.db import DatabaseError

    def refuse(*_: object, **__: object) -> None:
        raise DatabaseError("the disk is full")

    monkeypatch.setattr(AuditEntry, "save", refuse)
    asked = Asked(done())
    with pytest.raises(NotRecorded, match="the disk is full"):
        perform(operator, "", RESTART, asked=asked)
    assert asked.questions == []


@pytest.mark.parametrize(
    "wish",
    [
        Wish(ACTIONS["restart"], "", "/residents/a"),
        Wish(ACTIONS["restart"], HERE.id, ""),
        Wish(ACTIONS["drain"], ""),
        Wish(ACTIONS["disconnect-user"]),
    ],
)
def test_which(user: Any, wish: Wish) -> None:
    """
    A wish that does not say what it is for is refused, and not written down.
    """
    user.is_superuser = True
    with pytest.raises(ValueError, match="which"):
        perform(user, "", wish, asked=Asked(done()))
    assert AuditEntry.objects.count() == 0


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ([], "failed"),
        ([done()], "done"),
        ([silent()], "silent"),
        ([error("refused")], "refused"),
        ([error("not-found")], "refused"),
        ([error("bad-question")], "refused"),
        ([error("failed")], "failed"),
        ([error("timeout")], "failed"),
        ([done(7), done(8)], "done"),
        ([done(7), error("not-found", 8)], "done"),
        ([done(7), silent(8)], "partly"),
        ([done(7), error("failed", 8)], "partly"),
        ([error("not-found", 7), error("not-found", 8)], "refused"),
        ([silent(7), silent(8)], "silent"),
    ],
)
def test_what_answers_mean(said: list[Answer], outcome: str) -> None:
    """
    Several answers make one outcome; a place that is not in every process is no trouble.
    """
    verdict = judge(said, 12)
    assert verdict.outcome == outcome
    assert bool(verdict.text) is (outcome != "done")


def test_sums() -> None:
    """
    What several processes have touched is added up.
    """
    said = [done(7, touched=2, unread=0), done(8, touched=3, unread=1)]
    assert judge(said, 12).answer == {"processes": 2, "touched": 5, "unread": 1}
