# Frames as a server sends them, read back by wsproto's client.

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.frame_protocol import FrameProtocol, Opcode

from greenroom.bridges.websocket._encode import (
    binary_frame,
    close_frame,
    ping_frame,
    pong_frame,
    text_frame,
)

SIZES = [0, 1, 125, 126, 127, 65535, 65536, 65537]
HEADS = dict(zip(SIZES, [2, 2, 2, 4, 4, 4, 10, 10], strict=True))


def received(data: bytes) -> list[tuple[int, object, bool]]:
    """Return what wsproto's client makes of *data*."""
    client = FrameProtocol(client=True, extensions=[])
    client.receive_bytes(data)
    return [(each.opcode, each.payload, each.message_finished) for each in client.received_frames()]


@pytest.mark.parametrize("size", SIZES)
def test_whole(size: int) -> None:
    """
    WHOLE: messages of every kind of length arrive, each as one frame.
    """
    text, data = "x" * size, bytes(size)

    assert received(text_frame(text)) == [(Opcode.TEXT, text, True)]
    assert received(binary_frame(data)) == [(Opcode.BINARY, data, True)]


@pytest.mark.parametrize(("size", "head"), HEADS.items())
def test_shortest(size: int, head: int) -> None:
    """
    SHORTEST: a length takes 0, 2 or 8 bytes more, as few as it can.
    """
    assert len(text_frame("x" * size)) == len(binary_frame(bytes(size))) == head + size


@given(st.text(), st.binary(max_size=300))
def test_any_content(text: str, data: bytes) -> None:
    """
    Whatever is sent is what arrives.
    """
    frames = received(text_frame(text) + binary_frame(data))

    assert frames == [(Opcode.TEXT, text, True), (Opcode.BINARY, data, True)]


def test_close() -> None:
    """
    A close arrives with its code and reason; without a code it is empty.
    """
    assert received(close_frame(4001, "enough")) == [(Opcode.CLOSE, (4001, "enough"), True)]
    assert close_frame(1005) == b"\x88\x00"
    with pytest.raises(ValueError, match="close code must be"):
        close_frame(1006)


def test_control() -> None:
    """
    CONTROL: pings and pongs hold up to 125 bytes, and no more.
    """
    assert received(ping_frame(b"a" * 125)) == [(Opcode.PING, b"a" * 125, True)]
    assert received(pong_frame()) == [(Opcode.PONG, b"", True)]
    for make in (ping_frame, pong_frame):
        with pytest.raises(ValueError, match="Got: 126 bytes"):
            make(b"a" * 126)


def test_half_a_surrogate_pair() -> None:
    """
    Text that has no UTF-8 is the sender's mistake and is not sent.
    """
    with pytest.raises(UnicodeEncodeError):
        text_frame("\ud800")
