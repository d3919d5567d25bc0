# What several processes have said, as one document with one status.

from typing import Any

import pytest

from greenroom.bridges.django.console._api_answer import answer_of, without_secrets
from greenroom.bridges.django.console._api_reply import Refused
from greenroom.bridges.inspection import Answer, Gathered, ProcessId


def said(pid: int, answer: Any = None, silent: str = "") -> Answer:
    return Answer(ProcessId("here", pid, 1), answer, silent)


def gathered(*answers: Answer, trouble: str = "") -> Gathered:
    return Gathered(list(answers), len(answers), 0.01, trouble)


def wrong(code: str) -> dict[str, Any]:
    return {"error": {"code": code, "text": f"it is {code}"}}


def test_partial() -> None:
    """
    PARTIAL: who was silent is named, and the others' answers are there all the same.
    """
    document, status = answer_of(
        gathered(said(1, {"rows": []}), said(2, silent="no answer within 1 s")), "", secrets=False
    )

    assert status == 200
    assert (document["asked"], document["answered"], document["complete"]) == (2, 1, False)
    first, second = document["answers"]
    assert (first["process"]["pid"], first["answer"]) == (1, {"rows": []})
    assert (second["process"]["pid"], second["silent"]) == (2, "no answer within 1 s")
    assert "answer" not in second


@pytest.mark.parametrize(
    ("answers", "code", "status"),
    [
        ([said(1, wrong("not-found")), said(2, wrong("not-found"))], "not-found", 404),
        ([said(1, wrong("not-found")), said(2, wrong("bad-question"))], "bad-question", 400),
        ([said(1, wrong("not-found")), said(2, silent="it is stuck")], "timeout", 504),
        ([said(1, silent="it is stuck")], "timeout", 504),
        ([said(1, wrong("failed"))], "failed", 500),
        ([said(1, wrong("refused"))], "refused", 409),
        ([said(1, wrong("timeout"))], "timeout", 504),
        ([said(1, wrong("of another version"))], "of another version", 500),
    ],
)
def test_status(answers: list[Answer], code: str, status: int) -> None:
    """
    STATUS: where nobody has answered, it is that of what they say instead.
    """
    document, got = answer_of(gathered(*answers), "", secrets=False)

    assert (document["error"]["code"], got) == (code, status)
    assert len(document["answers"]) == len(answers)


def test_one_answer_is_enough() -> None:
    """
    STATUS: what one process has answered is found, though another has nothing there.
    """
    _, status = answer_of(gathered(said(1, wrong("not-found")), said(2, {})), "", secrets=False)

    assert status == 200


def test_nobody_is_there() -> None:
    """
    Without a process the answer says why; one that was asked for by its id is not found.
    """
    for only, trouble, code in [
        ("", "", "no-process"),
        ("", "the directory is closed", "no-process"),
        ("here:1:1", "", "not-found"),
        ("here:1:1", "the directory is closed", "no-process"),
    ]:
        with pytest.raises(Refused) as caught:
            answer_of(gathered(trouble=trouble), only, secrets=False)
        assert caught.value.code == code
        assert not trouble or caught.value.text == trouble


def test_hidden() -> None:
    """
    HIDDEN: a traceback or a stack is left out, however deep, and nothing else is.
    """
    answer = {
        "events": [{"kind": "loop.blocked", "facts": {"stack": "secret", "seconds": 1}}],
        "history": [{"traceback": "secret", "exception": "KeyError"}],
        "stack": ["secret"],
    }

    assert without_secrets(answer) == {
        "events": [{"kind": "loop.blocked", "facts": {"stack": None, "seconds": 1}}],
        "history": [{"traceback": None, "exception": "KeyError"}],
        "stack": None,
    }
    document, _ = answer_of(gathered(said(1, answer)), "", secrets=True)
    assert document["answers"][0]["answer"] == answer
    document, _ = answer_of(gathered(said(1, answer)), "", secrets=False)
    assert "secret" not in str(document)
