# What a client sends, in whatever pieces it comes: items in order, then perhaps a violation.

import importlib.util
import sys
import zlib
from functools import partial

import pytest
from client_frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Outcome,
    bytewise,
    cut_at,
    frame,
    message,
    outcome,
)
from hypothesis import given
from hypothesis import strategies as st
from wsproto.frame_protocol import FrameProtocol

from greenroom.bridges.websocket import _decode
from greenroom.bridges.websocket._close import Close, Violation
from greenroom.bridges.websocket._decode import Decoder, Ping, Pong
from greenroom.bridges.websocket._deflate import Inflater

LIMIT = 70000

CASES: dict[str, tuple[bytes, Outcome]] = {
    "nothing": (b"", ([], None)),
    "a text": (frame(TEXT, b"hello"), (["hello"], None)),
    "empty messages": (frame(TEXT) + frame(BINARY), (["", b""], None)),
    "a long binary": (frame(BINARY, bytes(66000)), ([bytes(66000)], None)),
    "middling texts": (frame(TEXT, b"x" * 126) * 3, (["x" * 126] * 3, None)),
    "a ping, a pong": (frame(PING, b"1") + frame(PONG), ([Ping(b"1"), Pong(b"")], None)),
    "the longest ping": (frame(PING, b"x" * 125), ([Ping(b"x" * 125)], None)),
    "fragments": (b"".join(message(TEXT, [b"a", b"", b"b"])), (["ab"], None)),
    "a close": (frame(CLOSE, b"\x0f\xa1bye"), ([Close(4001, "bye")], None)),
    "a close without a code": (frame(CLOSE), ([Close(1005, "")], None)),
    "behind a close": (frame(CLOSE) + frame(TEXT, b"x") + b"\xff\xff", ([Close(1005)], None)),
    "a close inside a message": (
        frame(TEXT, b"a", fin=False) + frame(CLOSE),
        ([Close(1005)], None),
    ),
    "half a close code": (frame(TEXT, b"x") + frame(CLOSE, b"\x03"), (["x"], 1002)),
    "a wrong close code": (frame(CLOSE, b"\x03\xee"), ([], 1002)),
    "a wrong close reason": (frame(CLOSE, b"\x03\xe8\xff"), ([], 1007)),
    "bad text behind good": (frame(TEXT, b"x") + frame(TEXT, b"\xff"), (["x"], 1007)),
    "bad text in front": (frame(TEXT, b"\xff") + frame(TEXT, b"x"), ([], 1007)),
    "unmasked": (frame(TEXT, b"xyz", mask=None) * 9, ([], 1002)),
    "unmasked, 16 bits": (frame(TEXT, b"x" * 126, mask=None), ([], 1002)),
    "reserved bits": (frame(TEXT, b"x") + frame(TEXT, b"x", rsv=4), (["x"], 1002)),
    "a length of 16 bits too many": (frame(TEXT, b"xyz", length_bytes=2), ([], 1002)),
    "a length of 64 bits too many": (frame(TEXT, b"x" * 126, length_bytes=8), ([], 1002)),
    "too long, 16 bits": (frame(TEXT, b"x") + frame(BINARY, bytes(LIMIT + 1)), (["x"], 1009)),
    "a new message inside": (frame(TEXT, fin=False) + frame(TEXT), ([], 1002)),
    "a continuation of nothing": (frame(CONTINUATION), ([], 1002)),
}


@pytest.mark.parametrize(("data", "expected"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("most", [0, 1, 2, 16])
def test_splits(data: bytes, expected: Outcome, most: int) -> None:
    """
    SPLITS: each case has one outcome, whole or byte by byte, one item or many at a time.
    """
    assert outcome(Decoder(LIMIT), [data], most) == expected
    assert outcome(Decoder(LIMIT), bytewise(data), most) == expected
    assert outcome(Decoder(LIMIT), [bytearray(data)], most) == expected


@given(
    st.lists(st.sampled_from([data for data, _ in CASES.values() if len(data) < 1000])),
    st.lists(st.integers(0, 10**4)),
    st.sampled_from([0, 1, 3]),
)
def test_splits_at_random(frames: list[bytes], places: list[int], most: int) -> None:
    """
    SPLITS: any sequence of cases has one outcome wherever it is cut.
    """
    data = b"".join(frames)

    assert outcome(Decoder(LIMIT), cut_at(data, places), most) == outcome(Decoder(LIMIT), [data])


@given(st.lists(st.binary(max_size=30)), st.integers(1, 4), st.booleans())
def test_fed_before_it_is_taken(texts: list[bytes], most: int, bytes_each: bool) -> None:
    """
    SPLITS: reads may pile up in front of the decoder, in any number.
    """
    decoder = Decoder(LIMIT)
    data = b"".join(frame(BINARY, text) for text in texts)
    for read in bytewise(data) if bytes_each else map(partial(frame, BINARY), texts):
        decoder.feed(read)

    assert decoder.buffered == len(data)
    assert outcome(decoder, [b""], most) == (texts, None)
    assert decoder.buffered == 0


@st.composite
def client_traffic(draw: st.DrawFn) -> tuple[bytes, list[object]]:
    """Messages as wsproto's client sends them, pings among their fragments, and the items."""
    client = FrameProtocol(client=True, extensions=[])
    data, items = b"", list[object]()
    for content in draw(st.lists(st.text(max_size=200) | st.binary(max_size=200), max_size=6)):
        cut = draw(st.integers(0, len(content)))
        pieces = draw(st.sampled_from([[content], [content[:cut], content[cut:]]]))
        for at, piece in enumerate(pieces):
            if draw(st.booleans()):
                data += client.ping(b"p") + client.pong()
                items += [Ping(b"p"), Pong(b"")]
            data += client.send_data(piece, fin=at == len(pieces) - 1)
        items.append(content)
    return data, items


@given(client_traffic(), st.lists(st.integers(0, 10**4)), st.sampled_from([0, 1, 16]))
def test_what_another_client_sends(
    traffic: tuple[bytes, list[object]], places: list[int], most: int
) -> None:
    """
    What wsproto's client sends is what comes out, wherever it is cut.
    """
    data, items = traffic

    assert outcome(Decoder(LIMIT), cut_at(data, places), most) == (items, None)


@given(st.lists(st.binary(max_size=50)), st.integers(0, 60), st.sampled_from([0, 4]))
def test_garbage(reads: list[bytes], limit: int, most: int) -> None:
    """
    Garbage is parsed or is a violation with a code that may be sent, and nothing else.
    """
    _, code = outcome(Decoder(limit, 3), reads, most)

    assert code in (None, 1002, 1007, 1008, 1009)


@given(st.lists(st.builds(
    frame,
    st.sampled_from([CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG]),
    st.binary(max_size=20),
    fin=st.booleans(),
    rsv=st.sampled_from([0, 0, 0, 0, 4]),
)))  # fmt: skip
def test_frames_in_any_order(frames: list[bytes]) -> None:
    """
    Well-formed frames in a senseless order are items or a violation, the same however cut.
    """
    found = outcome(Decoder(30, 3), frames)

    assert found[1] in (None, 1002, 1007, 1008, 1009)
    assert outcome(Decoder(30, 3), bytewise(b"".join(frames)), 5) == found


def test_items_come_out_before_the_violation() -> None:
    """
    SPLITS: a call that has items returns them; the next one raises what came behind, once.
    """
    decoder = Decoder(LIMIT)
    decoder.feed(frame(TEXT, b"a") + frame(PING) + frame(TEXT, b"\xff") + frame(TEXT, b"b"))

    assert decoder.next_many(16) == ["a", Ping(b"")]
    assert not decoder.over
    with pytest.raises(Violation, match="not UTF-8"):
        decoder.next_many(16)
    assert decoder.over
    assert decoder.next_many(16) == []


def test_bounded() -> None:
    """
    BOUNDED: a flood that is never a message leaves no more than one message and one read.
    """
    decoder = Decoder(1000)
    kept = 0
    with pytest.raises(Violation, match="over 1000 bytes"):
        for piece in [frame(TEXT, fin=False), *[frame(CONTINUATION, b"x" * 100, fin=False)] * 99]:
            decoder.feed(piece)
            decoder.next()
            kept = max(kept, decoder.buffered)

    assert kept == 1000
    assert decoder.buffered == 0


def test_bounded_while_idle() -> None:
    """
    BOUNDED: what was read is let go when all in it was taken, and all but a frame's beginning.
    """
    decoder = Decoder(LIMIT)
    decoder.feed(frame(TEXT, b"x" * 50000) + frame(PING, b"later")[:-1])
    decoder.next_many(16)

    assert len(decoder._data) == decoder.buffered == 10
    decoder.feed(frame(PING, b"later")[-1:])
    assert decoder.next_many(16) == [Ping(b"later")]
    assert decoder._data == b""


def test_linear(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    LINEAR: a message's bytes are unmasked once, whole or in pieces, few or many in a read.
    """
    unmasked: list[int] = []

    def counting(data: bytes, mask: bytes) -> bytes:
        unmasked.append(len(data))
        return apply_mask(data, mask)

    apply_mask = _decode.apply_mask
    monkeypatch.setattr(_decode, "apply_mask", counting)
    one = frame(TEXT, b"x" * 64)
    for reads, calls in (([one * 1000], 1000), ([one] * 1000, 1000), (bytewise(one * 10), 640)):
        unmasked.clear()
        outcome(Decoder(LIMIT), reads, 16)
        assert (len(unmasked), sum(unmasked)) == (calls, 64 * (len(reads[0]) * len(reads) // 70))


def test_linear_in_copies() -> None:
    """
    LINEAR: while messages are taken out of one read, what is left of it stays where it is.
    """
    decoder = Decoder(LIMIT)
    data = frame(TEXT, b"x" * 64) * 1000
    decoder.feed(data)
    for taken in range(1, 1000):
        assert decoder.next() == "x" * 64
        assert decoder._data is data
        assert decoder.buffered == len(data) - 70 * taken


def test_last() -> None:
    """
    LAST: after a close nothing comes out and nothing is kept.
    """
    decoder = Decoder(LIMIT)
    decoder.feed(frame(CLOSE) + frame(TEXT, b"x"))
    assert not decoder.over

    assert decoder.next_many(16) == [Close(1005)]
    assert decoder.over
    decoder.feed(frame(TEXT, b"y"))
    assert decoder.next() is None
    assert decoder.buffered == 0


def test_shares() -> None:
    """
    SHARES: one call inflates a message beyond 64 KiB at most; what waits comes with the next ones.
    """
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    small = frame(BINARY, stream.compress(bytes(60_000)) + stream.flush(), rsv=4)
    decoder = Decoder(LIMIT, inflate=Inflater())
    decoder.feed(small * 9 + frame(TEXT, b"plain") * 9)

    taken: list[int] = []
    inflated: list[int] = []
    while items := decoder.next_many(16):
        taken.append(len(items))
        inflated.append(decoder.inflated)
    assert taken == [2, 2, 2, 2, 10]
    assert inflated == [120_000] * 4 + [60_000]


def test_shows_its_state() -> None:
    """
    The repr says how much waits and whether it is over.
    """
    decoder = Decoder(LIMIT)
    decoder.feed(frame(TEXT, b"abc", fin=False))
    decoder.next()
    assert repr(decoder) == "<Decoder 3 bytes buffered>"

    decoder.feed(frame(CLOSE))
    decoder.next()
    assert repr(decoder) == "<Decoder 0 bytes buffered over>"


def test_without_the_c_extension(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Where websockets was built without its C extension, frames are unmasked in Python.
    """
    monkeypatch.setitem(sys.modules, "websockets.speedups", None)
    spec = importlib.util.spec_from_file_location(f"{_decode.__name__}_slow", _decode.__file__)
    assert spec is not None
    slow = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, slow)
    spec.loader.exec_module(slow)

    assert slow.apply_mask.__module__ == "websockets.utils"
    decoder = slow.Decoder(LIMIT)
    decoder.feed(frame(TEXT, b"hello") + frame(BINARY))
    assert decoder.next_many(16) == ["hello", b""]
