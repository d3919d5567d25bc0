# Exit paths under real servers: Channels on hypercorn's asyncio worker, Greenroom on its trio one.

import pytest
from parity import server_cases
from parity._servers import SERVER_CASES, ServerCase, server_results

assert server_cases  # enters the cases


@pytest.mark.slow
@pytest.mark.parametrize("one", SERVER_CASES.values(), ids=SERVER_CASES.keys())
def test_server_case(one: ServerCase) -> None:
    """
    The client sees the same of both and the consumer is told the same, or what is declared.
    """
    both = server_results()
    stock, ours = both["stock"][one.name], both["greenroom"][one.name]
    for observed in (stock, ours):
        if isinstance(observed, Exception):
            raise observed

    if one.different is None:
        assert ours == stock
    else:
        assert stock == one.different.stock
        assert ours == one.different.ours
        assert stock != ours, "it is the same now: take the declaration away"
