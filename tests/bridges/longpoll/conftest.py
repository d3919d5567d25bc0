# What the tests of long-polling share.

import pytest
from poll_chat import ended
from trio.testing import MockClock

from greenroom.bridges.testing import virtual_clock


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


@pytest.fixture(autouse=True)
def _no_ends_yet() -> None:
    ended.clear()
