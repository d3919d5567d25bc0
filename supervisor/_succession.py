# Between two incarnations: who says what comes next, and how it is waited for.
#
# The same for a slot and for a supervisor below another one. Without a supervisor that has
# a say, as for connections, the child's own budget decides.
#
# Invariants, each with a test of that name in tests/supervisor/test_succession.py:
#   CUT SHORT    a stop that is asked for ends every wait in here at once.
#   A TURN       between two incarnations everybody else has a turn, whatever the pause.
#   BY HAND      who backs off or rests begins as soon as an operator says so; asked by its
#                supervisor to rest meanwhile, it waits for that one's word.

from typing import TYPE_CHECKING, cast

import trio

from ..actors._exits import stopped
from ._errors import InvalidState
from ._tally import Stated
from ._verdict import Next, Order

if TYPE_CHECKING:
    from ..actors._exits import Exit
    from ..actors._lowlevel import Parker
    from ..actors._messages import Stop
    from ._referee import Child, Referee


PAUSES = ("backing off", "parked")


class Succession(Stated):
    """What is the same in whatever has incarnations. Loop thread only."""

    __slots__ = ()

    _referee: "Referee | None"
    _told: Order | None

    @property
    def _parker(self) -> "Parker":
        """Where it waits; woken for a stop."""
        raise NotImplementedError

    @property
    def _control(self) -> "list[Stop]":
        """What it was asked for and has not obeyed yet."""
        raise NotImplementedError

    def judge(self, exit_: "Exit") -> Order:
        """Decide what follows *exit_* by its own budget, which is charged."""
        raise NotImplementedError

    def _tell_pause(self, order: Order) -> None:
        """Take note that it begins to wait for *order*."""
        raise NotImplementedError

    def tell(self, order: Order) -> None:
        """Say what follows the crash, or the rest, in which it waits."""
        self._told, self.state = order, "starting"
        self._parker.wake()

    @property
    def pausing(self) -> bool:
        """Whether it backs off or rests, and could begin at once."""
        return self.state in PAUSES

    def wake(self) -> str:
        """
        Have the next incarnation begin at once; return what it did until now.

        Raises:
            InvalidState: It neither backs off nor rests.
        """
        was = self.state
        if not self.pausing:
            raise InvalidState(self.path, was, "only what is parked or backing off can be woken")
        self.tell(Order(Next.RESTART))
        return was

    async def _follow(self, order: Order) -> "Stop | None":
        """Wait until the next incarnation may begin; return the stop that came in between."""
        while True:
            stop = await self._pause(order)
            if stop is None or not stop.again:
                return stop
            order = await self._ordered(stopped(stop))
            if order.next in (Next.END, Next.ESCALATE):
                return stop

    async def _ordered(self, exit_: "Exit") -> Order:
        """Learn what comes next: from the supervisor, where it has a say."""
        if exit_.by_hand:
            return Order(Next.RESTART)
        if self._referee is None:
            return self.judge(exit_)
        self._told, self.state = None, "waiting"
        self._control[:] = [stop for stop in self._control if not stop.again]  # for so it does
        me = cast("Child", self)
        self._referee.changed(me) if exit_.again else self._referee.crashed(me, exit_)
        with trio.CancelScope(shield=True):
            while self._told is None and not self._control:  # it answers, or asks to stop
                await self._parker.park()
        return self._told or Order(Next.RESTART)

    async def _pause(self, order: Order) -> "Stop | None":
        """Back off or park; return the stop that cut it short."""
        self.state = "parked" if order.next is Next.PARK else "backing off"
        self._told = None
        self._tell_pause(order)
        with trio.move_on_after(order.seconds, shield=True):
            while order.seconds and not self._control and self._told is None:
                await self._parker.park()
        if not order.seconds:
            with trio.CancelScope(shield=True):
                await trio.sleep(0)
        ends = [stop for stop in self._control if not stop.again]  # an end goes before the rest
        asked = ends or self._control[:1]
        for stop in asked[:1]:
            self._control.remove(stop)
            return stop
        return None
