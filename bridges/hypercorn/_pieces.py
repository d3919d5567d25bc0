# Lists of bytes on their way out: what a socket took is cut off, what is small is joined. Pure.

from collections.abc import Iterable, Iterator

Pieces = list[bytes | memoryview]


class Last(bytes):
    """What nothing may follow, whoever writes at the same time: a close frame."""


def cut(pieces: Pieces, sent: int) -> None:
    """Take *sent* bytes off the beginning of *pieces*; what is left of one is a view of it."""
    whole = 0
    for data in pieces:
        if sent < len(data):
            break
        sent -= len(data)
        whole += 1
    del pieces[:whole]
    if sent:  # no copy: a large message would be copied once for each part of it
        pieces[0] = memoryview(pieces[0])[sent:]


def joined(pieces: Iterable[bytes | memoryview], most: int) -> Iterator[bytes | memoryview]:
    """Yield *pieces* joined to as few as there can be of *most* bytes; a :class:`Last` alone."""
    block: Pieces = []
    size = 0
    for data in pieces:
        if block and (type(data) is Last or size + len(data) > most):
            yield b"".join(block)
            block, size = [], 0
        if type(data) is Last:
            yield data
        else:
            block.append(data)
            size += len(data)
    if block:
        yield b"".join(block)
