# A slot: the place of one actor in the tree, which outlives its incarnations.
#
# It owns what must survive a crash (path, reference, mailbox, connection, groups,
# budget, history); an incarnation (actors/_life.py) owns only user state.
#
# Invariants, each with a test of that name in tests/supervisor/test_slot.py:
#   OPEN SOCKET   a crash within the budget sends nothing to the peer.
#   ONE END       `disconnect` (or `stopped`) runs once for each slot that was begun,
#                 whatever ended it, and then the slot's groups and reference end.
#   ONE TASK      run() is the slot's task; a connection's is its own coroutine, a
#                 resident's a task of its supervisor. run() is shielded throughout:
#                 whoever is cancelled asks the slot to stop, and waits.
#   BOUNDED       every wait in here has a deadline: the handler's, the tasks', the
#                 last handler's, the backoff.

import time
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import trio

from ..actors import Actor, Renewed, StartFailed
from ..actors._decider import Directive
from ..actors._exits import Exit, ExitKind, stopped
from ..actors._life import Life
from ..actors._lowlevel import Occasion, Parker, TaskStack
from ..actors._messages import PeerEnd, Stop
from ..actors._ports import Connection
from ..actors._state import Handed
from ._backoff import backoff_of
from ._crashes import Crash, left_by, name_of
from ._dead_letters import CRASHED
from ._detailed import Detailed
from ._events import described
from ._intensity import RestartWindow
from ._last_words import Words, last_words
from ._monitors import fault_of
from ._referee import Referee
from ._spec import Restart
from ._standing import Left
from ._succession import Succession
from ._tally import Tally
from ._verdict import Next, Order, Policy, decide, directive_of, lives_again

if TYPE_CHECKING:
    from ._root import Root


class Slot(Detailed, Succession):
    """
    The supervised place of one actor; made by a supervisor, never by users.

    Thread-safe: request_stop, deliver_frame, deliver_message, note, dead_letter,
    report, find. All else belongs to the loop's thread.
    """

    __slots__ = (
        "_alive", "_born", "_context", "_crashes", "_handed", "_handled", "_kwargs", "_left",
        "_life", "_nursery", "_policy", "_referee", "_stack", "_state", "_tally", "_told",
        "_window", "batch_messages", "batch_seconds", "began", "debug", "ended", "first_error",
        "folded", "handshake_seconds", "pool", "settled", "shutdown_seconds",
        "thread_batch_messages",
    )  # fmt: skip

    life_kind: ClassVar[type[Life]] = Life

    def __init__(
        self,
        root: "Root",
        path: str,
        actor: type[Actor],
        *,
        kwargs: dict[str, Any] | None = None,
        connection: Connection | None = None,
        policy: Policy,
        window: RestartWindow,
        shutdown_seconds: float,
        referee: Referee | None = None,
    ) -> None:
        super().__init__(root, path, actor, connection)
        options = root.options
        self.pool = root.pool
        self.debug = options.debug
        self.batch_messages = options.batch_messages
        self.batch_seconds = options.batch_seconds
        self.thread_batch_messages = options.thread_batch_messages
        self.handshake_seconds = getattr(actor, "handshake_seconds", options.handshake_seconds)
        self.shutdown_seconds = shutdown_seconds
        self._tally: Tally | None = None
        self._state = "starting"
        self._left: Left | None = None
        self._crashes: tuple[Crash, ...] = ()
        self.settled = Occasion()
        """Set when the first incarnation serves, or the slot has ended without one."""
        self.ended = Occasion()
        self.first_error: BaseException | None = None
        """What the first start failed with."""
        self._kwargs = kwargs or {}
        self._policy = policy
        self._window = window
        self._referee = referee
        self._told: Order | None = None
        self._handed = Handed()
        self._life: Life | None = None
        self._alive = 0.0  # seconds of all incarnations that are over
        self._born = 0.0
        self.began: float | None = None
        """When its first incarnation began, on trio's clock."""
        self._handled = self.folded = 0
        self._nursery: trio.Nursery | None = None
        self._context: Context | None = None
        self._stack: TaskStack | None = None

    # -- the slot's task -----------------------------------------------------------------

    async def run(self, nursery: trio.Nursery | None) -> Exit:
        """
        Live until the slot ends. A checkpoint; shielded, never raises.

        Args:
            nursery: Where the actor's background tasks run, beside this task; None if the
                tree is not up, and there can be none.
        """
        self._nursery, self._context, self._stack = nursery, copy_context(), TaskStack()
        why: BaseException | None = None
        while True:
            life = self._life = self._new_life(why)
            why = None  # its traceback holds the incarnation before
            control = self.mailbox.control
            if control and life.epoch == 1:  # before anything was begun
                exit_, words = stopped(control.pop(0)), Words.OWN
                break
            self._born = trio.current_time()
            if self.began is None:
                self.began = self._born
            exit_ = await life.run()  # shielded, as everything is that it awaits here
            self._alive += trio.current_time() - self._born
            self._handled += life.total
            self._left = left_by(exit_)
            self._handed = replace(self._handed)  # a thread left behind fills the old one
            await self._end_tasks(life)
            if exit_.error is not None:
                self._record(exit_, self.directive(exit_))
            if not self._has_next(exit_):
                words = Words.OWN if self.epoch == 1 or life.begun else Words.FOR_IT
                break
            said = exit_.kind is ExitKind.STOPPED and self.connection is None
            words = Words.SAID if said else Words.FOR_IT
            why = await self._part_with(life, exit_)
            order = await self._ordered(exit_)
            if order.next in (Next.END, Next.ESCALATE):
                if order.next is Next.ESCALATE and self._referee is None:
                    self._root.escalated(self)
                break
            del exit_  # its traceback holds the incarnation
            stop = await self._follow(order)
            if stop is not None:
                exit_ = stopped(stop)
                break
            self.epoch, self.state = self.epoch + 1, "starting"
        with trio.CancelScope(shield=True):
            await self._finish(exit_, words)
        try:
            return exit_
        finally:
            del exit_, why  # the traceback holds this frame, too: no cycle

    def _has_next(self, exit_: Exit) -> bool:
        """Say whether this is not the end of the slot yet, as far as can be said by itself."""
        if exit_.kind is ExitKind.CRASHED:
            return not exit_.opening
        if exit_.again:
            return True
        return self.connection is None and lives_again(exit_, self._policy.restart)

    async def _part_with(self, life: Life, exit_: Exit) -> BaseException:
        """End *life*, which has a successor; return what the successor is told of it."""
        if exit_.kind is ExitKind.STOPPED:
            self.state = "making room"
            self._tell_referee()
        if exit_.kind is ExitKind.STOPPED and self.connection is None:
            with trio.CancelScope(shield=True):
                await last_words(self, self._root, life, PeerEnd(exit_.code, exit_.reason))
        life.finish()
        return exit_.error or Renewed(self.path, exit_.reason)

    def directive(self, exit_: Exit) -> Directive | None:
        """Return what the actor's class says of the error that *exit_* is about, if anything."""
        return directive_of(exit_, self.actor.supervise)

    def judge(self, exit_: Exit) -> Order:
        """Decide what follows *exit_* by the slot's own budget, which is charged."""
        directive = self.directive(exit_)
        next_ = decide(exit_, self._policy, self._window, self._alive, directive)
        if next_ is Next.PARK:
            self._window.reset()
            return Order(next_, self._root.options.park_seconds)
        if next_ is Next.RESTART:
            return Order(next_, self._seconds())
        ordered = directive in (Directive.STOP, Directive.ESCALATE)
        if not ordered and self._policy.restart is not Restart.TEMPORARY:
            self.note("slot.gave_up", restarts=self.epoch - 1, exception=name_of(exit_.error))
        return Order(next_)

    def _seconds(self) -> float:
        backoff = self._policy.backoff or backoff_of(self.actor, self._root.backoff)
        attempt = max(1, self._window.count(self._alive))
        seconds = backoff.delay(attempt, self._root.random.random())
        storms = self._root.connections.storms
        return seconds if self.connection is None else storms.spread(seconds)

    def _new_life(self, crash: BaseException | None = None) -> Life:
        return self.life_kind(self, self.actor, self._kwargs, self.epoch, self._handed, crash)

    @property
    def _parker(self) -> Parker:
        return self.mailbox.parker

    @property
    def _control(self) -> list[Stop]:
        return self.mailbox.control

    def _tell_pause(self, order: Order) -> None:
        self._root.pauses[self.path] = trio.current_time() + order.seconds
        if order.next is Next.PARK:
            self.note("slot.parked", seconds=order.seconds)
        elif order.seconds:
            attempt = max(1, self._window.count(self._alive))
            self.note("slot.backing_off", seconds=round(order.seconds, 3), attempt=attempt)

    async def _end_tasks(self, life: Life) -> None:
        for name, stack in await life.tasks.end(self.shutdown_seconds):
            self.note("slot.unkillable", epoch=life.epoch, task=name, stack=stack)

    async def _finish(self, exit_: Exit, words: Words) -> None:
        self.state = "stopping"
        if exit_.opening:
            self.first_error = exit_.error
        elif not self.settled.is_set() and exit_.kind is ExitKind.STOPPED:
            self.first_error = StartFailed(self.path, f"it was to stop meanwhile: {exit_.reason}")
        life = self._life
        assert life is not None
        if words is Words.FOR_IT:
            life = self._life = self._new_life()
            await self._end_tasks(life)  # it begins none
        code, text, reason = exit_.code, exit_.text, exit_.text or exit_.reason
        if exit_.kind in (ExitKind.CRASHED, ExitKind.FATAL):
            code, text, reason = 1011, "", "crashed"
        elif exit_.kind is ExitKind.PEER:
            reason = text  # the peer's own words, or none
        # Who has failed says so at once; who is asked to go may still send its last words.
        if exit_.kind is not ExitKind.STOPPED:
            self._close(exit_, code, text)
        if words is Words.FOR_IT or (words is Words.OWN and life.begun):
            await last_words(self, self._root, life, PeerEnd(code, reason))
        self._close(exit_, code, text)
        life.finish()
        self.end = exit_.reason or exit_.kind.value
        if exit_.kind in (ExitKind.CRASHED, ExitKind.FATAL):
            self.end = f"{CRASHED}: {self.end}"
        self.fault = fault_of(exit_)
        self._left = Left(self.end, time.time())
        self.state = "declined" if exit_.kind is ExitKind.DECLINED else "ended"
        self._empty()
        facts: dict[str, object] = {"reason": self.end, "how": exit_.kind.value, "code": code}
        if exit_.asked is not None:
            facts["seconds"] = round(trio.current_time() - exit_.asked, 3)
        self._root.events.emit("slot.ended", self.path, self.epoch, **facts)
        self.settled.set()
        self.ended.set()
        self._root.monitors.ended(self)

    def _close(self, exit_: Exit, code: int, text: str) -> None:
        connection = self.connection
        if connection is None:
            return
        if exit_.opening and exit_.error is not None:
            connection.fail()
        else:
            connection.close(code, text)

    # -- what an incarnation asks of it (actors/_ports.py: Host) -----------------------

    def opened(self, life: Life) -> None:
        """Take note that *life* has begun and serves its mailbox."""
        self.state = "running"
        if life.epoch == 1:
            self.note("slot.started", actor=self.actor.__qualname__)
            self.settled.set()
        else:
            self.note("slot.restarted")
            self._root.monitors.restarted(self, life.epoch)
        self._tell_referee()

    def _tell_referee(self) -> None:
        if self._referee is not None:
            self._referee.changed(self)

    def spawn(self, function: Callable[..., Awaitable[object]], *args: object, name: str) -> None:
        """Start a task beside the slot's own."""
        assert self._nursery is not None
        assert self._context is not None
        # In the slot's context, whoever asks: a thread's request arrives in no context,
        # and a caller's (a view's, say) must not live on in the task.
        start = partial(self._nursery.start_soon, function, *args, name=name)
        self._context.run(start)

    def _request_stop(self, stop: Stop) -> None:
        if self.state in ("stopping", "ended", "declined"):
            return  # its last handler runs: it must not be told to stop as well
        stop.at = trio.current_time()
        if self._life is None or self.state == "making room":  # likewise, but there is a next
            self.mailbox.put_control(stop)
        else:
            self._life.request_stop(stop, self.shutdown_seconds)

    @property
    def patience(self) -> float:
        """How long it may take to stop: its handler, its tasks, its last handler; in seconds."""
        return 3 * self.shutdown_seconds + self._root.options.disconnect_seconds + 1

    def cut_off(self, reason: str) -> None:
        """Ask it to end, and cancel what it does at once. Loop thread only."""
        if self._life is None:
            self._request_stop(Stop(reason, 1000))
        else:
            stop = Stop(reason, 1000)
            stop.at = trio.current_time()
            self._life.request_stop(stop, 0)

    def request_rest(self, reason: str, *, at_once: bool = False) -> None:
        """Ask this incarnation to end, and the next one to wait to be told. Loop thread only."""
        stop = Stop(reason, 1000, again=True)
        if at_once and self._life is not None:
            self._life.request_stop(stop, 0)
        else:
            self._request_stop(stop)

    def renew(self, reason: str) -> None:
        """Have this incarnation end, and the next one begin at once. Loop thread only."""
        self._request_stop(Stop(reason, 1000, again=True, by_hand=True))

    @property
    def renewing(self) -> bool:
        """Whether that was asked for, and the handler that runs holds it up."""
        return any(stop.again for stop in self.mailbox.control)

    def reset_budget(self) -> int:
        """Forget the restarts that count; return how many. Loop thread only."""
        forgiven = self._window.count(self._alive_now())
        self._window.reset()
        return forgiven

    def disown(self) -> None:
        """Report that it has not ended in time; from now on it is nobody, and inert."""
        self.stuck()
        self.end = "given up, as it did not stop in time"
        if self._life is not None:
            self._life.disown()
        self._empty()
        self._root.monitors.ended(self)

    def abort(self, error: BaseException) -> None:
        """Take note that run() itself has failed, which is a fault of this library."""
        self.end = f"{CRASHED}: {described(error)}"
        self._left = Left(self.end, time.time())
        self.state = "ended"
        self.note("slot.fatal", exception=error, reason="a fault in Greenroom itself")
        self.fault = fault_of(Exit(ExitKind.FATAL, self.end, error))
        self._empty()
        self.settled.set()
        self.ended.set()
        self._root.monitors.ended(self)

    # -- what others do to it ------------------------------------------------------------

    def peer_ended(self, code: int, reason: str) -> None:
        """Take note of the end of the peer, behind the frames that still wait."""
        self.mailbox.put_arrival(PeerEnd(code, reason))
        if self._life is not None:
            self._life.cancel_handler()

    def peer_left(self) -> None:
        """Take note of the end of a peer whose connection was closed from this side before."""
        if self._life is not None:
            self._life.cancel_handler()

    def halt(self) -> None:
        """Have the loop look whether it is suspended, before it takes anything more."""
        self.flag()
        self.mailbox.parker.wake()

    def inject_crash(self, error: BaseException) -> None:
        """Have the running incarnation crash with *error*, as if one of its tasks had raised it."""
        if self._life is not None:
            self._life.fail(error, "injected")
