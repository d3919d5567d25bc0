# The virtual clock beside real threads: it stands still while one works, not while it waits.

from __future__ import annotations

import asyncio
import threading
import time
from functools import partial
from typing import Any

import pytest
import trio
from serving_bench import ask, here, pool_of
from trio.testing import MockClock, wait_all_tasks_blocked

from greenroom.actors._batch import wait_in_thread
from greenroom.actors._lowlevel import LoopThread
from greenroom.actors._thread_hooks import ThreadHooks
from greenroom.actors._threads import ThreadPool
from greenroom.bridges.asgiref import SideLoop
from greenroom.bridges.testing import virtual_clock

A_WHILE = 0.02
"""Seconds of real time: much more than the clock takes to see that all is quiet."""


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


def works() -> None:
    time.sleep(A_WHILE)


async def test_no_time_passes_while_a_thread_works(clock: MockClock) -> None:
    """
    The clock stands still while a thread does a job, or what async code has it do meanwhile.
    """

    async def inner() -> None:
        await here(works)

    async def outer() -> None:
        await here(works)
        await here(lambda: ask(inner))
        await here(works)

    async with pool_of(1) as pool:
        with trio.fail_after(10):  # for the clock to jump to
            await pool.run(works, label="works")
            await pool.run(lambda: ask(outer), label="serves")
        assert trio.current_time() == 0


async def test_no_time_passes_until_a_thread_has_seen_what_it_waits_for(clock: MockClock) -> None:
    """
    The clock stands still from when what a thread waits for is there, however late that goes on.
    """
    waits, came = threading.Event(), Late()

    def waiting() -> bool:
        waits.set()
        return wait_in_thread(came, 60)

    async def give() -> None:
        while not waits.is_set():
            await trio.lowlevel.checkpoint()
        came.set()

    async with pool_of(1) as pool, trio.open_nursery() as nursery:
        nursery.start_soon(give)
        with trio.fail_after(10):  # for the clock to jump to
            assert await pool.run(waiting, label="waits")
        assert trio.current_time() == 0


class Late(threading.Event):
    """An event that a thread hears of late, as on a machine that is busy with others."""

    def wait(self, timeout: float | None = None) -> bool:
        came = super().wait(timeout)
        works()
        return came


async def test_no_time_passes_while_asyncio_works(clock: MockClock) -> None:
    """
    The clock stands still while the asyncio loop beside trio does something, and goes on while
    that waits for its own time to pass.
    """

    async def busy() -> None:
        for _ in range(3):
            works()
            await asyncio.sleep(0)

    side_loop = SideLoop()
    try:
        with trio.fail_after(10):  # for the clock to jump to
            await side_loop.run(busy)
        assert trio.current_time() == 0
        with trio.move_on_after(10) as scope:
            await side_loop.run(partial(asyncio.sleep, 3600))
        assert scope.cancelled_caught
    finally:
        with trio.CancelScope(shield=True):
            await side_loop.aclose(60)


@pytest.mark.parametrize("spare", [0, 1])
async def test_time_passes_for_what_a_thread_waits_for(clock: MockClock, spare: int) -> None:
    """
    Async code that a thread calls may sleep, at any depth, whether or not its place is free.
    """

    async def sleeps() -> None:
        await trio.sleep(60)

    async def outer() -> None:
        await trio.sleep(60)
        await here(lambda: ask(sleeps))

    async with pool_of(1, spare=spare) as pool:
        await pool.run(lambda: ask(outer), label="asks")

    assert trio.current_time() == 120


async def test_time_passes_though_a_job_is_queued_behind_those_that_wait(clock: MockClock) -> None:
    """
    A job that waits for a place whose holder sleeps does not keep the clock from going on.
    """
    done: list[str] = []
    async with pool_of(1, spare=0) as pool, trio.open_nursery() as nursery:
        sleeps = partial(pool.run, lambda: done.append(ask(lambda: slept(60))), label="sleeps")
        nursery.start_soon(sleeps)
        await wait_all_tasks_blocked()
        nursery.start_soon(partial(pool.run, lambda: done.append("queued"), label="queued"))

    assert done == ["slept", "queued"]
    assert trio.current_time() == 60


async def slept(seconds: float) -> str:
    await trio.sleep(seconds)
    return "slept"


async def test_no_time_passes_while_a_job_waits_for_an_abandoned_one(clock: MockClock) -> None:
    """
    A job behind a thread that nobody waits for any more is under way, as long as that works.
    """
    go, began = threading.Event(), trio.Event()
    token = trio.lowlevel.current_trio_token()

    def stuck() -> None:
        token.run_sync_soon(began.set)
        assert go.wait(20)

    async with pool_of(1) as pool:
        job = pool.submit(stuck, label="stuck")
        await began.wait()
        job.abandon()
        timer = threading.Timer(A_WHILE, go.set)
        timer.start()
        with trio.fail_after(10):
            await pool.run(int, label="queued")
        timer.join()

    assert trio.current_time() == 0


async def test_no_time_passes_while_a_thread_leaves(clock: MockClock) -> None:
    """
    The clock stands still while a pool that is closed waits for its threads' last hook.
    """
    pool = ThreadPool("leaving", 1, hooks=ThreadHooks(on_exit=works))
    await pool.run(int, label="nothing")
    await pool.aclose(timeout=20)
    assert trio.current_time() == 0
    assert pool.statistics().threads == 0


async def test_no_time_passes_until_a_thread_has_told_that_it_has_left(
    clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Nor does any if that thread is held up between its end and its last word.
    """
    pool = ThreadPool("leaving", 1, hooks=ThreadHooks(on_exit=works))
    await pool.run(int, label="nothing")

    def held_up(self: LoopThread, *args: Any, **options: Any) -> None:
        time.sleep(A_WHILE)
        call_soon(self, *args, **options)

    call_soon = LoopThread.call_soon
    monkeypatch.setattr(LoopThread, "call_soon", held_up)
    await pool.aclose(timeout=20)
    assert trio.current_time() == 0


async def test_no_time_passes_before_the_loop_has_seen_what_a_thread_said(
    clock: MockClock,
) -> None:
    """
    What a thread has had called soon comes before a jump, also if the thread rests since.
    """
    seen: list[float] = []
    with trio.fail_after(10):
        token = trio.lowlevel.current_trio_token()
        token.run_sync_soon(lambda: seen.append(trio.current_time()))
        clock._autojump()  # type: ignore[attr-defined] # as trio calls it
        while not seen:  # it comes in one of the next turns
            await trio.lowlevel.checkpoint()
    assert seen == [0]
