# Requests as bytes, and what a parser makes of them, for the tests in bridges/http.

from collections.abc import Iterable, Iterator
from random import Random

from greenroom.bridges.http._parser import RequestParser
from greenroom.bridges.http._request import END, BadRequest, Head, Limits

Outcome = list[Head | bytes | str]


def outcome(pieces: Iterable[bytes], limits: Limits | None = None) -> Outcome:
    """
    Feed *pieces* one by one; return heads, whole bodies, "end", and "refused <status>".

    What was fed behind an upgrade comes last, as bytes.
    """
    parser = RequestParser(limits)
    found: Outcome = []
    try:
        for piece in pieces:
            parser.feed(piece)
            while (item := parser.next()) is not None:
                if isinstance(item, bytes) and found and isinstance(found[-1], bytes):
                    found[-1] += item
                else:
                    found.append("end" if item is END else item)
    except BadRequest as error:
        return [*found, f"refused {error.status}"]
    if rest := parser.rest():
        found.append(rest)
    return found


def splits(data: bytes, count: int = 6) -> Iterator[list[bytes]]:
    """Yield *data* whole, byte by byte, and cut at random places, the same in every run."""
    yield [data]
    yield [data[at : at + 1] for at in range(len(data))]
    random = Random(len(data))
    for _ in range(count):
        cuts = sorted(random.choices(range(len(data) + 1), k=random.randint(1, 5)))
        yield [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def only_outcome(data: bytes, limits: Limits | None = None) -> Outcome:
    """Return what comes of *data* however it is cut."""
    first, *others = [outcome(pieces, limits) for pieces in splits(data)]
    for other in others:
        assert other == first
    return first


def get(*lines: str | bytes, line: str | bytes = "GET / HTTP/1.1", host: str = "Host: a") -> bytes:
    """Return the head of a request with *lines* behind its Host."""
    head = [line, *([host] if host else []), *lines]
    return b"".join(
        each.encode("latin-1") if isinstance(each, str) else each for each in _ended(head)
    )


def _ended(lines: list[str | bytes]) -> Iterator[str | bytes]:
    for each in lines:
        yield each
        yield b"\r\n"
    yield b"\r\n"
