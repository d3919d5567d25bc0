# A supervisor as its own supervisor sees it, and as it is seen from outside.

import time
from dataclasses import replace
from typing import cast

import trio

from ..actors._decider import Directive
from ..actors._exits import Exit, ExitKind
from ..actors._lowlevel import Parker
from ..actors._messages import Stop
from ._administration import Administration
from ._dead_letters import CRASHED
from ._events import described
from ._referee import Child
from ._standing import Left, Standing
from ._succession import PAUSES
from ._supervisor_spec import Budget
from ._tally import NOT_STARTED, ROUGH
from ._tree import NodeSnapshot
from ._verdict import Next, Order

_MOMENT = 0.1  # seconds


class Subordinate(Administration):
    """The part of a supervisor that others see."""

    # -- as a child of another (_referee.py, _succession.py) ------------------------------

    calls = ""
    """It calls nobody."""

    @property
    def shares_budget(self) -> bool:
        """Whether its children have one budget together."""
        return self.spec.budget is not Budget.CHILD

    @property
    def _parker(self) -> Parker:
        return self._bell

    @property
    def _control(self) -> list[Stop]:
        return self._asked

    def directive(self, exit_: Exit) -> Directive | None:
        """Return None, whatever *exit_* is: a supervisor's spec says nothing of errors."""
        return None

    def judge(self, exit_: Exit) -> Order:
        """Decide what follows *exit_* by a budget of its own, which is charged."""
        now = self._clock()
        if self._own_window.admit(now):
            return Order(Next.RESTART, self._root.pause(self._own_window.count(now)))
        self._own_window.reset()
        return Order(Next.PARK, self._root.options.park_seconds)

    def request_stop(self, reason: str, code: int = 1000, text: str = "") -> None:
        """Ask it to stop its children and end."""
        self._ask(Stop(reason, code, text))

    def cut_off(self, reason: str) -> None:
        """Ask it to end: its children have their own time for that."""
        self.request_stop(reason)

    def hurry(self, until: float) -> None:
        """Have its stop be done before *until*, on trio's clock; each child has its share."""
        # A moment before: or it would be given up in the moment in which it gives up a child.
        until -= min(_MOMENT, max(0.0, until - trio.current_time()) / 10)
        if until < self._until:
            self._until = until
            self._bell.wake()

    def request_rest(self, reason: str, *, at_once: bool = False) -> None:
        """Ask it to stop its children, in their own time, and to wait before it starts anew."""
        self._ask(Stop(reason, 1000, again=True))

    def _ask(self, stop: Stop) -> None:
        # Also while it stops: it may have been about to begin anew.
        if self.state != "ended":
            self._asked.append(stop)
            self._bell.wake()

    def disown(self) -> None:
        """Report that it has not ended in time, and where it waits; it stops its children yet."""
        self._root.trouble.stick(self.path)
        self.note("slot.unkillable", stack=self._stack.format() if self._stack else "")

    def abort(self, error: BaseException) -> None:
        """Take note that run() itself has failed, which is a fault of this library."""
        self.note("slot.fatal", exception=error, reason="a fault in Greenroom itself")
        self._end_as(Exit(ExitKind.CRASHED, described(error), error))

    def _end_as(self, exit_: Exit) -> None:
        reason = exit_.reason or exit_.kind.value
        self.end = f"{CRASHED}: {reason}" if exit_.kind is ExitKind.CRASHED else reason
        self._left = Left(self.end, time.time())
        self.state = "ended"
        self._entries.retire()
        self.note("supervisor.ended", reason=self.end, how=exit_.kind.value)
        self.settled.set()
        self.ended.set()

    def _tell_pause(self, order: Order) -> None:
        kind = "supervisor.parked" if order.next is Next.PARK else "supervisor.backing_off"
        if order.seconds:
            self.note(kind, seconds=round(order.seconds, 3))

    def _tell_referee(self) -> None:
        if self._referee is not None:
            self._referee.changed(cast("Child", self))

    # -- seen from outside ---------------------------------------------------------------

    @property
    def patience(self) -> float:
        """How long it may take to stop: as its children one after the other; in seconds."""
        return sum(each.body.patience for each in self._entries.values() if each.body) + 1

    @property
    def missed(self) -> list[str]:
        """The paths of what is down here, though nobody wanted it to be."""
        if self.state == "parked" or (self.end or "").startswith(CRASHED):
            return [self.path]
        entries = self._entries
        if not (self.ended.is_set() or entries.supervisors or entries.tally.has("parked", "ended")):
            return []  # as nearly always, and there may be ten thousand
        return [path for each in self._entries.values() if each.body for path in each.body.missed]

    def left(self) -> list[str]:
        """The paths of the children that have not ended, of all levels."""
        bodies = [each.body for each in self._entries.values() if each.body is not None]
        left = [each for each in [*bodies, *self._abandoned] if not each.ended.is_set()]
        return [path for each in left for path in _paths_left(each)]

    def snapshot(self) -> NodeSnapshot:
        """Return the supervisor and its children as they are now."""
        children = tuple(self._seen(entry) for entry in self._entries.values())
        return replace(self.alone(), children=children)

    def alone(self) -> NodeSnapshot:
        """Return the supervisor as it is now, without its children."""
        facts: dict[str, object] = {"strategy": str(self.spec.strategy)}
        if self.epoch > 1:
            facts["epoch"] = self.epoch
        return NodeSnapshot(
            path=self.path,
            kind="supervisor",
            name=self.spec.name,
            state=self.state,
            facts=facts,
        )

    @property
    def counted_as(self) -> str:
        """Nothing: it is no actor."""
        return ""

    def standing(self) -> Standing:
        """Return how it stands, beyond what a snapshot says."""
        now, due = trio.current_time(), self._root.pauses.get(self.path)
        age = None if self._born is None else now - self._born
        clock, window = self._clock(), self._window if self.shares_budget else self._own_window
        return Standing(
            unwell=self.unwell(),
            uptime=age if self.state == "running" else None,
            restarts=window.count(clock),
            restarts_left=window.left(clock),
            restarted=age if self.epoch > 1 else None,
            pause=max(0.0, due - now) if due is not None and self.state in PAUSES else None,
            end=self.end,
            left=self._left,
        )

    def unwell(self) -> str:
        """Say in a word or two what is wrong with it; "" if nothing is."""
        state = self.state
        if state == "ended":
            return CRASHED if (self.end or "").startswith(CRASHED) else ""
        if state in ROUGH:
            return state
        if self.path in self._root.trouble.stuck:
            return "unkillable"
        return "restarted" if self._own_window.count(self._clock()) else ""

    def words(self) -> str:
        """Return what it can be found by, beside its path: its strategy."""
        return str(self.spec.strategy)

    def states(self) -> dict[str, int]:
        """Return how many children are in each state; at once."""
        if self.ended.is_set():
            return {}
        states = self._entries.tally.states()
        for each in self._abandoned:
            entry = self._entries.get(each.path.rpartition("/")[2])
            if entry is not None and entry.body is None and states.get(NOT_STARTED):
                states[NOT_STARTED] -= 1
                states["unkillable"] = states.get("unkillable", 0) + 1
        return {state: number for state, number in states.items() if number}

    def __repr__(self) -> str:
        return f"<Supervisor {self.path} {self.spec.strategy} {self.state}>"


def _paths_left(child: Child) -> list[str]:
    return child.left() if isinstance(child, Subordinate) else [child.path]
