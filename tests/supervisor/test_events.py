# The event stream.

import gc
import json
import logging
import math
import threading
import weakref
from typing import Any

import pytest
from helpers import counted

from greenroom.supervisor._events import EVENTS, Event, EventStream, described, plain


def test_every_kind_is_a_sentence() -> None:
    """
    Each kind is "subject.happening" and has one sentence of documentation.
    """
    for kind, doc in EVENTS.items():
        assert kind.count(".") == 1
        assert doc[0].isupper() or doc.startswith("disconnect()")
        assert doc.endswith(".")


def test_subscribers_hear_what_is_emitted() -> None:
    """
    An event carries kind, path, epoch, time and facts.
    """
    stream, heard = EventStream(), list[Event]()
    stream.subscribe(heard.append)

    stream.emit("slot.started", "/residents/ticker", 2, reason="crash")

    [event] = heard
    assert (event.kind, event.path, event.epoch) == ("slot.started", "/residents/ticker", 2)
    assert event.facts == {"reason": "crash"}
    assert event.at > 1_700_000_000


def test_facts_may_have_any_name() -> None:
    """
    A fact may be called path or kind without clashing.
    """
    stream = EventStream()

    stream.emit("connection.opened", "/connections/chat/1", path="/ws/chat/", kind="ws")

    assert stream.recent()[0].facts == {"path": "/ws/chat/", "kind": "ws"}


def test_unlisted_kind_is_refused() -> None:
    """
    A kind that is not in EVENTS is a mistake of the caller, and nothing is emitted.
    """
    stream = EventStream()

    with pytest.raises(ValueError, match=r"listed in EVENTS. Got: 'slot.crash'"):
        stream.emit("slot.crash", "/")
    assert stream.recent() == []


def test_never_raises(caplog: pytest.LogCaptureFixture) -> None:
    """
    A subscriber that raises is logged, and the others still hear the event.
    """
    stream, heard = EventStream(), list[Event]()

    def broken(event: Event) -> None:
        raise OSError("disk full")

    stream.subscribe(heard.append)
    stream.subscribe(broken)
    stream.subscribe(heard.append)
    with caplog.at_level(logging.ERROR, "greenroom"):
        stream.emit("root.started", "/")

    assert len(heard) == 2
    assert "a subscriber of root.started failed" in caplog.text
    assert "disk full" in caplog.text


def test_no_frames() -> None:
    """
    Subscribers get an exception itself; the ring keeps its text, and no locals alive.
    """

    class Request:
        pass

    stream, heard = EventStream(), list[object]()
    stream.subscribe(lambda event: heard.append(event.facts["exception"]))

    def crash() -> "weakref.ref[Request]":
        request = Request()
        try:
            raise ValueError("no room")
        except ValueError as error:
            stream.emit("slot.crashed", "/connections/chat/1", 1, exception=error)
        return weakref.ref(request)

    request = crash()
    assert isinstance(heard.pop(), ValueError)
    gc.collect()

    assert request() is None
    assert stream.recent()[0].facts == {"exception": "ValueError: no room"}


def test_bounded() -> None:
    """
    The ring forgets the oldest events; the counters forget nothing.
    """
    stream = EventStream(capacity=3)
    for number in range(10):
        stream.emit("slot.started", f"/residents/{number}")

    assert [event.path for event in stream.recent()] == [f"/residents/{n}" for n in (7, 8, 9)]
    assert stream.counts()["slot.started"] == 10
    assert set(stream.counts()) == set(EVENTS)


def test_recent_looks_for_a_kind() -> None:
    """
    recent() gives the latest of one kind, oldest first.
    """
    stream = EventStream()
    for number in range(4):
        stream.emit("slot.started", f"/{number}")
        stream.emit("slot.ended", f"/{number}")

    assert [event.path for event in stream.recent(2, "slot.started")] == ["/2", "/3"]
    assert stream.recent(0) == stream.recent(-1) == []
    assert [event.kind for event in stream.recent(1)] == ["slot.ended"]


def test_unsubscribe() -> None:
    """
    Each subscription ends by its own function, and ending it twice does nothing.
    """
    stream, heard = EventStream(), list[Event]()
    first, _second = stream.subscribe(heard.append), stream.subscribe(heard.append)
    first()
    first()
    stream.emit("root.started", "/")

    assert len(heard) == 1


def test_a_subscriber_may_emit() -> None:
    """
    A subscriber may emit, subscribe and unsubscribe while it handles an event.
    """
    stream, heard = EventStream(), list[str]()

    def once(event: Event) -> None:
        unsubscribe()
        stream.subscribe(lambda event: heard.append(event.kind))
        stream.emit("root.stopped", "/")

    unsubscribe = stream.subscribe(once)
    stream.emit("root.stopping", "/")

    assert heard == ["root.stopped"]


def test_threads_are_counted_exactly() -> None:
    """
    Events of many threads at once are all heard and all counted.
    """
    stream, heard = EventStream(), list[Event]()
    stream.subscribe(heard.append)
    threads = [
        threading.Thread(target=lambda: [stream.emit("work.stale", "/", nth) for nth in range(500)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(heard) == stream.counts()["work.stale"] == 2000


def test_events_are_frozen() -> None:
    """
    Neither an event nor its facts can be changed.
    """
    stream = EventStream()
    stream.emit("root.started", "/", workers=1)
    facts: Any = stream.recent()[0].facts

    with pytest.raises(TypeError):
        facts["workers"] = 2


def test_as_dict_is_json() -> None:
    """
    An event with any facts can be dumped as JSON.
    """
    stream = EventStream()
    stream.emit("slot.ended", "/", 1, reason=KeyError("x"), codes=(1, {2}), left=math.inf, who=int)

    assert json.loads(json.dumps(stream.recent()[0].as_dict(), allow_nan=False))["facts"] == {
        "reason": "KeyError: 'x'",
        "codes": [1, [2]],
        "left": "inf",
        "who": "<class 'int'>",
    }


def test_plain_keeps_data() -> None:
    """
    plain() leaves data as it is, and makes keys into text.
    """
    assert plain({1: [None, True, 1, 1.5, "x"]}) == {"1": [None, True, 1, 1.5, "x"]}


def test_described_survives_a_broken_text() -> None:
    """
    An exception whose own text raises is still named.
    """

    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    name = Broken.__qualname__
    assert described(Broken()) == f"{name}: (its text cannot be shown)"
    assert described(ValueError()) == "ValueError"


def test_capacity_is_checked() -> None:
    """
    A stream that remembers nothing is refused.
    """
    with pytest.raises(ValueError, match=r"capacity must be at least 1\. Got: 0"):
        EventStream(0)


def test_repr_counts() -> None:
    """
    The repr says how much was emitted, is remembered, and who listens.
    """
    stream = EventStream(capacity=1)
    stream.subscribe(lambda event: None)
    stream.emit("root.started", "/")
    stream.emit("root.stopped", "/")

    assert repr(stream) == "<EventStream 2 emitted, 1 remembered, 1 subscribers>"


def test_of_one_among_many() -> None:
    """
    The events of one path are found without a look at those of the others, and as long as theirs.
    """
    stream = EventStream(capacity=100)

    def work() -> int:
        with counted() as counting:
            found = stream.recent(5, path="/a")
        assert [event.epoch for event in found] == [1, 2]
        return counting.steps

    stream.emit("slot.started", "/a", 1)
    stream.emit("slot.restarted", "/a", 2)
    alone = work()
    for number in range(98):
        stream.emit("slot.started", f"/{number}", number)
    assert work() == alone
    stream.emit("slot.started", "/b", 1)
    assert [event.epoch for event in stream.recent(5, path="/a")] == [2]
    stream.emit("slot.started", "/b", 2)
    assert stream.recent(5, path="/a") == []
    assert len(stream._ring._by_path) == 99
    assert len(stream.recent(1000)) == 100


def test_kept_apart() -> None:
    """
    Comings and goings below a branch that is kept apart push nothing out; they are told and counted
    all the same, those of one path are found with what else happened there, and failures are
    remembered as elsewhere.
    """
    stream = EventStream(capacity=200)
    heard: list[Event] = []
    stream.subscribe(heard.append)
    stream.emit("slot.crashed", "/wanted", 1)
    stream.keep_apart("/connections/feed")
    stream.keep_apart("/connections/feed")
    for number in range(300):
        stream.emit("connection.opened", f"/connections/feed/{number}")
    stream.emit("slot.crashed", "/connections/feed/299", 1)
    stream.emit("slot.ended", "/connections/feed/299", 1)
    stream.emit("slot.ended", "/connections/feeds/1", 1)

    kept = [(event.kind, event.path) for event in stream.recent(1000)]
    assert kept == [
        ("slot.crashed", "/wanted"),
        ("slot.crashed", "/connections/feed/299"),
        ("slot.ended", "/connections/feeds/1"),
    ]
    of_one = [event.kind for event in stream.recent(5, path="/connections/feed/299")]
    assert of_one == ["connection.opened", "slot.crashed", "slot.ended"]
    assert len(stream.remembered(apart=True)) == 100
    assert stream.forgotten == 0
    assert stream.forgotten_apart == heard[201].number
    assert stream.counts()["connection.opened"] == 300
    assert len(heard) == 304
