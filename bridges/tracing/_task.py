# Tasks of a pool: one span each, for the run of its function.
#
# It stands below the span in which the task was asked for, if somebody waits: that one lasts until
# the task has ended. A task that is only started may run for hours when the trace it was started in
# is over, as a timer's handler may: it begins its own, with a link to where it was started.

from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

from ...actors import ActorRef
from ...actors._life import Life
from ...supervisor._monitors import Fault
from ...supervisor._task import TaskDone, TaskFailed, TaskSlot, Work
from ._extra import context as contexts
from ._handling import OfSlot, links_to
from ._slot import TracedSlot
from ._span import Context, Kind, SpanContext
from ._words import of_place


class CarryingWork(Work):
    """A function to run that knows what was current where that was asked for. Any thread."""

    __slots__ = ("carried",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.carried: Context | None = contexts.get_current()

    def conclude(
        self, ref: ActorRef, reason: str, fault: Fault | None, error: BaseException | None
    ) -> TaskDone | TaskFailed:
        """Say how it ended, and forget what it held; see :meth:`Work.conclude`."""
        self.carried = None
        return super().conclude(ref, reason, fault, error)


class TracedTaskSlot(TracedSlot, TaskSlot):
    """The slot of a task of a pool."""

    __slots__ = ("ran",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ran: SpanContext | None = None
        """The span of its function, once that has begun."""

    @property
    def called(self) -> str:
        """What its spans call it: the function."""
        return self.work.name.rpartition(".")[2]

    def beginning(self, life: Life) -> AbstractContextManager[object]:
        """Return the block in which its actor is made, which is no work of anybody's: no span."""
        return nullcontext()

    def span_of(self, life: Life, what: str) -> OfSlot:
        """Return the block in which the function runs."""
        carried = cast("CarryingWork", self.work).carried
        waited_for = self.work.reply is not None
        links = () if waited_for else links_to(carried)
        within = carried if waited_for else None
        attributes = of_place(life) | {"greenroom.actor": self.work.name}
        name = f"run {self.called}"
        span = self.tracer.start(name, Kind.INTERNAL, attributes, within=within, links=links)
        self.ran = span.get_span_context()
        return OfSlot(self.tracer, self, span, within=within)
