# The supervisor of tasks: children that are there for one function each, and end with it.
#
# A DynamicSupervisor whose children are made of functions. What it adds: whoever wants to know
# is told how each ended. In OTP a task tells that itself, and dies with a caller that it is
# linked to; here its supervisor does, which knows of every end.
#
# Invariants, each with a test of that name in tests/supervisor/test_task_pool.py:
#   TOLD ONCE   each task's end is told exactly once, whatever ended it, and behind the end:
#               its place is free by then.
#   BOUNDED     an outcome that finds its receiver's mailbox full keeps the task's place until
#               there is room, so that never more than max_tasks wait.

from typing import TYPE_CHECKING, cast

import trio

from ..actors import ActorRef, ActorStopped, MailboxFull
from ..actors._exits import Exit
from ..actors._messages import Cast
from ..actors._overflow import Put
from ..actors._ref import send_plainly, target_of
from ._dead_letters import ENDED
from ._dynamic import DynamicSupervisor
from ._entry import Entry
from ._spec import ChildSpec, Restart
from ._task import PoolTask, TaskDone, TaskFailed, TaskSlot, Work, name_for
from ._task_pool_spec import TaskPoolSpec

if TYPE_CHECKING:
    from ._referee import Referee
    from ._root import Root


class TaskSupervisor(DynamicSupervisor):
    """The supervisor of a pool's tasks; made from a :class:`TaskPoolSpec`."""

    slot_kind = TaskSlot
    most_option = "max_tasks"

    def __init__(
        self, root: "Root", path: str, spec: TaskPoolSpec, referee: "Referee | None"
    ) -> None:
        super().__init__(root, path, spec, referee)
        self._seconds = spec.shutdown_seconds
        self._held_up: dict[Entry, trio.CancelScope] = {}  # whose outcomes wait for room

    async def add(self, child: object) -> str:
        """
        Refuse: the children of a pool are its tasks.

        Raises:
            TypeError: Always.
        """
        raise TypeError(
            f"{self.path} is a pool of tasks: use root.task_pool({self.path!r}).start(function)."
            f" Got: {child!r}"
        )

    async def stop_child(self, name: str) -> None:
        """
        Stop a task, in its own time, and forget it. A checkpoint.

        Raises:
            ChildNotFound: There is none of that *name*.
        """
        entry = self._entry(name)
        await self._stop_beside(entry, "stopped by hand")
        if entry not in self._held_up:
            self._entries.forget(entry)

    async def restart_child(self, name: str) -> str:
        """
        Refuse: a task is run once.

        Raises:
            TypeError: There is one of that *name*.
            ChildNotFound: There is none.
        """
        self._entry(name)
        raise TypeError(f"{self.path} is a pool of tasks, which are run once. Got: {name!r}")

    def begin(self, work: Work, name: str) -> Entry:
        """
        Begin *work* as a new child, and return at once.

        Raises:
            AlreadyStarted: There is a child of that *name*.
            TooManyChildren: There are ``max_tasks`` already.
            SupervisorStopping: The pool is stopping.
            TypeError, ValueError: *name* can't be the last part of a path.
        """
        spec = ChildSpec(
            actor=PoolTask,
            name=name or name_for(work, next(self._numbers)),
            kwargs={"work": work},
            restart=Restart.TEMPORARY,
            shutdown_seconds=self._seconds,
        )
        entry = self._enter(spec)
        self._begin(entry)
        return entry

    def cut_short(self, entry: Entry, reason: str) -> None:
        """Cancel the task of *entry* at once, and see to it that it ends. Not a checkpoint."""
        if entry.body is not None and entry.alive:
            entry.body.cut_off(reason)
            assert self._nursery is not None
            name = f"greenroom {entry.body.path} is cut off"
            self._nursery.start_soon(self._see_off, entry, reason, name=name)

    async def _see_off(self, entry: Entry, reason: str) -> None:
        await self._stop_beside(entry, reason)
        self._entries.forget(entry)

    def _child_ended(self, entry: Entry, exit_: Exit | None) -> None:
        assert entry.body is not None
        error = exit_.error if exit_ is not None else None
        if self._delivered(entry, entry.body.end or "ended", error):
            self._entries.forget(entry)
        else:
            self._entries.look_at(entry)

    def _abandon(self, entry: Entry) -> None:
        self._delivered(entry, "it was told to stop, and did not end in time", None)
        super()._abandon(entry)

    def _delivered(self, entry: Entry, reason: str, error: BaseException | None) -> bool:
        """Tell how the task of *entry* ended; say whether that is done, or waits for room."""
        slot = cast("TaskSlot", entry.body)
        receiver = slot.work.reply_to
        outcome = slot.work.conclude(slot.ref, reason, slot.fault, error)
        if receiver is None:
            return True
        # Not by its reference: where sending is traced that would be a trace of its own.
        target, item = target_of(receiver), Cast(outcome)
        put = target.mailbox.put_message(item)
        if put is Put.FULL and target.waits_when_full():
            self._hold_up(entry, receiver, outcome)
            return False
        if put is Put.RISEN:
            target.risen()
        elif put is Put.CLOSED:
            target.dead_letter(outcome, f"{ENDED} ({target.end})")
        elif put is Put.FULL:
            try:
                target.overflow(item)
            except MailboxFull:
                target.dead_letter(outcome, "a task's outcome for a full mailbox")
        return True

    def _hold_up(self, entry: Entry, receiver: ActorRef, outcome: TaskDone | TaskFailed) -> None:
        assert self._nursery is not None
        self._held_up[entry] = trio.CancelScope(shield=True)
        name = f"greenroom {outcome.path} waits for room"
        self._nursery.start_soon(self._tell_later, entry, receiver, outcome, name=name)

    async def _tell_later(
        self, entry: Entry, receiver: ActorRef, outcome: TaskDone | TaskFailed
    ) -> None:
        why = "the pool has stopped, and the mailbox is full"
        with self._held_up[entry]:
            try:
                await send_plainly(receiver, outcome)
                why = ""
            except ActorStopped as error:
                why = f"{ENDED} ({error.reason})"
        del self._held_up[entry]
        if why:
            target_of(receiver).dead_letter(outcome, why)
        self._entries.forget(entry)

    async def _stop_all(self, reason: str) -> None:
        await super()._stop_all(reason)
        for scope in self._held_up.values():
            scope.cancel()
