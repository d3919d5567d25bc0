# The spans that a test has caused, looked at with OpenTelemetry's own SDK.

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Sampler

from greenroom.bridges.tracing import instrument, uninstrument


class Spans:
    """
    The spans that have ended.

    Args:
        exporter: Where they go as well.
        sampler: Which are recorded; all, or those of a recorded parent.
    """

    def __init__(
        self, exporter: SpanExporter | None = None, *, sampler: Sampler | None = None
    ) -> None:
        self._memory = InMemorySpanExporter()
        self.provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        for each in filter(None, (exporter, self._memory)):
            self.provider.add_span_processor(SimpleSpanProcessor(each))

    def __iter__(self) -> Any:
        return iter(self._memory.get_finished_spans())

    @property
    def names(self) -> list[str]:
        """The names of all, in the order in which they ended."""
        return [span.name for span in self]

    def named(self, name: str) -> list[ReadableSpan]:
        """Return those with *name*, in the order in which they ended."""
        return [span for span in self if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        """Return the only one with *name*."""
        found = self.named(name)
        assert len(found) == 1, f"{name}: {self.names}"
        return found[0]

    def children(self, parent: ReadableSpan) -> list[str]:
        """Return the names of those right below *parent*, in the order in which they began."""
        below = [span for span in self if is_below(span, parent)]
        return [span.name for span in sorted(below, key=lambda span: span.start_time)]

    def tracer(self) -> trace.Tracer:
        """Return a tracer of a user's, whose spans go where the others go."""
        return self.provider.get_tracer("test")


def is_below(span: ReadableSpan, parent: ReadableSpan) -> bool:
    """Say whether *parent* is the parent of *span*."""
    return (
        span.parent is not None
        and span.parent.span_id == parent.context.span_id
        and span.context.trace_id == parent.context.trace_id
    )


def is_linked(span: ReadableSpan, other: ReadableSpan) -> bool:
    """Say whether *span* has a link to *other*, and to nothing else."""
    return [link.context.span_id for link in span.links] == [other.context.span_id]


def said(span: ReadableSpan) -> Mapping[str, Any]:
    """Return the attributes of *span*."""
    return dict(span.attributes or {})


def events(span: ReadableSpan) -> list[tuple[str, Any]]:
    """Return the events of *span*, each with the epoch that it tells of."""
    return [(event.name, (event.attributes or {}).get("greenroom.epoch")) for event in span.events]


@contextmanager
def recorded(exporter: SpanExporter | None = None, **how: Any) -> Generator[Spans]:
    """Trace all trees that begin in a block."""
    spans = Spans(exporter, **how)
    instrument(tracer_provider=spans.provider)
    try:
        yield spans
    finally:
        uninstrument()
