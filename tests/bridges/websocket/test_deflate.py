# permessage-deflate: offers, bounded inflating, and wsproto as the peer both ways.

import zlib

import pytest
from client_frames import (
    BINARY,
    CONTINUATION,
    PING,
    TEXT,
    bytewise,
    cut_at,
    frame,
    message,
    outcome,
)
from hypothesis import given
from hypothesis import strategies as st
from wsproto.extensions import PerMessageDeflate
from wsproto.frame_protocol import FrameProtocol

from greenroom.bridges.websocket._close import Violation
from greenroom.bridges.websocket._decode import Decoder, Ping
from greenroom.bridges.websocket._deflate import (
    Agreement,
    Inflater,
    agree,
    binary_message,
    text_message,
)
from greenroom.bridges.websocket._encode import binary_frame, text_frame

NAME = b"permessage-deflate"
FRESH = b"; server_no_context_takeover; client_no_context_takeover"

ANSWERS = {
    b"": (b"", 12),
    b"; client_max_window_bits": (b"", 12),
    b"; client_max_window_bits=8": (b"", 12),
    b"; server_max_window_bits=9": (b"; server_max_window_bits=9", 9),
    b"; server_max_window_bits=15": (b"; server_max_window_bits=12", 12),
    b'; server_max_window_bits="1\\0"': (b"; server_max_window_bits=10", 10),
    b";server_no_context_takeover": (b"", 12),
    b" ; Client_No_Context_Takeover ": (b"", 12),
}
DECLINED = [
    b"; client_max_window_bits=abc",
    b"; client_max_window_bits=7",
    b"; client_max_window_bits=16",
    b"; client_max_window_bits=09",
    b"; client_max_window_bits=",
    b"; client_max_window_bits=\xff\xfe",
    b"; server_max_window_bits",
    b"; server_max_window_bits=8",
    b'; server_max_window_bits="10',
    b'; server_max_window_bits="10, x"',
    b"; server_no_context_takeover=1",
    b"; server_no_context_takeover; server_no_context_takeover",
    b"; client_max_window_bits; client_max_window_bits=10",
    b"; unknown",
    b"; \xc3\xa9=1",
    b"; =",
    b"x",
]


def compressed(data: bytes, bits: int = 15) -> bytes:
    """Return *data* as one message of an independent compressor."""
    stream = zlib.compressobj(9, zlib.DEFLATED, -bits)
    return (stream.compress(data) + stream.flush(zlib.Z_SYNC_FLUSH))[:-4]


def inflating(limit: int = 10**6) -> Decoder:
    return Decoder(limit, inflate=Inflater())


@pytest.mark.parametrize(("offer", "answer"), ANSWERS.items())
def test_agreed(offer: bytes, answer: tuple[bytes, int]) -> None:
    """
    AGREED: the response keeps to the offer, and asks both sides to forget each message.
    """
    says, bits = answer

    assert agree([NAME + offer]) == Agreement(NAME + FRESH + says, bits)


@pytest.mark.parametrize("offer", DECLINED)
def test_declined(offer: bytes) -> None:
    """
    DECLINED: an offer that can't be kept is passed over, the next one is taken.
    """
    assert agree([NAME + offer]) is None
    for offers in ([NAME + offer, NAME], [NAME + offer + b', x-other; a="b,c", ' + NAME]):
        agreement = agree(offers)
        if offer.count(b'"') != 1:  # what is quoted without an end reaches to the end
            assert agreement is not None
            assert agreement.response == NAME + FRESH


def test_declined_when_nothing_is_offered() -> None:
    """
    DECLINED: no header, an empty one, commas and other extensions are no offer.
    """
    assert agree([]) is None
    assert agree([b"", b" , ,", b";", b"x-webkit-deflate-frame"]) is None


@given(st.lists(st.binary() | st.text('abc;=," \\').map(lambda tail: NAME + tail.encode())))
def test_declined_garbage(offers: list[bytes]) -> None:
    """
    DECLINED: whatever the headers hold, an agreement or None is all that comes of it.
    """
    assert isinstance(agree(offers), Agreement | None)


def test_first_offer_that_fits() -> None:
    """
    AGREED: a client's offers are in its order of preference.
    """
    agreement = agree([NAME + b"; server_max_window_bits=10, " + NAME])

    assert agreement is not None
    assert agreement.window_bits == 10


PEERS = st.builds(
    PerMessageDeflate,
    client_no_context_takeover=st.booleans(),
    client_max_window_bits=st.integers(9, 15),
    server_no_context_takeover=st.booleans(),
    server_max_window_bits=st.integers(9, 15),
)
CONTENTS = st.lists(st.text(max_size=300) | st.binary(max_size=300) | st.just("abc" * 999))


@given(PEERS, CONTENTS, st.sampled_from([0, 100]), st.lists(st.integers(0)))
def test_agreed_with_another_client(
    peer: PerMessageDeflate, contents: list[str | bytes], least: int, places: list[int]
) -> None:
    """
    AGREED: messages of wsproto's client arrive, wherever cut, and ours arrive there.
    """
    agreement = agree([b"%s; %s" % (NAME, str(peer.offer()).encode())])
    assert agreement is not None
    peer.finalize(agreement.response.decode())
    client = FrameProtocol(client=True, extensions=[peer])
    sent = b"".join(bytes(client.send_data(each)) for each in contents)
    for each in contents:
        bits = agreement.window_bits
        text = isinstance(each, str)
        ours = text_message(each, bits, least) if text else binary_message(each, bits, least)
        client.receive_bytes(ours)

    assert outcome(inflating(), cut_at(sent, places), 3) == (contents, None)
    received = list(client.received_frames())
    assert [type(each)(frame.payload) for each, frame in zip(contents, received, strict=True)] == (
        contents
    )


def test_plain_messages_beside_compressed_ones() -> None:
    """
    Where compression is agreed on, a message may still come without.
    """
    data = frame(TEXT, b"plain") + frame(TEXT, compressed(b"small"), rsv=4) + frame(TEXT, b"too")

    assert outcome(inflating(), [data]) == (["plain", "small", "too"], None)
    assert outcome(Decoder(10), [data]) == (["plain"], 1002)


def test_ping_between_fragments_of_a_compressed_message() -> None:
    """
    A ping between the fragments of a compressed message is answered, and the message arrives.
    """
    first, second = message(TEXT, [compressed(b"hello")[:3], compressed(b"hello")[3:]], rsv=4)

    frames = [first, frame(PING, b"!"), second]
    assert outcome(inflating(), frames) == ([Ping(b"!"), "hello"], None)
    assert outcome(inflating(), bytewise(b"".join(frames))) == ([Ping(b"!"), "hello"], None)


@pytest.mark.parametrize("limit", [1000, 1])
def test_bounded(limit: int) -> None:
    """
    BOUNDED: a small frame that would be large is refused, one byte over the limit as well.
    """
    bomb = frame(BINARY, compressed(bytes(10**6)), rsv=4)
    fits = frame(BINARY, compressed(bytes(limit)), rsv=4)
    over = frame(BINARY, compressed(bytes(limit + 1)), rsv=4)

    assert outcome(inflating(10**4), [bomb]) == ([], 1009)
    assert outcome(inflating(limit), [fits]) == ([bytes(limit)], None)
    assert outcome(inflating(limit), [over]) == ([], 1009)
    assert outcome(inflating(limit), bytewise(over)) == ([], 1009)


def test_bounded_in_what_comes_out() -> None:
    """
    BOUNDED: no call makes more bytes than it is told.
    """
    bomb = compressed(bytes(10**6))

    assert len(Inflater().inflate(bomb, 5)) == 5


def test_bounded_on_the_wire() -> None:
    """
    BOUNDED: a compressed message whose head says that it is far too long is refused by it.
    """
    head = frame(BINARY, bytes(2000), rsv=4)[:8]
    blocks = frame(BINARY, rsv=4, fin=False) + frame(CONTINUATION, b"\0\0\0\xff\xff" * 30) * 9

    assert outcome(inflating(1000), [head]) == ([], 1009)
    assert outcome(inflating(1000), [blocks])[1] in (1002, 1009)


def test_bad_text_fails_fast_when_compressed() -> None:
    """
    Text is refused with the first fragment that shows it is not UTF-8, compressed or not.
    """
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = stream.compress(b"good\xff") + stream.flush(zlib.Z_SYNC_FLUSH)

    assert outcome(inflating(), [frame(TEXT, piece, rsv=4, fin=False)]) == ([], 1007)


def test_bad_text_that_is_too_long() -> None:
    """
    Of two faults the first in the text is found, wherever the frame is cut.
    """
    data = frame(TEXT, compressed(b"\xff" * 99), rsv=4)

    assert outcome(inflating(50), [data]) == ([], 1007)
    assert outcome(inflating(50), bytewise(data)) == ([], 1007)


@pytest.mark.parametrize("data", [b"\xff\xff\xff", b"\x07", b"\x00\x01\x00\x00\x00"])
def test_no_deflate_stream(data: bytes) -> None:
    """
    What can't be inflated is bad data.
    """
    assert outcome(inflating(), [frame(BINARY, data, rsv=4)]) == ([], 1007)


@given(st.lists(st.binary(min_size=1, max_size=40)))
def test_garbage(payloads: list[bytes]) -> None:
    """
    Garbage inflates or is a violation, and nothing else.
    """
    _, code = outcome(inflating(50), [frame(TEXT, each, rsv=4) for each in payloads])

    assert code in (None, 1007, 1009)


# RFC 7692, 7.2.3: "Hello" in the ways that a compressor may say it.
@pytest.mark.parametrize(
    "payload",
    [
        b"\xf2\x48\xcd\xc9\xc9\x07\x00",
        b"\x00\x05\x00\xfa\xffHello\x00",
        b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
        b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
        b"\xf3\x48\xcd\xc9\xc9\x07\x00",
    ],
    ids=["one block", "not compressed", "a last block", "two blocks", "nothing behind the last"],
)
def test_forms_of_a_message(payload: bytes) -> None:
    """
    Every form of a message that RFC 7692 shows is read, twice in a row, in one piece or in bytes.
    """
    data = frame(TEXT, payload, rsv=4)

    assert outcome(inflating(5), [data, data]) == (["Hello", "Hello"], None)
    assert outcome(inflating(5), bytewise(data + data)) == (["Hello", "Hello"], None)


def test_many_streams_in_a_message() -> None:
    """
    BOUNDED: a message of last blocks only, each of which takes a new stream, is refused.
    """
    assert outcome(inflating(), [frame(TEXT, b"\x03\x00" * 500, rsv=4)]) == ([], 1007)
    assert outcome(inflating(), [frame(TEXT, b"\x03\x00", rsv=4)] * 9) == ([""] * 9, None)


@pytest.mark.parametrize("payload", [b"", b"\x00", b"\x02\x00"])
def test_empty_messages(payload: bytes) -> None:
    """
    An empty message is read in every form, and what comes behind it as well.
    """
    data = frame(TEXT, payload, rsv=4) * 2 + frame(TEXT, compressed(b"x"), rsv=4)

    assert outcome(inflating(), [data]) == (["", "", "x"], None)


@pytest.mark.parametrize("text", ["", "short", "x" * 999, "abcdefghijklmnopqrstuvwxyz0123456789"])
def test_no_longer(text: str) -> None:
    """
    NO LONGER: what compression would not shorten, or what is below the limit, goes out as it is.
    """
    shortened = len(text) == 999

    frame = text_message(text, 12, 0)
    assert (frame == text_frame(text)) is not shortened
    assert (len(frame) < len(text)) is shortened
    assert binary_message(text.encode(), 12, 1000) == binary_frame(text.encode())


def test_a_window_that_was_to_be_dropped() -> None:
    """
    AGREED: a client that refers to a message before, against what was agreed, is found out.
    """
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    content = bytes(range(256))
    first, second = (
        (stream.compress(content) + stream.flush(zlib.Z_SYNC_FLUSH))[:-4] for _ in range(2)
    )
    inflater = Inflater()
    inflater.inflate(first, 999)
    inflater.end(999)

    with pytest.raises(Violation, match="can't be inflated"):
        inflater.inflate(second, 999)


def test_the_window_that_was_asked_for() -> None:
    """
    AGREED: what goes out can be read with the window that was agreed on, and no larger one.
    """
    far = bytes(range(256)) * 2 + bytes(2000) + bytes(range(256)) * 2

    for bits in range(9, 13):
        payload = binary_message(far, bits, 0)[4:]
        assert zlib.decompressobj(-bits).decompress(payload) == far
