# Who is told of whose end. The other half, what the watcher makes of it, is in
# actors/_monitors.py.
#
# A table beside the slots, as groups are one: the many that nobody watches have nothing in
# it. What is watched is in it from the first watcher until its end.
#
# Invariants, each with a test of that name in tests/supervisor/test_monitors.py:
#   TOLD ONCE   whoever watches is told of the end exactly once, whether he came before it,
#               behind it, or in that very moment from another thread.
#   NO LOCK     he is told outside of the lock.

from collections.abc import Mapping
from threading import RLock
from typing import Protocol

from ..actors import ActorRef, Down, Restarted
from ..actors._errors import described
from ..actors._exits import Exit, ExitKind
from ._tree import CrashReport


class _Occasion(Protocol):
    def is_set(self) -> bool: ...


class Watched(Protocol):
    """What may end: a slot, or a request."""

    path: str
    ref: ActorRef

    @property
    def end(self) -> str | None:
        """What it ended with."""
        ...

    @property
    def fault(self) -> "Fault | None":
        """What it failed with; None when it ended in peace."""
        ...

    @property
    def ended(self) -> _Occasion:
        """Set when its end is complete, and before :meth:`Monitors.ended`."""
        ...


class Restartable(Watched, Protocol):
    """A slot, which has incarnations."""

    @property
    def last_crash(self) -> CrashReport | None:
        """Its last crash."""
        ...


class Watcher(Protocol):
    """Who is told. Both methods are thread-safe, quick, and never raise."""

    def ended(self, down: Down) -> None:
        """Take note of the end."""
        ...

    def restarted(self, news: Restarted) -> None:
        """Take note of a restart."""
        ...


class Fault:
    """What a slot failed with, as text: an exception would keep a whole crash alive."""

    __slots__ = ("error", "fatal")

    def __init__(self, error: str, *, fatal: bool) -> None:
        self.error = error
        self.fatal = fatal


class Monitors:
    """
    The watchers of this process, by what they watch.

    All methods may be called from any thread; none is a checkpoint.
    """

    def __init__(self) -> None:
        self._watchers: dict[Watched, dict[Watcher, None]] = {}
        self._lock = RLock()

    def __repr__(self) -> str:
        return f"<Monitors {len(self._watchers)} watched>"

    def watch(self, target: Watched, watcher: Watcher) -> None:
        """Tell *watcher* of the end of *target*: here, if it has ended."""
        with self._lock:
            # Not by its `end`, which is there before groups and names are free.
            if not target.ended.is_set():
                self._watchers.setdefault(target, {})[watcher] = None
                return
        watcher.ended(_down(target))

    def unwatch(self, target: Watched, watcher: Watcher) -> None:
        """Tell *watcher* nothing more of *target*. Unless it watches, this does nothing."""
        with self._lock:
            watchers = self._watchers.get(target)
            if watchers is not None:
                watchers.pop(watcher, None)
                if not watchers:
                    del self._watchers[target]

    def watchers_of(self, target: Watched) -> list[Watcher]:
        """Return who watches *target*, in the order in which they came."""
        with self._lock:
            return list(self._watchers.get(target, ()))

    def ended(self, target: Watched) -> None:
        """Tell all who watch *target* that it has ended."""
        with self._lock:
            watchers: Mapping[Watcher, None] = self._watchers.pop(target, {})
        if watchers:
            down = _down(target)
            for watcher in watchers:
                watcher.ended(down)

    def restarted(self, target: Restartable, epoch: int) -> None:
        """Tell all who watch *target* that its incarnation *epoch* serves."""
        with self._lock:
            watchers = tuple(self._watchers.get(target, ()))
        if watchers:
            news = Restarted(target.ref, target.path, epoch, _crash_before(target, epoch))
            for watcher in watchers:
                watcher.restarted(news)


def fault_of(exit_: Exit) -> Fault | None:
    """Return what *exit_* says of a failure; None for an end in peace."""
    if exit_.kind not in (ExitKind.CRASHED, ExitKind.FATAL):
        return None
    error = described(exit_.error) if exit_.error is not None else ""
    return Fault(error, fatal=exit_.kind is ExitKind.FATAL)


def _crash_before(target: Restartable, epoch: int) -> str:
    crash = target.last_crash
    if crash is None or crash.epoch != epoch - 1:
        return ""  # it was restarted for another reason
    return f"{crash.exception}: {crash.text}" if crash.text else crash.exception


def _down(target: Watched) -> Down:
    reason, fault = target.end or "ended", target.fault
    if fault is None:
        return Down(target.ref, target.path, reason, "stopped")
    return Down(target.ref, target.path, reason, "fatal" if fault.fatal else "crashed", fault.error)
