# A place, and a process, in words.

from typing import Any

import pytest
from terminal_trees import CRASHED, NOW, row, who

from greenroom.bridges.django.terminal import _units as units
from greenroom.bridges.django.terminal import _words as words
from greenroom.bridges.django.terminal._detail import summary
from greenroom.bridges.django.terminal._parts import joined, text_of
from greenroom.bridges.django.terminal._processes import header, of_process
from greenroom.bridges.django.terminal._world import Process


def told(found: dict[str, Any]) -> str:
    return text_of(joined(summary(found, NOW)))


def test_a_healthy_actor() -> None:
    """
    State, epoch, uptime, budget and mailbox of an actor stand in one line.
    """
    assert told(row("/residents/greeter")) == (
        "● running  epoch 1  up 12 s  restarts 0, 3 left  mailbox 0/256"
    )


def test_a_crashing_actor() -> None:
    """
    One that backs off says when it starts again, what is left of its budget, and its last crash.
    """
    said = told(row("/residents/feed", **CRASHED))

    assert said == (
        "↻ backing off  starts in 2.5 s  epoch 4  restarts 3, 0 left  mailbox 0/256"
        "  crashed ValueError 5.0 s ago: no such room"
    )


def test_a_busy_actor() -> None:
    """
    What it does and for how long, and how old its oldest message is, are told.
    """
    busy = row(
        "/residents/greeter",
        mailbox={"queued": 7, "capacity": 256, "age": 3.2},
        doing={"what": "'fetch'", "seconds": 12.0, "where": "market/actors.py:41"},
    )

    said = told(busy)
    assert "mailbox 7/256  oldest message 3.2 s" in said
    assert "doing 'fetch' for 12 s at market/actors.py:41" in said


def test_an_actor_in_a_thread() -> None:
    """
    Where the place of what it does is a thread, it is said as such.
    """
    held = {"doing": {"what": "'work'", "seconds": 1.7, "where": "in consumers-1"}}
    assert words.doing(held).text == "doing 'work' for 1.7 s in consumers-1"
    held = {"doing": {"what": "'work'", "seconds": 1.7}}
    assert words.doing(held).text == "doing 'work' for 1.7 s"


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, "● running"),
        ({"healthy": False}, "▲ running"),
        ({"state": "parked", "healthy": False}, "‖ parked"),
        ({"state": "unkillable", "healthy": False}, "✗ unkillable"),
        ({"state": "declined"}, "○ declined"),
        ({"state": "something new"}, "▲ something new"),
        ({"state": None}, "▲ unknown"),
    ],
)
def test_a_state_is_a_word_and_a_sign(fields: dict[str, Any], state: str) -> None:
    """
    Each state has its name and a sign; what is in trouble has another sign than what is well.
    """
    assert words.state(row("/residents/greeter", **fields)).text == state


def test_a_row_of_another_version() -> None:
    """
    What is missing, or of another type, is left out, and nothing fails.
    """
    assert told({}) == "▲ unknown"
    strange = {"state": 5, "mailbox": [], "doing": "x", "below": 3, "facts": None, "backoff": "x"}
    assert told(strange) == "▲ 5"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 ms"), (0.0214, "21 ms"), (3.21, "3.2 s"), (59.7, "1 m"), (182, "3 m 2 s"),
        (3600, "1 h"), (3601, "1 h"), (90_061, "1 d 1 h"), (-2, "-2.0 s"),
    ],
)  # fmt: skip
def test_durations(seconds: float, said: str) -> None:
    """
    A duration has its two largest units, and none of a unit is left out.
    """
    assert units.duration(seconds) == said


def test_a_process() -> None:
    """
    A process says whether it is ready, how late its loop is, and how many connections it has.
    """
    facts = {"ready": True, "loop_lag": {"last": 0.001, "worst": 0.3}, "connections": 12_345}

    said = text_of(of_process(Process(who(), facts), NOW))
    assert said == ("pid 7 on web  ● ready  lag 1 ms, at worst 300 ms  12,345 connections  up 1 m")


def test_a_process_that_is_not_ready() -> None:
    """
    One that is not ready says why.
    """
    facts = {"ready": False, "problems": ["/residents/feed is parked"]}

    said = text_of(of_process(Process(who(), facts), NOW))
    assert said == "pid 7 on web  ▲ not ready: /residents/feed is parked  up 1 m"


def test_a_silent_process() -> None:
    """
    A silent one is called that, with the reason and when it was alive last.
    """
    silent = Process(who(), {"ready": True}, "no answer within 1 s", heard=NOW - 12)

    said = text_of(of_process(silent, NOW))
    assert said == "pid 7 on web  ✗ SILENT: no answer within 1 s  alive 12 s ago"


def test_the_header_counts() -> None:
    """
    The header has the totals of those that answer, and says how many are silent.
    """
    facts = {"ready": True, "loop_lag": {"last": 0.2, "worst": 0.3}, "connections": 1000}
    known = [Process(who(1), facts), Process(who(2), facts), Process(who(3), facts, "late")]

    said = text_of(header(known, "", 3))
    assert said == ("3 processes  ✗ 1 silent  2,000 connections  ▲ 3 unhealthy  lag 200 ms at most")
