# The tree printed once: what is asked, and the text and the JSON made of it.

import json
import re
from typing import Any

from terminal_trees import ESCAPES, NOW, Trees, crowd, row, small_tree, who

from greenroom.bridges.django.terminal._gathering import MOST_ROWS, Portrait, portraits
from greenroom.bridges.django.terminal._options import Asked
from greenroom.bridges.django.terminal._plain import json_lines, text_lines, troubles
from greenroom.bridges.django.terminal._said import EVERYBODY


def taken(trees: Trees, **asked: Any) -> list[Portrait]:
    return portraits(trees, trees(EVERYBODY, None), Asked(**asked), NOW)


def text(trees: Trees, **asked: Any) -> list[str]:
    return list(text_lines(taken(trees, **asked), Asked(**asked), "", NOW))


def cut(line: str) -> str:
    """The line up to the name of its place."""
    return re.split(r"(?<=\w)  ", line)[0]


def test_a_tree_as_text() -> None:
    """
    The tree is drawn with lines, and each place is one of them.
    """
    printed = text(Trees({7: small_tree()}))

    assert [cut(line) for line in printed] == [
        "1 process",
        "pid 7 on web",
        "├─ connections",
        "│  └─ room",
        "│     └─ 1",
        "└─ residents",
        "   ├─ greeter",
        "   └─ feed",
    ]
    assert printed[-1].endswith("crashed ValueError 5.0 s ago: no such room")
    assert printed[4].endswith("  ada")


def test_many_are_cut() -> None:
    """
    Below one place so many are shown as the limit says, and the rest is a number.
    """
    printed = text(Trees({7: crowd(12_345)}), limit=3)
    assert printed[4:8] == [
        *(each for each in printed[4:7] if "Room" in each),
        "│     └─ ... 12,342 more",
    ]

    assert len(text(Trees({7: crowd(1200)}), limit=1100)) == 1100 + 6


def test_all_of_it_is_bounded() -> None:
    """
    However much is asked for, so many rows of one process are kept, and the others are counted.
    """
    trees = Trees({7: crowd(30_000)})

    (found,) = taken(trees, limit=100_000)
    assert found.tree is not None
    places = list(found.tree.walk())
    assert len(places) == MOST_ROWS + 1
    assert sum(place.left_out for place in places) > 9000


def test_only_so_deep() -> None:
    """
    With a depth what is deeper is neither shown nor asked for.
    """
    trees = Trees({7: small_tree()})

    assert [cut(line) for line in text(trees, depth=1)][2:] == [
        "├─ connections",
        "└─ residents",
    ]
    assert [question["path"] for question, only in trees.asked if only] == ["/"]
    assert len(text(trees, depth=0)) == 2


def test_one_place_and_what_is_below() -> None:
    """
    With a path that place comes first; a process that has no such place says so.
    """
    trees = Trees({7: small_tree(), 8: crowd(1)})

    printed = text(trees, path="/residents/feed")
    assert printed[2].startswith("└─ feed  Feed  ↻ backing off")
    assert printed[4] == "   no actor lives at '/residents/feed'"
    assert [each.missing for each in taken(trees, path="/residents/feed")] == [False, True]


def test_what_is_looked_for() -> None:
    """
    What is looked for, or unhealthy, is a list of paths below its process.
    """
    trees = Trees({7: small_tree(), 8: crowd(3)})

    printed = text(trees, unhealthy=True)
    assert printed[2].startswith("└─ /residents/feed  Feed  ↻ backing off")
    assert printed[4] == "└─ nothing is found"
    assert len(text(trees, search="room/")) == 1 + 2 + 4


def test_what_is_unhealthy_is_counted() -> None:
    """
    Places that are unhealthy are counted, and processes that are silent or not ready.
    """
    trees = Trees({7: small_tree(), 8: None})

    assert troubles(taken(trees, unhealthy=True)) == (1, 1)
    assert troubles(taken(Trees({7: crowd(3)}), unhealthy=True)) == (0, 0)


def test_a_silent_process() -> None:
    """
    A silent process is a line that says so, and is not asked again.
    """
    trees = Trees({7: small_tree(), 8: None})

    assert text(trees)[-1] == "pid 8 on web  ✗ SILENT: no answer within 1 s"
    assert {only for _, only in trees.asked} == {None, who(7)["id"]}


def test_a_process_that_falls_silent_meanwhile() -> None:
    """
    One that answers first and then no more is told as silent.
    """
    trees = Trees({7: small_tree()})
    first = trees(EVERYBODY, None)
    trees.trees[7] = None

    (found,) = portraits(trees, first, Asked(), NOW)
    assert found.process.silent == "no answer within 1 s"
    trees.trees = {}
    (found,) = portraits(trees, first, Asked(), NOW)
    assert found.process.silent == "it has ended meanwhile"


def test_as_json() -> None:
    """
    Each process is one line of JSON: who it is, what it says of itself, its places in order.
    """
    trees = Trees({7: crowd(10), 8: None})

    first, second = map(json.loads, json_lines(taken(trees, limit=4)))
    assert first["process"] == who(7)
    assert first["facts"]["ready"] is True
    assert [each["path"] for each in first["rows"]][:4] == [
        "/", "/connections", "/connections/room", "/connections/room/0",
    ]  # fmt: skip
    assert first["left_out"] == {"/connections/room": 6}
    assert (second["process"]["pid"], second["silent"]) == (8, "no answer within 1 s")
    assert "rows" not in second


def test_more_that_nobody_has_counted() -> None:
    """
    Of what is looked for nobody knows how many there are: null in JSON, a hint in the text.
    """
    trees = Trees({7: crowd(10)})

    (line,) = map(json.loads, json_lines(taken(trees, search="room/", limit=4)))
    assert line["left_out"] == {"/": None}
    assert text(trees, search="room/", limit=4)[-1] == "└─ ... more: raise --limit"


def test_hostile_texts() -> None:
    """
    Whatever a client calls itself, what is printed has no character that a terminal obeys.
    """
    bad = row(
        "/residents/" + ESCAPES,
        name=ESCAPES,
        actor=ESCAPES,
        state=ESCAPES,
        facts={"user": ESCAPES},
        crash={"exception": ESCAPES, "text": ESCAPES, "at": 1.0},
        doing={"what": ESCAPES, "where": ESCAPES},
        exit={"reason": ESCAPES},
    )
    trees = Trees({7: small_tree(bad)})

    assert all(line.isprintable() for line in text(trees))
    assert all(line.isascii() and line.isprintable() for line in json_lines(taken(trees)))


def test_what_is_wrong_is_said() -> None:
    """
    A wrong option is named, with what it must be and what it was.
    """
    for asked, begins in (
        (Asked(path="residents"), "--path must begin with a slash"),
        (Asked(limit=0), "--limit must be from 1 to 100000. Got: 0"),
        (Asked(depth=-1), "--depth must be 0 or more. Got: -1"),
        (Asked(every=0), "--every must be from 0.1 to 60 seconds. Got: 0"),
        (Asked(seconds=float("nan")), "--timeout must be from 0.05 to 60 seconds. Got: nan"),
        (Asked(search="a" * 501), "--path and --search may have 500 characters"),
    ):
        assert asked.wrong().startswith(begins)
    assert Asked().wrong() == ""
