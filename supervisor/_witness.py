# What a slot tells of itself: its crashes as they happen, and how it stands when it is asked.

from time import perf_counter

import trio

from ..actors._decider import Directive
from ..actors._exits import Exit, ExitKind, Verdict, judge
from ..actors._life import Life
from ..actors._lowlevel import TaskStack
from ..actors._ports import IDENTITY, Connection
from ..actors._seen import busy_since, facts_of, where_of
from ._crashes import CRASHES_KEPT, Crash, crash_facts, crash_of
from ._dead_letters import CRASHED
from ._fallen import Graveyard
from ._intensity import RestartWindow
from ._place import Place
from ._referee import Referee
from ._standing import Left, Standing
from ._succession import PAUSES
from ._tally import ROUGH, Stated
from ._tree import CrashReport, NodeSnapshot


class Witness(Place, Stated):
    """The part of a slot that others look at."""

    __slots__ = ()

    _alive: float
    _born: float
    _crashes: tuple[Crash, ...]
    _handled: int
    _left: Left | None
    _life: Life | None
    _referee: Referee | None
    _stack: TaskStack | None
    _window: RestartWindow
    folded: int
    """How many of the messages that it has handled are counted by class: see _flow.py."""

    @property
    def handled(self) -> int:
        """How many messages it has handled. Loop thread only."""
        life = self._life
        return self._handled + (life.total if life and self._runs() else 0)

    @property
    def crashes(self) -> tuple[CrashReport, ...]:
        """The last crashes, oldest first. Any thread."""
        return tuple(each.report for each in self._crashes)

    @property
    def last_crash(self) -> CrashReport | None:
        """The last crash, as a rule without its traceback. Any thread."""
        return self._crashes[-1].brief if self._crashes else None

    def be_buried(self, graveyard: Graveyard) -> None:
        """Leave what is to be known, if it has ended and had crashed. Loop thread only."""
        if self._crashes and self._left is not None:
            graveyard.bury(self, self._crashes, self._left)

    def resumed(self, error: Exception, what: str) -> None:
        """Record an error of a handler after which the incarnation goes on. Loop thread only."""
        exit_ = Exit(ExitKind.CRASHED, what, error, what)
        self._record(exit_, Directive.RESUME, "slot.resumed")

    def stuck(self) -> None:
        """Tell that it has not ended in time, and where it waits. Loop thread only."""
        self._root.trouble.stick(self.path)
        self.note("slot.unkillable", stack=self.waits_at())

    def waits_at(self) -> str:
        """Return where its task waits, outermost call first, a line each. Loop thread only."""
        return self._stack.format() if self._stack else ""

    def report(self, error: BaseException, what: str) -> None:
        """Record an error of an incarnation that is ending anyway."""
        fatal = judge(error) in (Verdict.FATAL, Verdict.FOREIGN)
        self._record(Exit(ExitKind.FATAL if fatal else ExitKind.CRASHED, what, error, what))
        if fatal:
            self._root.fatal(self.path)

    @property
    def busy(self) -> bool:
        """Whether it handles something, or something waits for it."""
        life = self._life
        busy = life is not None and (life.busy_with or (life.beside and life.beside.busy))
        return bool(self.mailbox.queued or busy)

    @property
    def queued(self) -> int:
        """How many items wait, with those that go to a thread together with the one it does."""
        return self.mailbox.queued + (0 if self._life is None else self._life.hop.held)

    @property
    def missed(self) -> list[str]:
        """Its path, if it is down though nobody wanted it to be."""
        down = self.state == "parked" or (self.end or "").startswith(CRASHED)
        return [self.path] if down else []

    @property
    def calls(self) -> str:
        """The path of the actor that its handler calls and waits for; empty if it does not."""
        return self._life.calls if self._life is not None else ""

    @property
    def counted_as(self) -> str:
        """The name of its class."""
        return self.actor.__qualname__

    def snapshot(self) -> NodeSnapshot:
        """Return the slot as it is now. Loop thread only."""
        groups, names = self._root.groups.groups_of(self), self._root.registry.keys_of(self)
        return self._shown(self.crashes, groups, names)

    def alone(self) -> NodeSnapshot:
        """Return it in short: no crashes, groups and names. Loop thread only."""
        return self._shown()

    def _shown(
        self,
        crashes: tuple[CrashReport, ...] = (),
        groups: tuple[str, ...] = (),
        names: tuple[str, ...] = (),
    ) -> NodeSnapshot:
        life = self._life
        facts: dict[str, object] = {"handled": self.handled}
        if life is not None:
            facts.update(facts_of(life))
        if self.state == "declined":
            facts["reason"] = self.end
        if self.connection is not None:
            facts.update(self.connection.facts())
        return NodeSnapshot(
            path=self.path,
            kind="slot",
            name=self.path.rpartition("/")[2],
            actor=self.actor.__qualname__,
            state=self._shown_state(),
            epoch=self.epoch,
            crashes=crashes,
            restarts_left=self._restarts_left(self._alive_now()),
            mailbox=(self.queued, self.mailbox.capacity),
            groups=groups,
            names=names,
            facts=facts,
        )

    def standing(self) -> Standing:
        """Return how it stands, beyond what a snapshot says. Loop thread only."""
        now, due = trio.current_time(), self._root.pauses.get(self.path)
        moment, life, runs = perf_counter(), self._life, self._runs()
        since = busy_since(life) if life is not None else None
        return Standing(
            unwell=self.unwell(),
            uptime=now - self._born if runs else None,
            restarts=self._lately(),
            restarted=now - self._born if self.epoch > 1 else None,
            pause=max(0.0, due - now) if due is not None and self.state in PAUSES else None,
            end=self.end,
            left=self._left,
            crash=self.last_crash,
            busy=None if since is None else moment - since,
            idle=moment - life.since if life is not None and since is None and runs else None,
            where="" if life is None else where_of(life),
            age=self._age(moment),
        )

    def waited(self) -> float | None:
        """Return for how many seconds, at least, what is next has waited; None if nothing does."""
        return self._age(perf_counter())

    def _empty(self) -> None:
        super()._empty()
        self._root.meter.flow.fold(self)

    def _age(self, moment: float) -> float | None:
        life = self._life
        if life is not None and life.hop.held:  # it was there when what the thread does began
            return moment - life.since
        return self.mailbox.waited(moment if life is None else life.since)

    def unwell(self) -> str:
        """Say in a word or two what is wrong with it; "" if nothing is. Loop thread only."""
        state = self.state
        if state == "ended":
            return CRASHED if (self.end or "").startswith(CRASHED) else ""
        if state in ROUGH:
            return state
        if self.path in self._root.trouble.stuck:
            return "unkillable"
        if self.suspended_until is not None:
            return "suspended"
        if self.mailbox.high:
            return "mailbox high"
        return "restarted" if self._lately() else ""

    def words(self) -> str:
        """Return what it can be found by, beside its path: its class, its user."""
        return f"{self.actor.__qualname__}\n{user_of(self.connection)}"

    def _lately(self) -> int:
        """Return how many restarts count now: against its own budget, or one with its siblings."""
        if not self._crashes:
            return 0
        count = self._window.count(self._alive_now())
        referee = self._referee
        if count or self.epoch == 1 or referee is None or not referee.shares_budget:
            return count
        # The siblings' common budget does not say whose restarts it counts.
        anew = self._crashes[-1].brief.epoch == self.epoch - 1
        return int(anew and trio.current_time() - self._born <= self._window.max_seconds)

    def _shown_state(self) -> str:
        suspended = self.state == "running" and self.suspended_until is not None
        return "suspended" if suspended else self.state

    def _restarts_left(self, alive: float) -> int | None:
        own = self._window.left(alive)
        return own if self._referee is None else self._referee.restarts_left(own)

    def _runs(self) -> bool:
        # While its tasks are being ended an incarnation is in the sums already.
        return self.state == "running" and self._life is not None and not self._life.tasks.ended

    def _alive_now(self) -> float:
        return self._alive + (trio.current_time() - self._born if self._runs() else 0.0)

    def _record(
        self, exit_: Exit, directive: Directive | None = None, kind: str = "slot.crashed"
    ) -> None:
        item = self._life.item if self._life is not None else None
        alive = self._alive_now() if self.loop.is_here() else self._alive
        crash = crash_of(self, exit_, item, self._restarts_left(alive), directive)
        self._crashes = (*self._crashes, crash)[-CRASHES_KEPT:]
        if exit_.kind is ExitKind.FATAL:
            kind = "slot.fatal"
        facts = crash_facts(self, exit_, directive)
        self._root.events.emit(kind, self.path, self.epoch, **facts)

    def __repr__(self) -> str:
        return f"<Slot {self.path} {self.actor.__qualname__} epoch {self.epoch} {self.state}>"


def user_of(connection: Connection | None) -> str:
    """Return whose *connection* it is, as text; "" if nobody knows."""
    identity = connection.scope.get(IDENTITY) if connection is not None else None
    return "" if identity is None else str(identity.facts().get("user", ""))
