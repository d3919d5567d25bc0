import pytest
from conformance.kit import Journal
from trio.testing import MockClock


@pytest.fixture
def clock() -> MockClock:
    """
    Time that jumps ahead whenever nothing else is left to do; a test has to ask for it.
    """
    return MockClock(autojump_threshold=0)


@pytest.fixture(params=["async", "def"])
def journal(request: pytest.FixtureRequest) -> Journal:
    """
    An empty journal: one for members with `async def` handlers, one for those with `def` ones.
    """
    return Journal(request.param)
