# `manage.py actors` in a terminal: what somebody sees who presses keys, and what is left of it.

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e._market import Market, served_market
from e2e._pseudo_terminal import CURSOR, OTHER_SCREEN, OWN_SCREEN, Person

pytestmark = pytest.mark.slow

DOWN, UP, ESCAPE, CTRL_C, CTRL_Z = "\x1b[B", "\x1b[A", "\x1b", "\x03", "\x1a"


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    """
    The project served by two workers, in each of which one resident is parked.
    """
    with served_market(tmp_path_factory.mktemp("market")) as (made, _):
        yield made


def person(busy: Market, *arguments: str, **env: str) -> Person:
    return Person(busy.command("--every", "0.2", *arguments), busy.folder, {**busy.env, **env})


def left_as_it_was(who: Person) -> None:
    """The program has gone, and the terminal is as before it."""
    assert who.settings() == who.before
    shown = who.output.rpartition(OTHER_SCREEN)[2]
    assert OWN_SCREEN in shown
    assert CURSOR in shown


def chosen(screen: list[str]) -> str:
    """The line that keys act on."""
    return next((line for line in screen if line.startswith("»")), "")


def both_trees(who: Person) -> list[str]:
    """Look until both processes have said what they have, for each is shown as soon as it has."""

    def whole(screen: list[str]) -> bool:
        of_each = ("feed  Feed", "ticker  Ticker")
        return all(sum(each in line for line in screen) == 2 for each in of_each)

    return who.sees("both trees", whole)


def test_the_tree_is_shown(busy: Market) -> None:
    """
    Both processes, their trees, states in words and signs, and crashes are on the screen; q quits.
    """
    with person(busy) as who:
        screen = both_trees(who)
        assert screen[0].startswith("greenroom actors   2 processes")
        for pid in busy.pids():
            assert any(f"pid {pid} " in line for line in screen)
        for said in ("‖ parked", "crashed ValueError", "ticker"):
            assert any(said in line for line in screen), said

        who.type("q")
        assert who.ended() == 0
        left_as_it_was(who)
        assert "\x1b]" not in who.output, "the text of the exception has set the window's title"


def test_somebody_finds_the_offending_line(busy: Market) -> None:
    """
    Three keys from the first screen: unhealthy only, the actor, its traceback.
    """
    with person(busy) as who:
        who.sees_text("feed")
        who.type("u")
        # Below a process that has not answered yet there is nothing to choose.
        who.sees("both", lambda screen: sum("/residents/feed  Feed" in at for at in screen) == 2)
        who.type(DOWN + "\r")
        who.sees_text("DETAILS", "in on_fetch", "# the offending line")
        who.type(ESCAPE)
        who.sees_text("unhealthy only")
        who.type("q")
        assert who.ended() == 0


def test_open_close_and_search(busy: Market) -> None:
    """
    Arrows close and open places, and what is typed after / is found.
    """
    with person(busy, "--process", str(busy.pids()[0])) as who:
        who.sees_text("ticker")
        who.type("jj")
        who.sees("residents is chosen", lambda screen: "residents" in chosen(screen))
        who.type("h")
        who.sees("it is closed", lambda screen: not any("ticker" in line for line in screen))
        who.type("l")
        who.sees_text("ticker")
        who.type("/tick")
        screen = who.sees_text("/residents/ticker", "/tick_")
        assert not any("feed  Feed" in line for line in screen)
        who.type("\r" + ESCAPE)
        who.sees_text("feed", "q quit")
        who.type("?")
        who.sees_text("KEYS", "backs off")
        who.type("qq")
        assert who.ended() == 0


def test_a_stopped_worker(busy: Market) -> None:
    """
    A worker that is stopped is shown as silent, keys still work, and when it goes on it is back.
    """
    stopped, other = busy.pids()
    with person(busy, "--timeout", "0.5") as who:
        who.sees_text(f"pid {stopped} ", f"pid {other} ")
        both_trees(who)  # what comes later comes below the line that is chosen
        os.kill(stopped, signal.SIGSTOP)
        try:
            who.sees_text("✗ 1 silent", "✗ SILENT")
            who.type("G")
            who.sees("the last line is chosen", lambda screen: "feed" in chosen(screen))
            who.type("\r")
            who.sees_text("DETAILS", "on_fetch")
            who.type(ESCAPE)
        finally:
            os.kill(stopped, signal.SIGCONT)
        who.sees("it is back", lambda screen: "silent" not in screen[0] and "2 proc" in screen[0])
        who.type("q")
        assert who.ended() == 0


def test_a_window_of_another_size(busy: Market) -> None:
    """
    When the window changes its size the next picture fits.
    """
    with person(busy) as who:
        who.sees_text("feed", "EPOCH")
        who.resize(70, 12)
        screen = who.sees(
            "a smaller picture", lambda screen: len(screen) == 12 and "EPOCH" not in screen[2]
        )
        assert all(len(line) <= 70 for line in screen)
        who.type("q")
        assert who.ended() == 0


@pytest.mark.parametrize(
    ("how", "status"),
    [("ctrl-c", 0), ("SIGTERM", -signal.SIGTERM), ("SIGHUP", -signal.SIGHUP)],
)
def test_however_it_ends(busy: Market, how: str, status: int) -> None:
    """
    Ctrl-C quits; a signal has its usual status; the terminal is as it was.
    """
    with person(busy) as who:
        who.sees_text("feed")
        if how == "ctrl-c":
            who.type(CTRL_C)
        else:
            os.kill(who.process.pid, signal.Signals[how])
        assert who.ended() == status, who.output[-2000:]
        left_as_it_was(who)


BROKEN = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings"
import django
django.setup()
import greenroom.bridges.django.terminal._live as live
from django.core.management import execute_from_command_line
good, pictures = live.frame, []
def frame(*args):
    pictures.append(args)
    return good(*args) if len(pictures) < 3 else 1 / 0
live.frame = frame
execute_from_command_line(["manage.py", "actors", "--every", "0.2"])
"""


def test_a_crash_leaves_the_terminal(busy: Market) -> None:
    """
    After a fault in the command itself the terminal is as it was, with the traceback on it.
    """
    with Person([sys.executable, "-c", BROKEN], busy.folder, busy.env) as who:
        assert who.ended() == 1
        left_as_it_was(who)
        assert "ZeroDivisionError" in who.output.rpartition(OWN_SCREEN)[2]


def test_stopped_and_continued(busy: Market) -> None:
    """
    Ctrl-Z gives the terminal back while it is stopped; continued, it draws again.
    """
    with person(busy) as who:
        who.sees_text("feed")
        who.type(CTRL_Z)
        _, how = os.waitpid(who.process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(how)
        while who._read(0.0):
            pass
        left_as_it_was(who)

        mark = len(who.output)
        os.kill(who.process.pid, signal.SIGCONT)
        who.sees("a new picture", lambda _: OTHER_SCREEN in who.output[mark:])
        who.sees_text("feed")
        who.type("q")
        assert who.ended() == 0
        left_as_it_was(who)


def test_a_closed_window(busy: Market) -> None:
    """
    When its window is closed the command ends.
    """
    with person(busy) as who:
        who.sees_text("feed")
        who.hang_up()
        assert who.process.wait(30) in (-signal.SIGHUP, 0)


def test_pause(busy: Market) -> None:
    """
    While it is paused nothing is drawn anew; p goes on.
    """
    with person(busy) as who:
        who.sees_text("feed")
        who.type("p")
        who.sees_text("PAUSED")
        mark = len(who.output)
        time.sleep(1.0)  # five rounds
        while who._read(0.0):
            pass
        assert who.output[mark:].count("\x1b[H") <= 2
        who.type("p")
        who.sees("it goes on", lambda screen: "PAUSED" not in screen[1])
        who.type("q")
        assert who.ended() == 0


def test_without_rich(busy: Market, tmp_path: Path) -> None:
    """
    Without rich it says what to install, and what needs no rich.
    """
    (tmp_path / "rich.py").write_text("raise ModuleNotFoundError('none here', name='rich')\n")
    path = os.pathsep.join([str(tmp_path), str(busy.folder)])
    with person(busy, PYTHONPATH=path) as who:
        assert who.ended() == 1
        assert "pip install 'greenroom[terminal]'" in who.output
        assert "--once" in who.output


def test_a_terminal_that_can_not_be_drawn_on(busy: Market) -> None:
    """
    On a dumb terminal the tree is printed once.
    """
    with person(busy, TERM="dumb") as who:
        assert who.ended() == 0
        assert "└─ " in who.output
        assert "\x1b" not in who.output


def test_without_colours(busy: Market) -> None:
    """
    With NO_COLOR nothing is coloured, and all is said in words.
    """
    with person(busy, NO_COLOR="1") as who:
        who.sees_text("‖ parked")
        who.type("q")
        assert who.ended() == 0
        assert "\x1b[31m" not in who.output
        assert "\x1b[32m" not in who.output
