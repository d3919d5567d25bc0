# The frames of a client, right or wrong, built with nothing of the package under test.

from collections.abc import Iterable, Sequence

from greenroom.bridges.websocket._close import Violation
from greenroom.bridges.websocket._decode import Decoder, Item

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

Outcome = tuple[list[Item], int | None]
"""Items, and the code of the violation that ended them."""


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    mask: bytes | None = b"\x37\xfa\x21\x3d",
    length_bytes: int | None = None,
) -> bytes:
    """Return a frame; *length_bytes* (0, 2 or 8) may be more than the length needs."""
    size = len(payload)
    if length_bytes is None:
        length_bytes = 0 if size < 126 else 2 if size < 65536 else 8
    short = {0: size, 2: 126, 8: 127}[length_bytes]
    head = bytes((fin << 7 | rsv << 4 | opcode, (mask is not None) << 7 | short))
    head += size.to_bytes(length_bytes, "big") if length_bytes else b""
    if mask is None:
        return head + payload
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


def message(opcode: int, pieces: Sequence[bytes], *, rsv: int = 0) -> list[bytes]:
    """Return the frames of one message, a fragment for each of *pieces*."""
    last = len(pieces) - 1
    return [
        frame(CONTINUATION if at else opcode, piece, fin=at == last, rsv=0 if at else rsv)
        for at, piece in enumerate(pieces)
    ]


def outcome(decoder: Decoder, reads: Iterable[bytes], most: int = 0) -> Outcome:
    """Feed *reads* and take all there is after each, by next() or up to *most* at a time."""
    items: list[Item] = []
    try:
        for read in reads:
            decoder.feed(read)
            while taken := take(decoder, most):
                items += taken
    except Violation as violation:
        return items, violation.code
    return items, None


def take(decoder: Decoder, most: int) -> list[Item]:
    """Take by next(), or by next_many() if *most* is given."""
    if most:
        return decoder.next_many(most)
    item = decoder.next()
    return [] if item is None else [item]


def bytewise(data: bytes) -> list[bytes]:
    """Return *data* as reads of one byte."""
    return [data[at : at + 1] for at in range(len(data))]


def cut_at(data: bytes, places: Iterable[int]) -> list[bytes]:
    """Return *data* as reads that end at *places*, taken modulo its size."""
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    return [data[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]
