# Pieces of text with a tone, of which lines are made. Pure.
#
# Invariant, with a test of that name in tests/bridges/django/terminal/test_parts.py:
#   HARMLESS   no text moves the cursor, changes a colour or hides what is behind it, wherever it
#              came from: a path, a user's name, the text of an exception. It is made so here, in
#              the one place that each text passes.

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from ....supervisor._events import printable

Tone = Literal["plain", "name", "quiet", "well", "warn", "bad", "title", "key"]
"""What a piece is; the colours follow from it, and it is never the only thing that says so."""

MOST_TEXT = 1000
"""Characters that a piece shows."""

_ASCII = str.maketrans(
    {
        "●": "*",
        "◌": "~",
        "○": "o",
        "↻": "@",
        "‖": "=",
        "✗": "x",
        "▲": "!",
        "▸": "+",
        "▾": "-",
        "»": ">",
        "·": "-",
        "…": "~",
        "│": "|",
        "├": "|",
        "└": "`",
        "─": "-",
    }
)


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a line."""

    text: str
    tone: Tone = "plain"

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", printable(self.text, MOST_TEXT))


Parts = tuple[Part, ...]


def joined(parts: Iterable[Part], between: str = "  ") -> Parts:
    """Return those of *parts* that have a text, with *between* between them."""
    found: list[Part] = []
    for part in parts:
        if part.text:
            if found:
                found.append(Part(between))
            found.append(part)
    return tuple(found)


def text_of(parts: Iterable[Part]) -> str:
    """Return *parts* as text."""
    return "".join(part.text for part in parts)


def fit(text: str, encoding: str) -> str:
    """Return *text* so that a stream with *encoding* takes it."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_ASCII).encode(encoding, "backslashreplace").decode(encoding)
    return text
