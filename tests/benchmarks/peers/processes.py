# What a server costs, read from /proc: CPU and memory of its whole tree of processes, and how
# much of its core went to something else.

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


def tree(pid: int) -> Iterator[int]:
    """Yield *pid* and all its descendants."""
    yield pid
    for children in (_PROC / str(pid) / "task").glob("*/children"):
        with suppress(OSError):
            for child in children.read_text().split():
                yield from tree(int(child))


def memory_kib(pid: int) -> int:
    """Return the resident memory of the tree of *pid*, in KiB."""
    total = 0
    for each in tree(pid):
        with suppress(OSError):
            for line in (_PROC / str(each) / "status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    total += int(line.split()[1])
    return total


class Sample:
    """A look at a tree's CPU time and at its core, at one moment."""

    def __init__(self, pid: int, core: int) -> None:
        self.at = time.monotonic()
        self.cpu = sum(_cpu_seconds(each) for each in tree(pid))
        self.busy = _core_seconds(core)

    def since(self, before: Sample) -> dict[str, float]:
        """Return the share of a core that the tree used, and that others took of its core."""
        wall = self.at - before.at
        server = (self.cpu - before.cpu) / wall
        others = (self.busy - before.busy) / wall - server
        return {"server_cpu": server, "others_cpu": max(0.0, others)}


def _cpu_seconds(pid: int) -> float:
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _core_seconds(core: int) -> float:
    for line in (_PROC / "stat").read_text().splitlines():
        if line.startswith(f"cpu{core} "):
            spent = [int(field) for field in line.split()[1:9]]
            return (sum(spent) - spent[3] - spent[4]) / _TICKS  # but idle and iowait
    return 0.0
