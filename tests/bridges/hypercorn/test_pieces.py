# Cutting and joining what waits for a socket.

import itertools

from hypothesis import given
from hypothesis import strategies as st

from greenroom.bridges.hypercorn._pieces import Last, Pieces, cut, joined

PIECES = st.lists(st.binary(min_size=1, max_size=9))


@given(PIECES, st.integers(0, 100))
def test_cut(pieces: Pieces, sent: int) -> None:
    """
    What is left is what was not sent; what is left of a piece is a view, and nothing else is.
    """
    whole = b"".join(pieces)
    sent = min(sent, len(whole))

    cut(pieces, sent)

    assert b"".join(pieces) == whole[sent:]
    assert all(type(piece) is bytes for piece in pieces[1:])


@given(PIECES, st.integers(1, 30), st.booleans())
def test_joined(pieces: Pieces, most: int, closes: bool) -> None:
    """
    Joining keeps every byte in order, in pieces of at most so many, and the last piece as it is.
    """
    ending: Pieces = [Last(b"bye")] if closes else []

    found = list(joined(pieces + ending, most))

    assert b"".join(found) == b"".join(pieces + ending)
    assert [type(piece) is Last for piece in found[-1:]] == ([closes] if found else [])
    body = found[: len(found) - len(ending)]
    assert all(len(piece) <= max(most, *map(len, pieces)) for piece in body)
    # As few as can be: no two neighbours fit into one.
    assert all(len(one) + len(two) > most for one, two in itertools.pairwise(body))
