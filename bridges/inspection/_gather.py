# All processes of a project are asked at once, by whoever can open their sockets: a thread of one
# of them, a command, another server. Who has not answered by the deadline is named as silent.
#
# Invariants, each with a test of that name in tests/bridges/inspection/test_gather.py:
#   DEADLINE   it returns within its seconds, whatever the others do.
#   NAMED      each process that was asked is in what it returns, once.
#   LEFT       an answer that came too late is not looked for any longer.
#   SWEPT      what a process has left that has ended is taken away.

import selectors
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import trio

from ._call import AGAIN_SECONDS, Call, sweep
from ._directory import Door, NoDirectory, check, doors
from ._gathered import Answer, Gathered
from ._identity import ProcessId
from ._local import LocalTree
from ._wire import MOST_QUESTION, mended, pack

MOST_PROCESSES = 500
"""More are not asked at once."""


def gather(
    question: Mapping[str, object],
    directories: Path | Sequence[Path],
    *,
    seconds: float = 1.0,
    only: str | None = None,
    local: Sequence[LocalTree] = (),
) -> Gathered:
    """
    Ask all processes of a project and wait for their answers. For threads: it blocks.

    Args:
        question: As the Inspector takes it.
        directories: Where their sockets are, or may be.
        seconds: How long all of it may take.
        only: The id of the only process to ask.
        local: Trees of this process, which are asked without a socket.

    Raises:
        BadMessage: *question* is too long, or no JSON.
    """
    began = time.monotonic()
    until = began + seconds
    data = packed(question, only)
    trees = [tree for tree in local if only in (None, tree.process.id)]
    told = _ask_local(trees, question)
    found, trouble = doors_to_ask(directories, only, local)
    calls = [Call(door, data) for door in found]
    _wait(calls, until)
    answers = [each.outcome(seconds) for each in sweep(calls)]
    answers += [each.outcome(until, seconds) for each in told]
    answers.sort(key=lambda each: (each.process.pid, each.process.tree))
    return Gathered(answers, len(answers), time.monotonic() - began, trouble)


def packed(question: Mapping[str, object], only: str | None) -> bytes:
    """
    Return *question* as it is sent; with *only* nobody else of the same numbers answers.

    Raises:
        BadMessage: It is too long, or no JSON.
    """
    return pack(dict(question) if only is None else {**question, "to": only}, MOST_QUESTION)


def processes_in(
    directories: Path | Sequence[Path], local: Sequence[LocalTree] = ()
) -> list[ProcessId]:
    """Return who would be asked, *local* first; some of them may have ended."""
    found, _ = doors_to_ask(directories, None, local)
    host = socket.gethostname()
    others = [ProcessId(host, door.pid, door.start, door.tree) for door in found]
    return [tree.process for tree in local] + others


def doors_to_ask(
    directories: Path | Sequence[Path], only: str | None, local: Sequence[LocalTree]
) -> tuple[list[Door], str]:
    """Return the sockets to ask at, without those of *local*, and what is wrong, or ""."""
    listed = [directories] if isinstance(directories, Path) else directories
    skipped = {(each.process.pid, each.process.start, each.process.tree) for each in local}
    found: dict[tuple[int, int, int], Door] = {}
    troubles: list[str] = []
    for directory in listed:
        try:
            if directory.exists():
                check(directory)
                found |= {door.key: door for door in doors(directory)}
        except (NoDirectory, OSError) as problem:
            troubles.append(str(problem))
    asked = [door for key, door in found.items() if key not in skipped and _is_meant(door, only)]
    if found:
        troubles.clear()  # one of several places may be somebody else's, where they are not
    if len(asked) > MOST_PROCESSES:
        troubles.append(f"only {MOST_PROCESSES} of {len(asked)} processes were asked")
    return asked[:MOST_PROCESSES], "; ".join(troubles)


def _is_meant(door: Door, only: str | None) -> bool:
    if only is None:
        return True
    _, *numbers = only.split(":")
    return [*numbers, "1"][:3] == [str(each) for each in door.key]


def _wait(calls: list[Call], until: float) -> None:
    """Send and receive for all *calls*, until they are over or it is *until*."""
    if not calls:
        return
    try:
        selector = selectors.DefaultSelector()
    except OSError as error:
        for each in calls:
            each.failed(error)
        return
    with selector:
        full = [each for each in calls if not _begin(each, selector) and not each.over]
        while (left := until - time.monotonic()) > 0 and (full or selector.get_map()):
            for key, _ in selector.select(min(left, AGAIN_SECONDS) if full else left):
                _go_on(key.data, selector)
            full = [each for each in full if not _begin(each, selector) and not each.over]


def _begin(call: Call, selector: selectors.BaseSelector) -> bool:
    """Connect, and ask as soon as that may be; say whether it was connected."""
    if not call.connect() or call.socket is None:
        return False
    selector.register(call.socket, selectors.EVENT_WRITE, call)
    return True


def _go_on(call: Call, selector: selectors.BaseSelector) -> None:
    """Send or receive what can be now."""
    one = call.socket
    if one is None:
        return
    try:
        if call.left:
            call.sent(one.send(call.left))
            if not call.left:
                selector.modify(one, selectors.EVENT_READ, call)
            return
        data = one.recv(1 << 18)
    except BlockingIOError:
        return
    except OSError as error:
        selector.unregister(one)
        call.failed(error)
        return
    selector.unregister(one)  # the last of it closes the socket
    call.take(data)
    if call.socket is not None:
        selector.register(one, selectors.EVENT_READ, call)


def _ask_local(trees: Sequence[LocalTree], question: Mapping[str, object]) -> "list[_Told]":
    told = [_Told(tree) for tree in trees]
    for each in told:
        each.begin(question)
    return told


class _Told:
    """What one tree of this process says."""

    def __init__(self, tree: LocalTree) -> None:
        self._tree = tree
        self._done = threading.Event()
        self._answer: dict[str, Any] | None = None
        self._trouble = ""
        self._asked: trio.CancelScope | None = None

    def begin(self, question: Mapping[str, object]) -> None:
        """Ask."""
        self._asked = self._tree.ask(question, self._take)
        if self._asked is None:
            self._trouble = "its loop has ended"
            self._done.set()

    def outcome(self, until: float, seconds: float) -> Answer:
        """Wait for the answer until *until*, and return it."""
        self._done.wait(max(0.0, until - time.monotonic()))
        if self._answer is not None:
            return Answer(self._tree.process, mended(self._answer))
        if self._asked is not None:
            self._tree.forget(self._asked)
        seen: dict[str, object] = {}
        trouble = self._trouble
        if not trouble:
            trouble = f"no answer within {seconds:.3g} s"
            if where := self._tree.where():
                seen["at"] = where
                trouble = f"{trouble}; its loop is in {where}"
        door = self._tree.door
        heartbeat = None if door is None else door.heartbeat
        return Answer(self._tree.process, None, trouble, seen, heartbeat)

    def _take(self, answer: dict[str, Any]) -> None:
        self._answer = answer
        self._done.set()
