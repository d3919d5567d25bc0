# What a slot tells of itself when somebody looks at it alone: more than at a row of many.

from typing import Any

import trio

from ..actors._actor import Actor
from ..actors._life import Life
from ..actors._workers import Workers
from ._backoff import backoff_of
from ._effective import Effective, effective_of_actor, effective_of_connection
from ._stacks import Line, stack_of_thread, waiting_at
from ._tree import CrashReport
from ._verdict import Policy
from ._witness import Witness


class Detailed(Witness):
    """The part of a slot that its own page shows. Loop thread only."""

    __slots__ = ()

    actor: type[Actor]
    began: float | None
    pool: Workers
    shutdown_seconds: float
    _kwargs: dict[str, Any]
    _policy: Policy

    @property
    def life(self) -> Life | None:
        """Its incarnation, the last if none runs; None before its first."""
        return self._life

    def age(self) -> float | None:
        """Return how many seconds ago its first incarnation began; None before that."""
        return None if self.began is None else trio.current_time() - self.began

    def history(self, *, tracebacks: bool) -> list[CrashReport]:
        """Return the last crashes, oldest first; *tracebacks* take long to put into words."""
        return [each.report if tracebacks else each.brief for each in self._crashes]

    def effective(self) -> Effective:
        """Return the options that hold for it."""
        options = self._root.options
        told = effective_of_actor(
            self.actor,
            options,
            policy=self._policy,
            window=self._window,
            backoff=self._policy.backoff or backoff_of(self.actor, self._root.backoff),
            shutdown_seconds=self.shutdown_seconds,
            capacity=self.mailbox.capacity,
            arguments=self._kwargs,
        )
        if self.connection is not None:
            limits = self._root.connections.limits_of(self.actor)
            told |= effective_of_connection(limits, options)
        return told

    @property
    def thread(self) -> str | None:
        """The thread that its handler runs in, "" while it waits for one; None on trio."""
        return None if self._life is None else self._life.hop.thread

    def lines(self) -> list[Line]:
        """Return where its task waits; where its handler has a thread, that one's lines behind."""
        lines = waiting_at(self._stack)
        job = None if self._life is None else self._life.hop.job
        if job is None:
            return lines
        # By the thread's number: pools of several trees have threads of the same name.
        idents = (ident for held, ident in self.pool.holders() if held is job)
        return lines + stack_of_thread(next(idents, 0))
