# One server for each of the two applications, shared by a module, and an innocent peer.

from collections.abc import Iterator

import pytest
from e2e._server import Server
from e2e.hostile._peer import Innocent
from e2e.hostile._serving import APPLICATIONS, held, serving

PARAMS = [pytest.param(name, marks=[pytest.mark.slow] * (name == "bare")) for name in APPLICATIONS]


@pytest.fixture(scope="module", params=PARAMS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """One server for all that does not end it, and nothing here should."""
    with serving(request.param) as server:
        yield server


@pytest.fixture(scope="module")
def innocent(server: Server) -> Iterator[Innocent]:
    """A WebSocket that was there before all others."""
    innocent = Innocent(server.port)
    assert innocent.ask()
    server.fresh = held(server)
    yield innocent
    innocent.close()
