# Small charts of the last minute: what they say in words, and on which pages they are.

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from math import inf
from typing import Any

import pytest
from console_project import client_of, room_served, text_of
from django.test import Client

from greenroom.bridges.django.console import _hearing
from greenroom.bridges.django.console._charts import (
    BUSY,
    CRASHES,
    LAG,
    LETTERS,
    OPEN,
    OPENED,
    WAITING,
    charted,
    rate,
    samples_of,
    spread_cell,
)
from greenroom.bridges.django.console._tables import bars, chart
from greenroom.bridges.inspection import _samples

DASH = "\N{EN DASH}"
COLUMNS = ["at", "lag", "connections", "opened", "busy"]
SAID: dict[str, Any] = {
    "columns": COLUMNS,
    "samples": [[-2, 0.001, 3, 0, 1], [-1, 0.25, 5, 1.98, 2], [0, 0.002, 4, 0.99, 0]],
    "loop_lag": {"last": 0.003, "worst": 0.25},
    "connections": {"open": 6},
    "threads": [{"pool": "a", "busy": 1, "waiting": 0}, {"pool": "b", "busy": 2, "waiting": 7}],
}


def test_a_figure_in_words() -> None:
    """
    A figure has what it is now, the highest of its samples, and both in the text of its chart.
    """
    lag, opened, busy = charted(SAID, (LAG, OPENED, BUSY))
    assert (lag.name, lag.now, lag.highest) == ("Loop lag", "3 ms", "0.25 s in 3 s")
    assert lag.chart is not None
    assert lag.chart.text == "Loop lag of the last 3 s: 1 ms to 0.25 s, now 3 ms"
    assert (opened.now, opened.highest) == ("1", "2 in 3 s")
    assert busy.now == "3"


def test_the_line_ends_with_this_moment() -> None:
    """
    What is more now than in any sample is the highest, and the end of the line.
    """
    [found] = charted(SAID, [OPEN])
    assert (found.now, found.highest) == ("6", "6 in 3 s")
    assert found.chart is not None
    assert found.chart.points.split()[-1] == "120.0,1.0"


def test_a_process_of_an_older_version() -> None:
    """
    A column that a process does not have is left out, unless its answer says it elsewhere.
    """
    assert charted(SAID, [LETTERS, CRASHES]) == []
    [waiting] = charted(SAID, [WAITING])
    assert (waiting.now, waiting.highest, waiting.chart) == ("7", "", None)
    assert charted({}, [LAG, OPEN, OPENED, BUSY]) == []


def test_before_there_are_samples() -> None:
    """
    A process that nobody has looked at yet has the words, and a dash for what only samples tell.
    """
    said = {**SAID, "samples": []}
    assert [(each.now, each.chart) for each in charted(said, (OPEN, OPENED))] == [
        ("6", None), (DASH, None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "said",
    [
        {"columns": None, "samples": 5},
        {"columns": ["opened"], "samples": [None, [], ["x"], [None], {}]},
        {"columns": ["opened", "lag"], "samples": [[float("nan")], [True]], "threads": [5, {}]},
        {"columns": ["opened"], "samples": [[inf], [-(10**999)]]},
    ],
)
def test_samples_that_are_none(said: dict[str, Any]) -> None:
    """
    Whatever a process says instead of samples, there is a page.
    """
    assert all(each.chart is None for each in charted(said, (LAG, OPENED, BUSY, OPEN)))
    assert samples_of(said, "lag") == []


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, DASH),
        ("x", DASH),
        (0, "0"),
        (0.99, "1"),
        (2.94, "2.9"),
        (0.04, "0.04"),
        (1234, "1,234"),
        (999.96, "1,000"),
        (1234.56, "1,235"),
    ],
)
def test_rates(value: object, text: str) -> None:
    """
    How many in a second is said no more exactly than a second was measured.
    """
    assert rate(value) == text


def test_what_hardly_moves_looks_like_that() -> None:
    """
    A chart whose top stands for a least number leaves what is far below it at the bottom.
    """
    found = chart([0.0001, 0.0004], "calm", 0.02)
    assert found is not None
    assert all(float(each.split(",")[1]) > 22 for each in found.points.split())


def test_bars() -> None:
    """
    Bars are as high as there are many; one of few is seen, one of none is left out.
    """
    found = bars([1, 0, 1000], "how long")
    assert found is not None
    assert [(bar.x, bar.y, bar.height) for bar in found.bars] == [
        ("0.0", "23.0", "1.0"), ("24.0", "1.0", "23.0"),
    ]  # fmt: skip
    assert found.text == "how long"
    assert bars([], "nothing") is bars([0, 0], "nothing") is None
    many = bars([1] * 44, "many")
    assert many is not None
    assert all(float(bar.x) + float(bar.width) <= many.width for bar in many.bars)


def test_how_long_messages_took() -> None:
    """
    The spread of a handler is bars, whose ends and counts are said in words.
    """
    cell = spread_cell([[0.001, 2], [0.002, 0], [0.004, 40]])
    assert cell.text == "500 µs to 4 ms"
    assert cell.chart is not None
    assert cell.chart.text == "How long they took: 2 up to 1 ms, 40 up to 4 ms"
    for nothing in (None, [], [[0.001, 0]], [["x"], 5, [1]], [[1, -2]], [[1, inf]], [[1, 10**999]]):
        assert (spread_cell(nothing).text, spread_cell(nothing).chart) == (DASH, None)


@pytest.fixture
def server(console: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """
    A tree with a resident and a route, of which a sample is taken every few milliseconds.
    """
    monkeypatch.setattr(_samples, "EVERY", 0.005)
    for name in ("FIRST_SECONDS", "PAGE_SECONDS"):  # a busy machine may need more than a page has
        monkeypatch.setattr(_hearing, name, 20.0)
    with room_served() as server:
        yield server


@pytest.fixture
def ada(console: None) -> Client:
    """
    Somebody who may see the tree.
    """
    return client_of("ada", "view_tree")


PAGES = {
    "greenroom_tree": ("Loop lag", "Crashes a second", "Restarts a second"),
    "greenroom_connections": ("Connections", "Opened a second", "Closed a second"),
    "greenroom_dead_letters": ("Dead letters a second", "Overflows a second"),
    "greenroom_threads": ("Busy threads", "Jobs that wait"),
    "greenroom_processes": ("Loop lag", "Memory", "Connections", "Events a second"),
    "greenroom_events": ("Events a second",),
}


def drawn(ada: Client, page: str) -> str:
    """The page, once it has charts; each look has samples taken."""
    for _ in range(200):
        text = text_of(ada, page)
        if text.count("<polyline") == len(PAGES[page]):
            return text
    raise AssertionError(f"no charts on {page}")


@pytest.mark.parametrize("page", PAGES)
def test_where_they_are(server: Any, ada: Client, page: str) -> None:
    """
    A page has its charts, each with a text, with the same words beside it, and no style of its own.
    """
    with server.websocket("/room/"):
        text = drawn(ada, page)
    for name in PAGES[page]:
        assert re.search(rf'role="img" aria-label="{name} of the last \d+ s: [^"]+, now ', text)
        assert name in re.sub(r"<svg.*?</svg>", "", text)
    assert " style=" not in text.partition('class="gr-nav"')[2].partition("<footer")[0]


def answering(change: Callable[[Any], Any]) -> Any:
    """What a page hears, with each answer changed on its way."""
    voice_of = _hearing.voice_of

    def changed(said: Any) -> Any:
        return change(voice_of(said))

    return changed


@pytest.mark.parametrize("page", PAGES)
def test_pages_without_them(
    server: Any, ada: Client, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A process that has no samples, as those of other versions may, is shown without charts.
    """

    def without(voice: Any) -> Any:
        answer = {k: v for k, v in voice.answer.items() if k not in ("columns", "samples")}
        return replace(voice, answer=answer)

    drawn(ada, page)
    monkeypatch.setattr(_hearing, "voice_of", answering(without))
    text = text_of(ada, page)
    assert "1 of 1 process answered." in text
    assert "<polyline" not in text


def test_who_says_nothing_of_its_last_minute(
    server: Any, ada: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A process that answers what a page is for, but not what its charts need, is not called silent.
    """

    def only_the_list(voice: Any) -> Any:
        return replace(voice, answer={}, silent="slow") if "samples" in voice.answer else voice

    monkeypatch.setattr(_hearing, "voice_of", answering(only_the_list))
    text = text_of(ada, "greenroom_connections")
    assert "1 of 1 process answered." in text
    assert "No connection is open." in text
    assert "gr-charts" not in text


def test_the_handlers_of_an_actor(server: Any, ada: Client) -> None:
    """
    The page of an actor has how long each kind of message took, as bars with words.
    """
    page = {"path": "/connections/room/1"}
    with server.websocket("/room/") as socket:
        assert "<rect" not in text_of(ada, "greenroom_actor", **page)
        socket.send_text("hello")
        assert socket.receive_text() == "hello"
        for _ in range(200):
            text = text_of(ada, "greenroom_actor", **page)
            if "<rect" in text:
                break
    assert re.search(r'aria-label="How long they took: 1 up to [^"]+"', text)
    assert "Spread" in text
