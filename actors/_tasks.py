"""Background tasks, timers and monitors of one incarnation; they end with it."""

# Each task has a shielded scope of its own, so that an outer cancellation reaches
# user code in order, through the slot, and never all at once. The tasks run in
# the nursery that also holds the slot; their wrapper never raises into it.

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Hashable
from typing import TYPE_CHECKING, Any

import trio

from ._context import current_life, in_background
from ._errors import refuse_unless_seconds
from ._exits import Verdict, judge
from ._lowlevel import Parker, TaskStack, checkpoint
from ._messages import Tick
from ._monitors import LOCK, Monitor, Watching
from ._timers import Timer, TimerQueue

if TYPE_CHECKING:
    from ._life import Life
    from ._ref import ActorRef


class Tasks:
    """What runs beside the handlers of *life*."""

    __slots__ = (
        "_gone", "_life", "_pending", "_running", "_timer_set", "_timers", "_watching", "ended",
    )  # fmt: skip

    def __init__(self, life: Life) -> None:
        self._life = life
        self._running: dict[trio.CancelScope, tuple[str, TaskStack]] = {}
        self._pending = 0
        self.ended = False
        """Whether the incarnation has ended them: none is started any more."""
        self._gone = Parker()
        self._timers: TimerQueue | None = None
        self._timer_set = Parker()
        self._watching: Watching | None = None

    def start(self, function: Callable[..., Awaitable[object]], *args: object) -> None:
        """Run ``function(*args)`` as a task of the incarnation. Any thread."""
        if not inspect.iscoroutinefunction(unwrapped(function)):
            raise TypeError(
                "start_soon takes an async function and its arguments, as in"
                f" self.start_soon(self.poll, 5). Got: {function!r}"
            )
        self._on_loop(self.spawn, function, args, name_of(function))

    def start_timer(self, seconds: float, message: object, key: Hashable, *, repeat: bool) -> Timer:
        """Set a timer. Any thread; it counts from the call."""
        refuse_unless_seconds("a timer's time", seconds)
        if repeat and seconds == 0:
            raise ValueError(f"a timer that repeats needs more than 0 seconds. Got: {seconds!r}")
        hash(key)  # here, where a wrong key is the caller's error
        seconds = float(seconds)
        timer = Timer(self._life, message, key, seconds if repeat else None)
        self._instead_of(key, self._set, timer, seconds)
        return timer

    def cancel_timer(self, key: Hashable) -> None:
        """Cancel the timer named *key*, if there is one. Any thread."""
        hash(key)
        self._instead_of(key, self._cancel, key)

    def monitor(self, ref: ActorRef, incarnations: bool) -> Monitor:
        """Begin to monitor *ref*, or go on with it. Any thread."""
        with LOCK:
            if self._watching is None:
                self._watching = Watching(self._life, over=self.ended)
            return self._watching.add(ref, incarnations)

    async def end(self, seconds: float) -> list[tuple[str, str]]:
        """
        Cancel all tasks and wait for them, *seconds* at most. A checkpoint if any runs.

        Shielded. Returns the name and the stack of each that would not end.
        """
        self.ended = True
        with LOCK:
            if self._watching is not None:
                self._watching.end()
        if not self._pending:
            return []
        for scope in tuple(self._running):
            scope.cancel()
        # Whoever obeys at once has ended by the second turn, also with 0 seconds.
        with trio.CancelScope(shield=True):
            await checkpoint()
            await checkpoint()
        with trio.move_on_after(seconds, shield=True):
            while self._pending:
                await self._gone.park()
        return [(name, stack.format()) for name, stack in self._running.values()]

    def names(self) -> tuple[str, ...]:
        """The running tasks by name."""
        return tuple(name for name, _ in self._running.values())

    def timers(self, most: int) -> list[tuple[float, Timer]]:
        """Return *most* of the timers that are set, the next due first. Loop thread only."""
        return [] if self._timers is None else self._timers.pending(most)

    def monitors(self) -> list[Monitor]:
        """Return the monitors that were begun, in that order."""
        with LOCK:
            return [] if self._watching is None else self._watching.all()

    def _instead_of(self, key: Hashable, function: Callable[..., object], *args: Any) -> None:
        """Ask the loop for *function*, which ends the timer named *key*: that, at once."""
        old = self._timers.named(key) if self._timers is not None else None
        self._on_loop(function, *args)
        if old is not None:  # its tick may be the next that this very thread handles
            old.cancel()

    def _on_loop(self, function: Callable[..., object], *args: Any) -> None:
        if self._life.guard():
            function(*args)
        else:
            self._life.host.loop.call_soon(self._asked_by_thread, function, args)

    def _asked_by_thread(self, function: Callable[..., object], args: tuple[Any, ...]) -> None:
        # What a callback raises ends the whole loop, and a key's __eq__ is the user's.
        try:
            function(*args)
        except Exception as error:  # noqa: BLE001 - it becomes this actor's crash
            self._life.fail(error, "asked by a thread")

    def spawn(
        self, function: Callable[..., Awaitable[object]], args: tuple[object, ...], name: str
    ) -> None:
        """Run it as a task of the incarnation, unless that has ended. Loop thread only."""
        if self.ended:
            self._life.host.note("work.stale", epoch=self._life.epoch, what="start_soon")
            return
        self._pending += 1
        host, epoch = self._life.host, self._life.epoch
        host.spawn(self._run, function, args, name, name=f"{host.path}#{epoch} {name}")

    async def _run(
        self, function: Callable[..., Awaitable[object]], args: tuple[object, ...], name: str
    ) -> None:
        scope = trio.CancelScope(shield=True)
        self._running[scope] = (name, TaskStack())
        if self.ended:
            scope.cancel()
        current_life.set(self._life)
        in_background.set(True)
        try:
            with scope:
                await function(*args)
        except BaseException as error:  # noqa: BLE001, ASYNC103 - handed to the incarnation
            if judge(error) not in (Verdict.DISCONNECTED, Verdict.STALE):
                self._life.fail(error, f"task {name}")
        finally:
            del self._running[scope]
            self._pending -= 1
            if not self._pending:
                self._gone.wake()

    def _set(self, timer: Timer, seconds: float) -> None:
        if self.ended:
            return
        if self._timers is None:
            self._timers = TimerQueue()
            self.spawn(self._run_timers, (), "timers")
        self._timers.add(timer, trio.current_time() + seconds)
        self._timer_set.wake()

    def _cancel(self, key: Hashable) -> None:
        if self._timers is not None:
            self._timers.cancel(key)

    async def _run_timers(self) -> None:
        timers, mailbox = self._timers, self._life.host.mailbox
        assert timers is not None
        while True:
            for timer in timers.due(trio.current_time()):
                if not timer.waiting:
                    timer.waiting = True
                    mailbox.put_arrival(Tick(timer))
            due = timers.next_due()
            with trio.CancelScope(deadline=float("inf") if due is None else due):
                await self._timer_set.park()


def name_of(function: Callable[..., object]) -> str:
    """Return what *function* is called."""
    # Never its repr: that of a partial shows its arguments, and theirs may raise.
    return getattr(unwrapped(function), "__qualname__", type(function).__qualname__)


def unwrapped(function: Any) -> Any:
    """Return the function itself that *function* is, behind partials and decorators."""
    while hasattr(function, "func"):  # functools.partial
        function = function.func
    return inspect.unwrap(function)
