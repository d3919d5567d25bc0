# Where a task waits, or a thread works, right now: lines of code, innermost last, and which of them
# are the user's. No frame is kept: its locals are a handler's, and would live on with it.

import os
import sys
import sysconfig
from collections.abc import Iterable
from typing import NamedTuple

from ..actors._lowlevel import TaskStack

_MOST = 60
_OURS = "greenroom"
_LOOP = "trio._core."
_INSTALLED = tuple(
    f"{path}{os.sep}"
    for name in ("stdlib", "platstdlib", "purelib", "platlib")
    if (path := sysconfig.get_paths().get(name))
)


class Line(NamedTuple):
    """One call on a stack."""

    file: str
    number: int
    function: str
    module: str

    def __str__(self) -> str:
        return f"{self.file}:{self.number} in {self.function}"

    @property
    def is_users(self) -> bool:
        """Whether it is the project's own code: neither machinery, nor installed, nor Python's."""
        if self.module.partition(".")[0] == _OURS:
            return False
        return not (self.file.startswith("<") or self.file.startswith(_INSTALLED))


def users_line(lines: Iterable[Line]) -> Line | None:
    """Return the innermost of *lines* that is the project's own, if any is."""
    own = [line for line in lines if line.is_users]
    return own[-1] if own else None


def waiting_at(stack: TaskStack | None) -> list[Line]:
    """
    Return where the task of *stack* waits, outermost call first, without the loop's own machinery.

    Loop thread only.
    """
    lines = [Line(*call) for call in stack.calls()] if stack is not None else []
    while lines and lines[-1].module.startswith(_LOOP):
        lines.pop()
    return lines


def stack_of_thread(ident: int) -> list[Line]:
    """
    Return where the thread *ident* is, outermost call first; nothing if there is none.

    From any other thread. It goes on meanwhile: the lines are of one moment.
    """
    frames = sys._current_frames()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    frame = frames.get(ident)
    lines: list[Line] = []
    while frame is not None:
        code, module = frame.f_code, str(frame.f_globals.get("__name__"))
        lines.append(Line(code.co_filename, frame.f_lineno, code.co_name, module))
        frame = frame.f_back
    return lines[:_MOST][::-1]


def shown(lines: list[Line]) -> list[str]:
    """Return *lines* as texts, the innermost ones of too many."""
    left_out = len(lines) - _MOST
    texts = [str(line) for line in lines[-_MOST:]]
    return [f"({left_out} calls above)", *texts] if left_out > 0 else texts
