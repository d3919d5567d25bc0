"""One incarnation of an actor: it begins, handles what its mailbox holds, and ends."""

# Invariants, each with a test of that name in tests/actors/test_life.py or
# tests/supervisor/test_slot.py:
#   ONE AT A TIME   handlers of one incarnation never overlap, `def` or `async def`.
#   CONSUMED        a message whose handler was begun is never run again; one that was
#                   taken and not begun goes back to the front.
#   INERT           once `over`, nothing the old instance does has an effect: it
#                   raises Stale and is counted.
#   OWN SCOPE       user code is cancelled by this incarnation's scope only, which only
#                   the slot touches. So a Cancelled that gets out is never ours.
#
# The loop runs in the slot's task, inside one scope for the whole incarnation:
# a scope for each message costs as much as a task switch. Only a class that asks
# for cancel_on_disconnect pays for one.

from __future__ import annotations

import time
from collections.abc import Callable
from types import CoroutineType
from typing import TYPE_CHECKING, Any

import trio

from ._batch import Batch
from ._context import current_batch, current_life
from ._errors import CallFailed, Disconnected, Stale, UndeclaredMessage
from ._exits import Exit, ExitKind, Verdict, judge
from ._job import JobState
from ._lowlevel import checkpoint
from ._messages import Call, InFrame, Item, Opening, PeerEnd, Stop, Tick, key_name, message_key
from ._state import Handed, Keeper
from ._tasks import Tasks

if TYPE_CHECKING:
    from ._actor import Actor
    from ._ports import Host
    from ._signature import Handler

_OPENING = Opening()


class Life:
    """The incarnation *epoch* of the actor in *host*."""

    def __init__(
        self, host: Host, actor: type[Actor], kwargs: dict[str, Any], epoch: int, handed: Handed
    ) -> None:
        self.host = host
        self.epoch = epoch
        self.over = False
        self.begun = False
        self.handled = 0
        self.instance: Actor | None = None
        self.tasks = Tasks(self)
        self._actor = actor
        self._kwargs = kwargs
        self._table = actor.handler_table()
        self._keeper = Keeper(actor, handed)
        self._scope = trio.CancelScope()
        self._handling: trio.CancelScope | None = None
        self._why: Exit | None = None
        self._item: Item | Opening | None = None
        self._step = "start"
        self._first = True
        self._batch: Batch | None = None

    # -- what the slot does with it --------------------------------------------------

    async def run(self, crash: BaseException | None) -> Exit:
        """
        Live until something ends it; never raises.

        A checkpoint. Cancelled only through :meth:`request_stop` and :meth:`fail`.

        Args:
            crash: What ended the incarnation before; None for the first one.
        """
        token = current_life.set(self)
        self._first = crash is None
        try:
            with self._scope:
                try:
                    return await self._live(crash)
                except Exception as error:
                    return self._ended_by(error)
            # The scope was cancelled, by whoever wrote down why.
            return self._why or Exit(ExitKind.STOPPED, "cancelled")
        except BaseException as error:  # noqa: BLE001 - becomes the exit record; see judge()
            return self._ended_by(error)
        finally:
            current_life.reset(token)

    async def close(self, ending: str, item: PeerEnd, crash: BaseException | None) -> None:
        """
        Run the last handler, ``disconnect`` or ``stopped``, under the caller's scope.

        On the living instance; where there is none, on one made and filled for it.
        Raises what the handler raises.
        """
        handler = self._table.special.get(ending)
        if handler is None:
            return
        token = current_life.set(self)
        try:
            if self.instance is None:
                self._make()
                self._keeper.fill(self.instance, restored=crash is not None)
            self._item = None
            await self._run_special(handler, item)
        finally:
            current_life.reset(token)

    def request_stop(self, stop: Stop, within: float | None) -> None:
        """Have it end: at once when idle, else when its handler ends, or after *within* s."""
        self.host.mailbox.put_control(stop)
        if self._batch is not None:
            self._batch.tell()
        if within is not None:
            self._why = self._why or _stopped(stop)
            self._scope.deadline = min(self._scope.deadline, trio.current_time() + within)

    def fail(self, error: BaseException, what: str) -> None:
        """End it as crashed: one of its tasks has failed. Loop thread only."""
        if self.over or self._why is not None:
            self.host.report(error, what)  # it ends already: nothing to restart, but say so
            return
        self._why = Exit(ExitKind.CRASHED, what, error, what)
        if judge(error) in (Verdict.FATAL, Verdict.FOREIGN):
            self._why = Exit(ExitKind.FATAL, what, error, what, code=1011)
        self._scope.cancel()

    def cancel_handler(self) -> None:
        """Cancel the running handler, for classes with ``cancel_on_disconnect``."""
        if self._handling is not None:
            self._handling.cancel()

    def finish(self) -> None:
        """From now on everything it does is inert."""
        self.over = True
        self.instance = None
        if self._batch is not None:
            self._batch.tell()

    @property
    def busy_with(self) -> str:
        """What it is handling, without its content; empty when idle."""
        return self._what()

    def guard(self) -> bool:
        """
        Allow or refuse an act of user code; return whether it is on the loop's thread.

        Raises:
            Stale: This incarnation, or the thread's job in it, is over.
        """
        batch = current_batch.get()
        if self.over or (batch is not None and batch.told):
            self.host.note("work.stale", epoch=self.epoch, what="call from a handler")
            raise Stale(self.host.path, self.epoch)
        return self.host.loop.is_here()

    # -- its life ----------------------------------------------------------------------

    async def _live(self, crash: BaseException | None) -> Exit:
        self._make()
        self.begun = True
        special = self._table.special
        if crash is not None:
            restored = self._keeper.fill(self.instance, restored=True)
            if restored and "restored" in special:
                await self._hook("restored", _Hook(state=self._keeper.state))
            await self._hook("restarted", _Hook(reason=crash))
        await self._hook("started", _Hook())
        opening = self._actor.opening_handler
        if crash is None:
            if opening in special:
                self._step = opening
                self._item = _OPENING
                await self._run_special(special[opening], _OPENING)
            elif opening and self.host.connection is not None:
                self.host.connection.accept(None, ())
            connection = self.host.connection
            if opening and connection is not None and not connection.decided:
                connection.close(1000, "")
                self.host.request_stop(f"{opening}() neither accepted nor closed", patient=True)
            self._keeper.opened(self.instance)
        self._step = ""
        self._item = None
        self.host.opened(self)
        return await self._serve()

    def _make(self) -> None:
        self.instance = instance = self._actor.__new__(self._actor)
        instance.attach_life(self)
        instance.__init__(**self._kwargs)

    async def _hook(self, name: str, item: _Hook) -> None:
        handler = self._table.special.get(name)
        if handler is not None:
            self._step = name
            await self._run_special(handler, item)

    async def _serve(self) -> Exit:
        box = self.host.mailbox
        most, seconds = self.host.batch_messages, self.host.batch_seconds
        taken, until = 0, time.perf_counter() + seconds
        while True:
            if box.control:
                return _stopped(box.control.popleft())
            item = box.take()
            if item is None:
                await box.parker.park()
                taken, until = 0, time.perf_counter() + seconds
                continue
            if type(item) is PeerEnd:
                return Exit(ExitKind.PEER, "peer", code=item.code, text=item.reason)
            handler = self._handler_of(item)
            if handler is not None:
                await self._handle(handler, item)
                if self._why is not None and self._why.kind is ExitKind.PEER:
                    return self._why
            taken += 1
            if taken >= most or time.perf_counter() > until:
                await checkpoint()
                taken, until = 0, time.perf_counter() + seconds

    def _handler_of(self, item: Item) -> Handler | None:
        kind = type(item)
        if kind is InFrame:
            handler = self._table.special.get("receive")
            if handler is None:
                self.host.dead_letter(item, "the class has no receive handler")
            return handler
        if kind is Tick:
            timer = item.timer
            timer.waiting = False
            if timer.cancelled or timer.owner is not self:
                if timer.owner is not self:
                    self.host.note("work.stale", epoch=self.epoch, what="timer of an older epoch")
                return None
        elif kind is Call and item.reply.abandoned:
            self.host.note("call.skipped", epoch=self.epoch, message=item.summary())
            return None
        message = item.message
        handler = self._table.find(message)
        if handler is None:
            name = key_name(message_key(message))
            self.host.dead_letter(message, f"no handler: declare one with @handles({name})")
            if kind is Call:
                item.reply.fail(UndeclaredMessage(self.host.path, name))
        return handler

    async def _handle(self, handler: Handler, item: Item) -> None:
        self._item = item
        try:
            if self._actor.cancel_on_disconnect:
                with trio.CancelScope() as self._handling:
                    await self._run_handler(handler, item)
                self._handling = None
            elif handler.is_async:
                await self._run_async(handler, item)
            else:
                await self._run_handler(handler, item)
        except Disconnected as error:
            # An end, not a crash: the peer's end is in the mailbox behind the frames
            # that still wait. Without one the handler raised it of its own accord.
            connection = self.host.connection
            if connection is None or not connection.over:
                self._why = Exit(ExitKind.PEER, "handler ended it", code=error.code)
        self._item = None

    async def _run_handler(self, handler: Handler, item: Item) -> None:
        if handler.is_async:
            await self._run_async(handler, item)
            return
        run = [item]
        if type(item) is not Call:
            run = self.host.mailbox.take_run(
                item, self.host.thread_batch_messages, lambda next_: self._threaded(next_)
            )
        steps = [self._step_of(each) for each in run]
        batch = self._new_batch(steps)
        try:
            await self._in_thread(batch, handler.name)
        finally:
            self._item = run[batch.begun - 1] if batch.begun else None
            self.host.mailbox.put_back(run[batch.begun :])
        if type(item) is Call:
            self._reply(item, batch.value)

    def _threaded(self, item: Item) -> bool:
        """Whether *item* may go to the thread in one run with those before it."""
        if type(item) is InFrame:
            handler = self._table.special.get("receive")
        elif type(item) is Call or type(item) is PeerEnd:
            return False
        else:
            if type(item) is Tick and (item.timer.cancelled or item.timer.owner is not self):
                return False
            handler = self._table.find(item.message)
        return handler is not None and not handler.is_async

    def _step_of(self, item: Item) -> Callable[[], Any]:
        handler = self._table.special.get("receive")
        if type(item) is not InFrame:
            handler = self._table.find(item.message)
            if type(item) is Tick:
                item.timer.waiting = False
        assert handler is not None
        call, instance = handler.call, self.instance

        def step() -> Any:
            value = call(instance, item)
            self._succeeded(instance, item, value)
            return value

        return step

    async def _run_special(self, handler: Handler, item: Any) -> None:
        if handler.is_async:
            await handler.call(self.instance, item)
            return
        call, instance = handler.call, self.instance
        await self._in_thread(self._new_batch([lambda: call(instance, item)]), handler.name)

    def _new_batch(self, steps: list[Callable[[], Any]]) -> Batch:
        return Batch(
            self.host.path,
            self.epoch,
            steps,
            seconds=self.host.batch_seconds,
            pause=lambda: self.host.mailbox.control,
        )

    async def _in_thread(self, batch: Batch, name: str) -> None:
        """Run *batch* on the pool; cancelled, tell it, wait for it, or abandon it."""
        job = self.host.pool.submit(batch.work, label=f"{self.host.path}#{self.epoch} {name}")
        self._batch = batch
        try:
            await job.wait()
        except trio.Cancelled:
            if not job.withdraw():
                batch.tell()
                with trio.move_on_after(self.host.shutdown_seconds, shield=True):
                    await job.wait()
                if job.state is not JobState.DONE:
                    job.abandon()
                    self.host.note("thread.abandoned", epoch=self.epoch, job=job.label)
            raise
        finally:
            self._batch = None
        job.result()

    def _succeeded(self, instance: Actor | None, item: Item, value: Any) -> None:
        if type(value) is CoroutineType:
            value.close()
            raise TypeError(
                f"the handler of {item.summary()} returned a coroutine that nobody awaits:"
                " declare it `async def`, or await what it calls."
            )
        self.handled += 1
        self._keeper.succeeded(instance)

    def _reply(self, item: Call, value: Any) -> None:
        if not item.reply.set(value):
            self.host.note("call.late", epoch=self.epoch, message=item.summary())

    async def _run_async(self, handler: Handler, item: Item) -> None:
        value = await handler.call(self.instance, item)
        self._succeeded(self.instance, item, value)
        if type(item) is Call:
            self._reply(item, value)

    def _ended_by(self, error: BaseException) -> Exit:
        verdict = judge(error)
        item, what = self._item, self._what()
        if isinstance(item, Call):
            problem = f"{type(error).__name__}: {error}"
            failure = CallFailed(self.host.path, problem)
            failure.__cause__ = error
            item.reply.fail(failure)
        opening = self._first and self._step != ""
        if verdict in (Verdict.FATAL, Verdict.FOREIGN):
            return Exit(ExitKind.FATAL, what, error, what, opening=opening, code=1011)
        if self._why is not None:
            self._why = Exit(
                self._why.kind, self._why.reason, self._why.error or error, what,
                code=self._why.code, text=self._why.text,
            )  # fmt: skip
            return self._why
        control = self.host.mailbox.control
        if control and verdict is Verdict.STALE:
            return _stopped(control.popleft())
        if verdict is Verdict.DISCONNECTED:
            return Exit(ExitKind.PEER, "peer", error, what, code=1006)
        return Exit(ExitKind.CRASHED, what, error, what, opening=opening)

    def _what(self) -> str:
        return self._item.summary() if self._item is not None else self._step


class _Hook:
    """What the hooks of a restart are offered, by name."""

    __slots__ = ("reason", "state")

    def __init__(self, *, reason: BaseException | None = None, state: object = None) -> None:
        self.reason = reason
        self.state = state


def _stopped(stop: Stop) -> Exit:
    return Exit(ExitKind.STOPPED, stop.reason, code=stop.code, text=stop.text)
