"""The receive loop: one item after the other, each to its handler."""

# The hot path. Per message: no scope, no checkpoint, no task switch; a turn for
# others after a batch. What user code raises goes through here untouched and is judged in
# _life.py, but for Disconnected, and for what its class wants to be resumed (_decider.py).

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Any

import trio

from ._beside import Beside
from ._decider import Directive, directive_for
from ._deferred import flush
from ._errors import Disconnected, UndeclaredMessage
from ._exits import Exit, ExitKind, Verdict, judge, stopped
from ._inquiry import answer_all
from ._lowlevel import checkpoint
from ._messages import Call, InFrame, Item, PeerEnd, Tick, summary
from ._moments import Moment, moments_of
from ._run_end import put_away
from ._timed import Begins, within_timeout
from ._unrun import UNRUN, refuse_unrun
from ._unsaved import save_unsaved

if TYPE_CHECKING:
    from ._life import Life
    from ._ports import FollowPort
    from ._signature import Handler


class Loop:
    """Serves the mailbox for one incarnation."""

    __slots__ = (
        "_box", "_frames", "_handling", "_host", "_leaving", "_life", "_moments", "_trace", "left",
        "until",
    )  # fmt: skip

    def __init__(self, life: Life) -> None:
        self._life = life
        self._host = life.host
        self._box = life.host.mailbox
        self._frames = life.table.special.get(life.actor.frame_handler)
        self._handling: trio.CancelScope | None = None
        self.until = inf
        """When handlers that the end of the connection cancels have had their time, together."""
        if self._host.connection is not None and self._host.connection.over:
            self.until = trio.current_time() + self._host.shutdown_seconds
        self.left: Exit | None = None
        """The end that a handler has made, once it has."""
        self._leaving: Exit | None = None  # taken from the mailbox; waits for what runs beside
        self._trace: FollowPort | None = self._host.trace
        self._moments = moments_of(life, self)

    async def serve(self) -> Exit:
        """Handle item after item until one of them is an end. A checkpoint."""
        box, host, life = self._box, self._host, self._life
        frames, in_place = self._frames, self._trace is None
        most, seconds = host.batch_messages, host.batch_seconds
        rest = box.parker.park if self._moments is None else await self._moments.begin()
        life.since = now = perf_counter()
        taken, until = 0, now + seconds
        while True:
            if self.left is not None or box.control:
                return await self._leave(self.left or stopped(box.control.pop(0)))
            if life.flagged:
                if await self._halt():
                    life.since = now = perf_counter()
                    taken, until = 0, now + seconds
                    continue
                in_place = self._trace is None
            item = box.take()
            if item is None:
                box.idle = True
                await rest()
                box.idle = False
                life.since = now = perf_counter()
                taken, until = 0, now + seconds
                continue
            if type(item) is PeerEnd:
                peer = Exit(ExitKind.PEER, "peer", code=item.code, text=item.reason)
                return await self._leave(peer)
            handler = frames if type(item) is InFrame and frames else self._handler_of(item)
            if handler is not None:
                life.item = item
                try:
                    if handler.plain and in_place:  # as nearly always: a coroutine less
                        self._done(item, await handler.call(life.instance, item))
                    else:
                        await self._handle(handler, item)
                except Exception as error:
                    if not self._goes_on(error):
                        raise
                life.item = None
            taken += 1
            life.since = now = perf_counter()
            if taken >= most or now > until:
                box.note_waits(now)
                await checkpoint()
                life.since = now = perf_counter()
                taken, until = 0, now + seconds

    async def _leave(self, exit_: Exit) -> Exit:
        """Wait for what runs beside the loop, if anything does; return *exit_*."""
        if self._life.beside is not None:
            self._leaving = None if exit_.again else exit_
            await self._life.beside.drain(whole=exit_.kind is ExitKind.PEER)
        return exit_

    def end_behind(self, why: Exit | None) -> Exit | None:
        """Return the end that waited for what crashed, if *why* is that: nobody brings it again."""
        return self._leaving if why is not None and why.error is not None else None

    async def _halt(self) -> bool:
        """
        See to what the flag stands for; whether that took a while, and all is to be looked at anew.

        Answers operators, and waits until their suspension is over; ends, if a task has failed.
        """
        life, host = self._life, self._host
        put_away(life)
        if life.failed:  # in the very turn in which the handler ended
            await checkpoint()  # raises; what waits is for the next incarnation
        if life.unsaved is not None:
            await save_unsaved(life)
            return True
        if host.inquiry() is not None or host.suspended_until is not None:
            await answer_all(life)
            await self._wait_out_suspension()
            return True
        if self._box.ease():
            host.eased()
        self._trace = host.trace
        life.flagged = host.flagged
        return False

    async def _wait_out_suspension(self) -> None:
        life, box, host = self._life, self._box, self._host
        until = host.suspended_until
        while until is not None and not box.control and until > trio.current_time():
            with trio.move_on_at(until):
                await box.parker.park()
            await answer_all(life)
            until = host.suspended_until
        if not box.control:
            host.end_suspension()

    def cancel_handler(self) -> None:
        """
        Cancel the running handlers that ``cancel_on_disconnect`` is for.

        Those of the frames that still wait have ``shutdown_seconds`` together: nobody would
        cancel them, for the end of the peer has been told.
        """
        self.until = trio.current_time() + self._host.shutdown_seconds
        if self._handling is not None:
            self._handling.cancel()
        if self._life.beside is not None:
            self._life.beside.cancel()

    async def run_cancellable(self, run: Callable[..., Awaitable[None]], *args: object) -> bool:
        """Await ``run(*args)``; whether :meth:`cancel_handler` has cancelled it."""
        with trio.CancelScope(deadline=self.until) as self._handling:
            await run(*args)
        cancelled, self._handling = self._handling.cancelled_caught, None
        return cancelled

    async def run_moment(self, moment: Moment) -> None:
        """Run the handler of *moment*, as those of messages are run. A checkpoint as it is."""
        handler = self._life.table.special[moment.name]
        self._box.idle = False
        self._life.item, self._life.since = moment, perf_counter()
        try:
            if not handler.cancel:
                await self._run_moment(handler, moment)
            else:
                await self.run_cancellable(self._run_moment, handler, moment)
        except Exception as error:
            if not self._goes_on(error):
                raise
        self._life.item = None
        put_away(self._life)

    async def _run_moment(self, handler: Handler, moment: Moment) -> None:
        if handler.seconds is None:
            await self._moment(handler, moment, None)
        else:
            host = self._host
            await within_timeout(
                host, handler, lambda begins: self._moment(handler, moment, begins)
            )

    async def _moment(self, handler: Handler, moment: Moment, begins: Begins | None) -> None:
        life = self._life
        if handler.is_async:
            if begins is not None:
                begins()
            refuse_unrun(await handler.call(life.instance, moment), moment.name)
            life.keep()
            return

        def step() -> None:
            if begins is not None:
                life.host.loop.call_soon(begins)
            refuse_unrun(handler.call(life.instance, moment), moment.name)
            life.keep()

        await life.hop.run(life.hop.batch([step]), handler.name)
        flush(life)

    def _handler_of(self, item: InFrame | Item) -> Handler | None:
        """Return who handles *item*; None, and on record, when nobody does."""
        if type(item) is InFrame:
            if self._frames is None:
                self._host.dead_letter(
                    item, f"the class has no {self._life.actor.frame_handler} handler"
                )
            return self._frames
        if type(item) is Tick:
            item.timer.taken()
            if not self._is_live(item):
                return None
        elif type(item) is Call and item.reply.abandoned:
            self._host.note("call.skipped", epoch=self._life.epoch, message=item.summary())
            return None
        message = item.message
        handler = self._life.table.find(message)
        if handler is None:
            name = summary(message)  # cut: it is kept, and counted by
            sender = item.caller if type(item) is Call else ""
            self._host.dead_letter(
                message, f"no handler: declare one with @handles({name})", sender
            )
            if type(item) is Call:
                item.reply.fail(UndeclaredMessage(self._host.path, name))
        return handler

    def _is_live(self, tick: Tick) -> bool:
        if tick.timer.owner is not self._life:
            what = f"{tick.timer.what} of an older epoch"
            self._host.note("work.stale", epoch=self._life.epoch, what=what)
            return False
        return not tick.timer.cancelled

    async def _handle(self, handler: Handler, item: Item) -> None:
        if handler.concurrent:
            beside = self._life.beside
            if beside is None:
                beside = self._life.beside = Beside(self._life, self)
            await beside.start(handler, item)
            return
        run = self._run if handler.seconds is None else self._run_timed
        if not handler.cancel:
            await run(handler, item)
        elif await self.run_cancellable(run, handler, item):
            self._life.cut_short(None)

    async def _run_timed(self, handler: Handler, item: Item) -> None:
        async def run(begins: Begins) -> None:
            if handler.is_async:
                begins()
                await self._run(handler, item)
            else:
                await self._run_in_thread(handler, item, begins)

        await within_timeout(self._host, handler, run)

    def _goes_on(self, error: Exception) -> bool:
        """Say whether this incarnation goes on in spite of a handler's *error*; then it is told."""
        if issubclass(type(error), (Disconnected, ExceptionGroup)) and self._is_end(error):
            return True
        if not self.resumes(error):
            return False
        self._life.resume(error)
        return True

    def resumes(self, error: Exception) -> bool:
        """Say whether the class wants to go on in spite of *error*."""
        supervise = self._life.actor.supervise
        if not supervise or directive_for(supervise, error) is not Directive.RESUME:
            return False
        # Else it was told to stop, and obeys.
        return judge(error, self._host.path) is not Verdict.STALE

    def _is_end(self, error: Exception) -> bool:
        """Say whether a handler's *error* means that the connection has ended; then it is told."""
        # No crash: the peer's end is in the mailbox behind the frames that still wait.
        # Without one the handler raised it of its own accord.
        connection = self._host.connection
        if connection is None or judge(error, self._host.path) is not Verdict.DISCONNECTED:
            return False
        self._life.cut_short(error)
        if not connection.over:
            code = error.code if isinstance(error, Disconnected) else 1006
            self.left = Exit(ExitKind.PEER, "handler ended it", code=code)
        return True

    async def _run(self, handler: Handler, item: Item) -> None:
        if not handler.is_async:
            await self._run_in_thread(handler, item)
        elif self._trace is None:
            self._done(item, await handler.call(self._life.instance, item))
        else:
            with self._trace.around(self._life, item):
                self._done(item, await handler.call(self._life.instance, item))

    async def _run_in_thread(
        self, handler: Handler, item: Item, begins: Begins | None = None
    ) -> None:
        run = [item]
        if type(item) is not Call and begins is None:
            run = self._box.take_run(item, self._host.thread_batch_messages, self._fits_thread)
        batch = self._life.hop.batch([self._step(each, begins) for each in run])
        try:
            await self._life.hop.run(batch, handler.name)
        finally:
            self._life.item = run[batch.begun - 1] if batch.begun else None
            self._box.put_back(run[batch.begun :])
            flush(self._life)
        if type(item) is Call and batch.begun:  # else it was told to stop before
            self._reply(item, batch.value)

    def _fits_thread(self, item: Item) -> bool:
        """Whether *item* may go to the thread in one run with those before it."""
        if type(item) is InFrame:
            handler = self._frames
        elif type(item) is Call or type(item) is PeerEnd:
            return False
        else:
            if type(item) is Tick and (item.timer.cancelled or item.timer.owner is not self._life):
                return False
            handler = self._life.table.find(item.message)
        if handler is None or handler.is_async:
            return False
        return handler.seconds is None and not handler.concurrent

    def _step(self, item: Item, begins: Begins | None) -> Callable[[], Any]:
        handler = self._frames
        if not isinstance(item, (InFrame, PeerEnd)):
            handler = self._life.table.find(item.message)
        assert handler is not None
        call, instance, trace = handler.call, self._life.instance, self._trace

        def step() -> Any:
            self._life.item = item
            if begins is not None:
                self._host.loop.call_soon(begins)
            if type(item) is Tick:
                item.timer.taken()
                if item.timer.cancelled:  # by a handler before it in this run
                    return None
            value = call(instance, item)
            self._succeeded(item, value)
            return value

        if trace is None:
            return step

        def followed() -> Any:
            with trace.around(self._life, item):
                return step()

        return followed

    def _done(self, item: Item, value: Any) -> None:
        self._succeeded(item, value)
        if type(item) is Call:
            self._reply(item, value)

    def _succeeded(self, item: Item, value: Any) -> None:
        if value is not None and type(value) in UNRUN:
            refuse_unrun(value, f"the handler of {item.summary()}")
        self._life.succeeded()

    def _reply(self, item: Call, value: Any) -> None:
        deferred = self._life.deferred
        if deferred is not None and deferred.last is item:
            deferred.last = None  # its reply is what its handler returns another time
        elif not item.reply.set(value):
            self._host.note("call.late", epoch=self._life.epoch, message=item.summary())
