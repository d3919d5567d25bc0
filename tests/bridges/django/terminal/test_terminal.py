# The keyboard and the signals, on a real pseudo-terminal.

import os
import pty
import signal
import termios
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from greenroom.bridges.django.terminal._terminal import HungUp, Terminal

SECONDS = 30.0


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    """
    The two ends of a pseudo-terminal: where a person types, and what a program reads.
    """
    person, program = pty.openpty()
    try:
        yield person, program
    finally:
        for end in (person, program):
            try:
                os.close(end)
            except OSError:
                pass


def settings(program: int) -> list[Any]:
    return termios.tcgetattr(program)


def handlers() -> list[Any]:
    return [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGWINCH)]


@pytest.mark.parametrize("how", ["quits", "crashes", "is interrupted"])
def test_as_it_was(ends: tuple[int, int], how: str) -> None:
    """
    However the block ends, echo and line mode are back, and the signals are whose they were.
    """
    _, program = ends
    before, owners = settings(program), handlers()

    try:
        with Terminal(program):
            assert settings(program) != before
            assert handlers() != owners
            if how == "crashes":
                raise ValueError("as told")
            if how == "is interrupted":
                raise KeyboardInterrupt
    except (ValueError, KeyboardInterrupt):
        pass

    assert settings(program) == before
    assert handlers() == owners
    assert signal.set_wakeup_fd(-1) == -1


def test_what_is_ignored_stays_ignored(ends: tuple[int, int]) -> None:
    """
    A signal that whoever began this has ignored is not taken: nobody would continue what it stops.
    """
    before = signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    try:
        with Terminal(ends[1]):
            assert signal.getsignal(signal.SIGTSTP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTSTP, before)


def test_awake(ends: tuple[int, int]) -> None:
    """
    A key, a signal and a call from another thread end a wait; a signal leaves only a note.
    """
    person, program = ends
    with Terminal(program) as terminal:
        os.write(person, b"j\x1b[A")
        assert terminal.wait(SECONDS) == (["j", "up"], [])

        signal.raise_signal(signal.SIGTERM)
        assert terminal.wait(SECONDS) == ([], [signal.SIGTERM])

        threading.Timer(0.01, terminal.wake).start()
        assert terminal.wait(SECONDS) == ([], [])


def test_the_escape_key(ends: tuple[int, int]) -> None:
    """
    A lone escape is a key as soon as nothing follows, long before the wait is over.
    """
    person, program = ends
    with Terminal(program) as terminal:
        os.write(person, b"\x1b")
        keys: list[str] = []
        while not keys:
            keys, _ = terminal.wait(SECONDS)

        assert keys == ["escape"]


def test_keys_are_not_echoed_and_come_at_once(ends: tuple[int, int]) -> None:
    """
    What is typed is not written on the screen, and needs no enter.
    """
    person, program = ends
    with Terminal(program) as terminal:
        os.write(person, b"x")
        assert terminal.wait(SECONDS)[0] == ["x"]
        os.set_blocking(person, False)
        with pytest.raises(BlockingIOError):
            os.read(person, 10)


def test_the_terminal_has_gone(ends: tuple[int, int]) -> None:
    """
    When the window is closed, waiting says that it is.
    """
    person, program = ends
    with Terminal(program) as terminal:
        os.close(person)
        with pytest.raises(HungUp):
            terminal.wait(SECONDS)
