# What the project's propagators say, where it goes along with a handshake.

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import trio
from client_bench import Server
from helpers import settle
from opentelemetry import context as contexts
from opentelemetry import propagate
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import TextMapPropagator
from recorded_spans import Spans
from traced_clients import told

from greenroom.bridges.tracing._groups import ContextCarrier
from greenroom.bridges.tracing._span import Tracer


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


@pytest.mark.parametrize(
    "said",
    [
        {"x-trace": "1\r\nx-other: 2"},
        {"x-trace": " x"},
        {"x-trace": "x "},
        {"x trace": "x"},
        {"x-trace": 1},
        {"Host": "elsewhere"},
        {"Upgrade": "h2c"},
        {"connection": "close"},
        {"content-length": "10"},
        {"transfer-encoding": "chunked"},
        {"sec-websocket-protocol": "other"},
        {"sec-websocket-key": "other"},
    ],
    ids=repr,
)
async def test_what_cannot_be_sent(
    nursery: trio.Nursery,
    server: Server,
    spans: Spans,
    caplog: pytest.LogCaptureFixture,
    said: Mapping[str, Any],
) -> None:
    """
    A header that is none, or the handshake's own, is left out, is logged, and costs no other one.
    """
    also({**said, "x-good": "a b"})
    got = await told(nursery, server, {})

    assert got["x-good"] == "a b"
    assert "traceparent" in got
    assert [name for name, value in said.items() if got.get(name.lower()) == value] == []
    assert "a propagator failed" in caplog.text
    assert "a span was lost" not in caplog.text


async def test_one_that_raises(
    nursery: trio.Nursery, server: Server, spans: Spans, caplog: pytest.LogCaptureFixture
) -> None:
    """
    A propagator that raises costs what the others say too, and its line tells of no lost span.
    """
    also(OSError("no idea"))
    got = await told(nursery, server, {})
    await settle(lambda: spans.named("GET"))

    assert "traceparent" not in got
    assert "a propagator failed" in caplog.text
    assert "a span was lost" not in caplog.text


async def test_too_much_baggage(nursery: trio.Nursery, server: Server, spans: Spans) -> None:
    """
    Past 8 KiB the baggage is left out first, and where that does it the trace goes on.
    """
    also({"baggage": "key=" + "x" * 8150})
    got = await told(nursery, server, {})

    assert "traceparent" in got
    assert "baggage" not in got


def test_one_that_raises_for_a_group(caplog: pytest.LogCaptureFixture) -> None:
    """
    Where a message goes to a group through Redis, a propagator that raises is logged likewise.
    """
    also(OSError("no idea"))

    assert ContextCarrier(Tracer()).said() == b""
    assert "a propagator failed" in caplog.text
    assert "a span was lost" not in caplog.text
