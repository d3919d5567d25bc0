# The span of one message that is handled. Its parent is the span in which the message was sent; of
# what came from outside, the connection's. A tick may come hours after its timer was set, and again
# and again: the span in which that was done is linked to it; so is that of a task, to who is told
# of its end.

from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Any, cast

from ...actors._life import Life
from ...actors._messages import Cast, Item, Tick
from ...actors._ports import FollowPort
from ...actors._ref import target_of
from ...supervisor._task import TaskDone, TaskFailed
from ._extra import trace
from ._span import Context, Current, Span, SpanContext, Tracer, is_valid, outcome_of
from ._words import kind_of, of_handling


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
        links: tuple[trace.Link, ...] = ()
        sent = carried_by(item)
        if type(item) is Tick:
            links, sent = links_to(sent), None
        elif type(item) is Cast and isinstance(item.message, TaskDone | TaskFailed):
            links, sent = _link_to_task(item.message), None
        elif sent is not None and not is_valid(trace.get_current_span(sent)):
            sent = None
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


def carried_by(item: Any) -> Context | None:
    """Return what was current where *item* was sent, or its timer set; None if unknown."""
    source = item.timer if type(item) is Tick else item
    return cast("Context | None", getattr(source, "carried", None))


def links_to(context: Context | None) -> tuple[trace.Link, ...]:
    """Return a link to the span that is current in *context*, if one is."""
    span = trace.get_current_span(context) if context is not None else None
    return (trace.Link(span.get_span_context()),) if span is not None and is_valid(span) else ()


def _link_to_task(outcome: TaskDone | TaskFailed) -> tuple[trace.Link, ...]:
    """Return a link to the span of the task that *outcome* tells of, if it had one."""
    ran = cast("SpanContext | None", getattr(target_of(outcome.ref), "ran", None))
    return (trace.Link(ran),) if ran is not None and ran.is_valid else ()
