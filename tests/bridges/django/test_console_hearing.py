# Several questions of one page under one deadline: who is silent is not waited for twice.

import time
from typing import Any

import pytest

from greenroom.bridges.django.console import _hearing
from greenroom.bridges.django.console._hearing import Hearing
from greenroom.bridges.inspection import Answer, Gathered, ProcessId

ONE, TWO = ProcessId("host", 1, 10), ProcessId("host", 2, 20)


class Processes:
    """Two processes: what they were asked, and which of them does not answer."""

    def __init__(self, silent: set[int]) -> None:
        self.silent = silent
        self.asked: list[str | None] = []
        self.gone: set[int] = set()

    def ask(self, question: Any, *, seconds: float, only: str | None) -> Gathered:
        self.asked.append(only)
        answers = [
            Answer(each, None, silent="no answer within 1 s")
            if each.pid in self.silent
            else Answer(each, {"said": question["ask"]})
            for each in (ONE, TWO)
            if only in (None, each.id) and each.pid not in self.gone
        ]
        return Gathered(answers, len(answers), 0.0)


def test_all_answer() -> None:
    """
    Where all answer each question goes to all at once.
    """
    processes = Processes(set())
    hearing = Hearing(asked=processes.ask)
    for ask in ("process", "tree"):
        assert [voice.answer for voice in hearing.all({"ask": ask})] == [{"said": ask}] * 2
    assert processes.asked == [None, None]
    assert hearing.silent == []


def test_who_was_silent_is_not_asked_again() -> None:
    """
    A process that was silent once is told of as silent, and costs the page no second wait.
    """
    processes = Processes({2})
    hearing = Hearing(asked=processes.ask)
    hearing.all({"ask": "process"})
    voices = hearing.all({"ask": "tree"})
    assert processes.asked == [None, ONE.id]
    assert [voice.answer for voice in voices] == [{"said": "tree"}, {}]
    assert hearing.one(TWO.id, {"ask": "tree"}).silent == "no answer within 1 s"
    assert processes.asked == [None, ONE.id]
    assert hearing.ready == [ONE.id]


def test_who_was_slow_is_no_stranger() -> None:
    """
    A process that has answered, and then not in what was left of the time, is told of as slow.
    """
    processes = Processes(set())
    hearing = Hearing(asked=processes.ask)
    hearing.all({"ask": "process"})
    processes.silent.add(2)
    voices = hearing.all({"ask": "tree"})
    slow = "it answers slowly; to the last question no answer within 1 s"
    assert [voice.silent for voice in voices] == ["", slow]


def test_who_has_gone_meanwhile() -> None:
    """
    A process that ends between two questions says nothing old to the second one.
    """
    processes = Processes({2})
    hearing = Hearing(asked=processes.ask)
    hearing.all({"ask": "process"})
    processes.gone.add(1)
    assert [voice.pid for voice in hearing.all({"ask": "tree"})] == [2]
    assert "no process of this id" in hearing.one(ONE.id, {"ask": "tree"}).silent


def test_what_is_asked_aside() -> None:
    """
    Who does not answer what a page can do without is not told of as silent, and nobody who was.
    """
    processes = Processes({2})
    hearing = Hearing(asked=processes.ask)
    assert hearing.aside({"ask": "process"}).keys() == {ONE.id}
    hearing.all({"ask": "tree"})
    assert hearing.aside({"ask": "process"})[ONE.id].answer == {"said": "process"}
    assert processes.asked == [None, None, ONE.id]
    processes.silent.add(1)
    assert hearing.aside({"ask": "process"}) == {}
    assert [voice.pid for voice in hearing.silent] == [2]


def test_aside_past_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Once the time of a page is up nobody is asked aside.
    """
    processes = Processes(set())
    hearing = Hearing(asked=processes.ask)
    hearing.all({"ask": "tree"})
    late = time.monotonic() + _hearing.PAGE_SECONDS + 1
    monkeypatch.setattr(_hearing.time, "monotonic", lambda: late)
    assert hearing.aside({"ask": "process"}) == {}
    assert processes.asked == [None]


def test_past_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Once the time of a page is up no single process is asked any more.
    """
    processes = Processes(set())
    hearing = Hearing(asked=processes.ask)
    hearing.all({"ask": "process"})
    late = time.monotonic() + _hearing.PAGE_SECONDS + 1
    monkeypatch.setattr(_hearing.time, "monotonic", lambda: late)
    assert "was up" in hearing.one(ONE.id, {"ask": "tree"}).silent
    assert processes.asked == [None]


def test_refusals() -> None:
    """
    An error is a sentence and its kind, and neither an answer nor silence.
    """

    def refusing(question: Any, *, seconds: float, only: str | None) -> Gathered:
        error = {"error": {"code": "not-found", "text": "nothing is there"}}
        return Gathered([Answer(ONE, error)], 1, 0.0, "one could not be asked")

    hearing = Hearing(asked=refusing)
    [voice] = hearing.all({"ask": "actor"})
    assert (voice.error, voice.code, voice.well) == ("nothing is there", "not-found", False)
    assert hearing.silent == []
    assert hearing.problem == "one could not be asked"
