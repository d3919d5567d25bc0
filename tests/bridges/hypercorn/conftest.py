# A clock for tests over real sockets.

import pytest
from trio.testing import MockClock


@pytest.fixture
def autojump_clock() -> MockClock:
    """
    One that jumps when nothing has happened for a moment of real time.

    What was sent over a socket is as a rule there at once. If the system is busy it is not: then
    all tasks are blocked while bytes are on their way, and no time may pass.
    """
    return MockClock(autojump_threshold=0.01)
