# A message put together from frames: limits, order, and text that is refused early.

import pytest
from client_frames import BINARY, CONTINUATION, PING, TEXT, bytewise, frame, message, outcome

from greenroom.bridges.websocket._decode import Decoder, Ping

GREEK = "κόσμε".encode()

# In the spirit of Autobahn's 6.*: each with the number of bytes that show that it is wrong.
NOT_UTF8 = {
    "6.3.1 a surrogate": (GREEK + b"\xed\xa0\x80" + b"edited", len(GREEK) + 3),
    "6.4.1 beyond Unicode": (GREEK + b"\xf4\x90\x80\x80" + b"edited", len(GREEK) + 2),
    "6.6 a lone continuation": (b"a\x80", 2),
    "6.8 five bytes": (b"\xf8\x88\x80\x80\x80", 1),
    "6.8 six bytes": (b"\xfc\x84\x80\x80\x80\x80", 1),
    "6.12 0xff": (b"ok\xff", 3),
    "6.13 a start, then ASCII": (b"\xc3 ", 2),
    "6.14 a character cut short": (b"\xe2\x82a", 3),
    "6.15 four bytes cut short": (b"\xf0\x9f\x98a", 4),
    "6.18 two bytes for ASCII": (b"\xc0\xaf", 1),
    "6.19 three bytes for ASCII": (b"\xe0\x80\xaf", 2),
    "6.19 four bytes for ASCII": (b"\xf0\x80\x80\xaf", 2),
    "6.20 the last surrogate": (b"\xed\xbf\xbf", 3),
}
UTF8 = ["", "a", "κόσμε", "\0", "\ufffe\uffff", "\ud7ff\ue000", "\U0010ffff", "𝄞" * 50, "x" * 70000]


@pytest.mark.parametrize(("data", "needed"), NOT_UTF8.values(), ids=NOT_UTF8)
def test_fail_fast(data: bytes, needed: int) -> None:
    """
    FAIL FAST: text is refused with the byte that shows it, whole or in fragments of a byte.
    """
    whole = frame(TEXT, data)
    head = len(whole) - len(data)
    fragments = message(TEXT, bytewise(data))

    assert outcome(Decoder(1000), [whole]) == ([], 1007)
    for reads, at in ((bytewise(whole), head + needed), (fragments, needed)):
        assert outcome(Decoder(1000), reads[: at - 1]) == ([], None)
        assert outcome(Decoder(1000), reads[:at]) == ([], 1007)


@pytest.mark.parametrize("data", [b"\xc3", b"ab\xe2\x82", b"\xf0\x9f\x98"])
def test_fail_fast_at_the_end(data: bytes) -> None:
    """
    FAIL FAST: text that ends within a character is refused with its last frame.
    """
    assert outcome(Decoder(1000), [frame(TEXT, data)]) == ([], 1007)
    assert outcome(Decoder(1000), bytewise(frame(TEXT, data))) == ([], 1007)
    assert outcome(Decoder(1000), message(TEXT, [data, b""])) == ([], 1007)
    assert outcome(Decoder(1000), message(TEXT, [data, b""])[:1]) == ([], None)


@pytest.mark.parametrize("text", UTF8, ids=range(len(UTF8)))
def test_valid_text(text: str) -> None:
    """
    Text that is UTF-8 passes whole, byte by byte and split within characters.
    """
    data = text.encode()

    assert outcome(Decoder(10**6), [frame(TEXT, data)]) == ([text], None)
    assert outcome(Decoder(10**6), bytewise(frame(TEXT, data))) == ([text], None)
    assert outcome(Decoder(10**6, 10**6), message(TEXT, [*bytewise(data), b""])) == ([text], None)


def test_binary_is_not_text() -> None:
    """
    A binary message may hold anything, in fragments too.
    """
    data = bytes(range(256))

    assert outcome(Decoder(1000), message(BINARY, bytewise(data))) == ([data], None)


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_bounded_by_the_head(opcode: int) -> None:
    """
    BOUNDED: a frame over the limit is refused with its head, one of the limit is let in.
    """
    fits, over = frame(opcode, b"x" * 1000), frame(opcode, b"x" * 1001)

    assert outcome(Decoder(1000), [fits])[1] is None
    assert outcome(Decoder(1000), [over[:7]]) == ([], None)
    assert outcome(Decoder(1000), [over[:8]]) == ([], 1009)
    assert outcome(Decoder(1000), [over]) == ([], 1009)


def test_bounded_below_what_a_short_frame_holds() -> None:
    """
    BOUNDED: limits below 126 bytes hold, too.
    """
    assert outcome(Decoder(3), [frame(TEXT, b"abc")]) == (["abc"], None)
    assert outcome(Decoder(3), [frame(TEXT, b"abcd")]) == ([], 1009)
    assert outcome(Decoder(0), [frame(TEXT), frame(BINARY, b"a")]) == ([""], 1009)


def test_bounded_by_the_sum_of_fragments() -> None:
    """
    BOUNDED: fragments are refused by the head of the one that would be too much.
    """
    frames = message(BINARY, [b"x" * 600, b"x" * 400, b"", b"x"])
    head = frames[3][:6]

    assert outcome(Decoder(1000), frames[:3]) == ([], None)
    assert outcome(Decoder(1000), [*frames[:3], head]) == ([], 1009)


def test_bounded_in_fragments() -> None:
    """
    BOUNDED: fragments are counted for each message, empty ones as well.
    """
    twice = message(TEXT, [b"a", b"", b"b"]) * 2

    assert outcome(Decoder(1000, 3), twice) == (["ab", "ab"], None)
    assert outcome(Decoder(1000, 2), twice) == ([], 1008)


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ([frame(CONTINUATION, b"x")], "continuation of no message"),
        ([frame(CONTINUATION, b"x", fin=False)], "continuation of no message"),
        ([*message(TEXT, [b"a", b"b"]), frame(CONTINUATION)], "continuation of no message"),
        ([frame(TEXT, b"a", fin=False), frame(TEXT, b"b")], "new message inside"),
        ([frame(TEXT, b"a", fin=False), frame(BINARY, b"b", fin=False)], "new message inside"),
    ],
)
def test_out_of_order(frames: list[bytes], reason: str) -> None:
    """
    A continuation needs a message to continue, and a message must end before the next begins.
    """
    assert outcome(Decoder(1000), frames)[1] == 1002
    assert outcome(Decoder(1000), bytewise(b"".join(frames)))[1] == 1002


def test_control_frames_inside_a_message() -> None:
    """
    Control frames between fragments come out at once; the message goes on behind them.
    """
    first, second, third = message(TEXT, [GREEK[:3], GREEK[3:5], GREEK[5:]])
    ping = frame(PING, b"still there?")

    frames = [ping, first, ping, second, ping, third]
    expected = [Ping(b"still there?")] * 3 + ["κόσμε"]
    assert outcome(Decoder(1000), frames) == (expected, None)
    assert outcome(Decoder(1000), [b"".join(frames)], 16) == (expected, None)
