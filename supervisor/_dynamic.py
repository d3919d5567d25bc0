# The supervisor of children that come and go: none waits for another.
#
# OTP's simple_one_for_one and Elixir's DynamicSupervisor run a child's init inside the
# supervisor, which starts one after the other. Here the place is taken at the call, and the init
# runs in the child's own task, so that a slow one holds up nobody. And what is asked of one
# child is done by whoever asks: there is no order among them that it could disturb.
#
# Invariants, each with a test of that name in tests/conformance/test_dynamic.py:
#   BESIDE     starts, and ends, of different children do not wait for each other.
#   BOUNDED    never more than max_children, also of those that start at once.
#   FORGOTTEN  a child that has ended for good leaves nothing behind.

from itertools import count
from typing import TYPE_CHECKING, ClassVar

import trio

from ..actors._exits import Exit
from ._dynamic_spec import DynamicSpec
from ._entry import Entry
from ._errors import AlreadyStarted, SupervisorStopping, TooManyChildren
from ._referee import Referee
from ._supervisor import Supervisor
from ._supervisor_spec import Spec, refuse_insignificance, renamed, spec_of

if TYPE_CHECKING:
    from ._root import Root


class DynamicSupervisor(Supervisor):
    """
    A supervisor of children that come and go; made from a :class:`DynamicSpec`.

    A class that is added without a name of its own gets one with a number, such as
    ``session-17``. What was stopped by hand is forgotten, so there is nothing to start again.
    """

    most_option: ClassVar = "max_children"

    def __init__(self, root: "Root", path: str, spec: DynamicSpec, referee: Referee | None) -> None:
        super().__init__(root, path, spec, referee)
        self._most = spec.max_children
        self._numbers = count(1)

    async def add(self, child: object) -> str:
        """
        Start one more child and wait until it serves; return its path. Always a checkpoint.

        Others are started meanwhile. A cancellation before it serves stops it again.

        Args:
            child: An actor class, a :class:`ChildSpec` or a :class:`SupervisorSpec`.

        Raises:
            AlreadyStarted: There is a child of that name.
            TooManyChildren: There are ``max_children`` already.
            StartFailed: It did not start; it is forgotten.
            SupervisorStopping: The supervisor is stopping.
            TypeError, ValueError: *child* is none, or is significant.
        """
        spec = spec_of(child, self._root.options)
        refuse_insignificance(spec, self.spec.auto_shutdown)
        if isinstance(child, type):
            spec = renamed(spec, f"{spec.name}-{next(self._numbers)}")
        return await self._start_beside(spec)

    async def start_child(self, name: str) -> str:
        """
        Refuse: a child that runs runs already, and one that does not is forgotten.

        Raises:
            AlreadyStarted: There is one of that *name*.
            ChildNotFound: There is none.
        """
        raise AlreadyStarted(self._path_of(self._entry(name).spec))

    async def stop_child(self, name: str) -> None:
        """
        Stop a child, in its own time, and forget it. A checkpoint.

        After a cancellation it is stopped all the same.

        Raises:
            ChildNotFound: There is none of that *name*.
        """
        entry = self._entry(name)
        await self._stop_beside(entry, "stopped by hand")
        self._entries.forget(entry)

    async def restart_child(self, name: str) -> str:
        """
        Stop a child and start it anew, under a new reference; return its path. A checkpoint.

        Nothing is charged to a budget. A cancellation may leave it stopped.

        Raises:
            ChildNotFound: There is none of that *name*.
            AlreadyStarted: Somebody has taken the name meanwhile.
            StartFailed, SupervisorStopping: As for :meth:`add`.
        """
        spec = self._entry(name).spec
        await self.stop_child(name)
        return await self._start_beside(spec)

    async def _start_beside(self, spec: Spec) -> str:
        entry = self._enter(spec)
        body = self._begin(entry)
        try:
            with trio.move_on_after(entry.patience):
                await body.settled.wait()
        except trio.Cancelled:  # nobody else looks at how long it takes
            if not body.settled.is_set():
                body.cut_off("nobody waits for its start any more")
            raise
        problem = self._problem(body, entry.patience)
        if problem is not None:
            await self._stop_beside(entry, "it failed to start")
            self._entries.forget(entry)
            raise problem
        return body.path

    async def _stop_beside(self, entry: Entry, reason: str) -> None:
        """Stop the body of *entry*, in the task of who asks for it; a cancellation leaves it so."""
        body = entry.body
        if body is None or body.ended.is_set():
            return
        self._ask_to_stop(entry, reason, self._until)
        with trio.move_on_at(entry.late):  # not shielded: the child itself may be asking
            await body.ended.wait()
        if not body.ended.is_set() and entry.body is body:  # else it is given up already
            self._abandon(entry)

    def _enter(self, spec: Spec) -> Entry:
        """Take a place for a child of *spec*, if there is one."""
        if self.state != "running" or self._over is not None or self._control:
            raise SupervisorStopping(self.path)
        if spec.name in self._entries:
            raise AlreadyStarted(self._path_of(spec))
        if self._most is not None and len(self._entries) >= self._most:
            raise TooManyChildren(self.path, self._most, self.most_option)
        return self._entries.enter(Entry(spec))

    def _child_ended(self, entry: Entry, exit_: Exit | None) -> None:
        self._entries.forget(entry)

    @property
    def patience(self) -> float:
        """How long it may take to stop: as the slowest of its children; in seconds."""
        bodies = [each.body for each in self._entries.values() if each.body]
        return max((body.patience for body in bodies), default=0.0) + 1

    async def _stop_all(self, reason: str) -> None:
        entries = [entry for entry in self._entries.values() if entry.alive]
        for entry in entries:
            self._ask_to_stop(entry, reason, self._until)
        for entry in entries:
            await self._stop_for_good(entry, reason)
