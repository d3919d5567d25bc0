# What all of these tests need.

import logging
from collections.abc import Iterator

import pytest
from trio.testing import MockClock

from greenroom.bridges.testing import virtual_clock


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    """
    Have the log say nothing: pytest keeps every record of a test.
    """
    logger = logging.getLogger("greenroom")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    yield
    logger.setLevel(level)
