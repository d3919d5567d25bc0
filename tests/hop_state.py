# What tests of hops share: work that says in which thread it runs, and plays a transaction.

import threading
from typing import Any

import trio

from greenroom.actors import ThreadPool
from greenroom.bridges.asgiref import Hops, open_hops

SECONDS = 20
"""After which a test has failed that would wait for ever."""

state = threading.local()
"""`inside` is true in a thread that is inside a transaction."""


def thread() -> str:
    return threading.current_thread().name


def begin() -> str:
    state.inside = True
    return thread()


def end() -> str:
    state.inside = False
    return thread()


def hops(threads: int, spare: int = 0) -> Any:
    return open_hops(ThreadPool, threads=threads, spare=spare, listed=[], timeout=5)


def keep_busy(here: Hops, go: threading.Event) -> None:
    """Have a thread wait for *go*. Any thread."""
    assert isinstance(here.pool, ThreadPool)
    job = here.pool.new_job(lambda: go.wait(SECONDS), here.side_loop.trio, label="busy")
    job.on_end = lambda: None
    here.pool.submit_from_thread(job)


async def all_at_rest(here: Hops) -> None:
    """Wait until no thread has anything to do."""
    with trio.fail_after(SECONDS):
        while (now := here.pool.statistics()).running or now.parked:
            await trio.lowlevel.checkpoint()
