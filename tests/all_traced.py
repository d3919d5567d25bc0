# A plugin that has every tree of a test run traced: for tests that say nothing of spans, and hold
# all the same.

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from greenroom.bridges.tracing import instrument

memory = InMemorySpanExporter()
ended: list[int] = []
"""How many spans each test has made."""


def pytest_configure(config: pytest.Config) -> None:
    """Trace all trees that begin from now on."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    instrument(tracer_provider=provider)


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Have each test begin without spans."""
    yield
    ended.append(len(memory.get_finished_spans()))
    memory.clear()


def pytest_sessionfinish() -> None:
    """Fail if nothing was traced: then nothing is said by it."""
    assert sum(ended) > len(ended), "the tests have made hardly any span"
