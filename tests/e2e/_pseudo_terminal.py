# A program on a pseudo-terminal, with somebody who types and looks. No terminal is emulated: each
# picture of the program is whole, from the corner on, so the last one is what is on the screen.

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

SECONDS = 60.0
HOME = "\x1b[H"
OTHER_SCREEN, OWN_SCREEN, CURSOR = "\x1b[?1049h", "\x1b[?1049l", "\x1b[?25h"
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def _own_the_terminal() -> None:
    """Have Ctrl-C and the size of the window told to this process."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Person:
    """
    Sits before a terminal in which *command* runs; a context manager.

    Args:
        command: What runs.
        folder: Where.
        env: Its environment.
        columns: How wide the terminal is.
        lines: How high.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        env: Mapping[str, str],
        columns: int = 160,
        lines: int = 40,
    ) -> None:
        self._ours, self._theirs = pty.openpty()
        self.before = termios.tcgetattr(self._theirs)
        self.resize(columns, lines)
        self.output = ""
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "TERM": "xterm-256color", **env},
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            start_new_session=True,
            preexec_fn=_own_the_terminal,  # noqa: PLW1509 - no thread holds a lock of it
        )

    def __enter__(self) -> "Person":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(SECONDS)
        for end in (self._ours, self._theirs):
            if end >= 0:
                os.close(end)

    def resize(self, columns: int, lines: int) -> None:
        """Change the size of the window; the kernel tells the program."""
        self._lines = lines
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._ours, keys.encode())

    def screen(self) -> list[str]:
        """The last whole picture, line by line: one with as many lines as the window."""
        pictures = self.output.rpartition(OTHER_SCREEN)[2].split(HOME)
        begun = pictures[-1].count("\n") < self._lines - 1
        whole = pictures[-2] if begun and len(pictures) > 1 else pictures[-1]
        return [line.rstrip() for line in _ESCAPES.sub("", whole).replace("\r", "").split("\n")]

    def sees(self, what: str, check: Callable[[list[str]], object]) -> list[str]:
        """Look until *check* is true of the screen; return the screen."""
        give_up = time.monotonic() + SECONDS
        while True:
            screen = self.screen()
            if check(screen):
                return screen
            left = give_up - time.monotonic()
            assert left > 0, f"never seen: {what}\n" + "\n".join(screen)
            assert self._read(left), f"it ended before this was seen: {what}\n{self.output[-4000:]}"

    def sees_text(self, *texts: str) -> list[str]:
        """Look until all of *texts* are on the screen."""
        return self.sees(
            " and ".join(map(repr, texts)),
            lambda screen: all(any(text in line for line in screen) for text in texts),
        )

    def ended(self) -> int:
        """Wait until the program has ended, reading what it writes; return its status."""
        give_up = time.monotonic() + SECONDS
        while self.process.poll() is None:
            assert time.monotonic() < give_up, f"it did not end:\n{self.output[-4000:]}"
            self._read(0.05)
        while self._read(0.0):
            pass
        return self.process.returncode

    def settings(self) -> list[Any]:
        """How the terminal is set now."""
        return termios.tcgetattr(self._theirs)

    def hang_up(self) -> None:
        """Close the window."""
        os.close(self._theirs)
        os.close(self._ours)
        self._ours = self._theirs = -1

    def _read(self, seconds: float) -> bool:
        """Take what it has written, waiting so long; say whether there may be more."""
        if select.select([self._ours], [], [], min(seconds, 1.0))[0]:
            self.output += os.read(self._ours, 65536).decode("utf-8", "replace")
            return True
        return seconds > 0 and self.process.poll() is None
