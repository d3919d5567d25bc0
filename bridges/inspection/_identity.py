# Which tree of which process this is: a name that no other has had, or will have, on this machine.

import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_BOOT = time.time() - time.clock_gettime(_CLOCK)
_IMPORTED = round((time.time() - _BOOT) * _TICKS)


@dataclass(frozen=True, slots=True)
class ProcessId:
    """
    One process; where it has several trees, one of them.

    A number is used again when its process has ended, so the moment of its start is part of it.
    """

    host: str
    pid: int
    start: int
    """Ticks of the machine's clock at its start, as the kernel counts them."""
    tree: int = 1
    """Which of its trees, in the order of their start."""

    @property
    def id(self) -> str:
        """Its name, by which it alone can be asked: ``host:pid:start``, ``:2`` for a second."""
        name = f"{self.host}:{self.pid}:{self.start}"
        return name if self.tree == 1 else f"{name}:{self.tree}"

    @property
    def started(self) -> float:
        """When it started, in seconds since 1970."""
        return round(_BOOT + self.start / _TICKS, 1)

    def __str__(self) -> str:
        return self.id

    def as_dict(self) -> dict[str, object]:
        """Return it as data that JSON can carry."""
        return {
            "id": self.id,
            "host": self.host,
            "pid": self.pid,
            "started": self.started,
            "tree": self.tree,
        }


def this_process(tree: int = 1) -> ProcessId:
    """Return who this process is; another one in a child that it has forked."""
    pid = os.getpid()
    return ProcessId(socket.gethostname(), pid, started_of(pid) or _IMPORTED, tree)


def started_of(pid: int) -> int | None:
    """Return when the process *pid* began, in ticks; None if there is none, or nobody says."""
    fields = stat_fields(Path(f"/proc/{pid}/stat"))
    return int(fields[19]) if len(fields) > 19 and fields[0] not in "XZ" else None


def stat_fields(path: Path) -> list[str]:
    """Return the fields of proc(5)'s *path* from the state on; none if it can't be read."""
    try:
        text = path.read_text()
    except OSError:
        return []
    # Behind the name, which is in brackets and may hold anything.
    return text.rpartition(")")[2].split()
