# The output of one event stream: no holes behind a replay, and a clean end.

import random
import threading
from typing import Any

import pytest

from greenroom.actors import Disconnected
from greenroom.actors._lowlevel import LoopThread
from greenroom.actors._messages import RequestOpening
from greenroom.actors.consumers import EventHistory, Frame
from greenroom.bridges.asgi._event_output import EventOutput
from greenroom.bridges.testing._event_decoder import EventDecoder, StreamEvent

LIMITS: dict[str, Any] = {
    "high_water_bytes": 10**6,
    "limit_bytes": 10**7,
    "stall_seconds": 30,
    "on_slow": print,
}


def made(history: EventHistory | None = None, last: str = "", **more: Any) -> EventOutput:
    return EventOutput(
        {"method": "GET", "path": "/x"},
        LoopThread.current(),
        opening=RequestOpening("GET", "/x", b"", last),
        history=history,
        reconnect_seconds=10,
        on_answered=print,
        **{
            "random": random.Random(1).random,
            "high_water_bytes": 10**6,
            "limit_bytes": 10**7,
            "stall_seconds": 30,
            "on_slow": print,
        }
        | more,
    )


def events(output: EventOutput) -> tuple[EventDecoder, list[StreamEvent], bool]:
    decoder, found, whole = EventDecoder(), [], False
    while (item := output.take()) is not None:
        event, size = item
        output.sent(size)
        if event["type"] == "http.response.body":
            found.extend(decoder.feed(event["body"]))
            whole = not event["more_body"]
    return decoder, found, whole


async def test_no_holes() -> None:
    """
    NO HOLES: with threads that publish while a client comes back, it gets each event once.
    """
    for _ in range(30):
        history = EventHistory(events=10**6)
        first = history.add("0")
        decoder = EventDecoder()
        decoder.feed(first)
        output = made(history, decoder.last_event_id)
        go = threading.Event()

        def publish(count: int, go: threading.Event, log: EventHistory, to: EventOutput) -> None:
            go.wait()
            for number in range(count):
                frame = Frame.of_bytes(log.add(f"{number}"))
                try:
                    to.send(frame)
                except RuntimeError:
                    continue  # not accepted yet: it is replayed

        threads = [
            threading.Thread(target=publish, args=(100, go, history, output)) for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        go.set()
        output.open_stream((), b"", history)
        for thread in threads:
            thread.join()
        _, found, _ = events(output)
        assert sorted(int(each.id.partition("-")[2]) for each in found) == list(range(2, 302))


@pytest.mark.parametrize(
    ("code", "told"), [(1012, True), (1001, True), (1011, True), (1000, False)]
)
async def test_clean_end(code: int, told: bool) -> None:
    """
    CLEAN END: the stream ends whole; where coming back is of use the client is told when.
    """
    output = made()
    output.accept(None, ())
    assert output.close(code, "over")
    decoder, _, whole = events(output)
    assert whole
    assert (decoder.retry is not None) is told
    if decoder.retry is not None:
        assert 500 <= decoder.retry <= 10500
    assert (output.code, output.complete) == (code, True)


async def test_the_spread_of_retries() -> None:
    """
    A thousand clients come back at a thousand times, and not all at once.
    """
    seconds = random.Random(2).random
    retries: set[int | None] = set()
    for _ in range(1000):
        output = made(random=seconds)
        output.accept(None, ())
        output.close(1012, "")
        retries.add(events(output)[0].retry)
    assert len(retries) > 900


async def test_what_is_replayed_is_no_slowness() -> None:
    """
    A replay larger than the limit drops nobody: the limit is for what comes behind it.
    """
    history = EventHistory()
    for _ in range(20):
        history.add("x" * 100)
    output = made(history, "another-1", high_water_bytes=500, limit_bytes=1000)
    output.open_stream((), b"", history)
    output.send_text("y" * 800)
    assert not output.over
    assert output.full
    with pytest.raises(Disconnected):
        output.send_text("z" * 800)


async def test_the_limit_is_the_old_one_behind_a_replay() -> None:
    """
    Once the replay is out the limit is what it was.
    """
    history = EventHistory()
    history.add("x" * 5000)
    output = made(history, "another-1", high_water_bytes=500, limit_bytes=1000)
    output.open_stream((), b"", history)
    _, found, _ = events(output)
    assert len(found) == 1
    output.send_text("y" * 800)
    with pytest.raises(Disconnected):
        output.send_text("z" * 800)


async def test_an_event_of_a_group_is_encoded_once() -> None:
    """
    All streams are sent the very same bytes of a group's text.
    """
    frame = Frame.of_text("a\nb")
    bodies: list[bytes] = []
    for _ in range(3):
        output = made()
        output.accept(None, ())
        output.take()
        output.send(frame)
        bodies.append((output.take() or ({},))[0]["body"])
    assert bodies[0] == b"data: a\ndata: b\n\n"
    assert bodies[0] is bodies[1] is bodies[2]


async def test_a_beat_only_where_it_is_of_use() -> None:
    """
    A comment is sent on an open stream with nothing waiting, and nowhere else.
    """
    output = made()
    output.beat(0)
    assert output.take() is None
    output.accept(None, ())
    output.beat(0)
    assert events(output)[0].comments == []  # the head was waiting
    output.beat(0)
    assert events(output)[0].comments == [""]
    output.close(1000, "")
    output.beat(0)
    assert events(output)[0].comments == []


async def test_before_it_is_accepted() -> None:
    """
    What a group sends before accept() is refused, so that it is a dead letter and no surprise.
    """
    output = made()
    with pytest.raises(RuntimeError, match="not begun"):
        output.send(Frame.of_text("x"))
    assert output.close(1011, "")
    item = output.take()
    assert item is not None
    assert item[0]["status"] == 500
