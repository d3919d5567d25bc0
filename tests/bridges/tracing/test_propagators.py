# What the project's propagators say, where it goes along with a handshake.

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import trio
from client_bench import Server
from opentelemetry import context as contexts
from opentelemetry import propagate
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import TextMapPropagator
from recorded_spans import Spans
from traced_clients import told


class Own(TextMapPropagator):
    """A propagator that says *headers*, or raises."""

    def __init__(self, headers: Mapping[str, Any] | Exception) -> None:
        self.headers = headers
        self.asked = 0

    def inject(self, carrier: Any, context: Any = None, setter: Any = None) -> None:
        self.asked += 1
        if isinstance(self.headers, Exception):
            raise self.headers
        carrier.update(self.headers)

    def extract(self, carrier: Any, context: Any = None, getter: Any = None) -> Any:
        return context or contexts.get_current()

    @property
    def fields(self) -> set[str]:
        return set()


@pytest.fixture(autouse=True)
def own_propagators() -> Iterator[None]:
    """Put the propagators back that were there."""
    before = propagate.get_global_textmap()
    yield
    propagate.set_global_textmap(before)


def also(headers: Mapping[str, Any] | Exception) -> Own:
    """Have *headers* said behind what is said anyway."""
    own = Own(headers)
    propagate.set_global_textmap(CompositePropagator([propagate.get_global_textmap(), own]))
    return own


@pytest.mark.parametrize(
    "said",
    [OSError("no idea"), {"x-trace": "1\r\nx-other: 2"}, {"x-trace": "9" * 9000}],
    ids=["raises", "a line break", "too long"],
)
async def test_harmless(
    nursery: trio.Nursery,
    server: Server,
    spans: Spans,
    caplog: pytest.LogCaptureFixture,
    said: Mapping[str, str] | Exception,
) -> None:
    """
    A propagator that raises, or says what can't be sent, costs the headers and not the connection.
    """
    own = also(said)
    got = await told(nursery, server, {"x-own": "1"})

    assert own.asked == 1
    assert "x-other" not in caplog.text  # nor is in the log what it said
    assert got["x-own"] == "1"
    assert "x-trace" not in got
    assert "x-other" not in got
