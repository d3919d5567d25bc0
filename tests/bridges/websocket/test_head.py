# The bytes in front of a payload: right ones, and each way to get them wrong.

import pytest
from client_frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame

from greenroom.bridges.websocket._close import Violation
from greenroom.bridges.websocket._head import Head, parse_head

MASK = b"abcd"

WRONG = {
    "reserved bit 1": (frame(TEXT, b"x", rsv=4), "reserved bits", 2),
    "reserved bit 2": (frame(TEXT, b"x", rsv=2), "reserved bits", 2),
    "reserved bit 3": (frame(PING, b"x", rsv=1), "reserved bits", 2),
    **{
        f"opcode {opcode:#x}": (frame(opcode, b"x"), "a reserved opcode", 2)
        for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)
    },
    "unmasked": (frame(TEXT, b"x", mask=None), "must be masked", 2),
    "unmasked control": (frame(CLOSE, mask=None), "must be masked", 2),
    "fragmented ping": (frame(PING, b"x", fin=False), "fragmented control", 2),
    "fragmented close": (frame(CLOSE, fin=False), "fragmented control", 2),
    "long ping": (frame(PING, bytes(126)), "over 125 bytes", 2),
    "long close": (frame(CLOSE, bytes(70000)), "over 125 bytes", 2),
    "16 bits for 125": (frame(TEXT, bytes(125), length_bytes=2), "more bytes than", 4),
    "64 bits for 125": (frame(TEXT, bytes(125), length_bytes=8), "more bytes than", 10),
    "64 bits for 65535": (frame(TEXT, bytes(65535), length_bytes=8), "more bytes than", 10),
    "highest bit": (b"\x82\xff\x80" + bytes(7), "highest bit", 10),
}


@pytest.mark.parametrize(("data", "reason", "needed"), WRONG.values(), ids=WRONG)
def test_early(data: bytes, reason: str, needed: int) -> None:
    """
    EARLY: a fault is found with the byte that shows it, and not before.
    """
    assert parse_head(data[: needed - 1], 0) is None
    with pytest.raises(Violation, match=reason) as caught:
        parse_head(data[:needed], 0)
    assert caught.value.code == 1002


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
@pytest.mark.parametrize("opcode", [CONTINUATION, TEXT, BINARY])
def test_pure(opcode: int, size: int) -> None:
    """
    PURE: a head is None until its last byte is there, wherever in the data it begins.
    """
    data = b"before" + frame(opcode, bytes(size), fin=False, mask=MASK)
    start = len(data) - size

    assert all(parse_head(data[:end], 6) is None for end in range(6, start))
    assert parse_head(data[:start], 6) == Head(False, False, opcode, size, MASK, start)


def test_longest() -> None:
    """
    The longest length that may be said is read as it is.
    """
    head = parse_head(b"\x82\xff\x7f" + b"\xff" * 7 + MASK, 0)

    assert head is not None
    assert head.length == 2**63 - 1


@pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
def test_control(opcode: int) -> None:
    """
    Closes, pings and pongs are told from data.
    """
    control, data = parse_head(frame(opcode), 0), parse_head(frame(TEXT), 0)

    assert control is not None
    assert data is not None
    assert (control.control, data.control) == (True, False)


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_compressed(opcode: int) -> None:
    """
    RSV1 marks a message as compressed where that was agreed on.
    """
    head = parse_head(frame(opcode, rsv=4), 0, deflate=True)

    assert head is not None
    assert head.compressed


@pytest.mark.parametrize(
    ("opcode", "rsv"), [(CONTINUATION, 4), (PING, 4), (CLOSE, 4), (TEXT, 2), (TEXT, 6), (TEXT, 5)]
)
def test_compressed_in_the_wrong_place(opcode: int, rsv: int) -> None:
    """
    With compression agreed on, RSV1 is still refused on all but a message's first frame.
    """
    with pytest.raises(Violation, match="reserved bits"):
        parse_head(frame(opcode, rsv=rsv), 0, deflate=True)
