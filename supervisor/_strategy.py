# Whom the crash of one child concerns. Pure: no trio, no clock; names in, names out.
#
# OTP's three strategies. A group is stopped in reverse start order and started again in
# start order, which is the supervisor's business; here is only who belongs to it.
#
# Invariants, each with a test of that name in tests/supervisor/test_strategy.py:
#   IN ORDER   a group is in start order, whatever the strategy.
#   FAILED     who has failed is always in it, and nobody started before it is, but for
#              one_for_all.

from collections.abc import Sequence
from enum import StrEnum


class Strategy(StrEnum):
    """
    Which children of a supervisor are restarted when one of them crashes, as in OTP.
    """

    ONE_FOR_ONE = "one_for_one"
    """That child alone: the others do not depend on it."""
    ONE_FOR_ALL = "one_for_all"
    """All: none can go on without the others as they were."""
    REST_FOR_ONE = "rest_for_one"
    """That child and those started after it, which depend on it."""


def concerned(strategy: Strategy, children: Sequence[str], failed: str) -> list[str]:
    """
    Return which of *children*, in start order, are restarted when *failed* has failed.

    Raises:
        ValueError: *failed* is none of them.
    """
    at = list(children).index(failed)
    if strategy is Strategy.ONE_FOR_ONE:
        return [failed]
    return list(children[at:] if strategy is Strategy.REST_FOR_ONE else children)
