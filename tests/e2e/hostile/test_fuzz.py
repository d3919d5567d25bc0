# Random connections with a fixed seed, the same every time; the long form is _fuzz.py's own.

import pytest
from e2e._server import Server
from e2e.hostile._fuzz import run

SEED = 20_261_126
CONNECTIONS = 1000  # against each of the two applications


@pytest.mark.handler
@pytest.mark.slow
def test_random_hostility_harms_nobody(server: Server) -> None:
    """
    All end, the innocent one is answered throughout, nothing is said and nothing is left.
    """
    found = run(server, range(CONNECTIONS), SEED)

    assert found.faults == [], server.explain("\n".join(found.faults))
    assert found.ended.total() == CONNECTIONS


def test_random_http2_harms_nobody(server: Server) -> None:
    """
    What bent HTTP/2 does to hypercorn it does to that connection only.
    """
    found = run(server, range(100), SEED, http2=True)

    assert found.faults == [], server.explain("\n".join(found.faults))
