# Spans of a tree to which anything may happen, at random.

import threading
from collections import Counter

import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from random_trees import shaken
from trio.testing import MockClock

from greenroom.bridges.tracing import instrument, uninstrument


class Open(SpanProcessor):
    """Knows which spans have begun and not ended."""

    def __init__(self) -> None:
        self.names: dict[int, str] = {}
        self.ended = Counter[str]()
        self._lock = threading.Lock()

    def on_start(self, span, parent_context=None) -> None:
        """Take note of one that begins."""
        with self._lock:
            self.names[span.context.span_id] = span.name

    def on_end(self, span: ReadableSpan) -> None:
        """Take note of one that ends."""
        with self._lock:
            assert span.context is not None
            self.ended[self.names.pop(span.context.span_id)] += 1


@pytest.mark.parametrize("seed", range(3))
async def test_every_span_ends(
    clock: MockClock, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    """
    However actors crash, hang, are stopped and restarted, each span ends, and in its own context.
    """
    processor, provider = Open(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    instrument(tracer_provider=provider)
    try:
        await shaken(seed, 120)
    finally:
        uninstrument()
    assert processor.names == {}
    assert processor.ended.total() > 20
    assert [each for each in caplog.records if each.name.startswith("opentelemetry")] == []
