# Where the processes of one project find each other: a directory with a socket for each.
#
# It is its user's alone, so whoever can open a socket in it may do what that user may. Processes
# that ended without a word leave their sockets; who looks for the living takes them away.

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ._identity import ProcessId, started_of

_MOST_PATH = 100
"""Bytes that the path of a socket may have: the kernel takes 107."""


class NoDirectory(RuntimeError):
    """The directory can't be used; the text says why, and which setting names another."""


@dataclass(frozen=True, slots=True)
class Door:
    """The socket of one process."""

    path: Path
    pid: int
    started: int

    @property
    def alive(self) -> bool:
        """Whether its process lives, as far as the kernel says."""
        return not Path("/proc/self").exists() or started_of(self.pid) == self.started


def default_directory(project: str) -> Path:
    """Return the directory of the project that *project*, any text that is its own, stands for."""
    base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    digest = hashlib.sha256(project.encode()).hexdigest()[:16]
    return Path(base) / f"greenroom-{os.getuid()}" / digest


def prepare(directory: Path) -> None:
    """
    Make *directory*, or see that it is as it must be.

    Raises:
        NoDirectory: It can't be made, is somebody else's, or others may enter it.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        seen = directory.lstat()
    except OSError as error:
        raise NoDirectory(f"{_NAMED.format(directory)} can't be made: {error}") from None
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.getuid():
        raise NoDirectory(f"{_NAMED.format(directory)} is no directory of this user's own")
    if seen.st_mode & 0o077:
        raise NoDirectory(f"{_NAMED.format(directory)} may be entered by others: chmod 700 it")
    if len(os.fsencode(directory)) > _MOST_PATH - 30:
        raise NoDirectory(f"{_NAMED.format(directory)} is too long for the path of a socket")


def door_of(directory: Path, process: ProcessId) -> Path:
    """Return the path of the socket of *process*."""
    return directory / f"{process.pid}-{process.started}.sock"


def doors(directory: Path) -> Iterator[Door]:
    """Yield the sockets of living processes, in the order of their pids; sweep out the others."""
    try:
        names = [each.name for each in directory.iterdir()]
    except FileNotFoundError:
        return
    found: list[Door] = []
    for name in names:
        pid, _, started = name.removesuffix(".sock").partition("-")
        if name.endswith(".sock") and pid.isdigit() and started.isdigit():
            found.append(Door(directory / name, int(pid), int(started)))
    for door in sorted(found, key=lambda each: each.pid):
        if door.alive:
            yield door
        else:
            door.path.unlink(missing_ok=True)


_NAMED = 'the directory of the inspection, GREENROOM["INSPECTION_DIR"], {}'
