# A supervisor: children in start order, restarted by its strategy, stopped in reverse.
#
# OTP's, as a task of trio. Its loop does one thing at a time: the restart of a group, a
# request of an operator. What needs no order (the restart of one child alone) is answered
# at the call. A child's task never raises; it runs in the tree's nursery, beside the
# supervisor's own, so that what will not end holds up nobody.
#
# Invariants, each with a test of that name in tests/supervisor/test_supervisor.py:
#   REVERSE      children stop in reverse start order, each before the next is asked.
#   ONCE         a crash is answered once: what a group's restart has covered is not
#                answered again.
#   NO ORPHAN    whatever ends a supervisor, a fault of its own included, its children
#                have been stopped.
#   ASKED        a stop is obeyed between any two steps, also in the middle of a restart.

from contextvars import copy_context
from typing import ClassVar

import trio

from ..actors import StartFailed
from ..actors._decider import Directive
from ..actors._exits import Exit, ExitKind, stopped
from ..actors._lowlevel import TaskStack
from ..actors._messages import Stop
from ._crashes import left_by
from ._entries import Entries
from ._entry import Entry
from ._errors import SupervisorGaveUp
from ._events import described
from ._group import GroupRestart
from ._intensity import RestartWindow
from ._referee import Child
from ._slot import Slot
from ._spec import OnExceeded, Restart
from ._strategy import Strategy
from ._subordinate import Subordinate
from ._supervisor_spec import AutoShutdown, Budget, Spec, SupervisorSpec
from ._verdict import Next, Order, Policy, lives_again


class Supervisor(GroupRestart, Subordinate):
    """
    One supervisor of the tree and its children; made from a :class:`SupervisorSpec`.

    Found by ``root.supervisor(path)``. All methods belong to the loop's thread.
    """

    slot_kind: ClassVar[type[Slot]] = Slot

    # -- its life ------------------------------------------------------------------------

    async def run(self, nursery: trio.Nursery) -> Exit:
        """
        Start the children, in *nursery*, and supervise them to the end.

        A checkpoint. Shielded: whoever is cancelled asks it to stop.
        """
        self._nursery, self._context, self._stack = nursery, copy_context(), TaskStack()
        exit_: Exit | None = None
        with trio.CancelScope(shield=True):
            exit_ = await self._lives()
        assert exit_ is not None  # nobody cancels that scope
        self._end_as(exit_)
        return exit_

    async def _lives(self) -> Exit:
        while True:
            exit_ = await self._live()
            self._left = left_by(exit_)
            if not self._has_next(exit_):
                return exit_
            self._window.reset()
            order = await self._ordered(exit_)
            if order.next in (Next.END, Next.ESCALATE):
                return exit_
            del exit_  # its traceback may hold an incarnation, of a child that failed to start
            stop = await self._follow(order)
            if stop is not None:
                return stopped(stop)
            self.epoch, self.state = self.epoch + 1, "starting"

    async def _live(self) -> Exit:
        self._over = None
        # As OTP does: who was added by hand is not there any more, who was forgotten is.
        self._entries.retire()
        self._entries = Entries(self.spec.children, self.path, self._root.census)
        self._born = trio.current_time()
        try:
            await self._start_all()
            if self._over is None:
                self.state = "running"
                self._requests.open()
                self.note("supervisor.started", children=len(self._entries))
                self.settled.set()
                self._tell_referee()
                await self._serve()
            exit_ = self._over
            assert exit_ is not None
        except Exception as error:  # noqa: BLE001 - a fault of ours: children are not left alone
            exit_ = self._fault(error)
        self.state = "stopping"
        self._requests.close()
        try:
            await self._stop_all("shutdown")
        except Exception as error:  # noqa: BLE001 - likewise
            self._fault(error)
        await self._leave_nobody()
        self._crashed.clear()
        self._over = None
        self._tell_referee()
        return exit_

    def _fault(self, error: Exception) -> Exit:
        """Take note that this supervisor's own code has raised; return the end that this is."""
        self.note("supervisor.crashed", exception=error)
        return Exit(ExitKind.CRASHED, described(error), error, "supervising")

    async def _serve(self) -> None:
        while not self._is_over():
            if self._crashed:
                await self._answer(*self._crashed.popleft())
            elif self._requests.waiting:
                await self._requests.serve_one()
            else:
                await self._bell.park()  # without an end: it is what a supervisor does

    def _has_next(self, exit_: Exit) -> bool:
        if exit_.kind is ExitKind.CRASHED:
            if not self.settled.is_set():  # its first start
                self.first_error = exit_.error
                return False
            return self.spec.on_exceeded is not OnExceeded.STOP
        return exit_.again or lives_again(exit_, self.spec.restart)

    async def _ordered(self, exit_: Exit) -> Order:
        if isinstance(exit_.error, SupervisorGaveUp) and self.spec.on_exceeded is OnExceeded.PARK:
            return Order(Next.PARK, self._root.options.park_seconds)
        return await super()._ordered(exit_)

    async def _pause(self, order: Order) -> Stop | None:
        began = trio.current_time()
        stop = await super()._pause(order)
        self._paused += trio.current_time() - began
        return stop

    def reset_budget(self) -> int:
        """Forget the restarts of its children together, and its own; return how many."""
        windows, now = (self._window, self._own_window), self._clock()
        forgiven = sum(window.count(now) for window in windows)
        for window in windows:
            window.reset()
        return forgiven

    # -- starting ------------------------------------------------------------------------

    async def _start_all(self) -> None:
        for entry in list(self._entries.values()):
            problem = await self._start(entry)
            if self._is_over():
                return
            if problem is not None:
                self._over = Exit(ExitKind.CRASHED, str(problem), problem, "starting")
                if self.settled.is_set():  # else it fails the start of the one above, which tells
                    self.note("supervisor.start_failed", reason=str(problem))
                return

    async def _start(self, entry: Entry) -> StartFailed | None:
        """Start a body for *entry* and wait until it serves; return what went wrong."""
        body, patience = self._begin(entry), entry.patience
        await self._until_so(lambda: body.settled.is_set() or self._asked, patience)
        if self._asked and not body.settled.is_set():
            return StartFailed(body.path, "its supervisor was asked to stop meanwhile")
        return self._problem(body, patience)

    def _begin(self, entry: Entry) -> "Slot | Supervisor":
        """Make a body for *entry*, and have its task start."""
        nursery = self._nursery
        assert nursery is not None
        assert self._context is not None
        spec, path = entry.spec, self._path_of(entry.spec)
        entry.asked = entry.off = False
        entry.stopping = None  # the body before, which would live on in it
        body = self._body(spec, path)
        self._entries.embody(entry, body)
        if isinstance(body, Slot):
            self._root.register(path, body.ref)
        else:
            self._root.register_supervisor(path, body)
        self._entries.look_at(entry)

        def start() -> None:
            nursery.start_soon(self._run, entry, body, name=f"greenroom {path}")

        # In the tree's context, whoever asks: what is current where he is, an actor's life or a
        # request, must not live on in the child, and the tree must be current in it.
        self._context.run(start)
        return body

    def _problem(self, body: "Slot | Supervisor", patience: float) -> StartFailed | None:
        """Return what went wrong with the start of *body*, for which *patience* was given."""
        error, body.first_error = body.first_error, None  # its traceback holds an incarnation
        if not body.settled.is_set():
            body.cut_off("it did not start in time")
            return StartFailed(body.path, f"started() did not return within {patience:g} s")
        if error is None or isinstance(error, StartFailed):
            return error
        problem = StartFailed(body.path, described(error))
        problem.__cause__ = error
        return problem

    def _body(self, spec: Spec, path: str) -> "Slot | Supervisor":
        if isinstance(spec, SupervisorSpec):
            return self._root.make_supervisor(path, spec, self)
        return self._root.kinds.slot(self.slot_kind)(
            self._root,
            path,
            spec.actor,
            kwargs=dict(spec.kwargs),
            policy=Policy(spec.restart, spec.on_exceeded, spec.backoff),
            window=RestartWindow(spec.max_restarts, spec.max_seconds),
            shutdown_seconds=spec.shutdown_seconds,
            referee=self,
        )

    async def _run(self, entry: Entry, body: "Slot | Supervisor") -> None:
        # Shielded in run(): an outer cancellation reaches it as a request, from _stop_all().
        assert self._nursery is not None
        exit_: Exit | None = None
        try:
            exit_ = await body.run(self._nursery)
        except BaseException as error:  # noqa: ASYNC103, BLE001 - a fault of ours; siblings go on
            body.abort(error)
            self._escalated(body)
        if entry.body is body:
            self._root.unregister(body.path)
            try:
                self._child_ended(entry, exit_)
            except Exception as error:  # noqa: BLE001 - a fault of ours: this one begins anew
                self._over = self._over or self._fault(error)
        if body in self._abandoned:
            del self._abandoned[body]
            self._root.trouble.abandoned -= 1
        self._bell.wake()
        if exit_ is not None and exit_.kind is ExitKind.FATAL:
            self._root.fatal(body.path)
        del exit_  # its traceback may hold this frame: no cycle

    # -- what children say (_referee.py) -------------------------------------------------

    def crashed(self, child: Child, exit_: Exit) -> None:
        """Answer the crash of *child*, or put it in line for the restart of its group."""
        entry, directive = self._entries.of(child), child.directive(exit_)
        if entry is not None:
            self._entries.look_at(entry)
        if entry is None or self._over is not None or self._asked:
            child.tell(Order(Next.END))
        elif directive is Directive.ESCALATE:
            self._escalated(child)
            child.tell(Order(Next.END))
        elif directive is Directive.STOP or not lives_again(exit_, entry.spec.restart):
            child.tell(Order(Next.END))
        elif self.spec.budget is Budget.CHILD:
            child.tell(self._judged(child, exit_))
        elif self.spec.strategy is Strategy.ONE_FOR_ONE:
            child.tell(self._charged(child))
        else:
            self._crashed.append((entry, child, child.epoch))
            self._bell.wake()

    def changed(self, child: Child) -> None:
        """Look at *child* again."""
        entry = self._entries.of(child)
        if entry is not None:
            self._entries.look_at(entry)
        elif child.state == "waiting":  # an abandoned one has ended its incarnation after all
            child.tell(Order(Next.END))
        self._bell.wake()

    def restarts_left(self, own: int | None) -> int | None:
        """Restarts that are left to a child: of its *own* budget, or of the common one."""
        if self.spec.budget is Budget.CHILD:
            return own
        return self._window.left(self._clock())

    def _judged(self, child: Child, exit_: Exit) -> Order:
        order = child.judge(exit_)
        if order.next is Next.ESCALATE:
            self._escalated(child)
        return order

    def _charged(self, child: Child) -> Order:
        now = self._clock()
        if self._window.admit(now):
            return Order(Next.RESTART, self._root.pause(self._window.count(now)))
        self._give_up(child.path, self._too_many())
        return Order(Next.END)

    def _escalated(self, child: Child) -> None:
        """Take note that the failure of *child* is too much for this supervisor."""
        self._give_up(child.path, "it escalates")

    def _child_ended(self, entry: Entry, exit_: Exit | None) -> None:
        spec = entry.spec
        self._entries.look_at(entry)
        declined = exit_ is not None and exit_.kind is ExitKind.DECLINED  # so it never was
        may_go = declined or self.state != "stopping"
        if spec.restart is Restart.TEMPORARY and not entry.off and may_go:
            self._entries.forget(entry)
        served = not declined and entry.body is not None and entry.body.first_error is None
        if spec.significant and served and not entry.asked and self._over is None:
            self._shut_down_with(spec.name)

    def _shut_down_with(self, name: str) -> None:
        left = self._entries.significant_left()
        if self.spec.auto_shutdown is AutoShutdown.ANY_SIGNIFICANT or not left:
            reason = f"its significant child {name} has ended"
            self._over = Exit(ExitKind.STOPPED, reason, own=True)
            self.note("supervisor.auto_shutdown", child=f"{self.path}/{name}")

    # -- stopping ------------------------------------------------------------------------

    async def _stop_all(self, reason: str) -> None:
        entries = [entry for entry in self._entries.values() if entry.alive]
        for at, entry in reversed(list(enumerate(entries))):
            await self._stop_for_good(entry, reason, at + 1)

    async def _stop_for_good(self, entry: Entry, reason: str, shares: int = 1) -> None:
        try:
            while not await self._stop(entry, reason, shares):
                pass  # it is in more of a hurry than it was
        except Exception as error:  # noqa: BLE001 - a fault of ours; the others must stop, too
            self._fault(error)

    async def _leave_nobody(self) -> None:
        """Stop whom a fault of ours has left running, in the plainest way. A checkpoint, if any."""
        left = [entry.body for entry in self._entries.values() if entry.body and entry.alive]
        for body in reversed(left):
            body.request_stop("shutdown")
            with trio.move_on_after(body.patience):
                await body.ended.wait()
            if not body.ended.is_set():
                body.disown()

    async def _stop(self, entry: Entry, reason: str, shares: int = 1) -> bool:
        """
        Stop the body of *entry*, in its own time or its share of what is left of all time.

        A checkpoint, if it runs. One that takes longer is unkillable, and given up. False, with
        the body still on its way, when this supervisor is to end, or sooner than it was.
        """
        body, until = entry.body, self._until
        if body is None or body.ended.is_set():
            return True
        now = trio.current_time()
        share = max(0.0, until - now) / shares
        self._ask_to_stop(entry, reason, now + share)
        await self._until_so(
            lambda: body.ended.is_set() or self._is_hurried(until),
            min(share, max(0.0, entry.late - now)),
        )
        if body.ended.is_set() or entry.body is not body:  # or it is given up already
            return True
        if self._is_hurried(until):
            return False
        self._abandon(entry)
        return True

    def _is_hurried(self, until: float) -> bool:
        """Say whether to end is to be done now, or before *until*."""
        return self._until < until or (self.state == "running" and self._is_over())

    def _ask_to_stop(self, entry: Entry, reason: str, until: float) -> None:
        body = entry.body
        assert body is not None
        entry.asked = True
        if isinstance(body, Supervisor):
            body.hurry(until)
        if entry.stopping is not body:
            entry.stopping, entry.late = body, trio.current_time() + body.patience
            body.request_stop(reason)

    def _abandon(self, entry: Entry) -> None:
        """Go on without a body that does not end; what it does from now on is inert."""
        body = entry.body
        assert body is not None
        body.disown()
        self._abandoned[body] = None
        self._root.unregister(body.path)
        self._entries.embody(entry, None)
        entry.stopping = None
        self._entries.look_at(entry)
        self._root.trouble.add(body.path)  # until it has ended
        self._root.trouble.abandoned += 1
