# The terminal's keyboard and the signals that matter to who draws on it, for the main thread.
#
# Invariants, each with a test of that name in tests/bridges/django/terminal/test_terminal.py:
#   AS IT WAS   however its block ends, the terminal's settings and the signal handlers are those
#               of before.
#   AWAKE       a key, a signal, and a call of wake() from any thread, end a wait at once.
#
# A signal only leaves a note here; what follows is done by the loop, between two drawings. So no
# half of an escape sequence is ever followed by something else.

import os
import selectors
import signal
import socket
import termios
import time
import tty
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any

from ._keys import Keys

ESCAPE_SECONDS = 0.05
"""How long the rest of a sequence may take that begins as the escape key does."""

_WATCHED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP, signal.SIGWINCH)


class HungUp(Exception):
    """The terminal has gone."""


class Terminal:
    """
    Keys from a terminal, without echo and each at once, in a ``with`` block. Main thread only.

    Args:
        keyboard: The file descriptor of the terminal.
    """

    def __init__(self, keyboard: int) -> None:
        self._keyboard = keyboard
        self._keys = Keys()
        self._noted: list[int] = []
        self._handlers: dict[int, Any] = {}
        self._settings: list[Any] | None = None
        self._wakeup = -1

    def __enter__(self) -> "Terminal":
        self._inner, self._outer = socket.socketpair()
        self._inner.setblocking(False)
        self._outer.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._keyboard, selectors.EVENT_READ)
        self._selector.register(self._inner, selectors.EVENT_READ)
        try:
            self._wakeup = signal.set_wakeup_fd(self._outer.fileno(), warn_on_full_buffer=False)
            for number in _WATCHED:
                # What is ignored was so by whoever has begun this, such as a shell without jobs.
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._handlers[number] = signal.signal(number, self._note)
            self.take()
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave()

    def take(self) -> None:
        """Have each key at once, and unseen."""
        if self._settings is None:
            self._settings = termios.tcgetattr(self._keyboard)
        tty.setcbreak(self._keyboard)

    def give(self) -> None:
        """Have the keyboard as it was."""
        settings, self._settings = self._settings, None
        if settings is not None:
            with suppress(termios.error):  # the terminal has gone
                termios.tcsetattr(self._keyboard, termios.TCSADRAIN, settings)

    def wake(self) -> None:
        """End the wait that goes on, or the next one. Any thread; never blocks."""
        with suppress(BlockingIOError, OSError):  # it is woken already, or over
            self._outer.send(b"w")

    def wait(self, seconds: float) -> tuple[list[str], list[int]]:
        """
        Wait for something to happen.

        Returns:
            The keys that were pressed and the signals that came; none after *seconds*, or if it
            was woken.

        Raises:
            HungUp: The terminal has gone.
        """
        until = time.monotonic() + max(0.0, seconds)
        if self._keys.pending:
            until = min(until, time.monotonic() + ESCAPE_SECONDS)
        keys: list[str] = []
        ready = self._selector.select(max(0.0, until - time.monotonic()))
        if not ready and self._keys.pending:
            keys = self._keys.flush()
        for each, _ in ready:
            if each.fileobj is self._inner:
                with suppress(BlockingIOError):
                    self._inner.recv(4096)
            else:
                keys += self._keys.feed(self._read())
        noted, self._noted = self._noted, []
        return keys, noted

    # -- inside --------------------------------------------------------------------------------

    def _read(self) -> bytes:
        try:
            data = os.read(self._keyboard, 1024)
        except OSError as error:  # EIO: its other end is closed
            raise HungUp from error
        if not data:
            raise HungUp
        return data

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._noted.append(number)

    def _leave(self) -> None:
        self.give()
        for number, handler in self._handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._handlers.clear()
        signal.set_wakeup_fd(self._wakeup)
        self._selector.close()
        self._inner.close()
        self._outer.close()
