# Each case, with Channels on asyncio and Greenroom on trio: the same, or different as declared.
#
# Both libraries run in processes of their own, once for all tests here (_results.py).

import shutil

import pytest
from parity._cases import Case, all_cases
from parity._results import results
from parity._rows import ROWS
from parity._table import first_part, verdict, written

CASES = all_cases()


@pytest.mark.parametrize("one", CASES.values(), ids=CASES.keys())
def test_case(one: Case) -> None:
    """
    Greenroom does what Channels does, or what the case declares, exactly.
    """
    both = results()
    if one.redis and not any(CASES[name].redis for name in both["stock"].lines):
        pytest.skip("needs redis-server")

    verdict(
        one.name,
        both["stock"].observed(one.name),
        both["greenroom"].observed(one.name),
        one.different,
    )


def test_there_are_enough_cases_of_each_row() -> None:
    """
    Every row of the inventory has a case, and there are at least two hundred.
    """
    assert [row for row in ROWS if all(one.row != row for one in CASES.values())] == []
    assert len(CASES) >= 200


def test_differences_have_a_reason() -> None:
    """
    A declared difference says in a sentence what a user has of it.
    """
    reasons = [one.different.because for one in CASES.values() if one.different]

    assert [text for text in reasons if len(text) < 30 or not text[0].isupper()] == []


def test_the_table_is_up_to_date() -> None:
    """
    docs/reference/channels-parity.md is what `scripts/parity_table.py` makes of the results.
    """
    if not shutil.which("redis-server"):
        pytest.skip("needs redis-server")

    assert written()[0].strip() == first_part(results()).strip()
