# What a child and its supervisor say to each other; protocols only.
#
# A child that has crashed does not know what comes next where its siblings or a common
# budget have a say: it tells its supervisor, and waits to be told. The supervisor never
# reaches into a child: it asks for a stop, or for a rest, and is told of every change.

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import trio

    from ..actors._decider import Directive
    from ..actors._exits import Exit
    from ..actors._lowlevel import Occasion
    from ._standing import Standing
    from ._tally import Tally
    from ._tree import NodeSnapshot
    from ._verdict import Order


class Referee(Protocol):
    """The supervisor, as one of its children sees it. Loop thread only."""

    def crashed(self, child: "Child", exit_: "Exit") -> None:
        """Answer, now or later, what follows: :meth:`Child.tell`."""
        ...

    def changed(self, child: "Child") -> None:
        """Look at *child* again: it runs, rests or waits."""
        ...

    @property
    def shares_budget(self) -> bool:
        """Whether its children have one budget together."""
        ...

    def restarts_left(self, own: int | None) -> int | None:
        """Restarts that the child's budget covers, which may be its *own*."""
        ...


class Child(Protocol):
    """Whatever stands below a supervisor: a slot, or another supervisor. Loop thread only."""

    @property
    def path(self) -> str:
        """Where it is in the tree."""
        ...

    @property
    def state(self) -> str:
        """What it is doing; ``waiting`` for :meth:`tell`, among others."""
        ...

    @property
    def epoch(self) -> int:
        """Which incarnation it is in, counted from 1."""
        ...

    @property
    def settled(self) -> "Occasion":
        """Set when it serves for the first time, or has ended without that."""
        ...

    @property
    def ended(self) -> "Occasion":
        """Set at its end."""
        ...

    @property
    def first_error(self) -> BaseException | None:
        """What its first start failed with."""
        ...

    @property
    def end(self) -> str | None:
        """Why it has ended; None as long as it lives."""
        ...

    @property
    def missed(self) -> list[str]:
        """The paths of what is down here, though nobody wanted it to be."""
        ...

    @property
    def calls(self) -> str:
        """The path of the actor that it calls and waits for; empty if it does not."""
        ...

    @property
    def patience(self) -> float:
        """How long it may take to stop, in seconds."""
        ...

    async def run(self, nursery: "trio.Nursery") -> "Exit":
        """Live to the end. A checkpoint; shielded, never raises."""
        ...

    def directive(self, exit_: "Exit") -> "Directive | None":
        """Return what its class says of the error that *exit_* is about, if anything."""
        ...

    def judge(self, exit_: "Exit") -> "Order":
        """Decide what follows *exit_* by its own budget, which is charged."""
        ...

    def tell(self, order: "Order") -> None:
        """Say what follows the crash, or the rest, in which it waits."""
        ...

    def request_stop(self, reason: str, code: int = 1000, text: str = "") -> None:
        """Ask it to end."""
        ...

    def cut_off(self, reason: str) -> None:
        """Ask it to end, and cancel what it does at once."""
        ...

    def request_rest(self, reason: str, *, at_once: bool = False) -> None:
        """Ask this incarnation to end, *at_once* in the middle; the next waits to be told."""
        ...

    def disown(self) -> None:
        """Report that it has not stopped in time, and where it waits; it is inert from now on."""
        ...

    def abort(self, error: BaseException) -> None:
        """Take note that :meth:`run` itself has failed."""
        ...

    def snapshot(self) -> "NodeSnapshot":
        """Return it as it is now."""
        ...

    def alone(self) -> "NodeSnapshot":
        """Return it as it is now, in short."""
        ...

    def unwell(self) -> str:
        """Say in a word or two what is wrong with it; "" if nothing is."""
        ...

    def standing(self) -> "Standing":
        """Return how it stands, beyond what a snapshot says."""
        ...

    def words(self) -> str:
        """Return what it can be found by, beside its path."""
        ...

    def be_counted(self, tally: "Tally | None") -> None:
        """Be counted in *tally* from now on, and no more where it was counted."""
        ...
