# The format of event streams, held against a reader written from the standard.

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.actors.consumers._event_codec import HEARTBEAT, encode_comment, encode_event
from greenroom.bridges.testing._event_decoder import EventDecoder, StreamEvent

TEXT = st.text(st.characters(exclude_categories=("Cs",)) | st.sampled_from("\r\n: \0\ufeff"))
LINE = TEXT.map(lambda text: text.replace("\r", "").replace("\n", ""))
ID = LINE.map(lambda text: text.replace("\0", ""))
EVENTS = st.fixed_dictionaries(
    {"data": TEXT},
    optional={"event": LINE, "id": ID, "retry": st.integers(0, 10**9)},
)


def read(stream: bytes, sizes: list[int]) -> tuple[EventDecoder, list[StreamEvent]]:
    decoder, found, at = EventDecoder(), [], 0
    for size in sizes:
        found.extend(decoder.feed(stream[at : at + size]))
        at += size
    found.extend(decoder.feed(stream[at:]))
    return decoder, found


@given(events=st.lists(EVENTS, max_size=6), sizes=st.lists(st.integers(0, 9), max_size=60))
def test_a_reader_gets_what_was_sent(events: list[dict[str, Any]], sizes: list[int]) -> None:
    """
    However the bytes are cut, each event comes out with its data, type and id, and no other.
    """
    decoder, found = read(b"".join(encode_event(**event) for event in events), sizes)

    last, expected = "", []
    for event in events:
        last = event.get("id", last)
        data = event["data"].replace("\r\n", "\n").replace("\r", "\n")
        expected.append(StreamEvent(data, event.get("event") or "message", last))
    assert found == expected
    assert decoder.last_event_id == last
    retries = [event["retry"] for event in events if "retry" in event]
    assert decoder.retry == (retries[-1] if retries else None)


@given(texts=st.lists(TEXT, max_size=5), data=TEXT)
def test_comments_are_skipped(texts: list[str], data: str) -> None:
    """
    Comments, and heartbeats among them, change nothing of the event behind them.
    """
    stream = b"".join(encode_comment(text) + HEARTBEAT for text in texts) + encode_event(data)
    _, found = read(stream, [])
    assert found == [StreamEvent(data.replace("\r\n", "\n").replace("\r", "\n"))]


@given(ids=st.lists(ID, min_size=1, max_size=4))
def test_an_id_alone_is_no_event(ids: list[str]) -> None:
    """
    An id without data is taken note of, and no event.
    """
    decoder, found = read(b"".join(encode_event(id=each) for each in ids), [])
    assert found == []
    assert decoder.last_event_id == ids[-1]


@given(stream=st.binary(max_size=200), sizes=st.lists(st.integers(1, 9), max_size=30))
def test_the_reader_takes_anything(stream: bytes, sizes: list[int]) -> None:
    """
    Whatever the bytes are and however they are cut, the reader makes the same of them.
    """
    assert read(stream, sizes)[1] == read(stream, [])[1]


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ({}, "none of them"),
        ({"event": "x"}, "an event needs data"),
        ({"data": "x", "event": "a\nb"}, "event must be one line"),
        ({"data": "x", "id": "a\rb"}, "id must be one line"),
        ({"data": "x", "id": "a\0b"}, "holds no NUL"),
        ({"data": "x", "retry": -1}, "0 or more"),
        ({"data": "x", "retry": 1.5}, "whole number"),
        ({"data": "x", "retry": True}, "whole number"),
        ({"data": b"x"}, "is a str"),
        ({"data": "x", "id": 7}, "id must be a str"),
        ({"data": "\ud800"}, "valid Unicode"),
    ],
)
def test_what_no_event_can_be(arguments: dict[str, Any], wrong: str) -> None:
    """
    What a browser would read otherwise than it was meant is refused.
    """
    with pytest.raises((TypeError, ValueError), match=wrong):
        encode_event(**arguments)
