# A pool, and work in its threads that calls async code, which in turn has them work.

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import trio

from greenroom.actors import ThreadPool, current_job
from greenroom.actors._serving import serving_here

LONG = 20.0
"""Seconds that the end of a pool may take; it is never waited out in a passing test."""


@asynccontextmanager
async def pool_of(size: int, **options: Any) -> AsyncGenerator[ThreadPool, None]:
    """Run a pool around a block."""
    pool = ThreadPool("served", size, **options)
    try:
        yield pool
    finally:
        with trio.CancelScope(shield=True):
            await pool.aclose(timeout=LONG)


def ask(function: Any) -> Any:
    """Have *function* awaited, from whichever job runs here."""
    job = current_job()
    assert job is not None
    return job.run_async(function)


async def here(work: Any) -> Any:
    """Have *work* done by the thread that serves this code."""
    serving = serving_here()
    assert serving is not None
    job = serving.submit(work, label="inner")
    await job.wait()
    return job.result()
