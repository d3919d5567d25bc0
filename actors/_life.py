"""One incarnation of an actor: it begins, handles what its mailbox holds, and ends."""

# Invariants, each with a test of that name in tests/actors/test_life.py or
# tests/supervisor/test_slot.py:
#   ONE AT A TIME   handlers of one incarnation never overlap, `def` or `async def`.
#   CONSUMED        a message whose handler was begun is never run again; one that was taken
#                   and not begun goes back to the front.
#   INERT           once `over`, what the old instance does raises Stale, and is counted.
#   OWN SCOPE       user code is cancelled by this incarnation's scope only, which only the
#                   slot touches. So a Cancelled that gets out is never ours.
# The loop (_loop.py) runs in the slot's task, inside one scope for the whole incarnation:
# a scope for each message costs as much as a task switch. Only a handler that asks for
# cancel_on_disconnect or for a timeout pays for one.

from __future__ import annotations

from collections.abc import Callable
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Any

import trio

from ._context import current_batch, current_life
from ._declared_groups import join_declared
from ._deferred import Deferred, put_all_back
from ._denied import is_answer, refuse_with
from ._errors import Disconnected, Stale
from ._exits import Exit, ExitKind, Verdict, declined, judge, peer_gone, stopped
from ._hop import Hop
from ._loop import Loop
from ._lowlevel import this_task
from ._messages import OPENING, Call, Hook, Item, Opening, PeerEnd, Stop
from ._moments import Moment
from ._reply_later import fail_outstanding, failure_of
from ._run_end import put_away
from ._state import Handed, Keeper
from ._subprotocol import chosen
from ._tasks import Tasks
from ._timed import run_special
from ._unsaved import save_unsaved

if TYPE_CHECKING:
    from ._actor import Actor
    from ._beside import Beside
    from ._ports import Host
    from ._signature import Handler


class Life:
    """The incarnation *epoch* of the actor in *host*."""

    __slots__ = (
        "_crash", "_first", "_handshake", "_keeper", "_kwargs", "_loop", "_scope", "_step",
        "_why", "actor", "begun", "beside", "calls", "deferred", "delivered", "epoch", "failed",
        "flagged", "handled", "hop", "host", "instance", "item", "leftovers", "over", "since",
        "table", "task", "tasks", "unsaved",
    )  # fmt: skip

    def __init__(
        self,
        host: Host,
        actor: type[Actor],
        kwargs: dict[str, Any],
        epoch: int,
        handed: Handed,
        crash: BaseException | None = None,
    ) -> None:
        self.host = host
        self.actor = actor
        self.epoch = epoch
        self.over = False
        self.begun = False
        self.flagged = host.flagged
        """Whether the loop is to look at something before it takes a message."""
        self.failed = False
        """Whether a task has failed: nothing more is begun."""
        self.handled = 0
        self.delivered = 0
        """To members of groups, since it last gave others a turn."""
        self.instance: Actor | None = None
        self.deferred: Deferred | None = None
        """What its handlers have put aside, once one has."""
        self.beside: Beside | None = None
        """What runs beside the loop, once something has."""
        self.item: Item | Opening | Moment | None = None
        """What is being handled."""
        self.since = perf_counter()
        """When it began what it does now, or what it did last has ended."""
        self.calls = ""
        """The path of whom its handler calls and waits for, if it does."""
        self.task: object = None
        self.leftovers: tuple[Callable[[], object], ...] = ()
        self.unsaved: Callable[[], object] | None = None  # see _unsaved.py
        self.table = actor.handler_table()
        self.hop = Hop(host, epoch)
        self.tasks = Tasks(self)
        self._kwargs = kwargs
        self._keeper = Keeper(actor, handed)
        self._loop = Loop(self)
        self._scope = trio.CancelScope(shield=True)
        self._handshake: trio.CancelScope | None = None
        self._why: Exit | None = None
        self._step = "start"
        self._first = crash is None
        self._crash = crash  # what ended the incarnation before

    # -- what the slot does with it --------------------------------------------------

    async def run(self) -> Exit:
        """Live until something ends it; never raises. A checkpoint, shielded from outside."""
        token, self.task = current_life.set(self), this_task()
        left: Exit | None = None
        try:
            with self._scope:
                try:
                    await self._begin()
                    left = await self._loop.serve()
                    await save_unsaved(self)
                except Exception as error:  # noqa: BLE001 - becomes the exit record
                    left = self._ended_by(error)
        except BaseException as error:  # noqa: BLE001, ASYNC103 - the exit record; see judge()
            # With an end at hand, a handler has left a scope of its own open: the end holds,
            # since what brought it (the peer's end, a stop) has been taken from the mailbox.
            left = left.with_error(error, "", told=False) if left else self._ended_by(error)
        finally:
            self.host.mailbox.idle = False
            put_away(self)
            current_life.reset(token)
            self.task = None
        why, left = self._why, left or self._loop.end_behind(self._why)
        if left is None:  # the scope was cancelled, by whoever wrote down why
            left = why or Exit(ExitKind.STOPPED, "cancelled")
            self.fail_call(left.error, left.reason if left.again else "")
        elif why is not None and why.error is not None:  # a task failed in that very moment
            fatal = why.kind is ExitKind.FATAL
            left = why if fatal else left.with_error(why.error, why.what, told=False)
            if left.error is not why.error:
                self.host.report(why.error, why.what)
        if self.beside is not None:
            self.beside.end()
        put_all_back(self)
        fail_outstanding(self, left.error, left.reason if left.again else "")
        whole, left, why = [left], None, None  # the error's traceback holds this frame: no cycle
        return whole.pop()

    async def close(self, ending: str, item: PeerEnd, begins: Callable[[], object]) -> None:
        """
        Run the last handler, ``disconnect`` or ``stopped``, under the caller's scope.

        On the living instance; where there is none, on one made and filled for it. *begins* is
        called when it begins, on the loop. Raises what it raises; what fails before is reported.
        """
        handler = self.table.special.get(ending)
        if handler is None:
            return
        token, self.task = current_life.set(self), this_task()
        try:
            if self.instance is not None or await self._stand_in(ending):
                self.item = None
                await run_special(self, handler, item, begins)
                await save_unsaved(self)
        finally:
            put_away(self)
            current_life.reset(token)
            self.task = None

    def request_stop(self, stop: Stop, within: float) -> None:
        """Have it end: at once when idle, else when its handler ends, or after *within* s."""
        self.host.mailbox.put_control(stop)
        self._tell_threads()
        self._why = self._why or stopped(stop)
        self._scope.deadline = min(self._scope.deadline, trio.current_time() + within)

    def fail(self, error: BaseException, what: str) -> None:
        """End it as crashed: one of its tasks has failed. Loop thread only."""
        if self.over or self.tasks.ended or self._why is not None:
            self.host.report(error, what)  # it ends already: nothing to restart, but say so
            return
        opening = self.starts
        self._why = Exit(ExitKind.CRASHED, what, error, what, opening=opening)
        if judge(error) in (Verdict.FATAL, Verdict.FOREIGN):
            self._why = Exit(ExitKind.FATAL, what, error, what, opening=opening, code=1011)
        self.failed = self.flagged = True
        self.fail_call(error)  # now: a thread that handles it may take its time to end
        fail_outstanding(self, error)
        self._scope.cancel()

    def cancel_handler(self) -> None:
        """Cancel the running handlers that ``cancel_on_disconnect`` is for."""
        self._loop.cancel_handler()

    def resume(self, error: Exception) -> None:
        """Take note that a handler has raised *error*, and that its class goes on all the same."""
        self.host.resumed(error, self.busy_with)
        self.cut_short(error)

    def cut_short(self, error: BaseException | None) -> None:
        """Take note that a handler has not succeeded, though the life goes on."""
        self.fail_call(error)
        if self.deferred is not None:
            self.deferred.drop(self.handled)

    def disown(self) -> None:
        """From now on everything it does is inert, but it has not ended: nobody waits for that."""
        self.over = True
        self.fail_call(None)
        fail_outstanding(self, None)
        self._tell_threads()

    def finish(self) -> None:
        """From now on everything it does is inert."""
        self.over = True
        self.instance = self.item = self._why = None
        self._step = ""
        self._tell_threads()

    def _tell_threads(self) -> None:
        self.hop.tell()
        if self.beside is not None:
            self.beside.tell()

    # -- what its own code does ----------------------------------------------------------

    def guard(self) -> bool:
        """
        Allow or refuse an act of user code; return whether it is on the loop's thread.

        Raises:
            Stale: This incarnation, or the thread's job in it, is over.
        """
        self.check()
        return self.host.loop.is_here()

    def check(self) -> None:
        """
        Allow or refuse an act of user code.

        Raises:
            Stale: This incarnation, or the thread's job in it, is over.
        """
        batch = current_batch.get()
        if self.over or (batch is not None and batch.told):
            self.host.note("work.stale", epoch=self.epoch, what="call from a handler")
            raise Stale(self.host.path, self.epoch)

    def answered(self) -> None:
        """Take note that the handshake is answered: its deadline holds no more. Any thread."""
        if self.host.loop.is_here():
            if self._handshake is not None:
                self._handshake.deadline = inf
        else:
            self.host.loop.call_soon(self.answered)

    def succeeded(self) -> None:
        """Take note that a message was handled without an error. Any thread."""
        if self._keeper.keeps:
            self._keeper.succeeded(self.instance)
        self.handled += 1  # behind what may raise yet: see _deferred.py

    def keep(self) -> None:
        """Take note of the state after what was no message. Any thread."""
        if self._keeper.keeps:
            self._keeper.succeeded(self.instance)

    @property
    def busy_with(self) -> str:
        """What it is handling, without its content; empty when idle."""
        return self.item.summary() if self.item is not None else self._step

    @property
    def starts(self) -> bool:
        """Whether it is its slot's first, and does not serve yet."""
        return self._first and self._step != ""

    @property
    def total(self) -> int:
        """How many messages it has handled, those beside its loop included."""
        return self.handled + (self.beside.handled if self.beside is not None else 0)

    # -- its life ------------------------------------------------------------------------

    async def _begin(self) -> None:
        self._make()
        # A consumer that never came to connect() needs no disconnect().
        self.begun = not self._first or not self.actor.opening_handler
        if self._first and self.actor.groups:
            join_declared(self)
        if not self._first:
            await self._refill()
            await self._hook("restarted", Hook(reason=self._crash))
            self._crash = None  # its traceback holds the incarnation before
        await self._hook("started", Hook())
        if self._first:
            await self._open()
        self._step = ""
        self.host.opened(self)

    def _make(self) -> None:
        self.instance = instance = self.actor.__new__(self.actor)
        instance.attach_life(self)
        instance.__init__(**self._kwargs)

    async def _refill(self) -> None:
        if self._keeper.fill(self.instance, restored=True):
            await self._hook("restored", Hook(state=self._keeper.state))

    async def _stand_in(self, ending: str) -> bool:
        """Make and fill an instance for the last handler; whether there is one."""
        try:
            self._make()
        except BaseException as error:  # noqa: BLE001, ASYNC103 - judged by report()
            self.instance = None
            self._tell(error, "__init__")
            reason = f"{ending}() did not run: __init__() of the instance made for it raised"
            self.host.note("disconnect.failed", reason=reason)
            return False  # noqa: ASYNC104 - __init__ is not async: no Cancelled of ours
        try:
            await self._refill()
        except BaseException as error:  # noqa: ASYNC103 - a Cancelled is raised again
            if judge(error) is Verdict.FOREIGN:
                raise
            self._tell(error, self._step)  # and the last handler makes do with the attributes
        return True

    def _tell(self, error: BaseException, what: str) -> None:
        if judge(error) not in (Verdict.DISCONNECTED, Verdict.STALE):
            self.host.report(error, what)

    async def _open(self) -> None:
        opening, connection = self.actor.opening_handler, self.host.connection
        handler = self.table.special.get(opening)
        self.begun = True
        if handler is not None:
            self._step, self.since = opening, perf_counter()
            self.item = connection.opening if connection else OPENING
            seconds = self.host.handshake_seconds
            self._handshake = scope = trio.CancelScope(deadline=trio.current_time() + seconds)
            with scope:
                await self._run_opening(handler, self.item)
            self._handshake = None
            if scope.cancelled_caught:
                if self.hop.never_begun:
                    busy = self.host.pool.who_is_busy()
                    raise TimeoutError(f"{opening}() did not run: {busy} for {seconds:g} s")
                raise TimeoutError(f"{opening}() neither accepted nor closed within {seconds:g} s")
            self.item = None
        elif connection is not None:
            spoken = getattr(self.actor, "subprotocols", ())
            connection.accept(chosen(spoken, connection.scope), ())
        if connection is not None and not (connection.decided or self.actor.late_handshake):
            connection.close(1000, "")
            self.host.request_stop(f"{opening}() neither accepted nor closed", patient=True)
        self._keeper.opened(self.instance)

    async def _run_opening(self, handler: Handler, item: Opening) -> None:
        if not handler.cancel:
            await run_special(self, handler, item)
        elif await self._loop.run_cancellable(run_special, self, handler, item):
            raise Disconnected(self.host.path, 1006)

    async def _hook(self, name: str, item: Hook) -> None:
        handler = self.table.special.get(name)
        if handler is not None:
            self._step, self.since = name, perf_counter()
            await run_special(self, handler, item)

    # -- its end -------------------------------------------------------------------------

    def _ended_by(self, error: BaseException) -> Exit:
        verdict, what, opening = judge(error, self.host.path), self.busy_with, self.starts
        told = self._why if verdict is Verdict.STALE else None  # it has obeyed, and not crashed
        self.fail_call(None if told else error, told.reason if told and told.again else "")
        if verdict in (Verdict.FATAL, Verdict.FOREIGN):
            return Exit(ExitKind.FATAL, what, error, what, opening=opening, code=1011)
        if self._why is not None:
            if self._why.error is not None and verdict is Verdict.CRASH:
                self.host.report(error, what)  # two have failed: one is the end, both are told
            return self._why.with_error(error, what, told=verdict is Verdict.STALE)
        control = self.host.mailbox.control
        if control and verdict is Verdict.STALE:
            return stopped(control.pop(0))
        if verdict is Verdict.DISCONNECTED and self.host.connection is not None:
            return peer_gone(self.host.connection)
        if (decline := declined(error)) and (self._step or is_answer(decline, self)):
            # A resident's slot that never was has nothing to clean up.
            self.begun = self.begun and not (self._first and not self.actor.opening_handler)
            self.host.note("slot.declined", reason=decline.reason)
            code = refuse_with(decline, self.host.connection)
            return Exit(ExitKind.DECLINED, str(decline), opening=opening, code=code)
        return Exit(ExitKind.CRASHED, what, error, what, opening=opening)

    def fail_call(self, error: BaseException | None, anew: str = "") -> None:
        """Tell the caller of the call being handled, if there is one, that it was the last."""
        if isinstance(self.item, Call):
            self.item.reply.fail(failure_of(self, error, anew))
