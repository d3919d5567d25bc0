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
    DeflatePolicy,
    Deflater,
    Inflater,
    agree,
)

NAME = b"permessage-deflate"
WIDE = DeflatePolicy(server_window_bits=15, client_window_bits=15)
FRESH = DeflatePolicy(server_no_context_takeover=True, client_no_context_takeover=True)

ANSWERS = {
    b"": b"; server_max_window_bits=12",
    b"; client_max_window_bits": b"; server_max_window_bits=12; client_max_window_bits=12",
    b"; client_max_window_bits=10": b"; server_max_window_bits=12; client_max_window_bits=10",
    b"; client_max_window_bits=8": b"; server_max_window_bits=12; client_max_window_bits=8",
    b"; server_max_window_bits=9": b"; server_max_window_bits=9",
    b'; server_max_window_bits="1\\0"': b"; server_max_window_bits=10",
    b";server_no_context_takeover": b"; server_no_context_takeover; server_max_window_bits=12",
    b" ; Client_No_Context_Takeover ": b"; client_no_context_takeover; server_max_window_bits=12",
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
    return Decoder(limit, inflate=Inflater(15, fresh=False))


@pytest.mark.parametrize(("offer", "answer"), ANSWERS.items())
def test_agreed(offer: bytes, answer: bytes) -> None:
    """
    AGREED: the response keeps to the offer and asks for no larger window than the policy.
    """
    agreement = agree([NAME + offer], DeflatePolicy())

    assert agreement is not None
    assert agreement.response == NAME + answer


@pytest.mark.parametrize("offer", DECLINED)
def test_declined(offer: bytes) -> None:
    """
    DECLINED: an offer that can't be kept is passed over, the next one is taken.
    """
    assert agree([NAME + offer], WIDE) is None
    for offers in ([NAME + offer, NAME], [NAME + offer + b', x-other; a="b,c", ' + NAME]):
        agreement = agree(offers, WIDE)
        if offer.count(b'"') != 1:  # what is quoted without an end reaches to the end
            assert agreement is not None
            assert agreement.response == NAME


def test_declined_when_nothing_is_offered() -> None:
    """
    DECLINED: no header, an empty one, commas and other extensions are no offer.
    """
    assert agree([], WIDE) is None
    assert agree([b"", b" , ,", b";", b"x-webkit-deflate-frame"], WIDE) is None


@given(st.lists(st.binary() | st.text('abc;=," \\').map(lambda tail: NAME + tail.encode())))
def test_declined_garbage(offers: list[bytes]) -> None:
    """
    DECLINED: whatever the headers hold, an agreement or None is all that comes of it.
    """
    assert isinstance(agree(offers, WIDE), Agreement | None)


def test_first_offer_that_fits() -> None:
    """
    AGREED: a client's offers are in its order of preference.
    """
    agreement = agree([NAME + b"; server_max_window_bits=10, " + NAME], WIDE)

    assert agreement is not None
    assert agreement.server_window_bits == 10


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("side", ["server", "client"])
def test_windows_that_zlib_lacks(side: str, bits: int) -> None:
    """
    A policy with a window that is not 9 to 15 bits is refused where it is made.
    """
    with pytest.raises(ValueError, match=f"{side}_window_bits must be 9 to 15. Got: {bits}"):
        DeflatePolicy(**{f"{side}_window_bits": bits})


PEERS = st.builds(
    PerMessageDeflate,
    client_no_context_takeover=st.booleans(),
    client_max_window_bits=st.integers(9, 15),
    server_no_context_takeover=st.booleans(),
    server_max_window_bits=st.integers(9, 15),
)
CONTENTS = st.lists(st.text(max_size=300) | st.binary(max_size=300) | st.just("abc" * 999))


def connected(peer: PerMessageDeflate, policy: DeflatePolicy) -> tuple[FrameProtocol, Agreement]:
    """Return wsproto's client and our side, agreed."""
    agreement = agree([b"%s; %s" % (NAME, str(peer.offer()).encode())], policy)
    assert agreement is not None
    peer.finalize(agreement.response.decode())
    return FrameProtocol(client=True, extensions=[peer]), agreement


@given(PEERS, st.sampled_from([DeflatePolicy(), WIDE, FRESH]), CONTENTS, st.lists(st.integers(0)))
def test_agreed_with_another_client(
    peer: PerMessageDeflate, policy: DeflatePolicy, contents: list[str | bytes], places: list[int]
) -> None:
    """
    AGREED: messages of wsproto's client arrive, wherever cut, and ours arrive there.
    """
    client, agreement = connected(peer, policy)
    deflater, decoder = agreement.deflater(), Decoder(10**6, inflate=agreement.inflater())
    sent = b"".join(bytes(client.send_data(each)) for each in contents)
    for each in contents:
        make = deflater.text_frame if isinstance(each, str) else deflater.binary_frame
        client.receive_bytes(make(each))

    assert outcome(decoder, cut_at(sent, places), 3) == (contents, None)
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

    assert len(Inflater(15, fresh=False).inflate(bomb, 5)) == 5


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


def test_deflater_says_empty_as_the_standard_does() -> None:
    """
    An empty message goes out as one byte.
    """
    deflater = Deflater(15)

    assert [deflater.text_frame("") for _ in range(2)] == [b"\xc1\x01\x00"] * 2


def test_context_is_kept_or_not() -> None:
    """
    AGREED: the second of two equal messages is shorter only where the window is kept.
    """
    kept, fresh = Deflater(12), Deflater(12, fresh=True)

    first, second = (kept.binary_frame(bytes(range(100))) for _ in range(2))
    assert len(second) < len(first)
    assert len({fresh.binary_frame(bytes(range(100))) for _ in range(2)}) == 1


def test_a_window_that_was_to_be_dropped() -> None:
    """
    AGREED: a client that refers to a message before, against what was agreed, is found out.
    """
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    content = bytes(range(256))
    first, second = (
        (stream.compress(content) + stream.flush(zlib.Z_SYNC_FLUSH))[:-4] for _ in range(2)
    )
    inflater = Inflater(15, fresh=True)
    inflater.inflate(first, 999)
    inflater.end(999)

    with pytest.raises(Violation, match="can't be inflated"):
        inflater.inflate(second, 999)
