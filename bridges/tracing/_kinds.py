# What a traced tree is made of, and the switch for all trees of a process.

from collections.abc import Awaitable
from functools import partial
from typing import Any

from ...supervisor._engine import Engine
from ...supervisor._events import EventStream
from ...supervisor._groups import Groups
from ...supervisor._kinds import Kinds, set_default_kinds
from ...supervisor._slot import Slot
from ...supervisor._task import TaskSlot
from ._connection import Scope, Serve, connection_here, follow
from ._extra import context as contexts
from ._extra import trace
from ._groups import ContextCarrier, TracedGroups, publishing
from ._slot import TracedSlot
from ._span import Tracer
from ._task import CarryingWork, TracedTaskSlot

TRACED: dict[type[Slot], type[Slot]] = {Slot: TracedSlot, TaskSlot: TracedTaskSlot}
"""What is made in the place of which kind."""


class TracedKinds(Kinds):
    """
    The parts of a tree that makes spans.

    Args:
        provider: Where its spans go; None for the one of the process.
    """

    work = CarryingWork

    def __init__(self, provider: trace.TracerProvider | None = None) -> None:
        self.tracer = Tracer(provider)
        self.leaves_requests = False
        """Whether somebody else makes the spans of requests that are no consumer's."""
        self.connection = self._connection
        self.visited = _visited
        self.publish = partial(publishing, self.tracer)

    def slot(self, kind: type[Slot]) -> type[Slot]:
        """Return the class of slots to make in the place of *kind*."""
        return TRACED[kind]

    def groups(self, engine: Engine, events: EventStream) -> Groups:
        """Make the groups of a tree, and have *engine* carry their contexts."""
        engine.carry(ContextCarrier(self.tracer))
        return TracedGroups(engine, events, self.tracer)

    def _connection(self, serve: Serve, scope: Scope, receive: Any, send: Any) -> Awaitable[None]:
        lazy = self.leaves_requests and scope["type"] == "http"
        return follow(self.tracer, serve, scope, receive, send, lazy=lazy)


def _visited(slot: Slot) -> object:
    here = connection_here.get()
    if here is not None:
        here.visit(slot)
    return contexts.get_current()


def instrument(*, tracer_provider: trace.TracerProvider | None = None) -> None:
    """
    Have every tree that begins from now on in this process make spans of what it does.

    In the place of the setting ``TRACING``; before the server starts the application. Again is
    to begin anew with another provider.

    Args:
        tracer_provider: Where the spans go; None for the one that the process has set, or sets
            before it serves.

    Raises:
        TypeError: *tracer_provider* is none.
    """
    if tracer_provider is not None and not isinstance(tracer_provider, trace.TracerProvider):
        raise TypeError(
            "tracer_provider must be a TracerProvider of OpenTelemetry, or None for the one that is"
            f" set with trace.set_tracer_provider(...). Got: {tracer_provider!r}"
        )
    set_default_kinds(TracedKinds(tracer_provider))


def uninstrument() -> None:
    """Have trees that begin from now on make no spans, unless their setting ``TRACING`` says so."""
    set_default_kinds(Kinds())
