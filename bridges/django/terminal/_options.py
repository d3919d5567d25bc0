# What the command was asked for, checked. Pure.

from dataclasses import dataclass
from math import isfinite


@dataclass(frozen=True, slots=True)
class Asked:
    """What to show, and how."""

    path: str = "/"
    """Where the tree begins."""
    search: str = ""
    unhealthy: bool = False
    process: str = ""
    """A pid or an id; "" for all."""
    depth: int | None = None
    """Levels below the process that are shown; None for all."""
    limit: int = 50
    """Rows below one place."""
    every: float = 1.0
    """Seconds between two rounds."""
    seconds: float = 1.0
    """How long a process may take for an answer."""

    def wrong(self) -> str:
        """Return what is wrong with it, in a sentence; "" if nothing is."""
        if not self.path.startswith("/"):
            return f"--path must begin with a slash, as in /residents. Got: {self.path!r}"
        if len(self.path) > 500 or len(self.search) > 500:
            return "--path and --search may have 500 characters"
        if self.limit < 1 or self.limit > 100_000:
            return f"--limit must be from 1 to 100000. Got: {self.limit}"
        if self.depth is not None and self.depth < 0:
            return f"--depth must be 0 or more. Got: {self.depth}"
        for name, seconds, least in (
            ("--every", self.every, 0.1),
            ("--timeout", self.seconds, 0.05),
        ):
            if not isfinite(seconds) or not least <= seconds <= 60:
                return f"{name} must be from {least:g} to 60 seconds. Got: {seconds}"
        return ""
