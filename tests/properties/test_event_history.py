# The history of a stream: bounded, without holes, and only for its own ids.

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.actors import EventHistory
from greenroom.bridges.testing._event_decoder import EventDecoder


def numbers(history: EventHistory, events: tuple[bytes, ...]) -> list[int | None]:
    return [history.number_of(each) for each in events]


def id_of(encoded: bytes) -> str:
    decoder = EventDecoder()
    (event,) = decoder.feed(encoded)
    return event.id


@given(
    most=st.integers(1, 8),
    limit=st.integers(1, 400),
    data=st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=60), max_size=30),
    event=st.none() | st.just("kind"),
)
def test_bounded(most: int, limit: int, data: list[str], event: str | None) -> None:
    """
    BOUNDED: it never holds more events, nor more bytes, than it was made for.
    """
    history = EventHistory(events=most, bytes=limit)
    for each in data:
        history.add(each, event=event)
        held = history.since("unknown").events
        assert len(held) <= most
        assert sum(map(len, held)) <= limit


@given(most=st.integers(1, 8), before=st.integers(0, 20), behind=st.integers(0, 20))
def test_no_holes(most: int, before: int, behind: int) -> None:
    """
    NO HOLES: who names an event is sent all behind it, or told that some are missed.
    """
    history = EventHistory(events=most)
    for number in range(before):
        history.add(str(number), event="x" if number % 2 else None)
    last = id_of(history.add("last"))
    for number in range(behind):
        history.add(str(number))

    replay = history.since(last)
    assert replay.missed is (behind > most)
    expected = range(before + 2, before + 2 + behind)
    assert numbers(history, replay.events) == list(expected)[-most:]
    assert replay.upto == before + 1 + behind


@given(known=st.text(max_size=20))
def test_own_ids(known: str) -> None:
    """
    OWN IDS: an id of another history, or none at all, is never taken for one of its own.
    """
    history, other = EventHistory(events=5), EventHistory(events=5)
    for number in range(3):
        history.add(str(number))
    foreign = id_of(other.add("x"))
    for event_id in (foreign, known, id_of(history.add("x")) + "0", f"{foreign[:8]}-²"):
        replay = history.since(event_id)
        assert replay.missed is (event_id != "")
        assert len(replay.events) == (4 if event_id else 0)
    assert history.number_of(other.add("y")) is None
    assert history.number_of(b"data: id: 1\n\n") is None


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ({"events": 0}, "at least 1"),
        ({"bytes": 0}, "at least 1"),
        ({"events": 1.5}, "whole number"),
        ({"events": True}, "whole number"),
    ],
)
def test_what_no_history_can_be(arguments: dict[str, Any], wrong: str) -> None:
    """
    Bounds that are none are refused.
    """
    with pytest.raises((TypeError, ValueError), match=wrong):
        EventHistory(**arguments)


def test_what_no_event_of_it_can_be() -> None:
    """
    An event has data or JSON, and takes no number if it can't be encoded.
    """
    history = EventHistory()
    with pytest.raises(TypeError, match="exactly one of"):
        history.add()
    with pytest.raises(TypeError, match="exactly one of"):
        history.add("x", json=1)
    with pytest.raises(ValueError, match="one line"):
        history.add("x", event="a\nb")
    assert history.number_of(history.add(json=None)) == 1
