# What an operator, or the application, may ask of a running supervisor.
#
# As in OTP: a child that was stopped keeps its place and its spec, and can be started again;
# a temporary one is forgotten. Everything here is done by the supervisor's own task, one
# after the other, so that it never meets a restart half way.

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TypeVar

from ..actors import ActorRef
from ..actors._context import current_life, in_background
from ._dynamic_spec import PartitionSpec, partition_of
from ._entries import actor_of
from ._entry import Entry
from ._errors import AlreadyStarted, ChildNotFound, StartsStill, SupervisorStopping
from ._spec import Restart
from ._supervision import Supervision
from ._supervisor_spec import Spec, SupervisorSpec, refuse_insignificance, spec_of
from ._tally import NOT_STARTED
from ._tree import NodeSnapshot

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Counts:
    """How many children a supervisor has, as OTP counts them."""

    specs: int
    """Children with a place, whether they run or not."""
    active: int
    """Those that run."""
    supervisors: int
    """Those that are supervisors, running or not."""
    workers: int
    """Those that are actors, running or not."""


class Administration(Supervision):
    """
    The part of a supervisor that operators use: adding, stopping, restarting, counting.

    What changes something is done in turn, between restarts, by the supervisor's own task. It can't
    be asked for in the ``started()`` of an actor below it, whose start that task waits for: this
    raises :class:`StartsStill`, and ``after_start()`` is the place.
    """

    async def add(self, child: object) -> str:
        """
        Start one more child, behind the others; return its path. Always a checkpoint.

        It stands last in the order and is restarted like the rest. A cancellation before
        its turn leaves nothing behind; after that it is started all the same.

        Args:
            child: An actor class, a :class:`ChildSpec` or a :class:`SupervisorSpec`.

        Raises:
            AlreadyStarted: A child of that name runs.
            ValueError: A child of that name is stopped: use :meth:`start_child`; or it is
                significant, which this supervisor does not look at.
            StartFailed: It did not start; it is forgotten.
            SupervisorStopping: The supervisor is stopping.
            TypeError: *child* is none.
        """
        spec = spec_of(child, self._root.options)
        refuse_insignificance(spec, self.spec.auto_shutdown)
        return await self._ask_in_turn(partial(self._add, spec))

    async def start_child(self, name: str) -> str:
        """
        Start a child that is stopped; return its path. Always a checkpoint.

        Raises:
            AlreadyStarted: It runs.
            ChildNotFound: There is none of that *name*.
            StartFailed: It did not start; it stays stopped, and its place is kept.
            SupervisorStopping: The supervisor is stopping.
        """
        return await self._ask_in_turn(partial(self._start_child, name))

    async def stop_child(self, name: str) -> None:
        """
        Stop a child, in its own time. Always a checkpoint.

        It keeps its place, and stays down until it is started by hand, whatever its siblings
        do; a temporary one is forgotten. One that is stopped already is left as it is.

        Raises:
            ChildNotFound: There is none of that *name*.
            SupervisorStopping: The supervisor is stopping.
        """
        await self._ask_in_turn(partial(self._stop_child, name))

    async def restart_child(self, name: str) -> str:
        """
        Stop a child, if it runs, and start it anew; return its path. Always a checkpoint.

        Nothing is charged to a budget. It has a new reference: those who hold the old one
        hold that of an actor that has ended.

        Raises:
            ChildNotFound, StartFailed, SupervisorStopping: As for :meth:`start_child`.
        """
        return await self._ask_in_turn(partial(self._restart_child, name))

    async def delete_child(self, name: str) -> None:
        """
        Forget a child that is stopped. Always a checkpoint.

        Raises:
            AlreadyStarted: It runs: stop it first.
            ChildNotFound: There is none of that *name*.
            SupervisorStopping: The supervisor is stopping.
        """
        await self._ask_in_turn(partial(self._delete_child, name))

    def partition(self, key: str | bytes | int) -> ActorRef:
        """
        Return the reference of the child that stands for *key*: always the same one.

        Loop thread only; of a supervisor that was made from a :class:`PartitionSpec`.

        Raises:
            ActorNotFound: That child is down.
            TypeError: *key* is no string, bytes or whole number, or this is another kind of
                supervisor.
        """
        if not isinstance(self.spec, PartitionSpec):
            raise TypeError(f"{self.path} has no partitions: make it from a PartitionSpec")
        number = partition_of(key, self.spec.partitions)
        return self._root.find(f"{self.path}/{number}")

    def counts(self) -> Counts:
        """Count the children, however many, at once. Loop thread only, not a checkpoint."""
        entries = self._entries
        supervisors = entries.supervisors
        return Counts(len(entries), len(entries.up), supervisors, len(entries) - supervisors)

    def children(self, begin: int = 0, most: int = 100) -> list[NodeSnapshot]:
        """
        Return *most* children, in start order, from number *begin* on. Loop thread only.

        Raises:
            ValueError: One of the numbers is negative.
        """
        if begin < 0 or most < 0:
            raise ValueError(f"begin and most must not be negative. Got: {begin!r}, {most!r}")
        return [self._seen(entry) for entry in islice(self._entries.values(), begin, begin + most)]

    def entries(self) -> list[Entry]:
        """Return what is kept of each child, in start order. Loop thread only."""
        return list(self._entries.values())

    def entry(self, name: str) -> Entry | None:
        """Return what is kept of the child *name*; None if there is none. Loop thread only."""
        return self._entries.get(name)

    def is_abandoned(self, path: str) -> bool:
        """Say whether a child that was at *path* has not ended in time, nor since."""
        return any(each.path == path for each in self._abandoned)

    def seen(self, entry: Entry) -> NodeSnapshot:
        """Return a child that has no body. Loop thread only."""
        return self._seen(entry)

    async def _ask_in_turn(self, act: Callable[[], Awaitable[R]]) -> R:
        """Have the supervisor's task do *act*; refuse who holds that task up himself."""
        life = None if in_background.get() else current_life.get()
        if life is not None and life.starts and life.host.path.startswith(f"{self.path}/"):
            raise StartsStill(life.host.path, self.path)
        return await self._requests.ask(act)

    # -- by the supervisor's task ----------------------------------------------------------

    async def _add(self, spec: Spec) -> str:
        there = self._entries.get(spec.name)
        if there is not None and there.alive:
            raise AlreadyStarted(self._path_of(spec))
        if there is not None:
            raise ValueError(
                f"{self.path} has a child named {spec.name!r}, which is stopped: use start_child()"
            )
        entry = self._entries.enter(Entry(spec))
        problem = await self._start(entry)
        if problem is not None:
            if await self._stop(entry, "it failed to start"):
                self._entries.forget(entry)
            raise problem
        return self._path_of(spec)

    async def _start_child(self, name: str) -> str:
        entry = self._entry(name)
        if entry.alive:
            raise AlreadyStarted(self._path_of(entry.spec))
        problem = await self._start(entry)
        if problem is not None:
            await self._stop(entry, "it failed to start")
            entry.off = True
            raise problem
        return self._path_of(entry.spec)

    async def _stop_child(self, name: str) -> None:
        entry = self._entry(name)
        entry.off = True
        await self._bring_down(entry, "stopped by hand")
        if entry.spec.restart is Restart.TEMPORARY:
            self._entries.forget(entry)

    async def _restart_child(self, name: str) -> str:
        entry = self._entry(name)
        await self._bring_down(entry, "restarted by hand")
        return await self._start_child(name) if name in self._entries else await self._again(entry)

    async def _again(self, entry: Entry) -> str:
        self._entries.enter(entry)  # a temporary one, forgotten when it ended
        return await self._start_child(entry.spec.name)

    async def _delete_child(self, name: str) -> None:
        entry = self._entry(name)
        if entry.alive:
            raise AlreadyStarted(self._path_of(entry.spec))
        self._entries.forget(entry)

    async def _bring_down(self, entry: Entry, reason: str) -> None:
        """Stop *entry*; or leave it to the end of this supervisor, which has come meanwhile."""
        if not await self._stop(entry, reason):
            raise SupervisorStopping(self.path)

    def _entry(self, name: str) -> Entry:
        entry = self._entries.get(name)
        if entry is None:
            raise ChildNotFound(self.path, name)
        return entry

    def _seen(self, entry: Entry) -> NodeSnapshot:
        if entry.body is not None:
            return entry.body.snapshot()
        spec = entry.spec
        kind = "supervisor" if isinstance(spec, SupervisorSpec) else "slot"
        path = self._path_of(spec)
        state = "unkillable" if self.is_abandoned(path) else NOT_STARTED
        return NodeSnapshot(path, kind, spec.name, actor_of(spec), state)
