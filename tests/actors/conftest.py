# What the tests of worker threads share.

from collections.abc import AsyncIterator

import pytest
from thread_bench import Bench


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """
    Give a bench, and leave no thread behind.
    """
    bench = Bench()
    yield bench
    await bench.aclose()
