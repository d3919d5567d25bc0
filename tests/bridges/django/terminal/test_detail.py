# All about one actor, or one process, as lines.

from typing import Any

from terminal_trees import CRASHED, ESCAPES, NOW, missing, row, who

from greenroom.bridges.django.terminal._detail import of_actor, of_one_process
from greenroom.bridges.django.terminal._parts import text_of
from greenroom.bridges.django.terminal._world import Process

TRACEBACK = (
    "Traceback (most recent call last):\n"
    '  File "market/actors.py", line 41, in on_fetch\n'
    "    raise ValueError('no such room')\n"
    "ValueError: no such room\n"
)
ANSWER: dict[str, Any] = {
    "row": row("/residents/feed", actor="Feed", **CRASHED),
    "spec": {"restart": "permanent", "max_restarts": 3},
    "history": [
        {"epoch": 1, "at": NOW - 90, "exception": "KeyError", "text": "'a'", "traceback": ""},
        {
            "epoch": 3, "at": NOW - 5, "exception": "ValueError", "text": "no such room",
            "traceback": TRACEBACK, "message": "'fetch'", "caller": "/residents/db",
        },
    ],
    "events": [
        {"kind": "slot.started", "at": NOW - 100, "facts": {}},
        {"kind": "slot.crashed", "at": NOW - 5, "facts": {"message": "'fetch'"}},
    ],
    "handlers": [{"message": "'fetch'", "count": 3, "p50": 0.002, "spread": [[0.0064, 3]]}],
    "timers": [],
    "groups": ["prices"],
    "presences": [{"topic": "floor", "key": "feed", "since": NOW - 5}],
    "watched_topics": ["floor"],
    "connection": None,
    "state": {"rooms": 3},
    "stack": ["market/actors.py:41 in on_fetch"],
    "a_new_field": {"x": 1},
}  # fmt: skip


def shown(answer: dict[str, Any] | None, *, state: bool = False) -> str:
    lines = of_actor(answer, "/residents/feed", NOW, state=state)
    return "\n".join(text_of(line).rstrip() for line in lines)


def test_the_last_crash_has_its_traceback() -> None:
    """
    The last crash comes first: when, which message, who had called, and the traceback.
    """
    said = shown(ANSWER)

    assert "5.0 s ago  in epoch 3  handling 'fetch'  from /residents/db" in said
    assert '      File "market/actors.py", line 41, in on_fetch' in said
    assert said.index("no such room") < said.index("KeyError: 'a'")


def test_handlers_are_shown_in_numbers() -> None:
    """
    A handler has its percentiles, and not the counts that the console draws as bars.
    """
    said = shown(ANSWER)

    assert "Handlers\n  message 'fetch', count 3, p50 0.002\n" in said
    assert "spread" not in said


def test_all_that_is_known_is_shown() -> None:
    """
    Stack, events, options, groups and presences are shown; what is empty is not, what is new is.
    """
    said = shown(ANSWER)

    assert "  market/actors.py:41 in on_fetch" in said
    assert said.index("slot.crashed") < said.index("slot.started")
    assert "max_restarts  3" in said
    assert "Groups\n  prices" in said
    assert "Present as\n  feed  in floor  for 5.0 s" in said
    assert "Watches who is present in\n  floor" in said
    assert "A new field\n  x  1" in said
    assert "Timers" not in said
    assert "Connection" not in said


def test_state_only_if_asked_for() -> None:
    """
    The state is shown when somebody has asked for it, and that there is none is said.
    """
    assert "rooms" not in shown(ANSWER)
    assert "rooms  3" in shown(ANSWER, state=True)
    assert "it shows none" in shown({**ANSWER, "state": None}, state=True)


def test_no_answer_and_a_refusal() -> None:
    """
    Before an answer there are three dots; a place that has gone is named in words.
    """
    assert shown(None) == "/residents/feed\n..."
    assert shown(missing("/residents/feed")).endswith("no actor lives at '/residents/feed'")


def test_hostile_texts() -> None:
    """
    What a client has sent does nothing to the terminal, wherever it stands.
    """
    hostile = {
        "row": row(ESCAPES, actor=ESCAPES, facts={"user": ESCAPES}),
        "history": [{"exception": ESCAPES, "text": ESCAPES, "traceback": ESCAPES, "at": 1}],
        "events": [{"kind": ESCAPES, "facts": {ESCAPES: ESCAPES}}],
        "stack": [ESCAPES],
        "presences": [{"topic": ESCAPES, "key": ESCAPES, "since": 1}],
        "watched_topics": [ESCAPES],
        "state": {ESCAPES: [ESCAPES, {ESCAPES: ESCAPES * 50}]},
        ESCAPES: ESCAPES,
    }

    assert all(line.isprintable() for line in shown(hostile, state=True).split("\n"))


def test_a_process_has_all_that_it_says() -> None:
    """
    The details of a process are all that it says of itself; one that has gone is called that.
    """
    process = Process(who(), {"ready": True, "versions": {"trio": "0.32"}, "counters": {"a": 1}})

    said = "\n".join(text_of(line).rstrip() for line in of_one_process(process, NOW))
    assert "versions  trio 0.32" in said
    assert [text_of(line) for line in of_one_process(None, NOW)] == ["this process has ended"]
