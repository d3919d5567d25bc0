# References to traced slots: who sends by one makes a span of it, below whatever is current there.
#
# What a group delivers has one span for all its members (_groups.py), not one for each.

from contextvars import ContextVar
from typing import Any

from ...actors import ActorRef
from ...actors._messages import Call, Cast
from ...actors._ref import target_of
from ._span import Current, Kind, Tracer
from ._words import of_calling, of_sending

delivering: ContextVar[bool] = ContextVar("greenroom_delivering", default=False)
"""Whether a group delivers here, for whose message there is a span already."""


class TracedRef(ActorRef):
    """A lasting reference to a traced slot."""

    __slots__ = ()

    def cast(self, message: object) -> bool:
        """Append *message* and return at once, as :meth:`ActorRef.cast` does. Any thread."""
        if delivering.get():
            return super().cast(message)
        with self._sending(message) as span:
            taken = super().cast(message)
            if not taken:
                self._tracer.note(span, {"greenroom.taken": False})
            return taken

    def call_blocking(self, message: object, timeout: float = 5.0) -> Any:
        """Do what :meth:`ActorRef.call_blocking` does."""
        with self._calling(message):
            return super().call_blocking(message, timeout)

    async def _call(self, message: object, timeout: float) -> object:
        with self._calling(message):
            return await super()._call(message, timeout)

    async def _put(self, item: Cast | Call) -> None:
        if type(item) is Call:  # it has a span until its reply
            await super()._put(item)
            return
        with self._sending(item.message):
            await super()._put(item)

    def _blocking(self, item: Cast | Call, timeout: float) -> None:
        if type(item) is Call:
            super()._blocking(item, timeout)
            return
        with self._sending(item.message):
            super()._blocking(item, timeout)

    def _sending(self, message: object) -> Current:
        tracer = self._tracer
        name, attributes = of_sending(target_of(self), message)
        return Current(tracer, tracer.start(name, Kind.PRODUCER, attributes))

    def _calling(self, message: object) -> Current:
        tracer = self._tracer
        name, attributes = of_calling(target_of(self), message)
        return Current(tracer, tracer.start(name, Kind.INTERNAL, attributes))

    @property
    def _tracer(self) -> Tracer:
        slot: Any = target_of(self)
        return slot.tracer
