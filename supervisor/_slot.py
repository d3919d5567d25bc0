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

import random
import time
import traceback
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import trio

from ..actors import Actor, ActorStopped
from ..actors._exits import Exit, ExitKind, Verdict, judge, stopped
from ..actors._life import Life
from ..actors._lowlevel import Occasion, TaskStack
from ..actors._messages import Call, Cast, InFrame, PeerEnd, Stop, Tick
from ..actors._ports import Connection
from ..actors._state import Handed
from ._dead_letters import CRASHED, ENDED
from ._events import described
from ._intensity import RestartWindow
from ._last_words import last_words
from ._monitors import fault_of
from ._place import Place
from ._spec import OnExceeded, Restart
from ._tree import CrashReport, NodeSnapshot
from ._verdict import Next, Policy, decide

if TYPE_CHECKING:
    from ._root import Root

_CRASHES_KEPT = 5
_OWN = ("greenroom.actors.", "greenroom.supervisor.")


class Slot(Place):
    """
    The supervised place of one actor; made by a supervisor, never by users.

    Thread-safe: request_stop, deliver_frame, deliver_message, note, dead_letter,
    report, find. All else belongs to the loop's thread.
    """

    __slots__ = (
        "_alive", "_born", "_context", "_handed", "_handled", "_kwargs", "_life", "_nursery",
        "_policy", "_stack", "_window", "batch_messages", "batch_seconds", "crashes", "debug",
        "ended", "first_error", "handshake_seconds", "pool", "settled", "shutdown_seconds", "state",
        "thread_batch_messages",
    )  # fmt: skip

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
    ) -> None:
        super().__init__(root, path, actor, connection)
        options = root.options
        self.pool = root.pool
        self.debug = options.debug
        self.batch_messages = options.batch_messages
        self.batch_seconds = options.batch_seconds
        self.thread_batch_messages = options.thread_batch_messages
        self.handshake_seconds = options.handshake_seconds
        self.shutdown_seconds = shutdown_seconds
        self.state = "starting"
        self.crashes: tuple[CrashReport, ...] = ()
        self.settled = Occasion()
        """Set when the first incarnation serves, or the slot has ended without one."""
        self.ended = Occasion()
        self.first_error: BaseException | None = None
        """What the first start failed with."""
        self._kwargs = kwargs or {}
        self._policy = policy
        self._window = window
        self._handed = Handed()
        self._life: Life | None = None
        self._alive = 0.0  # seconds of all incarnations that are over
        self._born = 0.0
        self._handled = 0
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
        self._nursery, self._context = nursery, copy_context()
        self._stack = TaskStack()
        crash: BaseException | None = None
        while True:
            life = self._life = self._new_life(crash)
            crash = None  # its traceback holds the incarnation before
            if self.mailbox.control and life.epoch == 1:  # before anything was begun
                exit_, homeless = stopped(self.mailbox.control.pop(0)), False
                break
            self._born = trio.current_time()
            exit_ = await life.run()  # shielded, as everything is that it awaits here
            self._alive += trio.current_time() - self._born
            self._handled += life.handled
            self._handed = replace(self._handed)  # a thread left behind fills the old one
            await self._end_tasks(life)
            if exit_.error is not None:
                self._record(exit_)
            if exit_.kind is not ExitKind.CRASHED or exit_.opening:
                homeless = self.epoch > 1 and not life.begun
                break
            life.finish()
            crash = exit_.error
            next_ = decide(exit_, self._policy, self._window, self._alive)
            if next_ in (Next.END, Next.ESCALATE):
                self._give_up(next_, crash)
                homeless = True
                break
            del exit_
            stop = await self._pause(next_)
            if stop is not None:
                exit_, homeless = stopped(stop), True
                break
            self.epoch += 1
        with trio.CancelScope(shield=True):
            await self._finish(exit_, homeless)
        return exit_

    def _give_up(self, next_: Next, crash: BaseException | None) -> None:
        if self._policy.restart is not Restart.TEMPORARY:
            self.note("slot.gave_up", restarts=self.epoch - 1, exception=_name(crash))
        if next_ is Next.ESCALATE:
            self._root.escalated(self)

    def _new_life(self, crash: BaseException | None = None) -> Life:
        return Life(self, self.actor, self._kwargs, self.epoch, self._handed, crash)

    async def _pause(self, next_: Next) -> Stop | None:
        """Back off or park; return the stop that cut it short."""
        if next_ is Next.PARK:
            seconds = self._root.options.park_seconds
            self._window.reset()
            self.state = "parked"
            self.note("slot.parked", seconds=seconds)
        else:
            attempt = max(1, self._window.count(self._alive))
            seconds = self._root.backoff.delay(attempt, random.random())  # noqa: S311 - jitter
            self.state = "backing off"
            if seconds:
                self.note("slot.backing_off", seconds=round(seconds, 3), attempt=attempt)
        until = trio.current_time() + seconds
        with trio.move_on_at(until, shield=True):
            while seconds and not self.mailbox.control:
                await self.mailbox.parker.park()
        if not seconds:  # every attempt passes a checkpoint
            with trio.CancelScope(shield=True):
                await trio.sleep(0)
        return self._asked()

    def _asked(self) -> Stop | None:
        return self.mailbox.control.pop(0) if self.mailbox.control else None

    async def _end_tasks(self, life: Life) -> None:
        for name, stack in await life.tasks.end(self.shutdown_seconds):
            self.note("slot.unkillable", epoch=life.epoch, task=name, stack=stack)

    async def _finish(self, exit_: Exit, homeless: bool) -> None:
        self.state = "stopping"
        if exit_.opening:
            self.first_error = exit_.error
        life = self._life
        assert life is not None
        if homeless:
            life = self._life = self._new_life()
            await self._end_tasks(life)  # it begins none
        code, text, reason = exit_.code, exit_.text, exit_.text or exit_.reason
        if exit_.kind is ExitKind.CRASHED:
            code, text, reason = 1011, "", "crashed"
        elif exit_.kind is ExitKind.PEER:
            reason = text  # the peer's own words, or none
        # Who has failed says so at once; who is asked to go may still send its last words.
        if exit_.kind is not ExitKind.STOPPED:
            self._close(exit_, code, text)
        if life.begun or homeless:
            await last_words(self, self._root, life, PeerEnd(code, reason))
        self._close(exit_, code, text)
        life.finish()
        self.end = exit_.reason or exit_.kind.value
        if exit_.kind in (ExitKind.CRASHED, ExitKind.FATAL):
            self.end = f"{CRASHED}: {self.end}"
        self.fault = fault_of(exit_)
        self.state = "ended"
        self._empty()
        self.note("slot.ended", reason=self.end, how=exit_.kind.value, code=code)
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

    def _empty(self) -> None:
        left = self.mailbox.close()
        self._root.groups.leave_all(self)  # behind the close: see Actor.join()
        self._root.registry.release(self)
        for item in left:
            self._leave_behind(item)

    def _leave_behind(self, item: object) -> None:
        if type(item) is Call and item.reply.abandoned:
            self.note("call.skipped", message=item.summary())
        elif type(item) is Call:
            item.reply.fail(ActorStopped(self.path, self.end or ""))
            self.dead_letter(item.message, f"{ENDED} ({self.end})")
        elif type(item) is Cast:
            self.dead_letter(item.message, f"{ENDED} ({self.end})")
        elif type(item) is InFrame:
            self.dead_letter(item, f"{ENDED} ({self.end})")
        elif type(item) is Tick:
            item.timer.taken()

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

    def spawn(self, function: Callable[..., Awaitable[object]], *args: object, name: str) -> None:
        """Start a task beside the slot's own."""
        assert self._nursery is not None
        assert self._context is not None
        # In the slot's context, whoever asks: a thread's request arrives in no context,
        # and a caller's (a view's, say) must not live on in the task.
        start = partial(self._nursery.start_soon, function, *args, name=name)
        self._context.run(start)

    def stuck(self) -> None:
        """Tell that it has not ended in time, and where it waits. Loop thread only."""
        self.note("slot.unkillable", stack=self._stack.format() if self._stack else "")

    def report(self, error: BaseException, what: str) -> None:
        """Record an error of an incarnation that is ending anyway."""
        fatal = judge(error) in (Verdict.FATAL, Verdict.FOREIGN)
        self._record(Exit(ExitKind.FATAL if fatal else ExitKind.CRASHED, what, error, what))
        if fatal:
            self._root.fatal(self.path)

    def _request_stop(self, stop: Stop) -> None:
        if self.state in ("stopping", "ended"):
            return  # its last handler runs: it must not be told to stop as well
        if self._life is None:
            self.mailbox.put_control(stop)
        else:
            self._life.request_stop(stop, self.shutdown_seconds)

    @property
    def missed(self) -> bool:
        """Whether it is down though nobody wanted it to be."""
        return self.state == "parked" or (self.end or "").startswith(CRASHED)

    def abort(self, error: BaseException) -> None:
        """Take note that run() itself has failed, which is a fault of this library."""
        self.end, self.state = f"{CRASHED}: {described(error)}", "ended"
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
        if self.actor.cancel_on_disconnect and self._life is not None:
            self._life.cancel_handler()

    def inject_crash(self, error: BaseException) -> None:
        """Have the running incarnation crash with *error*, as if one of its tasks had raised it."""
        if self._life is not None:
            self._life.fail(error, "injected")

    # -- seen from outside ---------------------------------------------------------------

    def snapshot(self) -> NodeSnapshot:
        """Return the slot as it is now. Loop thread only."""
        life = self._life
        # While its tasks are being ended it is in the sums already.
        running = self.state == "running" and life is not None and not life.tasks.ended
        alive = self._alive + (trio.current_time() - self._born if running else 0.0)
        facts: dict[str, object] = {
            "handled": self._handled + (life.handled if running and life else 0)
        }
        if life is not None and life.busy_with:
            facts["handling"] = life.busy_with
        if life is not None and life.tasks.names():
            facts["tasks"] = list(life.tasks.names())
        if self.connection is not None:
            facts.update(self.connection.facts())
        return NodeSnapshot(
            path=self.path,
            kind="slot",
            name=self.path.rpartition("/")[2],
            actor=self.actor.__qualname__,
            state=self.state,
            epoch=self.epoch,
            crashes=self.crashes,
            restarts_left=self._window.left(alive),
            mailbox=(self.mailbox.queued, self.mailbox.capacity),
            groups=self._root.groups.groups_of(self),
            names=self._root.registry.keys_of(self),
            facts=facts,
        )

    def _record(self, exit_: Exit) -> None:
        error = exit_.error
        assert error is not None
        _drop_own_frames(error)
        report = CrashReport(
            epoch=self.epoch,
            at=time.time(),
            exception=_name(error),
            text=described(error).partition(": ")[2],
            traceback="".join(traceback.format_exception(error)),
            message=exit_.what,
        )
        self.crashes = (*self.crashes, report)[-_CRASHES_KEPT:]
        facts: dict[str, object] = {"message": exit_.what}
        if isinstance(error, self.actor.expected_errors):
            facts["error"] = described(error)  # one line, no traceback
        else:
            facts["exception"] = error
        kind = "slot.fatal" if exit_.kind is ExitKind.FATAL else "slot.crashed"
        self._root.events.emit(kind, self.path, self.epoch, **facts)

    def __repr__(self) -> str:
        return f"<Slot {self.path} {self.actor.__qualname__} epoch {self.epoch} {self.state}>"


def policy_of(actor: type[Actor], restart: Restart, on_exceeded: OnExceeded) -> Policy:
    """Return the policy of *actor*'s slot, where it says nothing else."""
    return _policy(getattr(actor, "restart", restart), getattr(actor, "on_exceeded", on_exceeded))


@lru_cache  # a handful of them, for any number of connections
def _policy(restart: str, on_exceeded: str) -> Policy:
    return Policy(Restart(restart), OnExceeded(on_exceeded))


def _drop_own_frames(error: BaseException) -> None:
    """Begin *error*'s traceback where the user's code begins, if it has any."""
    trace = error.__traceback__
    while trace is not None and str(trace.tb_frame.f_globals.get("__name__")).startswith(_OWN):
        trace = trace.tb_next
    if trace is not None:
        error.with_traceback(trace)  # not by assignment: an error may be a frozen dataclass


def _name(error: BaseException | None) -> str:
    return type(error).__qualname__ if error is not None else ""
