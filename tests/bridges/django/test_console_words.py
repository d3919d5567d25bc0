# How the console says things, and reads a traceback and an address: pure, without a tree.

from textwrap import dedent
from typing import Any

import pytest

from greenroom.bridges.django.console import _words as words
from greenroom.bridges.django.console._lines import line_of
from greenroom.bridges.django.console._tables import chart
from greenroom.bridges.django.console._tracebacks import frames, offending
from greenroom.bridges.django.console._tree_query import MOST_OPEN, TreeQuery, whole

DASH = words.NOTHING


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, DASH), (True, DASH), ("x", DASH), (float("nan"), DASH), (float("inf"), DASH),
        (0, "0 s"), (0.000_05, "50 µs"), (0.0123, "12.3 ms"), (1.5, "1.5 s"), (42, "42 s"),
        (61, "1 min 1 s"), (3600, "1 h"), (3661, "1 h 1 min"), (90_061, "1 d 1 h"),
        (86_401, "1 d"), (-2, "-2 s"), (59.6, "1 min"),
    ],
)  # fmt: skip
def test_durations(seconds: object, text: str) -> None:
    """
    Seconds are said in the two largest units that they fill; what is no number is a dash.
    """
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(None, DASH), (0, "0 B"), (1023, "1023 B"), (2048, "2 KiB"), (3.5 * 2**20, "3.5 MiB")],
)
def test_sizes(count: object, text: str) -> None:
    """
    Bytes are said in the unit that leaves a number below 1024.
    """
    assert words.size(count) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, DASH), ("", DASH), (False, "no"), (True, "yes"), (1006, "1006"),
        (2.5, "2.5"), ("x", "x"),
        ([], DASH), ([1, "a"], "1, a"), ({}, DASH), ({"a": 1, "b": None}, f"a 1, b {DASH}"),
    ],
)  # fmt: skip
def test_any_plain_value(value: object, text: str) -> None:
    """
    Whatever JSON can carry has words.
    """
    assert words.told(value) == text


def test_moments() -> None:
    """
    Unix seconds are a moment, and what can't be one is none.
    """
    found = words.moment(0)
    assert found is not None
    assert found.isoformat() == "1970-01-01T00:00:00+00:00"
    for at in (None, "x", 1e30, float("nan")):
        assert words.moment(at) is None


def test_states_have_a_sign_and_a_word() -> None:
    """
    No state is told by a colour alone, not even one that nobody knows, and unhealthy is a word.
    """
    for state in ("running", "backing off", "parked", "unkillable", "never heard of"):
        mark = words.state_mark(state)
        assert mark.word == state
        assert mark.sign.strip()
    assert words.state_mark("running", healthy=False).word == "running, unhealthy"


def test_kinds_have_a_sign_and_a_word() -> None:
    """
    Each kind of place has a sign of its own, with its word for whoever does not see that.
    """
    marks = [words.kind_mark(kind) for kind in ("root", "supervisor", "slot", "never heard of")]
    assert len({mark.sign for mark in marks}) == len({mark.word for mark in marks}) == 4
    assert all(mark.sign.strip() and mark.word.strip() for mark in marks)


def test_anchors() -> None:
    """
    An id is the same for the same place, another for another, and safe in a page whatever it is of.
    """
    found = {words.anchor(*parts) for parts in (("a", "b"), ("ab",), ("a", "b"), ("\ud800", '"<'))}
    assert len(found) == 3
    assert all(each.isalnum() for each in found)


OWN = dedent("""
    Traceback (most recent call last):
      File "/usr/lib/python3.13/site-packages/trio/_core/_run.py", line 10, in run
        go()
      File "/srv/shop/market/actors.py", line 31, in tick
        price = float(settings.PRICE)
                ^^^^^^^^^^^^^^^^^^^^^
      File "/usr/lib/python3.13/site-packages/django/conf/__init__.py", line 83, in __getattr__
        val = getattr(_wrapped, name)
    AttributeError: 'Settings' object has no attribute 'PRICE'
""")


def test_the_line_at_fault() -> None:
    """
    The line at fault is the last of the user's own, not that of the library that raised.
    """
    frame = offending(OWN)
    assert frame is not None
    assert (frame.file, frame.line, frame.function) == ("/srv/shop/market/actors.py", 31, "tick")
    assert frame.code == "price = float(settings.PRICE)"
    assert [each.own for each in frames(OWN)] == [False, True, False]


def test_of_exceptions_that_followed_from_each_other() -> None:
    """
    The last exception of a chain is looked at first; where it has no line of one's own, the others.
    """
    between = "\nThe above exception was the direct cause of the following exception:\n"
    other = OWN.replace("line 31", "line 99")
    foreign = OWN.replace("/srv/shop/market", "/x/site-packages/market")
    for text, line in ((other + between + OWN, 31), (OWN + between + foreign, 31)):
        frame = offending(text)
        assert frame is not None
        assert frame.line == line


def test_within_a_group() -> None:
    """
    Frames of an exception group are found behind its margin.
    """
    frame = offending("\n".join(f"  | {line}" for line in OWN.splitlines()))
    assert frame is not None
    assert (frame.line, frame.code) == (31, "price = float(settings.PRICE)")


@pytest.mark.parametrize("text", ["", "no traceback at all", 'File "x"', '  File "<x>", line 1'])
def test_what_is_no_traceback(text: str) -> None:
    """
    A text without a frame of one's own has at most a last frame.
    """
    frame = offending(text)
    assert frame is None or not frame.own


def test_our_own_files_are_nobodys_fault() -> None:
    """
    Greenroom's files and Python's are no code of the user's; the tests' are.
    """
    import json

    import greenroom.actors._loop as loop

    for file, own in ((str(loop.__file__), False), (json.__file__, False), (__file__, True)):
        frame = offending(f'Traceback\n  File "{file}", line 1, in f\n    x()\n')
        assert frame is not None
        assert frame.own is own


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("5", 5), (" 7 ", 7), ("0", None), ("-1", None), ("x", None), (None, None), ("²", None),
        ("9" * 30, None), ("101", None),
    ],
)  # fmt: skip
def test_numbers_in_an_address(value: object, number: int | None) -> None:
    """
    A number of an address is a whole one within its bounds, or left out.
    """
    assert whole(value, 100) == number


def test_the_address_says_the_same_again() -> None:
    """
    What is read from an address and written again is the same; what is open stays bounded.
    """
    get = {"process": "a:1:2", "path": "/x", "q": "y", "unhealthy": "1", "mailbox": "5"}
    query = TreeQuery.read(get, [f"a:1:2|/{n}" for n in range(500)])
    assert query.opened is not None
    assert len(query.opened) == MOST_OPEN
    params: Any = query.params()
    assert TreeQuery.read(params, params["open"]) == query
    assert query.question()["mailbox"] == 5
    folded = query.toggled(query.opened, ("a:1:2", "/0"))
    assert ("a:1:2", "/0") not in (folded.opened or ())
    assert ("a:1:2", "/0") in (folded.toggled(folded.opened or (), ("a:1:2", "/0")).opened or ())


def test_a_line_says_what_is_known() -> None:
    """
    A place's line has its restarts, its mailbox, what it does and why it crashed, in words.
    """
    row = {
        "path": "/a/b", "kind": "slot", "name": "b", "actor": "B", "state": "backing off",
        "healthy": False, "epoch": 3, "uptime": None, "restarts": 2, "restarts_left": 1,
        "backoff": 12.0, "mailbox": {"queued": 3, "capacity": 100, "age": 65.0},
        "doing": {"what": "order", "seconds": 2.0, "where": "shop.py:3"}, "below": {"total": 0},
        "crash": {"exception": "ValueError", "text": "sold out", "at": 5.0}, "exit": None,
        "facts": {"user": "ada", "handling": "order"},
    }  # fmt: skip
    line = line_of(row, "p", 1, url="/u", toggle="/t", is_open=False)
    assert line.restarts == "2 in window, 1 left, begins again in 12 s"
    assert line.mailbox == "3 / 100, oldest 1 min 5 s"
    assert line.doing == "order for 2 s shop.py:3"
    assert (line.last, line.at, line.life) == ("ValueError: sold out", 5.0, "epoch 3")
    assert (line.facts, line.toggle) == ("user ada", "")
    bare = line_of({"path": "/", "kind": "root"}, "p", 0, url="", toggle="", is_open=True)
    assert (bare.restarts, bare.mailbox, bare.doing, bare.last) == (DASH, DASH, DASH, "")


def test_charts() -> None:
    """
    A chart has a point for each sample, its highest at the top, and says in words what it shows.
    """
    found = chart([0, 5, None, 10], "rising")
    assert found is not None
    points = [tuple(map(float, each.split(","))) for each in found.points.split()]
    assert [x for x, _ in points] == [0.0, 60.0, 120.0]
    assert points[0][1] > points[1][1] > points[2][1] == 1.0
    assert found.text == "rising"
    assert chart([1], "one") is None
    assert chart([0, 0], "flat") is not None
