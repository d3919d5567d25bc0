# What one hop into a worker thread costs: our pool beside trio.to_thread.run_sync.
#
#     python tests/benchmarks/threads.py [seconds for each line]
#
# The work does nothing, so all of it is the hop. One caller shows the latency of a hop on an
# idle machine (two thread switches and two wake-ups, whoever does it); many callers show what
# is left when hops overlap, which is where results in batches and threads that stay pay off.
# Compare lines of one run only, and CPU rather than rates: machines are rarely quiet.

# ruff: noqa: T201  # it prints: that is what it is for
from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial

import trio

from greenroom.actors._threads import ThreadPool

CALLERS = (1, 32)
THREADS = (1, 8)


def nothing() -> None:
    """Be the work."""


async def measure(seconds: float, callers: int, hop: Callable[[], Awaitable[object]]) -> str:
    """Let *callers* tasks make *hop* again and again; return rate, CPU and latency."""
    took: list[float] = []
    until = time.perf_counter() + seconds

    async def call() -> None:
        while (began := time.perf_counter()) < until:
            await hop()
            took.append(time.perf_counter() - began)

    wall, cpu = time.perf_counter(), time.process_time()
    async with trio.open_nursery() as nursery:
        for _ in range(callers):
            nursery.start_soon(call)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    took.sort()
    hops, micro = len(took), 1e6
    return (
        f"{hops / wall:8.0f} hops/s {cpu / hops * micro:7.1f} us CPU"
        f"   p50 {took[hops // 2] * micro:6.0f} us   p99 {took[hops * 99 // 100] * micro:6.0f} us"
    )


async def main(seconds: float) -> None:
    """Print one line for each number of callers, kind of pool and number of threads."""
    for callers in CALLERS:
        for threads in THREADS:
            pool = ThreadPool("bench", threads)
            ours = partial(pool.run, nothing, label="nothing")
            line = await measure(seconds, callers, ours)
            await pool.aclose(timeout=1)
            print(f"{callers:3} callers  ThreadPool {threads} threads     {line}")
            limiter = trio.CapacityLimiter(threads)
            theirs = partial(trio.to_thread.run_sync, nothing, limiter=limiter)
            line = await measure(seconds, callers, theirs)
            print(f"{callers:3} callers  trio.to_thread {threads} threads {line}")


if __name__ == "__main__":
    trio.run(main, float(sys.argv[1]) if len(sys.argv) > 1 else 2.0)
