# Each test of tracing has its own provider, so that it sees its own spans alone.

from collections.abc import Iterator

import pytest
import trio
from client_bench import Server
from recorded_spans import Spans, recorded
from trio.testing import MockClock

from greenroom.bridges.testing import virtual_clock


@pytest.fixture
def clock() -> MockClock:
    """A virtual clock, on which waits take no time."""
    return virtual_clock()


@pytest.fixture
def spans() -> Iterator[Spans]:
    """The spans of all trees that begin in the test."""
    with recorded() as spans:
        yield spans


@pytest.fixture
async def server(nursery: trio.Nursery) -> Server:
    """A server that listens."""
    server = Server()
    await server.start(nursery)
    return server
