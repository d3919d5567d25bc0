# Whom a crash concerns.

import pytest

from greenroom.supervisor import Strategy
from greenroom.supervisor._strategy import concerned

NAMES = ["a", "b", "c", "d"]


@pytest.mark.parametrize("strategy", list(Strategy))
@pytest.mark.parametrize("failed", NAMES)
def test_in_order(strategy: Strategy, failed: str) -> None:
    """
    A group is in start order, whatever the strategy and whoever has failed.
    """
    group = concerned(strategy, NAMES, failed)
    assert group == [name for name in NAMES if name in group]


@pytest.mark.parametrize("failed", NAMES)
def test_failed(failed: str) -> None:
    """
    Who has failed is in its group; nobody before it is, but for one_for_all.
    """
    at = NAMES.index(failed)
    assert concerned(Strategy.ONE_FOR_ONE, NAMES, failed) == [failed]
    assert concerned(Strategy.REST_FOR_ONE, NAMES, failed) == NAMES[at:]
    assert concerned(Strategy.ONE_FOR_ALL, NAMES, failed) == NAMES


def test_a_stranger() -> None:
    """
    Who is no child concerns nobody: that is a mistake in the caller.
    """
    with pytest.raises(ValueError, match="x"):
        concerned(Strategy.ONE_FOR_ALL, NAMES, "x")
