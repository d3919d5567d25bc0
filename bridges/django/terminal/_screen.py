# Drawing: lines of cells as text with colours, cut to the terminal. Only this file knows rich.

import os
from collections.abc import Sequence
from typing import TextIO

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.live import Live
from rich.style import Style
from rich.text import Text

from ._columns import Cell
from ._frame import Shown, Size
from ._parts import Tone, fit
from ._terminal import HungUp

_STYLES: dict[Tone, Style] = {
    "plain": Style(),
    "name": Style(bold=True),
    "quiet": Style(dim=True),
    "well": Style(color="green"),
    "warn": Style(color="yellow"),
    "bad": Style(color="red", bold=True),
    "title": Style(bold=True, underline=True),
    "key": Style(color="cyan"),
}
_CHOSEN = Style(reverse=True)


class Drawing:
    """
    Draws on a terminal, on its other screen, so that what was there comes back.

    Args:
        stream: The terminal.
        plain: Whether to do without colours.
    """

    def __init__(self, stream: TextIO, *, plain: bool) -> None:
        # Without markup and highlighting: what is shown comes from anybody.
        self._console = Console(
            file=stream, no_color=plain or None, markup=False, emoji=False, highlight=False
        )
        self._stream = stream
        self._live: Live | None = None

    @property
    def size(self) -> Size:
        """How large the terminal is now."""
        try:
            width, height = os.get_terminal_size(self._stream.fileno())
        except OSError:  # it has gone, which the keyboard tells
            width, height = 0, 0
        size = Size(width or 80, height or 24)
        # rich itself would go by COLUMNS and LINES, which do not follow the terminal.
        self._console.size = (size.width, size.height)
        return size

    @property
    def able(self) -> bool:
        """Whether the terminal can be drawn on."""
        return self._console.is_terminal and not self._console.is_dumb_terminal

    def begin(self) -> None:
        """Go to the other screen."""
        self._live = Live(
            console=self._console,
            screen=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def draw(self, lines: Sequence[Shown]) -> None:
        """
        Draw *lines*.

        Raises:
            HungUp: The terminal has gone.
        """
        assert self._live is not None, "begin() comes first"
        width, encoding = self._console.width, self._console.encoding
        texts = [text_of(line, width, encoding) for line in lines]
        try:
            self._live.update(Text("\n").join(texts), refresh=True)
        except OSError as error:
            raise HungUp from error

    def end(self) -> None:
        """Go back to the screen that was there. May be called again."""
        live, self._live = self._live, None
        if live is not None:
            live.stop()


def text_of(line: Shown, width: int, encoding: str = "utf-8") -> Text:
    """Return *line* in *width* columns, no more."""
    text = Text(no_wrap=True, overflow="crop", end="")
    left = width
    for cell in line.cells:
        room = left if cell.width is None else min(cell.width, left)
        _append(text, cell, room, encoding)
        left -= room
        if left <= 0:
            break
    if line.chosen:
        text.append(" " * max(0, width - text.cell_len))
        text.stylize(_CHOSEN)
    return text


def _append(text: Text, cell: Cell, room: int, encoding: str) -> None:
    # The last column of a cell stays empty, so that two of them do not run together.
    left = room if cell.width is None else room - 1
    for part in cell.parts:
        said = fit(part.text, encoding)
        if cell_len(said) > left:
            cut = fit("…", encoding)
            said = set_cell_size(said, left - 1) + cut if left > 0 else ""
        text.append(said, _STYLES[part.tone])
        left -= cell_len(said)
        if left <= 0:
            break
    if cell.width is not None:
        text.append(" " * (left + 1))
