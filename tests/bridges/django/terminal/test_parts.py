# Pieces of text: what comes from anybody does nothing to the terminal.

import pytest
from terminal_trees import ESCAPES

from greenroom.bridges.django.terminal._parts import MOST_TEXT, Part, fit, joined, text_of


@pytest.mark.parametrize("text", [ESCAPES, "\x00", "\x1bc", "a\tb", "\u200b", "\ud800", "\x7f"])
def test_harmless(text: str) -> None:
    """
    A part holds no character that a terminal obeys, and shows that there was one.
    """
    part = Part(text)

    assert part.text.isprintable()
    assert "\\" in part.text


def test_a_part_is_bounded() -> None:
    """
    A text of a megabyte takes no megabyte of the screen.
    """
    assert len(Part("a" * 1_000_000).text) <= MOST_TEXT + 3


def test_empty_parts_take_no_room() -> None:
    """
    Parts without a text are left out, with what would stand between them.
    """
    assert text_of(joined([Part(""), Part("a"), Part(""), Part("b")])) == "a  b"


def test_a_stream_gets_what_it_can_take() -> None:
    """
    For a stream that knows only ASCII signs have stand-ins, and the rest is escaped.
    """
    assert fit("├─ ● grün", "ascii") == "|- * gr\\xfcn"
    assert fit("├─ ● grün", "utf-8") == "├─ ● grün"
