# The loop that joins keys, answers and pictures: with a keyboard and a screen that the test holds.

import os
import pty
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest
from terminal_trees import Trees, row, small_tree

from greenroom.bridges.django.terminal._frame import Shown, Size
from greenroom.bridges.django.terminal._live import show
from greenroom.bridges.django.terminal._options import Asked
from greenroom.bridges.django.terminal._said import EVERYBODY, Heard
from greenroom.bridges.django.terminal._screen import text_of

SECONDS = 30.0


class Paper:
    """A screen that keeps its pictures; with each one, who reads it may press a key."""

    def __init__(self, person: int) -> None:
        self.person = person
        self.keyboard = -1
        self.pictures: list[str] = []
        self.on = False
        self.begun = 0
        self.waits: list[tuple[str, str]] = []
        """A text to wait for, and the keys that are pressed then."""

    @property
    def size(self) -> Size:
        return Size(120, 30)

    def begin(self) -> None:
        self.on, self.begun = True, self.begun + 1

    def end(self) -> None:
        self.on = False

    def draw(self, lines: Sequence[Shown]) -> None:
        picture = "\n".join(text_of(line, 120).plain.rstrip() for line in lines)
        self.pictures.append(picture)
        while self.waits and self.waits[0][0] in picture:
            _, keys = self.waits.pop(0)
            os.write(self.person, keys.encode())


@pytest.fixture
def paper() -> Iterator[Paper]:
    """
    A screen, with a pseudo-terminal for its keyboard.
    """
    person, program = pty.openpty()
    paper = Paper(person)
    paper.keyboard = program
    try:
        yield paper
    finally:
        os.close(person)
        os.close(program)


def watch(paper: Paper, trees: Any, *waits: tuple[str, str], every: float = 0.2) -> None:
    """Show *trees*; press keys when their texts are seen; give up after half a minute."""
    paper.waits = list(waits)
    late = threading.Timer(SECONDS, os.kill, (os.getpid(), signal.SIGINT))
    late.start()
    try:
        show(Asked(every=every), trees, trees(EVERYBODY, None), paper, paper.keyboard)
    finally:
        late.cancel()
    assert not paper.waits, f"never seen: {paper.waits[0][0]!r}\n{paper.pictures[-1]}"
    assert not paper.on


def test_keys_and_answers(paper: Paper) -> None:
    """
    What is asked for is drawn when it is there, and keys are heard between two pictures.
    """
    trees = Trees({7: small_tree()})
    trees.details = {"/residents/feed": {"stack": ["market.py:41 in on_fetch"]}}

    watch(paper, trees, ("feed  Feed", "G\r"), ("in on_fetch", "q"))
    assert paper.begun == 1


def test_a_picture_is_drawn_once(paper: Paper) -> None:
    """
    A key that changes nothing makes no picture, for it would be as the last one.
    """
    trees = Trees({7: small_tree()})

    def press() -> None:
        for key in b"xxq":
            time.sleep(0.05)
            os.write(paper.person, bytes([key]))

    typist = threading.Thread(target=press)
    draw = paper.draw

    def drawn(lines: Sequence[Shown]) -> None:
        draw(lines)
        if "PAUSED" in paper.pictures[-1] and typist.ident is None:
            typist.start()

    paper.draw = drawn
    watch(paper, trees, ("feed  Feed", "p"))
    typist.join(SECONDS)
    assert all(one != other for one, other in pairwise(paper.pictures))


def test_while_paused_only_what_is_new_is_asked(paper: Paper) -> None:
    """
    Paused, nothing is asked again; a place that is opened then is, for nothing is known of it.
    """

    class Counting(Trees):
        def __call__(self, question: Any, only: str | None) -> Heard:
            if paper.pictures and "PAUSED" in paper.pictures[-1]:
                self.paused.append(question.get("path"))
            return super().__call__(question, only)

    trees = Counting({7: small_tree()})
    trees.paused = []
    asked = Asked(depth=1, every=0.1)
    paper.waits = [("residents", "p"), ("PAUSED", "Gl"), ("feed  Feed", "q")]
    show(asked, trees, trees(EVERYBODY, None), paper, paper.keyboard)

    assert paper.waits == []
    # What was under way when it was paused may still come.
    assert trees.paused.count("/residents") == 1
    assert "/connections/room" not in trees.paused


def test_what_is_scrolled_back_to_is_not_asked_while_paused(paper: Paper) -> None:
    """
    Paused, what was seen before is shown as it was, though it was off the screen meanwhile.
    """
    wide = [row("/", kind="root", children=3, actor="")]
    for name in ("a", "b", "c"):
        wide.append(row(f"/{name}", children=18))
        wide += [row(f"/{name}/{number}-{name}") for number in range(18)]
    trees = Trees({7: wide})

    # The end is further down when what is below /c has come, so it is gone to twice.
    down = ("0-b", "G"), ("0-c", "G"), ("17-c", "p")
    watch(paper, trees, *down, ("PAUSED", "g"), ("0-a  Greeter", "G"), ("17-c", "q"), every=60.0)
    assert [question.get("path") for question, only in trees.asked if only].count("/a") == 1


def test_a_silent_process_holds_no_key_up(paper: Paper) -> None:
    """
    While a question to all waits for one that is silent, what is on the screen is asked, and keys
    are heard.
    """
    stopped = threading.Event()

    class Stuck(Trees):
        def __call__(self, question: Any, only: str | None) -> Heard:
            if only is None and threading.current_thread() is not threading.main_thread():
                assert stopped.wait(SECONDS)
            return super().__call__(question, only)

    trees = Stuck({7: small_tree(), 8: None})
    try:
        watch(paper, trees, ("feed  Feed", "j"), ("✗ SILENT", "q"))
    finally:
        stopped.set()


def test_a_fault_while_asking_ends_it(paper: Paper) -> None:
    """
    What asking raises comes out of the command, with the terminal as it was.
    """

    class Broken(Trees):
        def __call__(self, question: Any, only: str | None) -> Heard:
            if only is not None:
                raise ValueError("as told")
            return super().__call__(question, only)

    with pytest.raises(ValueError, match="as told"):
        watch(paper, Broken({7: small_tree()}))
    assert not paper.on


def test_the_processes_come_and_go(paper: Paper) -> None:
    """
    When all have gone it says so and stays, and shows those that come.
    """
    trees = Trees({7: small_tree()})

    draw = paper.draw

    def drawn(lines: Sequence[Shown]) -> None:
        draw(lines)
        picture = paper.pictures[-1]
        if "pid 7" in picture and "feed  Feed" in picture:
            trees.trees = {}
        elif "No process of this project" in picture:
            trees.trees = {9: small_tree()}

    paper.draw = drawn
    watch(paper, trees, ("No process of this project", "j"), ("pid 9 on web", "q"), every=0.1)
