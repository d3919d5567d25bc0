# A tree to which anything may happen, at random: its counts stay what a look at each would say.

import pytest
from random_trees import shaken
from trio.testing import MockClock

from greenroom.bridges.testing import virtual_clock


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_happens(clock: MockClock, seed: int) -> None:
    """
    However a tree is shaken, its counts and its register of trouble are what a look at each says.
    """
    done = await shaken(seed, 150)
    assert done["message"] > 5


@pytest.mark.slow
async def test_whatever_happens_for_long(clock: MockClock) -> None:
    """
    Nor do they drift in ten thousand steps.
    """
    await shaken(11, 10_000)
