# The span of one message that is handled. Its parent is the span in which the message was sent; of
# what came from outside, the connection's. A tick may come hours after its timer was set, and again
# and again: the span in which that was done is linked to it. So is that of a task, where its end is
# told, by the pool or by whoever hands that on. What a further request brings to a session is below
# that request, with a link to the one that began the session.

from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Any, cast

from ...actors import ActorRef
from ...actors._life import Life
from ...actors._messages import Cast, InFrame, Item, Tick
from ...actors._ports import FollowPort
from ...actors._ref import target_of
from ...supervisor._task import TaskDone, TaskFailed
from ._extra import trace
from ._span import Context, Current, Span, SpanContext, Tracer, is_valid, outcome_of
from ._words import kind_of, of_handling

Links = tuple[trace.Link, ...]
_ENDS = (TaskDone, TaskFailed)


class OfSlot(Current):
    """A block in which code of an actor runs, whose crash is told to its slot."""

    __slots__ = ("_slot",)

    def __init__(
        self, tracer: Tracer, slot: Any, span: Span, *, within: Context | None = None
    ) -> None:
        super().__init__(tracer, span, within=within, path=slot.path)
        self._slot = slot

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None and outcome_of(error, self._path) is None:
            self._slot.crashed_in(self.span, error)
        super().__exit__(kind, error, traceback)


class Handling(OfSlot):
    """The block in which a handler of *life* runs for *item*."""

    __slots__ = ()

    def __init__(self, tracer: Tracer, life: Life, item: Item) -> None:
        kind = kind_of(item)
        name, attributes = of_handling(life, item, kind)
        sent, links = _origin(life, item)
        span = tracer.start(name, kind, attributes, within=sent, links=links)
        super().__init__(tracer, life.host, span, within=sent)


class Follower:
    """Follows what is handled: what loops know as their trace; *operator* looks as well."""

    __slots__ = ("_operator", "_tracer")

    def __init__(self, tracer: Tracer, operator: FollowPort | None = None) -> None:
        self._tracer, self._operator = tracer, operator

    def around(self, life: Life, item: Item) -> AbstractContextManager[object]:
        """Return a block for the handler of *item*."""
        handling = Handling(self._tracer, life, item)
        if self._operator is None:
            return handling
        both = ExitStack()
        both.enter_context(handling)
        both.enter_context(self._operator.around(life, item))
        return both


def _origin(life: Life, item: Item) -> tuple[Context | None, Links]:
    """Return below what *item* is handled, None for what is current, and what is linked to that."""
    sent = carried_by(item)
    if type(item) is Tick:
        return None, links_to(sent)
    within = sent if sent is not None and is_valid(trace.get_current_span(sent)) else None
    if type(item) is Cast:
        return within, _of_task(item.message)
    if type(item) is InFrame and within is not None:
        # of a further request of the session that another one has begun
        host: Any = life.host
        return within, _link_to(host.connection_span.get_span_context())
    return within, ()


def _of_task(message: object) -> Links:
    """Return a link to the task whose end *message* tells, if it does, whoever has sent it."""
    if type(message) not in _ENDS:  # no isinstance: what a user's message is asked may raise
        return ()
    ref = getattr(message, "ref", None)  # a test of a user's may have made it, of anything
    if not issubclass(type(ref), ActorRef):
        return ()
    return _link_to(getattr(target_of(cast("ActorRef", ref)), "ran", None))


def carried_by(item: Any) -> Context | None:
    """Return what was current where *item* was sent, or its timer set; None if unknown."""
    source = item.timer if type(item) is Tick else item
    return cast("Context | None", getattr(source, "carried", None))


def links_to(context: Context | None) -> Links:
    """Return a link to the span that is current in *context*, if one is."""
    return _link_to(trace.get_current_span(context).get_span_context()) if context else ()


def _link_to(place: SpanContext | None) -> Links:
    return () if place is None or not place.is_valid else (trace.Link(place),)
