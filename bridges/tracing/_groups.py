# Groups whose messages are traced: one span for a message, however many members it reaches, and the
# span of each member's handler below it, also in another process.

from collections.abc import Callable, Generator
from contextlib import contextmanager

import msgspec

from ...supervisor._engine import Engine
from ...supervisor._events import EventStream
from ...supervisor._groups import Groups, Member
from ._extra import context as contexts
from ._extra import propagate
from ._ref import delivering
from ._span import Current, Kind, Tracer
from ._words import of_group

_LONGEST = 8192
"""Bytes of what goes with a message; more is left behind. What W3C allows baggage."""


@contextmanager
def publishing(
    tracer: Tracer, group: str, message: object
) -> Generator[Callable[[int], None], None, None]:
    """Have *message* be sent to *group* in the block, which is given whom to tell the number."""
    span = tracer.start("send to group", Kind.PRODUCER, of_group(group, message))
    with Current(tracer, span), _delivering():
        yield lambda reached: tracer.note(span, {"greenroom.reached": reached})


class TracedGroups(Groups):
    """The groups of a traced tree."""

    def __init__(self, engine: Engine, events: EventStream, tracer: Tracer) -> None:
        super().__init__(engine, events)
        self._tracer = tracer

    def send(
        self,
        group: str,
        message: object = None,
        *,
        text: str | None = None,
        bytes: bytes | None = None,
        exclude: Member | None = None,
    ) -> int:
        """Send to every member of *group*, as :meth:`Groups.send` does."""
        with publishing(self._tracer, group, message) as tell:
            reached = super().send(group, message, text=text, bytes=bytes, exclude=exclude)
            tell(reached)
            return reached

    def deliver(self, topic: str, payload: object) -> None:
        """Hand on what another process sent; called by the engine. Never raises."""
        with _delivering():
            super().deliver(topic, payload)


class ContextCarrier:
    """
    Says which trace goes on in another process, in the words of the project's propagators.

    By default those of W3C: `traceparent`, `tracestate` and `baggage`.
    """

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def said(self) -> bytes:
        """Return the context of the caller; empty if there is none. Any thread."""
        carrier: dict[str, str] = {}
        try:
            propagate.inject(carrier)
            said = msgspec.json.encode(carrier) if carrier else b""
            if len(said) > _LONGEST and carrier.pop("baggage", None) is not None:
                said = msgspec.json.encode(carrier)
        except Exception:  # noqa: BLE001 - of the project's propagator
            self._tracer.untold()
            return b""
        return said if len(said) <= _LONGEST else b""

    @contextmanager
    def within(self, said: bytes) -> Generator[None, None, None]:
        """Have the context that *said* tells of be the current one in the block."""
        token = contexts.attach(self._read(said))
        try:
            yield
        finally:
            contexts.detach(token)

    def _read(self, said: bytes) -> contexts.Context:
        try:
            return propagate.extract(msgspec.json.decode(said, type=dict[str, str]))
        except msgspec.DecodeError:  # of who knows whom: it has no trace, then
            return contexts.get_current()
        except Exception:  # noqa: BLE001 - of the project's propagator
            self._tracer.untold()
            return contexts.get_current()


@contextmanager
def _delivering() -> Generator[None, None, None]:
    token = delivering.set(True)
    try:
        yield
    finally:
        delivering.reset(token)
