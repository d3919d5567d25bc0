# A pool of tasks as those see it who have work for it: on trio, and in worker threads.
#
# After Elixir's Task.Supervisor: run() is its async and await in one, for to await later is what
# a nursery is for; start() with reply_to its async_nolink, and without its start_child.

import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple, cast, overload

import trio

from ..actors import ActorNotFound, ActorRef, UndeclaredMessage, WrongSide
from ..actors._batch import wait_in_thread
from ..actors._lowlevel import checkpoint
from ..actors._ref import target_of
from ..actors._reply import Reply
from ._errors import TaskTimeout
from ._options import refuse_unless_seconds
from ._place import Place
from ._task import TaskDone, TaskFailed, Work
from ._task_supervisor import TaskSupervisor

if TYPE_CHECKING:
    from ._entry import Entry
    from ._root import Root

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class TaskPool:
    """
    Runs functions as tasks of a :class:`TaskPoolSpec`: one-off children, never restarted.

    Returned by ``root.task_pool(path)``; it stands through restarts of the pool. A ``def``
    function runs in one of the tree's worker threads, an ``async def`` one on trio. It is given
    positional arguments; for others there is ``functools.partial``. It runs in the context of
    the tree, not in the caller's. ``root.supervisor(path)`` counts the tasks, lists them and
    stops them by name.
    """

    __slots__ = ("_root", "path")

    def __init__(self, root: "Root", path: str) -> None:
        self._root = root
        self.path = path
        """Where the pool is in the tree."""
        self._supervisor()

    @overload
    async def run(
        self,
        function: Callable[[*Ts], Awaitable[T]],
        *args: *Ts,
        timeout: float | None = None,
        name: str = "",
    ) -> T: ...
    @overload
    async def run(
        self,
        function: Callable[[*Ts], T],
        *args: *Ts,
        timeout: float | None = None,
        name: str = "",
    ) -> T: ...
    async def run(
        self,
        function: Callable[..., Any],
        *args: Any,
        timeout: float | None = None,
        name: str = "",
    ) -> Any:
        """
        Run ``function(*args)`` as a task; return its result. Always a checkpoint.

        A cancellation or the timeout cuts the task off: it is cancelled at once, and what it
        returns after that reaches nobody. Neither waits for its end, until which it keeps its
        place. What the task raises is raised here, and is one line in the log, without a
        traceback.

        Args:
            function: What to run.
            args: Its arguments.
            timeout: Seconds; None for any time.
            name: The last part of the task's path; the function's name and a number if left out.

        Raises:
            TooManyChildren: There are ``max_tasks`` already.
            AlreadyStarted: There is a task of that *name*.
            SupervisorStopping: The pool is stopping.
            ActorNotFound: The pool is down.
            TaskTimeout: It was not done within *timeout*.
            TaskStopped: It was stopped by somebody else before it was done.
            TypeError, ValueError: *function* is none, or the *name* or the *timeout* is no good.
            WrongSide: Called in a worker thread; use :meth:`run_blocking`.
            Exception: And what the function raises.
        """
        if not self._root.loop.is_here():
            raise WrongSide("pool.run", "in a worker thread", "pool.run_blocking(...)")
        _refuse_bad_timeout(timeout)
        if trio.current_effective_deadline() == -inf:
            await checkpoint()  # raises Cancelled: nothing is begun
        ended = trio.Event()
        reply = Reply(ended.set)
        pool = self._supervisor()
        entry = pool.begin(self._root.kinds.work(function, args, reply=reply), name)
        try:
            with trio.move_on_after(inf if timeout is None else timeout):
                await ended.wait()
        finally:
            if not reply.done:
                reply.abandon()
                pool.cut_short(entry, "nobody waits for it any more")
        return _result(reply, f"{self.path}/{entry.spec.name}", timeout)

    @overload
    def run_blocking(
        self,
        function: Callable[[*Ts], Awaitable[T]],
        *args: *Ts,
        timeout: float | None = None,
        name: str = "",
    ) -> T: ...
    @overload
    def run_blocking(
        self,
        function: Callable[[*Ts], T],
        *args: *Ts,
        timeout: float | None = None,
        name: str = "",
    ) -> T: ...
    def run_blocking(
        self,
        function: Callable[..., Any],
        *args: Any,
        timeout: float | None = None,
        name: str = "",
    ) -> Any:
        """
        Do what :meth:`run` does, from a worker thread, whose place is free while it waits.

        Args:
            function: What to run.
            args: Its arguments.
            timeout: Seconds; None for any time.
            name: The last part of the task's path.

        Raises:
            Stale: The calling incarnation was told to stop meanwhile, which cuts the task off.
            WrongSide: Called on trio; use ``await pool.run(...)``.
            Exception: And what :meth:`run` raises.
        """
        self._need_thread("run_blocking", "await pool.run(...)")
        _refuse_bad_timeout(timeout)
        ended = threading.Event()
        reply = Reply(ended.set)
        begun: list[tuple[TaskSupervisor, Entry]] = []
        work = self._root.kinds.work(function, args, reply=reply)
        self._root.loop.call_soon(self._begin_for_thread, work, name, reply, begun)
        try:
            _wait(ended, timeout)
        finally:
            if not reply.done:
                reply.abandon()
                with suppress(trio.RunFinishedError):  # then it has ended already
                    self._root.loop.call_soon(_cut_short, begun)
        named = begun[0][1].spec.name if begun else name or work.name
        return _result(reply, f"{self.path}/{named}", timeout)

    def start(
        self,
        function: Callable[[*Ts], object],
        *args: *Ts,
        reply_to: ActorRef | None = None,
        name: str = "",
    ) -> ActorRef:
        """
        Begin ``function(*args)`` as a task; return its reference at once. Not a checkpoint.

        The task goes on when whoever has started it ends, and what it raises does not touch
        him: it is logged with its traceback.

        Args:
            function: What to run.
            args: Its arguments.
            reply_to: Who is sent one :class:`TaskDone` or :class:`TaskFailed`, whatever ends the
                task. While his mailbox is full, the task keeps its place in the pool.
            name: The last part of the task's path; the function's name and a number if left out.

        Raises:
            TooManyChildren: There are ``max_tasks`` already.
            AlreadyStarted: There is a task of that *name*.
            SupervisorStopping: The pool is stopping.
            ActorNotFound: The pool is down.
            UndeclaredMessage: *reply_to* has no handler for both messages.
            TypeError, ValueError: *function* is none, *reply_to* no reference, or the *name* no
                good.
            WrongSide: Called in a worker thread; use :meth:`start_blocking`.
        """
        if not self._root.loop.is_here():
            raise WrongSide("pool.start", "in a worker thread", "pool.start_blocking(...)")
        _refuse_deaf(reply_to)
        return self._start(self._root.kinds.work(function, args, reply_to=reply_to), name)

    def start_blocking(
        self,
        function: Callable[[*Ts], object],
        *args: *Ts,
        reply_to: ActorRef | None = None,
        name: str = "",
    ) -> ActorRef:
        """
        Do what :meth:`start` does, from a worker thread, which waits for a turn of the loop.

        Args:
            function: What to run.
            args: Its arguments.
            reply_to: Who is told of its end.
            name: The last part of the task's path.

        Raises:
            Stale: The calling incarnation was told to stop meanwhile; the task may have begun.
            WrongSide: Called on trio; use ``pool.start(...)``.
            Exception: And what :meth:`start` raises.
        """
        self._need_thread("start_blocking", "pool.start(...)")
        _refuse_deaf(reply_to)
        work = self._root.kinds.work(function, args, reply_to=reply_to)
        answered = threading.Event()
        reply = Reply(answered.set)
        self._root.loop.call_soon(self._start_for_thread, work, name, reply)
        _wait(answered, None)
        return cast("ActorRef", _result(reply, self.path, None))

    # -- on the loop ------------------------------------------------------------------------

    def _supervisor(self) -> TaskSupervisor:
        pool = self._root.supervisor(self.path)
        if not isinstance(pool, TaskSupervisor):
            raise ActorNotFound(self.path)
        return pool

    def _start(self, work: Work, name: str) -> ActorRef:
        entry = self._supervisor().begin(work, name)
        return cast("Place", entry.body).ref

    # What a callback raises ends the whole loop; Reply hands it to the thread.

    def _start_for_thread(self, work: Work, name: str, reply: Reply) -> None:
        try:
            reply.set(self._start(work, name))
        except Exception as error:  # noqa: BLE001
            reply.fail(error)

    def _begin_for_thread(
        self, work: Work, name: str, reply: Reply, begun: "list[tuple[TaskSupervisor, Entry]]"
    ) -> None:
        if reply.abandoned:
            return
        try:
            pool = self._supervisor()
            begun.append((pool, pool.begin(work, name)))
        except Exception as error:  # noqa: BLE001
            reply.fail(error)

    def _need_thread(self, used: str, instead: str) -> None:
        if self._root.loop.is_here():
            raise WrongSide(f"pool.{used}", "on trio", instead)

    def __repr__(self) -> str:
        return f"<TaskPool {self.path}>"


def _cut_short(begun: "list[tuple[TaskSupervisor, Entry]]") -> None:
    for pool, entry in begun:
        pool.cut_short(entry, "nobody waits for it any more")


def _wait(event: threading.Event, seconds: float | None) -> None:
    most = threading.TIMEOUT_MAX
    wait_in_thread(event, most if seconds is None else min(seconds, most))


def _result(reply: Reply, path: str, timeout: float | None) -> Any:
    if not reply.done:
        assert timeout is not None
        raise TaskTimeout(path, timeout)
    return reply.result()


def _refuse_bad_timeout(timeout: float | None) -> None:
    if timeout is not None:
        refuse_unless_seconds("timeout", timeout, zero=True)


def _refuse_deaf(receiver: ActorRef | None) -> None:
    """Refuse a *receiver* that has no handler for what would come."""
    if receiver is None:
        return
    if not isinstance(receiver, ActorRef):
        raise TypeError(f"reply_to must be a reference, such as self.ref. Got: {receiver!r}")
    target = target_of(receiver)
    for message in (TaskDone(receiver, "", None), TaskFailed(receiver, "", "", "stopped")):
        if not isinstance(target, Place) or target.actor.handler_table().find(message) is None:
            raise UndeclaredMessage(receiver.path, type(message).__qualname__)
