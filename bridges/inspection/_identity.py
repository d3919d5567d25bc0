# Which process this is: a name that no other process has had, or will have, on this machine.

import os
import socket
from dataclasses import dataclass
from pathlib import Path

_STAT = Path("/proc/self/stat")


@dataclass(frozen=True, slots=True)
class ProcessId:
    """
    One process.

    A number is used again when its process has ended, so the moment of its start is part of it.
    """

    host: str
    pid: int
    started: int
    """Ticks of the machine's clock at its start, as the kernel counts them; 0 where it does not
    say."""

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}:{self.started}"

    def as_dict(self) -> dict[str, object]:
        """Return it as data that JSON can carry."""
        return {"id": str(self), "host": self.host, "pid": self.pid}


def this_process() -> ProcessId:
    """Return who this process is; another one in a child that it has forked."""
    pid = os.getpid()
    return ProcessId(socket.gethostname(), pid, started_of(pid) or 0)


def started_of(pid: int) -> int | None:
    """Return when the process *pid* began, in ticks; None if there is none, or nobody says."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # Behind the name, which is in brackets and may hold anything.
    fields = text.rpartition(")")[2].split()
    return int(fields[19]) if len(fields) > 19 and fields[0] not in "XZ" else None
