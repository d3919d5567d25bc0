# Random connections with a fixed seed, the same every time, and the corpus over and over. What the
# process holds is looked at before and behind them.

import pytest
from e2e._server import Server
from e2e.hostile._fuzz import run

SEED = 20_261_126
MANY = [  # against each of the two applications
    pytest.param(400, id="400"),
    pytest.param(100_000, id="100000", marks=pytest.mark.long),
]


@pytest.mark.handler
@pytest.mark.slow
@pytest.mark.parametrize("connections", MANY)
def test_random_hostility_harms_nobody(server: Server, connections: int) -> None:
    """
    All end, the innocent one is answered throughout, nothing is said and nothing is left.
    """
    found = run(server, range(connections), SEED)

    assert found.faults == [], server.explain("\n".join(found.faults))
    assert found.ended.total() == connections


@pytest.mark.handler
@pytest.mark.slow
@pytest.mark.parametrize("connections", MANY)
def test_rude_ends_leave_nothing(server: Server, connections: int) -> None:
    """
    After ends of every rude kind tasks, threads and descriptors are where they were.
    """
    found = run(server, range(connections), None)

    assert found.faults == [], server.explain("\n".join(found.faults))
    assert found.ended.total() == connections


def test_random_http2_harms_nobody(server: Server) -> None:
    """
    What bent HTTP/2 does to hypercorn it does to that connection only.
    """
    found = run(server, range(100), SEED, http2=True)

    assert found.faults == [], server.explain("\n".join(found.faults))
