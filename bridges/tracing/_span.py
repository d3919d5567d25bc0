# Spans, begun and ended so that nothing that goes wrong in OpenTelemetry, in a sampler, a processor
# or an exporter of the project's, is ever an actor's error.
#
# What goes wrong there is logged, with its traceback once a minute at most: a broken exporter
# would say the same at each message.
#
# Invariants, each with a test of that name in tests/bridges/tracing/test_spans.py:
#   HARMLESS   what a processor or an exporter raises reaches no handler and no sender.
#   NO CONTENT a span names types, sizes, paths and classes; no body, no header, no query, no user.

import logging
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from ...actors._errors import described
from ...actors._exits import Verdict, declined, judge
from ._extra import context as contexts
from ._extra import trace

logger = logging.getLogger("greenroom.tracing")

Attributes = Mapping[str, str | int | bool]
Context = contexts.Context
Kind = trace.SpanKind
Span = trace.Span
SpanContext = trace.SpanContext

_QUIET_SECONDS = 60.0
_OUTCOMES = {
    Verdict.FOREIGN: "cancelled",
    Verdict.DISCONNECTED: "disconnected",
    Verdict.STALE: "stale",
}


class Tracer:
    """
    Begins and ends spans. Any thread; nothing in here raises, or is a checkpoint.

    Args:
        provider: Where its spans go; None for the one that the process has set, or sets yet.
    """

    def __init__(self, provider: trace.TracerProvider | None = None) -> None:
        self._tracer = trace.get_tracer("greenroom", tracer_provider=provider)
        self._lost = _Complaint("a span was lost, since OpenTelemetry raised")
        self._untold = _Complaint("others were not told of a trace, since a propagator failed")

    def start(
        self,
        name: str,
        kind: Kind,
        attributes: Attributes,
        *,
        within: Context | None = None,
        links: Sequence[trace.Link] = (),
    ) -> Span:
        """Begin a span, in the context *within*, else in that of the caller."""
        try:
            return self._tracer.start_span(name, within, kind, attributes, links)
        except Exception:  # noqa: BLE001 - of the project's sampler or processor
            self.failed()
            return trace.INVALID_SPAN

    def end(self, span: Span, error: BaseException | None = None, path: str = "") -> None:
        """End *span*; *error* is what ended it, in the actor at *path*."""
        try:
            if error is not None and span.is_recording():
                tell_error(span, error, path)
            span.end()
        except Exception:  # noqa: BLE001 - of the project's processor
            self.failed()

    def event(self, span: Span, name: str, attributes: Attributes) -> None:
        """Add an event to *span*, if it is recorded and has not ended."""
        try:
            if span.is_recording():
                span.add_event(name, attributes)
        except Exception:  # noqa: BLE001
            self.failed()

    def note(self, span: Span, attributes: Attributes) -> None:
        """Add *attributes* to *span*, if it is recorded and has not ended."""
        try:
            if span.is_recording():
                span.set_attributes(attributes)
        except Exception:  # noqa: BLE001
            self.failed()

    def fail(self, span: Span, why: str) -> None:
        """Say that what *span* is about has failed, and *why*."""
        try:
            span.set_status(trace.Status(trace.StatusCode.ERROR, why))
        except Exception:  # noqa: BLE001
            self.failed()

    def error(self, error: BaseException) -> None:
        """Record *error*, which somebody has turned into something else, on the current span."""
        try:
            span = trace.get_current_span()
            if span.is_recording():
                span.record_exception(error)
        except Exception:  # noqa: BLE001
            self.failed()

    def failed(self) -> None:
        """Log that a span was lost to the exception that is being handled."""
        self._lost.utter()

    def untold(self) -> None:
        """Log that a propagator failed, with the exception that is being handled."""
        self._untold.utter()


class _Complaint:
    """What is logged with the exception that is being handled, if it was not a short while ago."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._quiet_until = float("-inf")
        self._unsaid = 0

    def utter(self) -> None:
        now = time.monotonic()
        if now < self._quiet_until:
            self._unsaid += 1
            return
        unsaid, self._unsaid, self._quiet_until = self._unsaid, 0, now + _QUIET_SECONDS
        also = f"; {unsaid} more since the last time" if unsaid else ""
        logger.exception("%s%s", self._text, also)  # noqa: LOG004 - called by handlers only


class Current:
    """A block in which *span* is the current one, in the context *within*, and which ends it."""

    __slots__ = ("_path", "_token", "_tracer", "_within", "span")

    def __init__(
        self, tracer: Tracer, span: Span, *, within: Context | None = None, path: str = ""
    ) -> None:
        self._tracer, self.span, self._within, self._path = tracer, span, within, path
        self._token: Any = None

    def __enter__(self) -> Span:
        self._token = contexts.attach(trace.set_span_in_context(self.span, self._within))
        return self.span

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        contexts.detach(self._token)
        self._tracer.end(self.span, error, self._path)


def tell_error(span: Span, error: BaseException, path: str) -> None:
    """
    Say on *span* how *error* has ended it: as a failure, unless it is none.

    A cancellation, a peer that has gone, and an actor that would not start, are none.
    """
    outcome = outcome_of(error, path)
    if outcome is not None:
        span.set_attribute("greenroom.outcome", outcome)
        return
    span.record_exception(error)
    span.set_status(trace.Status(trace.StatusCode.ERROR, described(error)))


def outcome_of(error: BaseException, path: str) -> str | None:
    """Return what *error* means for the actor at *path*; None if it has failed."""
    return "declined" if declined(error) is not None else _OUTCOMES.get(judge(error, path))


def is_valid(span: Span) -> bool:
    """Whether *span* is part of a trace, recorded or not."""
    return span.get_span_context().is_valid
