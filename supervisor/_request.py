# The slot of one HTTP request: `temporary`, nothing is run twice.
#
# Its work is an ASGI application's, not an actor's, so there are no incarnations;
# but it has a place in the tree, a reference and a mailbox like any slot, is asked
# to stop like any, and its crash is recorded like any.

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import trio

from ..actors import ActorRef
from ..actors._exits import Exit, ExitKind, Verdict, judge
from ..actors._lowlevel import TaskStack
from ..actors._mailbox import Mailbox
from ..actors._messages import Call, Cast, Stop
from ..actors._ports import MonitorsPort
from ._current import HERE
from ._events import described
from ._monitors import Fault, fault_of
from ._stacks import Line, waiting_at
from ._standing import Standing
from ._tally import Stated, Tally
from ._tree import NodeSnapshot

if TYPE_CHECKING:
    from ._root import Root

ASKED = "asked to stop"


def current_slot() -> "RequestSlot | None":
    """Return the slot of the request that the calling task answers, or None."""
    return HERE.get()


class RequestSlot(Stated):
    """One HTTP request in the tree, or a WebSocket that somebody else's application serves."""

    def __init__(self, root: "Root", path: str, what: str, actor: str = "http") -> None:
        self.path = path
        self.loop = root.loop
        self.mailbox = Mailbox(root.loop, capacity=0)  # it handles no messages
        self.ref = ActorRef(self)
        self.ended = trio.Event()
        self.end: str | None = None
        self.fault: Fault | None = None
        self._tally: Tally | None = None
        self._state = "running"
        self.awaits: Callable[[], str | None] | None = None
        """Says on which event loop async code of it runs now, if its application can tell."""
        self.held: tuple[str, str] | None = None
        """The loop and the worker thread, if the code that is awaited was called by a thread."""
        self.status = 0
        """Of its response; 0 as long as it is not known."""
        self.route = ""
        """The pattern that its path matched in its application, if that can tell."""
        self._root = root
        self._what = what
        self._actor = actor
        self._began = trio.current_time()
        self._scope = trio.CancelScope()
        self._stack = TaskStack()  # it is made by the task that runs it

    @property
    def monitors(self) -> MonitorsPort:
        """Where ends are told."""
        return self._root.monitors

    async def run(self, work: Callable[[], Awaitable[object]]) -> Exit:
        """
        Do *work*; an exception of it becomes the record that is returned.

        A checkpoint as *work* is. A cancellation from outside goes through.
        """
        exit_ = Exit(ExitKind.STOPPED, "done")
        HERE.set(self)
        try:
            with self._scope:
                await work()
            if self._scope.cancelled_caught:
                exit_ = Exit(ExitKind.STOPPED, ASKED)
        except trio.Cancelled:  # noqa: ASYNC103 - a foreign one must not reach the server
            if trio.current_effective_deadline() == -float("inf"):
                raise
            exit_ = Exit(ExitKind.FATAL, "a Cancelled of a foreign scope")
            self._root.events.emit("slot.fatal", self.path, 1, error=exit_.reason)
        except BaseException as error:  # never to reach the server as such, see judge()
            if judge(error) is Verdict.FOREIGN and _cancelled():
                raise
            exit_ = self._crashed(error)
        finally:
            self.state = "ended"
            self.end = exit_.reason
            self.fault = fault_of(exit_)
            self.mailbox.close()
            self.ended.set()
            self._root.monitors.ended(self)
        return exit_

    def _crashed(self, error: BaseException) -> Exit:
        fatal = judge(error) in (Verdict.FATAL, Verdict.FOREIGN)
        kind = "slot.fatal" if fatal else "slot.crashed"
        self._root.events.emit(
            kind, self.path, 1, message=self._what, error=described(error), exception=error
        )
        if fatal:
            self._root.fatal(self.path)
        return Exit(
            ExitKind.FATAL if fatal else ExitKind.CRASHED, described(error), error, self._what
        )

    def request_stop(
        self, reason: str, code: int = 1000, text: str = "", *, patient: bool = False
    ) -> None:
        """Have it cancelled once `shutdown_seconds` are over. Any thread."""
        if not self.loop.is_here():
            with suppress(trio.RunFinishedError):  # then it has ended already
                self.loop.call_soon(self.request_stop, reason, code, text)
        elif self.state == "running":  # asked again it has no more time than before
            self.mailbox.put_control(Stop(reason, code, text))
            self.state = "stopping"
            self._scope.deadline = trio.current_time() + self._root.options.shutdown_seconds

    @contextmanager
    def holding(self, loop: str, thread: str) -> Generator[None, None, None]:
        """Show in the tree, while the block runs, where is awaited what *thread* waits for."""
        before, self.held = self.held, (loop, thread)
        try:
            yield
        finally:
            self.held = before

    def stuck(self) -> None:
        """Tell that it has not ended in time, and where it waits."""
        self._root.trouble.stick(self.path)
        self._root.events.emit("slot.unkillable", self.path, 1, stack=self.waits_at())

    def waits_at(self) -> str:
        """Return where its task waits, outermost call first, a line each."""
        return self._stack.format()

    def lines(self) -> list[Line]:
        """Return where its task waits, outermost call first. Loop thread only."""
        return waiting_at(self._stack)

    def waits_when_full(self) -> bool:
        """A request handles no messages, so nobody waits for it."""
        return False

    def risen(self) -> None:
        """Take note of nothing: its mailbox has room for none, and is never high."""

    def overflow(self, item: Cast | Call) -> bool:
        """Make every message a dead letter."""
        self.dead_letter(item.message, "an HTTP request handles no messages")
        return False

    def dead_letter(self, message: object, reason: str, sender: str = "") -> None:
        """Record a message that nobody handles."""
        self._root.dead_letters.add(self.path, message, reason, 1, sender)

    def snapshot(self) -> NodeSnapshot:
        """Return the request as it is now."""
        facts: dict[str, object] = {
            "request": self._what,
            "seconds": round(trio.current_time() - self._began, 3),
        }
        awaits = self.awaits() if self.awaits is not None else None
        if self.held is not None:
            facts["awaits"], facts["thread"] = self.held
        elif awaits is not None:
            facts["awaits"] = awaits
        return NodeSnapshot(
            path=self.path,
            kind="slot",
            name=self.path.rpartition("/")[2],
            actor=self._actor,
            state=self.state,
            epoch=1,
            mailbox=(0, self.mailbox.capacity),
            restarts_left=0,
            facts=facts,
        )

    alone = snapshot

    @property
    def counted_as(self) -> str:
        """What it is, in the place of an actor's class."""
        return self._actor

    def standing(self) -> Standing:
        """Return how it stands, beyond what a snapshot says."""
        seconds = trio.current_time() - self._began
        where = f"waits for {self.held[0]}, in {self.held[1]}" if self.held is not None else ""
        return Standing(
            unwell=self.unwell(), uptime=seconds, end=self.end, busy=seconds, where=where
        )

    def unwell(self) -> str:
        """Say in a word what is wrong with it; "" if nothing is."""
        return "unkillable" if self.path in self._root.trouble.stuck else ""

    def words(self) -> str:
        """Return what it can be found by, beside its path."""
        return f"{self._actor}\n{self._what}"


def _cancelled() -> bool:
    return trio.current_effective_deadline() == -float("inf")
