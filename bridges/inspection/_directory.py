# Where the processes of one project find each other: a directory with a socket for each tree.
#
# It is its user's alone, so whoever can open a socket in it may do what that user may. Processes
# that ended without a word leave their sockets: nobody listens there, which connecting tells, in
# whatever container they ran.

import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ._identity import ProcessId, this_process

_MOST_PATH = 107
"""Bytes that the path of a socket may have: see unix(7)."""
_NAME = re.compile(r"(\d+)-(\d+)-(\d+)-(\d+)\.sock")
_SAFE = "Name a directory below one that only root or this user writes to, such as '/run/mysite'."
_NAMED = 'the directory of the inspection, GREENROOM["INSPECTION_DIR"], {}'


class NoDirectory(RuntimeError):
    """
    The directory can't be used; the text says why, and which setting names another.

    Args:
        text: Why.
        remedy: What to do about it, in one sentence.
    """

    def __init__(self, text: str, remedy: str = "") -> None:
        super().__init__(text)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Door:
    """The socket of one tree."""

    path: Path
    pid: int
    start: int
    tree: int

    @property
    def key(self) -> tuple[int, int, int]:
        """What tells it from others of this machine."""
        return self.pid, self.start, self.tree

    @property
    def heartbeat(self) -> float | None:
        """When its process has shown life last, in seconds since 1970; None if it has gone."""
        try:
            return self.path.lstat().st_mtime
        except OSError:
            return None


def default_directories(project: str) -> list[Path]:
    """
    Return where the processes of *project* may be, any text that is its own; the best first.

    A server has no XDG_RUNTIME_DIR where the shell of the same user has one, so who asks looks
    into all of them.
    """
    user = os.getuid()
    digest = hashlib.sha256(project.encode()).hexdigest()[:16]
    named = os.environ.get("XDG_RUNTIME_DIR")
    bases = [*([named] if named else []), tempfile.gettempdir(), f"/run/user/{user}", "/tmp"]  # noqa: S108 - its owner is looked at
    found = dict.fromkeys(Path(base) for base in bases)
    usable = [base for base in found if _is_for(base, user)]
    return [base / f"greenroom-{user}" / digest for base in usable]


def prepare(directory: Path) -> None:
    """
    Make *directory*, or see that it is as it must be.

    Raises:
        NoDirectory: It can't be made, is somebody else's, or others may enter it.
    """
    _refuse_long(directory)
    try:
        _refuse_exchangeable(directory)  # before anything is made, where a link may lead
        above = [each for each in directory.absolute().parents if not each.exists()]
        for each in [*reversed(above), directory]:
            each.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise _unmade(directory, str(error)) from None
    check(directory)


def look(directory: Path) -> None:
    """
    See whether this user could have sockets in *directory*; nothing is made.

    Raises:
        NoDirectory: He could not.
    """
    _refuse_long(directory)
    if os.path.lexists(directory):
        check(directory)
        if not os.access(directory, os.W_OK | os.X_OK):
            raise NoDirectory(
                f"{_NAMED.format(directory)} can't be written to by its own user",
                f"Write `chmod 700 {directory}`.",
            )
        return
    try:
        _refuse_exchangeable(directory)
        above = next(each for each in directory.absolute().parents if each.exists())
    except OSError as error:
        raise _unmade(directory, str(error)) from None
    if not above.is_dir():
        raise _unmade(directory, f"{above} is no directory")
    if not os.access(above, os.W_OK | os.X_OK):
        raise _unmade(directory, f"this user (uid {os.getuid()}) may not write to {above}")


def first_usable(directories: Sequence[Path]) -> Path:
    """
    Return the first of *directories* that can be used, made if need be.

    Raises:
        NoDirectory: None of them can.
    """
    problems: list[str] = []
    for directory in directories:
        try:
            prepare(directory)
        except NoDirectory as problem:
            problems.append(str(problem))
        else:
            return directory
    raise NoDirectory("; ".join(problems) or "there is no directory for temporary files")


def check(directory: Path) -> None:
    """
    See that *directory*, which is there, is this user's alone, and that nobody can exchange it.

    Raises:
        NoDirectory: It is not.
    """
    try:
        seen = directory.lstat()
        _refuse_exchangeable(directory)
    except OSError as error:
        raise NoDirectory(f"{_NAMED.format(directory)} can't be looked at: {error}") from None
    if not stat.S_ISDIR(seen.st_mode):
        what = "a link" if stat.S_ISLNK(seen.st_mode) else "a file"
        raise NoDirectory(
            f"{_NAMED.format(directory)} is {what}, and no directory",
            "Name a directory, which need not be there yet, such as '/run/mysite/greenroom'.",
        )
    if seen.st_uid != os.getuid():
        raise NoDirectory(
            f"{_NAMED.format(directory)} is no directory of this user's own (uid {os.getuid()}):"
            f" its owner is {seen.st_uid}",
            "Run this as the user who runs the server, or name a directory of this user's own.",
        )
    if seen.st_mode & 0o077:
        raise NoDirectory(
            f"{_NAMED.format(directory)} may be entered by others: chmod 700 it",
            f"Write `chmod 700 {directory}`.",
        )


def door_name(process: ProcessId) -> str:
    """Return the name of the socket of *process*."""
    return f"{process.pid}-{process.start}-{process.tree}-{_namespace()}.sock"


def doors(directory: Path) -> Iterator[Door]:
    """Yield the sockets in *directory*, in the order of their pids."""
    try:
        names = os.listdir(directory)  # noqa: PTH208 - names are what is wanted
    except FileNotFoundError:
        return
    found: list[Door] = []
    for name in names:
        if match := _NAME.fullmatch(name):
            pid, start, tree, _ = map(int, match.groups())
            found.append(Door(directory / name, pid, start, tree))
    yield from sorted(found, key=lambda each: each.key)


def _refuse_long(directory: Path) -> None:
    """Refuse *directory* if the path of a socket in it would be longer than the system allows."""
    name = f"/{door_name(this_process(100))}.new"
    most = _MOST_PATH - len(os.fsencode(name))
    long = len(os.fsencode(directory.absolute()))
    if long > most:
        raise NoDirectory(
            f"{_NAMED.format(directory)} is too long for the path of a socket: {long} bytes",
            f"Name a directory whose path has at most {most} bytes, such as '/run/mysite'.",
        )


def _unmade(directory: Path, why: str) -> NoDirectory:
    return NoDirectory(
        f"{_NAMED.format(directory)} can't be made: {why}",
        "Make it, with mode 700, for the user who runs the server, or name one that he can make.",
    )


def _refuse_exchangeable(directory: Path) -> None:
    """Refuse *directory* if others may put another in its place, as far as there is a way yet."""
    named = [each for each in directory.absolute().parents if each.exists()]
    meant = named[0].resolve()
    if any(each.lstat().st_uid not in (0, os.getuid()) for each in named if each.is_symlink()):
        raise NoDirectory(
            f"{_NAMED.format(directory)} can be exchanged by others: a link on the way to it is"
            " somebody else's",
            _SAFE,
        )
    if not all(_is_closed(each.stat()) for each in {*named, meant, *meant.parents}):
        raise NoDirectory(
            f"{_NAMED.format(directory)} can be exchanged by others, who may write to a"
            " directory above it",
            _SAFE,
        )


def _is_closed(seen: os.stat_result) -> bool:
    """Say whether nobody else can exchange what is in a directory."""
    if seen.st_uid not in (0, os.getuid()):
        return False
    if seen.st_mode & stat.S_ISVTX:
        return True
    by_group = seen.st_mode & 0o020 and seen.st_gid not in (0, os.getgid())
    return not (by_group or seen.st_mode & 0o002)


def _is_for(base: Path, user: int) -> bool:
    """Say whether *base* is *user*'s, or everybody's as /tmp is."""
    try:
        seen = base.stat()
    except OSError:
        return False
    return seen.st_uid == user or bool(seen.st_mode & stat.S_ISVTX)


def _namespace() -> int:
    """Which numbering of processes this one is in: a container has its own."""
    try:
        return Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return 0
