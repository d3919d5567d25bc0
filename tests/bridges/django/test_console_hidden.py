# The text of an exception is the last line of its traceback, and may be what a user wrote: it is
# for those who may see tracebacks, wherever it stands.

import json
from typing import Any

import pytest

from greenroom.bridges.django.console._hidden import without_secrets, without_text

BODY = "what a user wrote"
ANSWER: dict[str, Any] = {
    "node": {
        "kind": "slot",
        "exit": {"reason": f"crashed: KeyError: '{BODY}'", "at": 5.0},
        "crash": {"exception": "KeyError", "text": f"'{BODY}'", "at": 5.0},
        "facts": {"error": f"KeyError: '{BODY}'", "awaits": "/residents/other: slow"},
    },
    "rows": [{"crash": {"exception": "KeyError", "text": f"a: {BODY}"}, "exit": None}],
    "history": [{"exception": "KeyError", "text": BODY, "traceback": BODY, "recent": []}],
    "events": [
        {"kind": "slot.crashed", "facts": {"exception": f"KeyError: '{BODY}'", "message": "order"}},
        {"kind": "slot.ended", "facts": {"reason": f"crashed: KeyError: a: {BODY}\nand: {BODY}"}},
        {
            "kind": "supervisor.start_failed",
            "facts": {"reason": f"/residents/a failed to start: KeyError: {BODY}"},
        },
        {
            "kind": "supervisor.ended",
            "facts": {"reason": f"crashed: /residents/a failed to start: KeyError: {BODY}"},
        },
        {
            "kind": "admin.action",
            "facts": {"outcome": f"failed: /residents/a failed to start: KeyError: {BODY}"},
        },
        {"kind": "connection.failed", "facts": {"error": f"send failed: OSError('{BODY}')"}},
        {"kind": "loop.blocked", "facts": {"stack": [BODY]}},
    ],
}


def test_hidden() -> None:
    """
    Rows, crashes, ends and events keep the names of exceptions, and lose their texts.
    """
    told = without_secrets(ANSWER)
    assert BODY not in json.dumps(told)
    assert isinstance(told, dict)
    assert told["rows"] == [{"crash": {"exception": "KeyError", "text": None}, "exit": None}]
    assert told["node"]["exit"] == {"reason": "crashed: KeyError", "at": 5.0}
    assert told["events"][0]["facts"] == {"exception": "KeyError", "message": "order"}
    assert told["events"][4]["facts"] == {
        "outcome": "failed: /residents/a failed to start: KeyError"
    }


@pytest.mark.parametrize(
    "value",
    [
        {"reason": "asked to stop: a deploy (by ada)", "text": "a: b"},
        {"facts": {"problem": "a: b", "errors": 3, "error": None}},
        {"exception": "KeyError", "count": 3},
        [1, None, True, "crashed: KeyError: a"],
        "said",
    ],
)
def test_nothing_else(value: object) -> None:
    """
    What is no exception's text stays as it is.
    """
    assert without_secrets(value) == value


def test_text_of_an_end() -> None:
    """
    How an action ended is told without the text of what was raised.
    """
    said = "process 7: /residents/a failed to start: ValueError: sold: out"
    assert without_text(said) == "process 7: /residents/a failed to start: ValueError"
    assert without_text("process 7: it is in epoch 3: look") == "process 7: it is in epoch 3: look"
