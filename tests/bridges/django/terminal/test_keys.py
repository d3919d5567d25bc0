# What a terminal sends, as keys.

from itertools import pairwise

import pytest

from greenroom.bridges.django.terminal._keys import Keys


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        (b"jk", ["j", "k"]),
        (b"\x1b[A\x1b[B\x1b[C\x1b[D", ["up", "down", "right", "left"]),
        (b"\x1bOA", ["up"]),
        (b"\x1b[5~\x1b[6~\x1b[H\x1b[F", ["page up", "page down", "home", "end"]),
        (b"\r\x7f\x03", ["enter", "backspace", "ctrl-c"]),
        ("grün".encode(), ["g", "r", "ü", "n"]),
        (b"\x1b\x1b[A", ["escape", "up"]),
        (b"\x1bq", ["escape", "q"]),
        (b"\x1b[1;5A", []),
        (b"\x1b[200~x\x1b[201~", ["x"]),
        (b"\x01\x02", []),
        (b"\xff", ["�"]),
    ],
)
def test_keys(sent: bytes, keys: list[str]) -> None:
    """
    Whole or byte by byte, what a terminal sends is the same keys; what is unknown is none.
    """
    whole, bytewise = Keys(), Keys()

    assert whole.feed(sent) == keys
    assert [key for byte in sent for key in bytewise.feed(bytes([byte]))] == keys


def test_the_escape_key() -> None:
    """
    An escape that nothing follows is the escape key; one that begins a sequence is not.
    """
    keys = Keys()

    assert keys.feed(b"\x1b") == []
    assert keys.pending
    assert keys.flush() == ["escape"]
    assert keys.feed(b"\x1b[") == []
    assert keys.flush() == []
    assert not keys.pending


def test_a_sequence_without_end() -> None:
    """
    What looks like a sequence and never ends is given up after some bytes.
    """
    keys = Keys()

    keys.feed(b"\x1b[" + b"1" * 200)
    assert keys.feed(b"q")[-1:] == ["q"]
    assert all(len(each) < 200 for pair in pairwise(keys.feed(b"abc")) for each in pair)
