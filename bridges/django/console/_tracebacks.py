# A formatted traceback, read again: which line is the user's own, and at fault. Pure.
#
# Crash records hold tracebacks as text, because they travel between processes. Whoever looks at
# three in the morning wants the last line that is not Django's, trio's or ours first.

import re
import sysconfig
from functools import cache
from pathlib import Path
from typing import NamedTuple

_PACKAGES = ("actors", "supervisor", "bridges")

_FRAME = re.compile(r'^[ |+-]*File "(?P<file>.+)", line (?P<line>\d+)(?:, in (?P<name>.+))?$')
_BETWEEN = (
    "The above exception was the direct cause of the following exception:",
    "During handling of the above exception, another exception occurred:",
)
_MARKS = re.compile(r"^[\s^~]*$")


class Frame(NamedTuple):
    """One line of a traceback."""

    file: str
    line: int
    function: str
    code: str
    own: bool
    """Whether it is the user's: neither a library's nor Greenroom's."""


def frames(traceback: str) -> list[Frame]:
    """Return the frames of a formatted traceback, in its order."""
    found: list[Frame] = []
    lines = traceback.splitlines()
    for at, text in enumerate(lines):
        match = _FRAME.match(text)
        if match is None:
            continue
        code = lines[at + 1].lstrip(" |") if at + 1 < len(lines) else ""
        if _FRAME.match(lines[at + 1] if at + 1 < len(lines) else "") or _MARKS.match(code):
            code = ""
        file = match["file"]
        own = not is_library(file)
        found.append(Frame(file, int(match["line"]), match["name"] or "", code.rstrip(), own))
    return found


def offending(traceback: str) -> Frame | None:
    """
    Return the line that a person should look at: the last one of the user's own.

    Of exceptions that followed from each other the last is looked at first. Where no line is the
    user's own, the last of all; None if there is none.
    """
    last = traceback
    for text in _BETWEEN:
        last = last.rpartition(text)[2]
    for part in (last, traceback):
        own = [frame for frame in frames(part) if frame.own]
        if own:
            return own[-1]
    return next(iter(frames(last)[::-1]), None)


def is_library(file: str) -> bool:
    """Say whether *file* is one of Python, of a library, or of Greenroom."""
    return "/site-packages/" in file or file.startswith(("<", *_libraries()))


@cache
def _libraries() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    folders = {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    # An editable install has links, and a traceback names what they lead to or themselves.
    for here in (Path(__file__), Path(__file__).resolve()):
        folders |= {str(here.parents[3] / package) for package in _PACKAGES}
    return tuple(f"{folder}/" for folder in sorted(folders))
