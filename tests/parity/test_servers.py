# Exit paths under real servers: Channels on hypercorn's asyncio worker, Greenroom on its trio one.

import pytest
from parity._servers import ServerCase, all_server_cases, server_results
from parity._table import second_part, verdict, written

CASES = all_server_cases()
# With hypercorn alone close codes do not arrive (docs/explanation/plain-asgi.md).
pytestmark = [pytest.mark.slow, pytest.mark.handler]


@pytest.mark.parametrize("one", CASES.values(), ids=CASES.keys())
def test_server_case(one: ServerCase) -> None:
    """
    The client sees the same of both and the consumer is told the same, or what is declared.
    """
    both = server_results()
    stock, ours = both["stock"][one.name], both["greenroom"][one.name]
    for observed in (stock, ours):
        if isinstance(observed, Exception):
            raise observed

    verdict(one.name, stock, ours, one.different)


def test_the_table_is_up_to_date() -> None:
    """
    The second part of docs/reference/channels-parity.md is made of the results.
    """
    made = second_part(CASES.values(), server_results())

    assert written()[1].strip() == made.strip()
