# How much memory a server's process takes.

from pathlib import Path


class Memory:
    """The resident memory of process *pid*, from now on."""

    def __init__(self, pid: int) -> None:
        self._process = Path(f"/proc/{pid}")
        (self._process / "clear_refs").write_text("5")  # the peak is what it is now
        self._before = self._now("VmRSS")

    def grown(self) -> int:
        """How many bytes more it has had at its peak."""
        return self._now("VmHWM") - self._before

    def _now(self, name: str) -> int:
        lines = (self._process / "status").read_text().splitlines()
        (line,) = (line for line in lines if line.startswith(f"{name}:"))
        return int(line.split()[1]) * 1024
