# One task of a pool: the function, the actor that runs it, its slot, and how it ended.
#
# The actor does nothing else: it runs the function where other actors begin, and stops itself.
# So a task is started, stopped, cut off, reported and shown as every actor is.
#
# Invariants, each with a test of that name in tests/supervisor/test_task_pool.py:
#   NOT KEPT   whoever holds the reference of an ended task holds neither its function, nor
#              its arguments, nor its result.

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, cast

from ..actors import Actor, ActorRef
from ..actors._life import Life
from ..actors._reply import Reply
from ..actors._tasks import name_of, unwrapped
from ..actors._unrun import refuse_unrun
from ._errors import TaskStopped
from ._monitors import Fault
from ._slot import Slot
from ._spec import refuse_bad_name
from ._tree import CrashReport, NodeSnapshot

_OF_MESSAGES = ("handled", "handling")  # which a task has none of


@dataclass(frozen=True, slots=True)
class TaskDone:
    """
    A task of a pool has returned: for the handler ``@handles(TaskDone)`` of its ``reply_to``.

    By then its place in the pool is free.
    """

    ref: ActorRef
    """Whose end it is, as :meth:`TaskPool.start` returned it."""
    path: str
    """Where in the tree it was."""
    value: object
    """What its function returned."""


@dataclass(frozen=True, slots=True)
class TaskFailed:
    """
    A task of a pool has ended without a result: for the handler ``@handles(TaskFailed)``.
    """

    ref: ActorRef
    """Whose end it is, as :meth:`TaskPool.start` returned it."""
    path: str
    """Where in the tree it was."""
    reason: str
    """What ended it, in words."""
    kind: Literal["stopped", "crashed", "fatal"]
    """``stopped`` when somebody had it stopped before it was done; ``crashed`` when its function
    raised; ``fatal`` for SystemExit and its like."""
    error: str = ""
    """Type and text of the error, for a failure only; empty otherwise."""


class Work:
    """A function to run once, and who is told of the end. Loop thread only."""

    __slots__ = ("_args", "_function", "_is_async", "_over", "_value", "name", "reply", "reply_to")

    def __init__(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        *,
        reply: Reply | None = None,
        reply_to: ActorRef | None = None,
    ) -> None:
        _refuse_no_function(function)
        self._function: Callable[..., Any] | None = function
        self._args = args
        self._is_async = inspect.iscoroutinefunction(unwrapped(function))
        self._value: list[Any] = []  # one, once it has returned
        self._over = False
        self.name = name_of(function)
        self.reply = reply
        """Where somebody waits, if somebody does."""
        self.reply_to = reply_to
        """Who is sent a message."""

    @property
    def awaited(self) -> bool:
        """Whether somebody waits, and so gets what the function raises."""
        return self.reply is not None and not self.reply.abandoned

    async def run(self, life: Life) -> None:
        """Run the function, a `def` one in a worker thread. A checkpoint as it is."""
        function, args = self._function, self._args
        assert function is not None
        if self._is_async:
            value = await function(*args)
        else:
            batch = life.hop.batch([partial(function, *args)])
            await life.hop.run(batch, self.name)
            if not batch.begun:
                return  # told to stop before it had a thread
            value = batch.value
        refuse_unrun(value, self.name)
        if not self._over:
            self._value.append(value)

    def conclude(
        self, ref: ActorRef, reason: str, fault: Fault | None, error: BaseException | None
    ) -> TaskDone | TaskFailed:
        """
        Say how it ended, tell who waits, and forget all that it held.

        Args:
            ref: The task's.
            reason: What ended it, in words.
            fault: What it failed with; None when it did not fail, or will not end.
            error: The error itself.
        """
        outcome: TaskDone | TaskFailed
        if self._value:
            outcome = TaskDone(ref, ref.path, self._value[0])
        elif fault is None:
            outcome = TaskFailed(ref, ref.path, reason, "stopped")
        else:
            kind = "fatal" if fault.fatal else "crashed"
            outcome = TaskFailed(ref, ref.path, reason, kind, fault.error)
        reply = self.reply
        self._over, self._function, self._args, self._value = True, None, (), []
        self.reply = None
        if reply is None:
            pass
        elif isinstance(outcome, TaskDone):
            reply.set(outcome.value)
        else:
            reply.fail(_raised(outcome, error))
        return outcome


def _raised(failed: TaskFailed, error: BaseException | None) -> Exception:
    """Return what is raised where somebody waits: the task's own error, if it is one for others."""
    if failed.kind == "crashed" and isinstance(error, Exception):
        return error
    stopped = TaskStopped(failed.path, failed.error or failed.reason)
    stopped.__cause__ = error
    return stopped


class PoolTask(Actor, runtime=True):
    """The actor that a task is."""

    mailbox_capacity = 1  # nobody handles it; the least there is

    def __init__(self, work: Work) -> None:
        self._work = work

    async def after_start(self) -> None:
        """Run the function, and end."""
        await self._work.run(self._bound())
        self.stop("done")


class TaskSlot(Slot):
    """The slot of one task."""

    __slots__ = ()

    @property
    def work(self) -> Work:
        """What it is there for."""
        return cast("Work", self._kwargs["work"])

    def expects(self, error: BaseException) -> bool:
        """Say whether one line tells enough of *error*: somebody waits, to whom it is raised."""
        return self.work.awaited

    def _shown(
        self,
        crashes: tuple[CrashReport, ...] = (),
        groups: tuple[str, ...] = (),
        names: tuple[str, ...] = (),
    ) -> NodeSnapshot:
        """Return the task as it is now, with its function in the place of an actor's class."""
        seen = super()._shown(crashes, groups, names)
        facts = {name: fact for name, fact in seen.facts.items() if name not in _OF_MESSAGES}
        name = self.work.name
        return replace(seen, actor=name, restarts_left=0, mailbox=None, facts=facts)

    def words(self) -> str:
        """Return what it can be found by, beside its path: its function."""
        return self.work.name

    def unwell(self) -> str:
        """Say what is wrong with it; nothing is once it has ended, however it did."""
        return "" if self.state == "ended" else super().unwell()

    @property
    def missed(self) -> list[str]:
        """Nothing: a task that has failed was not meant to stay."""
        return []


def name_for(work: Work, number: int) -> str:
    """Return a name for the task *number*: after its function, if that has a fitting name."""
    name = f"{work.name.rpartition('.')[2]}-{number}"
    try:
        refuse_bad_name(name)
    except ValueError:
        return f"task-{number}"
    return name


def _refuse_no_function(function: object) -> None:
    if inspect.iscoroutine(function):
        function.close()
        raise TypeError(
            "a task is made of a function and its arguments: write pool.run(fetch, url), not"
            f" pool.run(fetch(url)). Got: {function!r}"
        )
    if not callable(function):
        raise TypeError(f"a task is made of a function and its arguments. Got: {function!r}")
    plain = unwrapped(function)
    if inspect.isgeneratorfunction(plain) or inspect.isasyncgenfunction(plain):
        raise TypeError(f"a task returns, it does not yield. Got: {function!r}")
