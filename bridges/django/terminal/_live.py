# The tree on a terminal until somebody quits: keys and answers come in, a picture goes out.
#
# Two threads ask: one all processes how they are, which takes its whole deadline while one is
# silent, and one what is on the screen, which then need not wait for the silent one. What any of
# them heard, what a key does and what is drawn is decided in the pure files beside this one.

import os
import signal
import time
from contextlib import suppress

from ._fetching import Fetcher
from ._frame import Shown, Size, details_of, frame
from ._options import Asked
from ._plan import kept, plan
from ._press import press, scrolled, settled
from ._said import EVERYBODY, Ask, Heard
from ._screen import Drawing
from ._terminal import HungUp, Terminal
from ._tree import Line, lines_of
from ._view import Screen, View
from ._world import Wanted, World

_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LONG = 3600.0
REST_SECONDS = 0.1
"""How long a picture stands at least, while nobody presses a key."""


def show(asked: Asked, ask: Ask, first: Heard, drawing: Drawing, keyboard: int) -> None:
    """
    Show the tree until somebody quits, and leave the terminal as it was. Main thread only; blocks.

    A SIGTERM or SIGHUP takes effect when the terminal is as it was.

    Args:
        asked: What to show.
        ask: Asks the processes, from any thread.
        first: What they have said of themselves already.
        drawing: The terminal to draw on.
        keyboard: The file descriptor that keys come from.
    """
    ended_by = 0
    with Terminal(keyboard) as terminal:
        live = _Live(asked, ask, drawing, terminal)
        live.hear(first)
        try:
            drawing.begin()
            ended_by = live.run()
        except HungUp:
            ended_by = 0
        finally:
            live.close()
            with suppress(OSError):  # the terminal has gone
                drawing.end()
    if ended_by in (signal.SIGTERM, signal.SIGHUP):
        signal.raise_signal(ended_by)


class _Live:
    """What is known, what is looked at, and who asks."""

    def __init__(self, asked: Asked, ask: Ask, drawing: Drawing, terminal: Terminal) -> None:
        self._every = asked.every
        self._drawing = drawing
        self._terminal = terminal
        self._world = World(asked.process)
        self._view = View(
            path=asked.path,
            limit=asked.limit,
            depth=asked.depth,
            search=asked.search,
            unhealthy=asked.unhealthy,
        )
        self._pulse = Fetcher[str, Heard](lambda _: ask(EVERYBODY, None), terminal.wake)
        self._looks = Fetcher[Wanted, Heard](
            lambda wanted: ask(wanted.question(), wanted.process), terminal.wake
        )
        self._lines: list[Line] = []
        self._asked: set[Wanted] = set()
        """What was answered, or was not in time, in this round."""
        self._due = 0.0
        self._seen: tuple[Size, list[Shown]] | None = None
        """The last picture; None if the next one is to be drawn whatever it shows."""
        self._rests_until = 0.0
        """No picture before, but for a key: answers come one by one, and lines may be slow."""

    def run(self) -> int:
        """Run until somebody quits; return the signal that ended it, 0 if none did."""
        pressed = True
        while True:
            self._listen()
            now = time.monotonic()
            self._begin_round(now)
            size = self._drawing.size
            self._settle(size)
            self._ask(size)
            rests = 0.0 if pressed else self._rests_until - now
            if rests <= 0:
                self._draw(size)
                self._rests_until = now + REST_SECONDS
            left = _LONG if self._view.paused else self._due - now
            keys, signals = self._terminal.wait(min(left, rests) if rests > 0 else left)
            pressed = bool(keys or signals)
            for number in signals:
                if number in _ENDS:
                    return number
                if number == signal.SIGTSTP:
                    self._rest()
            for key in keys:
                self._press(key, size)
                if self._view.over:
                    return 0

    def hear(self, heard: Heard) -> None:
        """Take what all processes have said of themselves."""
        self._world.hear(heard, time.time())

    def close(self) -> None:
        """Ask nobody any more."""
        self._pulse.close()
        self._looks.close()

    # -- inside --------------------------------------------------------------------------------

    def _listen(self) -> None:
        for _, heard in self._pulse.take():
            self.hear(heard)
        for wanted, heard in self._looks.take():
            self._world.learn(wanted, heard.said)
            self._asked.add(wanted)

    def _begin_round(self, now: float) -> None:
        if now < self._due or self._view.paused:
            return
        self._due = now + self._every
        if self._pulse.idle:
            self._pulse.want(["everybody"])
        if self._looks.idle:  # else the last round goes on: its end is to have its turn, too
            self._asked.clear()

    def _draw(self, size: Size) -> None:
        now = time.time()
        shows_one = self._view.screen is Screen.DETAIL
        details = details_of(self._world, self._view, now) if shows_one else []
        self._view = scrolled(self._view, len(details), size.room)
        shown = frame(self._world, self._view, self._lines, details, size, now, self._every)
        if (size, shown) != self._seen:
            self._drawing.draw(shown)
            self._seen = size, shown

    def _ask(self, size: Size) -> None:
        wanted = plan(self._lines, self._view, self._world, size.room)
        left = [each for each in wanted if each not in self._asked]
        if self._view.paused:  # what was never seen is no change of what is shown
            left = [each for each in left if not self._world.knows(each)]
        self._looks.want(left)
        self._world.keep(kept(self._lines, self._view))
        self._asked &= {*wanted}

    def _press(self, key: str, size: Size) -> None:
        if key == "ctrl-l":
            self._seen = None  # somebody else has written on the terminal
        self._view = press(self._view, key, self._lines, self._world, size.room)
        self._settle(size)

    def _settle(self, size: Size) -> None:
        self._lines = lines_of(self._world, self._view)
        self._view = settled(self._view, self._lines, size.room)

    def _rest(self) -> None:
        """Stop as the shell's Ctrl-Z wants it, with the terminal as it was, and go on later."""
        self._drawing.end()
        self._terminal.give()
        os.kill(os.getpid(), signal.SIGSTOP)
        self._terminal.take()
        self._drawing.begin()
        self._seen = None
