# What has happened since it was told last, by process: bounded, whatever happens. Loop thread only.

from collections.abc import Iterable

import trio

MOST_PATHS = 100
"""Of one process that are told; more are many."""


class News:
    """What is to be told next."""

    def __init__(self) -> None:
        self._paths: dict[str, dict[str, None]] = {}
        self._more: set[str] = set()
        self._silent: dict[str, str] = {}
        self._changed: set[str] = set()
        self._something = trio.Event()

    async def wait(self) -> None:
        """Wait until there is something to tell. A checkpoint."""
        await self._something.wait()

    def heard(self, process: str, paths: Iterable[str], *, missed: bool) -> None:
        """Take note of what has happened in *process*; *missed* if that is not all."""
        self.answered(process)
        for path in paths:
            self._something.set()
            known = self._paths.setdefault(process, {})
            if path not in known and len(known) >= MOST_PATHS:
                self._more.add(process)
            else:
                known[path] = None
        if missed:
            self.unsaid(process)

    def unsaid(self, process: str) -> None:
        """Take note that anything may have happened in *process*."""
        self._more.add(process)
        self._something.set()

    def answered(self, process: str) -> None:
        """Take note that *process* answers."""
        if self._silent.pop(process, None) is not None:
            self._change(process)

    def silent(self, process: str, why: str) -> None:
        """Take note that *process* does not answer."""
        if process not in self._silent:
            self._silent[process] = why
            self._change(process)

    def gone(self, process: str) -> None:
        """Take note that *process* has ended."""
        self._silent.pop(process, None)
        self._change(process)

    def take(self) -> dict[str, object]:
        """Return what is to be told, as data that JSON can carry, and forget it."""
        told = {
            process: {
                "paths": list(self._paths.get(process, ())),
                "more": process in self._more or process in self._changed,
                "silent": self._silent.get(process, ""),
            }
            for process in sorted({*self._paths, *self._more, *self._changed})
        }
        quiet = not self._something.is_set()
        self._paths, self._more, self._changed = {}, set(), set()
        self._something = trio.Event()
        return {"processes": told, "quiet": quiet}

    def _change(self, process: str) -> None:
        self._changed.add(process)
        self._something.set()
