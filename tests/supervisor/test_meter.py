# What is counted of what happened: by class, code and reason, and so many labels and no more.

import threading

import pytest
import trio
from helpers import running, settle, watch
from trio.testing import MockClock

from greenroom.actors import Actor, WebsocketConsumer, handles
from greenroom.bridges.testing import virtual_clock
from greenroom.supervisor import EventStream, Options
from greenroom.supervisor._meter import MOST_LABELS, OTHER, Counted, Histogram, Meter


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


class Room(WebsocketConsumer):
    async def receive(self, text):
        if text == "boom":
            raise ValueError
        raise KeyError


class Clerk(Actor):
    mailbox_capacity = 1
    overflow = "drop_newest"

    @handles("nap")
    async def on_nap(self, message):
        await trio.sleep(3)


def test_bounded() -> None:
    """
    BOUNDED: labels beyond the limit are one together, and no count is lost.
    """
    counted = Counted("code")
    for number in range(MOST_LABELS + 50):
        counted.add(str(number))
        counted.add("0")
    counts = counted.counts()
    assert len(counts) == MOST_LABELS + 1
    assert counts[OTHER,] == 50
    assert counts["0",] == MOST_LABELS + 51
    assert sum(counts.values()) == 2 * (MOST_LABELS + 50)


def test_a_histogram() -> None:
    """
    Each bucket has all that took at most so long, and the last one everything.
    """
    histogram = Histogram()
    for seconds in (0.001, 0.005, 0.3, 1000.0):
        histogram.add(seconds)
    buckets = dict(histogram.buckets())
    assert buckets[0.005] == 2
    assert buckets[0.1] == 2
    assert buckets[0.5] == 3
    assert buckets[300.0] == 3
    assert buckets[None] == 4
    assert histogram.sum == pytest.approx(1000.306)


def test_its_own() -> None:
    """
    ITS OWN: what a peer has said, and a reason quotes, is in no label.
    """
    events = EventStream()
    meter = Meter(events, lambda path: None)
    for origin in ("https://evil.example", "it's \"mine\"", ""):
        reason = f"its Origin {origin!r} is none of ALLOWED_HOSTS"
        events.emit("connection.refused", "/connections/x", reason=reason)
    events.emit("connection.refused", "/connections", reason="50 connections are open")
    assert meter.read(meter.refused) == {("its Origin",): 3, ("nn connections are open",): 1}


def test_any_thread() -> None:
    """
    ANY THREAD: what several threads tell at once is counted whole.
    """
    events = EventStream()
    meter = Meter(events, lambda path: None)

    def tell() -> None:
        for _ in range(500):
            events.emit("connection.closed", "/connections/x/1", code=1000)

    threads = [threading.Thread(target=tell) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert meter.read(meter.closed) == {("1000",): 2000}


async def test_what_happens_is_counted(clock: MockClock) -> None:
    """
    Crashes by class and exception, restarts and the gap before them, closes, drops, ends.
    """
    options = Options(backoff_min_seconds=2)
    async with running(Clerk, options=options, room=Room) as server:
        meter = server.root.meter
        async with server.websocket("/room") as one:
            for at, text in enumerate(("boom", "other", "boom"), start=2):
                one.send_text(text)
                await one.wait_restarted(at)
        await settle(lambda: not server.root.connections.open)
        assert meter.read(meter.crashes) == {("Room", "ValueError"): 2, ("Room", "KeyError"): 1}
        assert meter.read(meter.restarts) == {("Room",): 3}
        assert sum(meter.read(meter.closed).values()) == 1
        assert meter.read(meter.ended) == {("Room", "peer"): 1}
        buckets, _ = meter.read_histogram(meter.restart_gaps)
        assert buckets[-1] == (None, 3)
        dropped = watch(server, "mailbox.overflow")
        ref = server.root.find("/residents/clerk")
        ref.cast({"type": "nap"})
        await trio.sleep(0.1)
        for _ in range(3):
            ref.cast({"type": "nap"})
        await dropped.until(2)
        assert meter.read(meter.overflows) == {("Clerk", "drop_newest"): 2}
