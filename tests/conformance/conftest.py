import pytest
from conformance.kit import Journal
from trio.testing import MockClock

from greenroom.bridges.testing import virtual_clock


@pytest.fixture
def clock() -> MockClock:
    """
    Time that jumps ahead whenever nothing else is left to do; a test has to ask for it.
    """
    return virtual_clock()


@pytest.fixture
def journal() -> Journal:
    """
    An empty journal.
    """
    return Journal()
