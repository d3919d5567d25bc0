# The root of the tree: one for each process, opened by whoever receives lifespan.
#
# Invariants, each with a test of that name in tests/supervisor/test_root.py:
#   ORDER      residents start before connections are taken; at the end connections
#              end before residents stop.
#   NO LEAK    nothing that a child raises gets out of run().
#   REFUSING   a root that is not up takes no connection.

import random
from collections.abc import Callable, Sequence
from typing import Any, cast

import trio

from ..actors import ActorNotFound, ActorRef, ThreadHooks, ThreadPool
from ..actors._lowlevel import LoopThread, task_stacks
from ..actors._ref import target_of
from ..actors._workers import Workers
from ._backoff import Backoff
from ._connections import Connections
from ._current import CURRENT
from ._dead_letters import DeadLetters
from ._dynamic import DynamicSupervisor
from ._dynamic_spec import DynamicSpec
from ._engine import Engine
from ._errands import Errands
from ._events import EventStream
from ._flow import Flow
from ._inquiries import Inquiries
from ._kinds import Kinds, default_kinds
from ._log import log_events
from ._meter import Meter
from ._monitors import Monitors
from ._options import Options
from ._overview import Overview
from ._presences import Presences
from ._referee import Child, Referee
from ._registry import Registry
from ._residents import Residents
from ._sink import Sink
from ._supervisor import Supervisor
from ._supervisor_spec import Spec, SupervisorSpec
from ._suspensions import Suspensions
from ._tally import Census, Stated
from ._task_pool import TaskPool
from ._task_pool_spec import TaskPoolSpec
from ._task_supervisor import TaskSupervisor
from ._traces import Traces
from ._trouble import Trouble
from ._watch import Watch

_FOR_CONNECTIONS = 0.75  # of the total deadline, if there are residents; the rest is theirs
_FOR_REPORTS = 1.0  # seconds


class Root(Overview):
    """
    The tree of this process: connections, residents, groups, names, events, dead letters.

    Args:
        engine: Carries group messages to other processes.
        children: The residents, in start order.
        options: Limits, deadlines and budgets.
        hooks: Run around the work of the consumers' threads.
        leave: Called when the process should drain and leave (``on_fatal="shutdown"``).
        abandon: Called when the tree has not stopped within ``total_shutdown_seconds``,
            with one sentence: the process must leave by force, for nothing else helps.
        workers: Makes, as :class:`ThreadPool` does, what carries out `def` handlers.
        kinds: What its parts are made of.

    Raises:
        RuntimeError: Not made inside trio.
        ValueError: Two children have one name.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        children: Sequence[Spec] = (),
        options: Options | None = None,
        hooks: ThreadHooks | None = None,
        leave: Callable[[str], object] | None = None,
        abandon: Callable[[str], object] | None = None,
        workers: Callable[..., Workers] = ThreadPool,
        kinds: Kinds | None = None,
    ) -> None:
        self.options = options or Options()
        self.loop = LoopThread.current()
        self._refs: dict[str, ActorRef] = {}
        self.events = EventStream()
        self.kinds = kinds or default_kinds()
        self.meter = Meter(self.events, self._place_at, Flow(self._refs))
        """What is counted of what happened."""
        self.dead_letters = DeadLetters(self.events)
        self.groups = self.kinds.groups(engine, self.events)
        grace = self.options.presence_grace_seconds
        self.presences = Presences(engine, self.events, self.loop, grace)
        """Who is present in which topic, in all processes that the engine reaches."""
        self.trouble = Trouble(self.events, self.loop, self._is_known)
        """Who may be in trouble. Loop thread only."""
        self.census = Census(self.trouble)
        """How many actors are in which state, by class. Loop thread only."""
        self.registry = Registry(self.events)
        """Who has which name, and who offers what."""
        self.monitors = Monitors()
        self.workers = workers
        """Makes pools of threads, or what stands in for them."""
        self.pool = _pool(workers, self.options, hooks or ThreadHooks())
        self.pools: list[Workers] = [self.pool]
        """All pools whose threads belong to the tree, for its snapshot."""
        self.bridged: dict[type, Any] = {}
        """What bridges keep for this tree, each under a class of its own. Loop thread only."""
        self.random = random.Random(self.options.seed)  # noqa: S311 - for jitter
        """Where all jitter of the tree comes from. Loop thread only."""
        self.connections = Connections(self)
        self.residents = Residents(self, children)
        self.backoff = _backoff(self.options)
        """Of all slots whose class or spec has none of its own."""
        self.tasks: trio.Nursery | None = None
        """Where the background tasks of connections' actors run, each in a shield of its own."""
        self._engine = engine
        self._leave = leave
        self._abandon = abandon
        self.ending = trio.Event()
        """Set when the tree begins to stop: the total deadline runs."""
        self._tasks_left: tuple[str, ...] = (
            "background tasks",
        )  # until the tree's nursery has ended
        self.suspensions = Suspensions(self)
        """Who is put to rest for a while, by an operator."""
        self._watch = Watch(self)
        self.inquiries = Inquiries()
        """Who asks which actor for its state."""
        self._errands = Errands(self)
        self.pauses: dict[str, float] = {}  # by path, when what waits for it begins anew
        self.supervisors: dict[str, Supervisor] = {"/residents": self.residents}
        """All by path. Loop thread only."""
        self.traces = Traces(self, self._refs, self.supervisors)
        """Whose messages an operator looks at, for a while."""
        self._state = "new"
        self._stop = trio.Event()
        self._why_down = ""
        self.stopped = trio.Event()
        """Set when :meth:`run` has stopped the tree."""

    def __deepcopy__(self, memo: dict[int, object]) -> "Root":
        """
        Return the root itself: a middleware may copy a whole scope, and there is one tree.

        hypercorn's ``ProxyFixMiddleware`` does, for every request.
        """
        return self

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """
        Start the tree, serve until :meth:`stop` or a cancellation, stop the tree.

        Always a checkpoint. The stop is orderly also when cancelled: shielded, and
        within ``total_shutdown_seconds``.

        Raises:
            ExceptionGroup: Of one StartFailed: a resident failed to start; nothing runs
                any more. Or of what the engine has failed with.
        """
        self._state = "starting"
        unlog = log_events(self.events)
        token = CURRENT.set(self)
        self._watch.begin()
        try:
            failure: ExceptionGroup[Exception] | None = None
            async with trio.open_nursery() as watched:
                overdue = trio.CancelScope(shield=True)
                watched.start_soon(self._watch_the_end, overdue)
                try:
                    await self._run(task_status)
                except ExceptionGroup as group:
                    failure = group  # raised outside of this nursery, which would wrap it
                finally:
                    self._tasks_left = ()
                    self._errands.close()
                    if not self.connections.left():
                        overdue.cancel()
            if failure is not None:
                raise failure
        finally:
            CURRENT.reset(token)
            self._watch.end()
            self._state = "stopped"
            self.events.emit("root.stopped", "/")
            self.stopped.set()
            unlog()

    def stop(self) -> None:
        """
        Have :meth:`run` stop the tree and return. Loop thread only.

        Past ``total_shutdown_seconds`` the process leaves by force, where it is the server's.
        """
        self._stop.set()

    async def drain(self, reason: str = "shutdown", code: int = 1012) -> bool:
        """
        Refuse new connections, end the open ones, and wait for them. A checkpoint.

        Bounded by ``total_shutdown_seconds``; returns whether all have ended. After
        a cancellation new connections stay refused.
        """
        return await self._drain(reason, code, self.options.total_shutdown_seconds)

    def find(self, path: str) -> ActorRef:
        """
        Return the reference of the living actor at *path*. Any thread.

        Raises:
            ActorNotFound: There is none.
        """
        ref = self._refs.get(path)
        if ref is None or not ref.alive:  # an ended slot leaves the tree a little later
            raise ActorNotFound(path)
        return ref

    def supervisor(self, path: str) -> Supervisor:
        """
        Return the supervisor at *path*, such as ``/residents``. Loop thread only.

        Raises:
            ActorNotFound: There is none.
        """
        found = self.supervisors.get(path)
        if found is None:
            raise ActorNotFound(path)
        return found

    def task_pool(self, path: str) -> TaskPool:
        """
        Return the pool of tasks at *path*, such as ``/residents/tasks``. Any thread.

        Raises:
            ActorNotFound: There is none.
        """
        return TaskPool(self, path)

    # -- for the parts of the tree -----------------------------------------------------

    def register(self, path: str, ref: ActorRef) -> None:
        """Make *path* findable."""
        self._refs[path] = ref

    def make_supervisor(self, path: str, spec: SupervisorSpec, referee: Referee) -> Supervisor:
        """Make the supervisor that *spec* describes, below another one."""
        kind = DynamicSupervisor if isinstance(spec, DynamicSpec) else Supervisor
        kind = TaskSupervisor if isinstance(spec, TaskPoolSpec) else kind
        return kind(self, path, cast("Any", spec), referee)

    def register_supervisor(self, path: str, supervisor: Supervisor) -> None:
        """Make *path* findable as a supervisor's."""
        self.supervisors[path] = supervisor

    def unregister(self, path: str) -> None:
        """Forget *path*."""
        self._refs.pop(path, None)
        self.supervisors.pop(path, None)
        self.suspensions.forget(path)
        self.pauses.pop(path, None)
        self.traces.forget(path)
        self.trouble.forget(path)

    def _is_known(self, path: str) -> bool:
        return path in self._refs or path in self.supervisors or path == "/connections"

    def _place_at(self, path: str) -> Stated | None:
        """Return what lives at *path*, but for supervisors. Any thread."""
        ref = self._refs.get(path)
        place: object = None if ref is None else target_of(ref)
        return place if isinstance(place, Stated) else None

    def pause(self, attempt: int) -> float:
        """Return the seconds to wait before restart number *attempt* in a row."""
        return self.backoff.delay(attempt, self.random.random())

    def escalated(self, child: Child) -> None:
        """Take note that a child's failure is too much for its supervisor."""
        self._state = "down"
        self._why_down = f", because {child.path} escalated"

    def fatal(self, path: str) -> None:
        """Take note of a fatal end below; leave, if the options say so."""
        if self.options.on_fatal == "shutdown" and self._leave is not None:
            self._leave(f"fatal error in {path}")

    async def _run(self, task_status: trio.TaskStatus[None]) -> None:
        async with trio.open_nursery() as nursery:
            self.tasks = nursery
            # The engine's tasks and the residents are shielded from this scope's
            # cancellation one by one; it is turned into a stop request here.
            engine_scope = trio.CancelScope()
            await nursery.start(self._run_engine, engine_scope)
            presence_scope = trio.CancelScope(shield=True)
            nursery.start_soon(self._run_presences, presence_scope)
            engine_scope.shield = True  # before, who cancels a start would wait for it for ever
            try:
                await self.residents.start(nursery)
                if self._state == "starting":  # else a child has escalated already
                    self._state = "running"
                self.events.emit("root.started", "/")
                task_status.started()
                await self._stop.wait()
            finally:
                self.ending.set()
                with trio.CancelScope(shield=True):
                    await self._wind_up()
                self.traces.close()
                self._errands.close()
                presence_scope.cancel()
                engine_scope.cancel()

    async def _run_engine(
        self, scope: trio.CancelScope, *, task_status: trio.TaskStatus[None]
    ) -> None:
        with scope:
            sink = Sink(self.groups, self.presences)
            await self._engine.run(sink, task_status=task_status)

    async def _run_presences(self, scope: trio.CancelScope) -> None:
        with scope:
            await self.presences.run()

    async def _drain(self, reason: str, code: int, seconds: float) -> bool:
        if self._state == "running":
            self._state = "stopping"
            self.events.emit("root.stopping", "/", connections=self.connections.open)
        return await self.connections.drain(reason, code, seconds)

    async def _wind_up(self) -> None:
        total = self.options.total_shutdown_seconds
        until = trio.current_time() + total
        self.presences.leave()
        # Connections that will not end must not take the residents' time as well.
        share = _FOR_CONNECTIONS if self.residents.left() else 1.0
        await self._drain("shutdown", 1012, total * share)
        await self.residents.stop(until)
        await self.pool.aclose(timeout=1.0)

    async def _watch_the_end(self, scope: trio.CancelScope) -> None:
        with scope:
            await self.ending.wait()
            # A little more than the total, in which all that is late is reported.
            seconds = self.options.total_shutdown_seconds
            await trio.sleep(seconds + _FOR_REPORTS)
            left = [*self.connections.left(), *self.residents.left(), *self._tasks_left]
            if not left:
                return
            self.events.emit("root.overdue", "/", left=left, stack=task_stacks())
            if self._abandon is not None:
                self._abandon(f"not stopped within {seconds:g} s, left by force: {', '.join(left)}")


def _pool(workers: Callable[..., Workers], options: Options, hooks: ThreadHooks) -> Workers:
    return workers("consumers", options.consumer_threads, hooks=hooks, spare=options.parked_threads)


def _backoff(options: Options) -> Backoff:
    return Backoff(options.backoff_min_seconds, options.backoff_max_seconds, options.backoff_jitter)
