# Slots whose actors are traced, and what their mailboxes carry.
#
# Chosen when a slot is made (supervisor/_kinds.py), so one that is not traced has nothing of this.
# The context of a message is noted where all ways into a mailbox meet, in its sender's thread.

from contextlib import AbstractContextManager
from typing import Any, ClassVar, cast

from ...actors import ActorRef
from ...actors._decider import Directive
from ...actors._errors import described
from ...actors._exits import Exit
from ...actors._life import Life
from ...actors._mailbox import Mailbox
from ...actors._messages import Call, Cast
from ...actors._outgoing_port import OutgoingPort
from ...actors._overflow import Put
from ...actors._ports import FollowPort
from ...supervisor._crashes import name_of
from ...supervisor._slot import Slot
from ._connection import ConnectionSpan, connection_here
from ._extra import context as contexts
from ._extra import trace
from ._handling import Follower, OfSlot
from ._life import TracedLife
from ._outgoing import Outgoing
from ._ref import TracedRef
from ._span import Kind, Span, Tracer, is_valid
from ._words import of_place


class CarryingMailbox(Mailbox):
    """A mailbox that notes what was current where a message was sent."""

    __slots__ = ()

    def put_message(self, item: Cast | Call) -> Put:
        """Add a message at the end if there is room. Any thread, never blocks."""
        item.carried = contexts.get_current()
        return super().put_message(item)


class TracedSlot(Slot):
    """A slot that makes spans of what its actor does."""

    __slots__ = ("_spoken_of", "failed", "tracer", "within")

    mailbox_kind: ClassVar[type[Mailbox]] = CarryingMailbox
    ref_kind: ClassVar[type[ActorRef]] = TracedRef
    life_kind: ClassVar[type[Life]] = TracedLife

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tracer: Tracer = cast("Any", self._root.kinds).tracer
        self.failed: trace.SpanContext | None = None
        """The span in which the incarnation before has crashed."""
        self.within: ConnectionSpan | None = None
        """The span of its connection, as long as that is open."""
        self._spoken_of = 0  # the id of the error that a span tells of, until it is on record
        if self.connection is not None:
            self.within = connection_here.get()
            if self.within is not None:
                self.within.serve(self)

    @property
    def trace(self) -> FollowPort | None:
        """Who follows what it handles: the spans, and the operator's trace if there is one."""
        operator = super().trace
        return Follower(self.tracer, operator)

    def outgoing(self) -> OutgoingPort | None:
        """Return the span, to be begun, of an attempt to connect elsewhere. Any thread."""
        return None if self._life is None else Outgoing(self.tracer, self._life)

    @property
    def called(self) -> str:
        """What its spans call it."""
        return self.actor.__name__

    @property
    def connection_span(self) -> Span:
        """The span of its connection; one that is not part of a trace if there is none."""
        return trace.INVALID_SPAN if self.within is None else self.within.span

    def crashed_in(self, span: Span, error: BaseException) -> None:
        """Take note that a handler has crashed, which *span* tells of. Any thread."""
        self.failed, self._spoken_of = span.get_span_context(), id(error)

    def opened(self, life: Life) -> None:
        """Take note that *life* has begun and serves its mailbox; say so on its spans."""
        super().opened(life)
        name = "greenroom.started" if life.epoch == 1 else "greenroom.restarted"
        here = trace.get_current_span()
        self.tracer.event(here, name, of_place(life))
        if self.connection_span is not here:
            self.tracer.event(self.connection_span, name, of_place(life))

    def beginning(self, life: Life) -> AbstractContextManager[object]:
        """
        Return the block in which *life* begins.

        Where another one has crashed, its span is linked to the one that tells of that, and part of
        the same trace if no connection has one.
        """
        links: tuple[trace.Link, ...] = ()
        within = None
        failed, self.failed = self.failed, None
        if failed is not None and failed.is_valid:
            links = (trace.Link(failed),)
            if not is_valid(trace.get_current_span()):
                within = trace.set_span_in_context(trace.NonRecordingSpan(failed))
        name, attributes = f"start {self.called}", of_place(life)
        span = self.tracer.start(name, Kind.INTERNAL, attributes, within=within, links=links)
        return OfSlot(self.tracer, self, span, within=within)

    def span_of(self, life: Life, what: str) -> OfSlot:
        """Return the block in which *what* of *life* runs, which is no message."""
        span = self.tracer.start(f"{what} {self.called}", Kind.INTERNAL, of_place(life))
        return OfSlot(self.tracer, self, span)

    def _record(
        self, exit_: Exit, directive: Directive | None = None, kind: str = "slot.crashed"
    ) -> None:
        super()._record(exit_, directive, kind)
        error, life = exit_.error, self._life
        if error is None or life is None:
            return
        attributes = of_place(life)
        if self._spoken_of != id(error):  # a task's, say, which has no span of its own
            span = self.tracer.start(f"crash {self.called}", Kind.INTERNAL, attributes)
            self.failed = span.get_span_context()
            self.tracer.end(span, error)
        resumed = directive is Directive.RESUME
        self._spoken_of, self.failed = 0, None if resumed else self.failed
        attributes["exception.type"] = name_of(error)
        attributes["exception.message"] = described(error)
        name = "greenroom.resumed" if resumed else "greenroom.crashed"
        self.tracer.event(self.connection_span, name, attributes)
