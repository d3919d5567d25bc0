# What the parts of a supervisor share: its state, and the small steps between.
#
# The parts: the restart of a group (_group.py), what may be asked of it (_administration.py),
# how it is a child itself (_subordinate.py), and its life, which uses them (_supervisor.py).

from collections import deque
from collections.abc import Callable
from contextvars import Context
from math import inf
from typing import TYPE_CHECKING

import trio

from ..actors import StartFailed
from ..actors._exits import Exit, ExitKind, stopped
from ..actors._lowlevel import Occasion, Parker, TaskStack
from ..actors._messages import Stop
from ._entries import Entries
from ._entry import Entry
from ._errors import SupervisorGaveUp
from ._intensity import RestartWindow
from ._referee import Child, Referee
from ._requests import Requests
from ._standing import Left
from ._succession import Succession
from ._supervisor_spec import Spec, SupervisorSpec
from ._tally import Tally
from ._verdict import Order

if TYPE_CHECKING:
    from ._root import Root


class Supervision(Succession):
    """The state of one supervisor. Loop thread only."""

    def __init__(
        self, root: "Root", path: str, spec: SupervisorSpec, referee: Referee | None
    ) -> None:
        self.path = path
        self.spec = spec
        self._tally: Tally | None = None
        self._state = "starting"
        self.epoch = 1
        self._born: float | None = None  # when its children began to be started, on trio's clock
        self._left: Left | None = None
        self.settled = Occasion()
        """Set when its children have started, or it has ended without that."""
        self.ended = Occasion()
        self.first_error: BaseException | None = None
        self.end: str | None = None
        self._root = root
        self._referee = referee
        self._told: Order | None = None
        self._entries = Entries((), path, root.census)
        self._window = RestartWindow(spec.max_restarts, spec.max_seconds)
        options = root.options
        self._own_window = RestartWindow(options.max_restarts, options.max_seconds)
        self._paused: float = 0.0  # seconds that do not count as alive
        self._bell = Parker()
        self._asked: list[Stop] = []
        self._until = inf  # when a stop must be done
        self._crashed: deque[tuple[Entry, Child, int]] = deque()  # one for each child at most
        self._requests = Requests(path, self._bell)
        self._over: Exit | None = None  # how this incarnation ends, once that is known
        self._nursery: trio.Nursery | None = None
        self._context: Context | None = None
        self._stack: TaskStack | None = None
        self._abandoned: dict[Child, None] = {}  # unkillable ones, until they have ended

    def note(self, kind: str, **facts: object) -> None:
        """Put one event on the stream."""
        self._root.events.emit(kind, self.path, self.epoch, **facts)

    def _path_of(self, spec: Spec) -> str:
        return f"{self.path}/{spec.name}"

    def _clock(self) -> float:
        return trio.current_time() - self._paused

    def _too_many(self) -> str:
        return f"more than {self.spec.max_restarts} restarts in {self.spec.max_seconds:g} s"

    def _is_over(self) -> bool:
        """Say whether this incarnation is to end: it was asked to, or has given up."""
        if self._over is None and self._asked:
            self._over = stopped(self._asked.pop(0))
        return self._over is not None

    async def _until_so(self, condition: Callable[[], object], seconds: float) -> bool:
        """Wait until *condition* holds, *seconds* at most; say whether it does."""
        with trio.move_on_after(seconds):
            while not condition():
                await self._bell.park()
        return bool(condition())

    def _give_up(self, child: str, why: str) -> None:
        """Have this incarnation end as crashed, because of what the child at that path does."""
        if self._over is not None:
            return
        error = SupervisorGaveUp(self.path, child, why)
        self._over = Exit(ExitKind.CRASHED, str(error), error, "supervising")
        self.note("supervisor.gave_up", child=child, reason=why)
        self._bell.wake()

    # -- what _supervisor.py does with it ---------------------------------------------------

    async def _start(self, entry: Entry) -> StartFailed | None:
        """Start a body for *entry* and wait until it serves; return what went wrong."""
        raise NotImplementedError

    async def _stop(self, entry: Entry, reason: str, shares: int = 1) -> bool:
        """Stop the body of *entry*; say whether it has gone, or this is to end before."""
        raise NotImplementedError

    def _abandon(self, entry: Entry) -> None:
        """Go on without a body that does not end; what it does from now on is inert."""
        raise NotImplementedError
