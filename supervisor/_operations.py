# What an operator may do to a running tree by hand, by path.
#
# Stopping, starting, adding and counting children is their supervisor's (_administration.py),
# putting an actor to rest that of root.suspensions (_suspensions.py). Here is what concerns one
# place in the tree alone, and needs no turn of its supervisor's. Each change is one event.
#
# Invariants, each with a test of that name in tests/supervisor/test_operations.py:
#   KEPT      a restart by hand keeps reference, mailbox and socket, and charges no budget.
#   JOINED    who asks for a restart that is on its way gets that one.
#   REFUSED   what can't be done in the state that is there is refused, and changes nothing.

from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple, overload

import trio

from ..actors import ActorNotFound, ActorRef, ActorStopped, SelfCall, SelfWait, StartFailed
from ..actors._context import current_life, in_background
from ..actors._errors import refuse_unless_seconds
from ..actors._lowlevel import LoopThread, Parker
from ..actors._ref import target_of
from ._errands import Errands
from ._errors import InvalidState
from ._events import Event, EventStream
from ._inquiries import Inquiries
from ._slot import Slot
from ._supervisor_spec import Budget
from ._task import TaskSlot

if TYPE_CHECKING:
    from ._supervisor import Supervisor

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Operations:
    """The part of the root that operators use."""

    loop: LoopThread
    events: EventStream
    inquiries: Inquiries
    _errands: Errands

    def reset_budget(self, path: str) -> None:
        """
        Forget the restarts of what is at *path*: its budget is fresh at once. Loop thread only.

        In any state; what is parked or backs off goes on waiting (:meth:`wake`). Of a
        supervisor: the budget that its children have together, and its own as a child.

        Raises:
            ActorNotFound: Nothing is there.
            TypeError: What is there is never restarted: a request, a task of a pool, or a foreign
                application.
            ValueError: It has no budget of its own, but one with its siblings.
        """
        place = self._place(path)
        if isinstance(place, Slot):
            self._refuse_common_budget(path)
        kind = "slot" if isinstance(place, Slot) else "supervisor"
        place.note(f"{kind}.budget_reset", forgiven=place.reset_budget())

    def wake(self, path: str) -> None:
        """
        Have what is parked or backs off at *path* begin at once ("un-park"). Loop thread only.

        What was parked has a fresh budget; what backs off, that which was left. A supervisor
        starts its children.

        Raises:
            ActorNotFound: Nothing is there.
            InvalidState: It neither is parked nor backs off; nothing is changed.
            TypeError: What is there is never restarted: a request, a task of a pool, or a foreign
                application.
        """
        place = self._place(path)
        kind = "slot" if isinstance(place, Slot) else "supervisor"
        place.note(f"{kind}.woken", was=place.wake())

    async def restart(
        self, path: str, reason: str = "restarted by hand", timeout: float = 30.0
    ) -> int:
        """
        Have the actor at *path* begin anew, in its place; return its epoch. Always a checkpoint.

        A running handler may go on for ``shutdown_seconds``, then it is cancelled. Reference,
        mailbox, groups, names and socket stay; nothing is charged to a budget. The next
        incarnation gets the state that one gets after a crash, and ``restarted`` a
        :class:`Renewed`; of a resident ``stopped`` runs before, of a consumer not
        ``disconnect``, for its socket stays open.

        What is parked or backs off begins at once. What is about to begin anew for another
        reason is waited for. A suspension stands. After a cancellation, or the timeout, it is
        restarted all the same.

        Args:
            path: Where the actor is.
            reason: For ``restarted``, and for the log.
            timeout: Seconds to wait until it serves.

        Raises:
            ActorNotFound: There is none: it was stopped, say. ``start_child`` starts it.
            ActorStopped: It has ended meanwhile.
            InvalidState: It is stopping, or in its first start.
            SelfWait: The actor itself asks, in a handler: it may raise instead.
            StartFailed: The new incarnation has crashed, or does not serve yet.
            TypeError: What is there is a supervisor, a request, a task of a pool or a foreign
                application.
        """
        refuse_unless_seconds("timeout", timeout)
        slot = self._slot(path, "Restart its children one by one, or with restart_child()")
        _refuse_self(slot, SelfWait)
        began = slot.epoch
        with self._news_of(path) as news:
            self._begin_anew(slot, reason)
            with trio.move_on_after(timeout):
                while slot.epoch == began or slot.state != "running":
                    await news.park()
                    _look_at(slot, began)
                return slot.epoch
        problem = f"it does not serve within {timeout:g} s, it is {slot.state}"
        raise StartFailed(path, problem)

    async def describe(self, path: str, timeout: float = 5.0) -> Mapping[str, object] | None:
        """
        Ask the actor at *path* for its state: what its ``describe()`` returns. A checkpoint.

        It answers between two messages, before all that wait, and also while it is suspended.
        The answer is plain data, as for JSON; what is long in it is cut. None if the class does
        not define ``describe()``: then it shows nothing. A cancellation leaves nothing behind.

        Args:
            path: Where the actor is.
            timeout: Seconds, for the handler that runs and for ``describe()`` together.

        Raises:
            ActorNotFound: There is none.
            ActorStopped: It has ended meanwhile.
            CallTimeout: No answer within *timeout*.
            DescribeFailed: ``describe()`` has raised, or returned no mapping. The actor lives on.
            InvalidState: It is parked, or backs off: there is nobody to ask.
            SelfCall: The actor itself asks, in a handler.
            TypeError: What is there is a supervisor, a request, a task of a pool or a foreign
                application.
        """
        refuse_unless_seconds("timeout", timeout)
        slot = self._slot(path, "root.snapshot() shows what it does")
        _refuse_self(slot, SelfCall)
        return await self.inquiries.ask(slot, timeout)

    @overload
    def from_thread(
        self, function: Callable[[*Ts], Awaitable[T]], *args: *Ts, timeout: float = 5.0
    ) -> T: ...
    @overload
    def from_thread(self, function: Callable[[*Ts], T], *args: *Ts, timeout: float = 5.0) -> T: ...
    def from_thread(
        self, function: Callable[..., Any], *args: object, timeout: float = 5.0
    ) -> object:
        """
        Run ``function(*args)`` on trio, and wait for it in a worker thread: a view, say.

        For what belongs to the loop's thread: ``root.from_thread(root.restart, path)``. An async
        function is awaited, in a task of the tree; of another one the result is returned. The
        thread's place in its pool is free while it waits. The ORM has no place in it.

        Args:
            function: Async or not; called in the caller's context.
            args: Its arguments.
            timeout: Seconds, past which the function is cancelled; what it had others do may
                be done all the same.

        Raises:
            CallTimeout: It has not returned within *timeout*.
            Stale: The calling incarnation was told to stop meanwhile; the function is cancelled.
            SupervisorStopping: The tree has ended, and the function with it.
            TypeError: *function* is none, a coroutine perhaps.
            WrongSide: Called on trio.
            BaseException: Whatever the function raises.
        """
        return self._errands.run(function, args, timeout)

    # -- inside --------------------------------------------------------------------------

    def find(self, path: str) -> ActorRef:
        """Return the reference of the living actor at *path*."""
        raise NotImplementedError

    def supervisor(self, path: str) -> "Supervisor":
        """Return the supervisor at *path*."""
        raise NotImplementedError

    def _place(self, path: str) -> "Slot | Supervisor":
        ref: ActorRef | None = None
        with suppress(ActorNotFound):
            ref = self.find(path)
        if ref is None:
            return self.supervisor(path)
        target = target_of(ref)
        if isinstance(target, TaskSlot):  # a second life of it would be a second run
            raise TypeError(f"{path} is a task of a pool: it handles no messages, and is run once")
        if not isinstance(target, Slot):
            raise TypeError(f"{path} is no actor: it handles no messages, and has one life")
        return target

    def _slot(self, path: str, instead: str) -> Slot:
        place = self._place(path)
        if not isinstance(place, Slot):
            raise TypeError(f"{path} is a supervisor, and this is for actors. {instead}.")
        return place

    def _refuse_common_budget(self, path: str) -> None:
        above = path.rpartition("/")[0]
        with suppress(ActorNotFound):  # connections have no supervisor of that kind
            if self.supervisor(above).spec.budget is Budget.SUPERVISOR:
                raise ValueError(
                    f"{path} has a budget in common with its siblings: reset_budget({above!r})"
                )

    def _begin_anew(self, slot: Slot, reason: str) -> None:
        if slot.pausing:
            slot.note("slot.woken", was=slot.wake())
        elif slot.state in ("stopping", "ended", "declined"):
            raise InvalidState(slot.path, slot.state, "it has no further incarnation")
        elif slot.state == "starting" and slot.epoch == 1:
            raise InvalidState(slot.path, slot.state, "wait until it serves, or stop it")
        elif slot.state in ("running", "starting") and not slot.renewing:
            slot.note("slot.restarting", reason=reason)
            slot.renew(reason)

    @contextmanager
    def _news_of(self, path: str) -> Generator[Parker]:
        """Wake whoever parks there whenever something happens to *path*."""
        news = Parker()

        def tell(event: Event) -> None:
            if event.path != path:
                return
            if self.loop.is_here():
                news.wake()
            else:
                self.loop.call_soon(news.wake)

        unsubscribe = self.events.subscribe(tell)
        try:
            yield news
        finally:
            unsubscribe()


def _look_at(slot: Slot, began: int) -> None:
    """Raise what has come in between a restart, or see to it that it goes on."""
    if slot.end is not None:
        raise ActorStopped(slot.path, slot.end)
    if not slot.pausing:
        return
    for crash in slot.crashes[-1:]:
        if crash.epoch == slot.epoch > began and crash.directive != "resume":
            problem = f"its new incarnation has crashed: {crash.exception}: {crash.text}"
            raise StartFailed(slot.path, problem)
    slot.wake()  # the old one has crashed by itself, in that very moment, or it is restarted again


def _refuse_self(slot: Slot, error: type[SelfCall | SelfWait]) -> None:
    life = current_life.get()
    if life is not None and life.host is slot and not in_background.get():
        raise error(slot.path)
