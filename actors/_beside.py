"""The handlers of one incarnation that may run beside each other: those marked with @concurrent."""

# The loop takes their messages in order, as it takes all, and starts a task for each; it waits
# when as many run as may. So the mailbox holds what is behind, and its limits are kept.
#
# Invariants, each with a test of that name in tests/actors/test_concurrent.py:
#   BOUNDED     no more than its limit run of one handler, and no more wait for others of
#               their key; the loop waits for a place, and TCP pushes back.
#   CRASH       what one raises is the incarnation's crash: the others are cancelled, and all
#               are consumed.
#   NOT BEGUN   what waits for its key, or for a thread, goes back to the mailbox, in order.
#   IN ORDER    two messages of one key never overlap, and keep their order.
#   DRAINED     the end of the peer, or a stop, waits for what runs, as for any handler.
#
# The loop waits at the mailbox's own parker, by which it is woken for a stop as well.

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from time import perf_counter
from typing import TYPE_CHECKING, Any

import trio

from ._batch import Batch
from ._errors import Disconnected
from ._exits import Exit, ExitKind, Verdict, judge
from ._hop import Hop
from ._lowlevel import Parker
from ._messages import Call, Item
from ._reply_later import failure_of
from ._timed import Begins, within_timeout
from ._unrun import refuse_unrun
from ._unsaved import HeldBack, held_back

if TYPE_CHECKING:
    from ._life import Life
    from ._loop import Loop
    from ._signature import Handler


class _Run:
    """One message and its handler, from when it was taken from the mailbox."""

    __slots__ = ("batch", "begun", "handler", "hop", "item", "key", "scope", "since")

    def __init__(self, handler: Handler, item: Item, key: tuple[Handler, Hashable] | None) -> None:
        self.handler, self.item, self.key = handler, item, key
        self.begun, self.since = False, 0.0
        self.hop: Hop | None = None
        self.batch: Batch | None = None
        self.scope: trio.CancelScope | None = None


class Beside:
    """What runs beside the loop of *life*. Loop thread only."""

    __slots__ = (
        "_busy",
        "_gone",
        "_keys",
        "_life",
        "_loop",
        "_over",
        "_runs",
        "_waiting",
        "handled",
    )

    def __init__(self, life: Life, loop: Loop) -> None:
        self._life, self._loop = life, loop
        self._runs: dict[_Run, None] = {}  # taken and not ended, in order
        self._busy: dict[Handler, int] = {}
        self._waiting: dict[Handler, int] = {}
        self._keys: dict[tuple[Handler, Hashable], deque[_Run]] = {}
        self._gone = Parker()
        self._over = False
        self.handled = 0
        """How many have succeeded."""

    async def start(self, handler: Handler, item: Item) -> None:
        """
        Run *handler* for *item* beside the loop, once there is a place. A checkpoint if it waits.

        At an end that comes first, a cancellation included, *item* goes back to the mailbox.
        """
        key = (handler, handler.key(item)) if handler.key is not None else None
        box, life = self._life.host.mailbox, self._life
        try:
            while not self._has_place(handler, key):
                if box.control or self._loop.left is not None:
                    box.put_back([item])
                    return
                await box.parker.park()
        except trio.Cancelled:
            box.put_back([item])
            life.item = None
            raise
        run = _Run(handler, item, key)
        self._runs[run] = None
        if key is not None and key in self._keys:
            self._keys[key].append(run)
            self._waiting[handler] = self._waiting.get(handler, 0) + 1
            return
        if key is not None:
            self._keys[key] = deque()
        self._busy[handler] = self._busy.get(handler, 0) + 1
        self._spawn(run)

    async def drain(self, *, whole: bool) -> None:
        """
        Wait for what runs, and if *whole*, for what waits for its key. A checkpoint if it waits.

        Without a deadline of its own: who asks for a stop has set one.
        """
        if not whole:
            self._over = True
        while self._busy:
            await self._gone.park()

    def end(self) -> None:
        """Put what was not begun back to the mailbox: the incarnation has ended."""
        self._over = True
        self.tell()
        left = [run.item for run in self._runs if not _has_begun(run)]
        self._life.host.mailbox.put_back(left)
        self._runs = {run: None for run in self._runs if _has_begun(run)}

    def tell(self) -> None:
        """Tell the threads to stop: their next ``self.*`` is Stale, and none begins."""
        for run in self._runs:
            if run.hop is not None:
                run.hop.tell()

    def cancel(self) -> None:
        """Cancel those that the end of the connection cancels."""
        for run in self._runs:
            if run.scope is not None:
                run.scope.cancel()

    def fail_calls(self, error: BaseException | None, anew: str) -> None:
        """Tell the callers of what has begun that the incarnation ends: there is no reply."""
        for run in self._runs:
            if type(run.item) is Call and _has_begun(run):
                run.item.reply.fail(failure_of(self._life, error, anew))

    @property
    def busy(self) -> bool:
        """Whether anything runs."""
        return bool(self._busy)

    @property
    def since(self) -> float | None:
        """Since when the longest of them has run, on the clock of `perf_counter`; None for none."""
        return min((run.since for run in self._runs if run.begun), default=None)

    def facts(self) -> dict[str, object]:
        """Details for the tree: what runs, and how many wait for others of their key."""
        running = [run.item.summary() for run in self._runs if run.begun]
        waiting = sum(self._waiting.values())
        facts: dict[str, object] = {"concurrent": running} if running else {}
        return facts | ({"waiting_for_key": waiting} if waiting else {})

    # -- inside ------------------------------------------------------------------------------

    def _has_place(self, handler: Handler, key: tuple[Handler, Hashable] | None) -> bool:
        if key is not None and key in self._keys:
            return self._waiting.get(handler, 0) < handler.concurrent
        return self._busy.get(handler, 0) < handler.concurrent

    def _spawn(self, run: _Run) -> None:
        self._life.tasks.spawn(self._run, (run,), run.handler.name)

    async def _run(self, run: _Run) -> None:
        run.begun, run.since = True, perf_counter()
        held = HeldBack()
        held_back.set(held)
        try:
            if not run.handler.cancel:
                await self._handle(run)
            else:
                with trio.CancelScope(deadline=self._loop.until) as run.scope:
                    await self._handle(run)
                if run.scope.cancelled_caught:
                    self._cut_short(run)
            held.hand_on(self._life)
        except Exception as error:  # noqa: BLE001 - judged, and as a rule the incarnation's crash
            self._failed(run, error)
        except BaseException as error:
            if judge(error) is not Verdict.FOREIGN and type(run.item) is Call:
                run.item.reply.fail(failure_of(self._life, error))
            raise
        finally:
            held.over = True
            self._ended(run)

    async def _handle(self, run: _Run) -> None:
        if run.handler.seconds is None:
            await self._call(run, _nothing)
        else:
            await within_timeout(
                self._life.host, run.handler, lambda begins: self._call(run, begins)
            )

    async def _call(self, run: _Run, begins: Begins) -> None:
        life, item = self._life, run.item
        trace = life.host.trace
        if trace is None:
            value = await self._value(run, begins)
        else:
            with trace.around(life, item):
                value = await self._value(run, begins)
        if not _has_begun(run):
            return
        refuse_unrun(value, f"the handler of {item.summary()}")
        self.handled += 1
        life.keep()
        if type(item) is Call and not item.reply.set(value):
            life.host.note("call.late", epoch=life.epoch, message=item.summary())

    async def _value(self, run: _Run, begins: Begins) -> Any:
        life, handler, item = self._life, run.handler, run.item
        instance = life.instance
        if handler.is_async:
            begins()
            return await handler.call(instance, item)

        def step() -> Any:
            if begins is not _nothing:
                life.host.loop.call_soon(begins)
            return handler.call(instance, item)

        run.hop = Hop(life.host, life.epoch)
        run.batch = run.hop.batch([step])
        await run.hop.run(run.batch, handler.name)
        return run.batch.value

    def _cut_short(self, run: _Run) -> None:
        """Take note that the end of the connection has cancelled it."""
        if not _has_begun(run):  # as it waited for a thread: it has its turn yet
            del self._runs[run]
            self._life.host.mailbox.put_back([run.item])
        elif type(run.item) is Call:
            run.item.reply.fail(failure_of(self._life, None))

    def _failed(self, run: _Run, error: Exception) -> None:
        life, item = self._life, run.item
        verdict = judge(error, life.host.path)
        if type(item) is Call:
            item.reply.fail(failure_of(life, error))
        if verdict is Verdict.STALE:
            return
        if verdict is Verdict.DISCONNECTED and life.host.connection is not None:
            if not life.host.connection.over:
                code = error.code if isinstance(error, Disconnected) else 1006
                self._loop.left = Exit(ExitKind.PEER, "handler ended it", code=code)
        elif self._loop.resumes(error):
            life.host.resumed(error, item.summary())
        else:
            life.fail(error, item.summary())

    def _ended(self, run: _Run) -> None:
        if _has_begun(run):
            self._runs.pop(run, None)
        elif run in self._runs:  # told to stop while it waited for a thread: see end()
            self._over = True
        self._pass_on(run)
        self._life.host.mailbox.parker.wake()
        if not self._busy:
            self._gone.wake()

    def _pass_on(self, run: _Run) -> None:
        """Give the place of *run* to the next of its key, or free it."""
        handler, waiting = run.handler, self._keys.get(run.key) if run.key is not None else None
        if waiting and not (self._over or self._life.failed or self._life.tasks.ended):
            self._waiting[handler] -= 1
            self._spawn(waiting.popleft())
            return
        if run.key is not None and not waiting:
            self._keys.pop(run.key, None)
        self._busy[handler] -= 1
        if not self._busy[handler]:
            del self._busy[handler]


def _has_begun(run: _Run) -> bool:
    """Whether its handler has begun; what waits for a thread has not."""
    return run.begun and (run.batch is None or run.batch.begun > 0)


def _nothing() -> None:
    """Do nothing."""
