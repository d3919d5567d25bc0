# Threads that stand in for parked jobs: how many there are, and when they leave.

from __future__ import annotations

import threading
from collections.abc import Callable

import trio
from thread_bench import LONG, Bench, Gate, begun

from greenroom.actors._job import JobState, current_job
from greenroom.actors._thread_hooks import ThreadHooks


def parks(work: Callable[[], object]) -> Callable[[], str]:
    """
    Return work that is parked while it does *work*.
    """

    def park() -> str:
        job = current_job()
        assert job is not None
        with job.parked():
            work()
        return threading.current_thread().name

    return park


def named() -> str:
    return threading.current_thread().name


class Exits:
    """
    An `on_exit` hook that waits to be let go, and says when a thread has come to it.
    """

    def __init__(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._go = threading.Event()
        self.begun = trio.Event()
        self.names: list[str] = []

    def __call__(self) -> None:
        self.names.append(named())
        self._token.run_sync_soon(self.begun.set)
        assert self._go.wait(LONG)

    def let_go(self) -> None:
        self._go.set()


async def test_spare(bench: Bench) -> None:
    """
    SPARE: a thread counts until its on_exit hook has ended; what needs another waits for that.
    """
    exits = Exits()
    pool = bench.pool(1, spare=1, hooks=ThreadHooks(on_exit=exits), idle_seconds=0.001)
    first, second, third = bench.gate(), bench.gate(), bench.gate()
    job = pool.submit(parks(first), label="parks")
    await first.began.wait()
    await begun(pool, second)
    first.open()
    await job.wait()
    second.open()
    await exits.begun.wait()  # one of both was one too many

    again = pool.submit(parks(third), label="parks again")
    await third.began.wait()
    waits = pool.submit(named, label="waits")
    assert waits.state is JobState.QUEUED
    assert pool.statistics().threads == 2
    exits.let_go()
    await waits.wait()

    assert waits.result() == "pool-3"
    assert exits.names[0] in ("pool-1", "pool-2")
    third.open()
    await again.wait()


async def test_spare_threads_stand_in_again(bench: Bench) -> None:
    """
    Jobs that park one after the other need one thread more, not one each.
    """
    pool = bench.pool(1)
    names: set[str] = set()
    for _ in range(20):
        gate = bench.gate()
        job = pool.submit(parks(gate), label="parks")
        await gate.began.wait()
        names.add(await pool.run(named, label="stands in"))
        gate.open()
        await job.wait()
        names.add(job.result())

    assert names == {"pool-1", "pool-2"}
    assert pool.statistics().threads == 2


async def test_a_surplus_thread_that_has_rested_leaves_at_once(bench: Bench) -> None:
    """
    A stand-in that has nothing to do any more leaves when the parked job goes on.
    """
    exits, idle = Exits(), trio.Event()
    token = trio.lowlevel.current_trio_token()
    exits.let_go()
    pool = bench.pool(
        1,
        hooks=ThreadHooks(on_exit=exits, on_idle=lambda: token.run_sync_soon(idle.set)),
        idle_seconds=0.001,
    )
    inner, outer = bench.gate(), Gate()

    def park() -> None:
        parks(inner)()
        outer()

    job = pool.submit(park, label="parks")
    await inner.began.wait()
    assert await pool.run(named, label="stands in") == "pool-2"
    await idle.wait()
    assert pool.statistics().threads == 2
    inner.open()
    await exits.begun.wait()
    assert exits.names == ["pool-2"]
    outer.open()
    await job.wait()

    assert await pool.run(named, label="next") == "pool-1"


async def test_a_surplus_thread_leaves_when_it_has_rested(bench: Bench) -> None:
    """
    Of two threads in a pool of one that have nothing to do one leaves after idle_seconds.
    """
    exits = Exits()
    exits.let_go()
    pool = bench.pool(1, hooks=ThreadHooks(on_exit=exits), idle_seconds=0.001)
    first, second = bench.gate(), bench.gate()
    job = pool.submit(parks(first), label="parks")
    await first.began.wait()
    stands_in = await begun(pool, second)
    first.open()
    await job.wait()
    second.open()
    await stands_in.wait()
    await exits.begun.wait()

    assert len(exits.names) == 1
    assert await pool.run(named, label="next") not in exits.names


async def test_a_thread_that_has_rested_is_the_last_to_be_taken(bench: Bench) -> None:
    """
    A thread whose on_idle hook has run goes below those that still have what they opened.
    """
    idle: list[str] = []
    rested, release = trio.Event(), threading.Event()
    token = trio.lowlevel.current_trio_token()

    def on_idle() -> None:
        idle.append(named())
        token.run_sync_soon(rested.set)
        assert release.wait(LONG)

    pool = bench.pool(2, hooks=ThreadHooks(on_idle=on_idle), idle_seconds=0.001)
    crew = pool._crew
    gate = bench.gate()
    job = await begun(pool, gate)
    assert await pool.run(named, label="other") == "pool-2"
    await rested.wait()  # pool-2, while pool-1 is at work
    crew.idle_seconds = 1000.0
    gate.open()
    await job.wait()
    release.set()
    while len(crew._idle) < 2:  # noqa: ASYNC110 - a thread tells nobody of it
        await trio.sleep(0.001)

    assert idle == ["pool-2"]
    assert await pool.run(named, label="next") == "pool-1"


async def test_withdrawn_jobs_do_not_pile_up(bench: Bench) -> None:
    """
    What is withdrawn behind a job that waits is let go of, however long that waits.
    """
    pool, gate = bench.pool(1), bench.gate()
    await begun(pool, gate)
    waits = [pool.submit(int, label="waits") for _ in range(3)]
    for _ in range(1000):
        assert pool.submit(int, label="withdrawn").withdraw()

    assert pool.statistics().queued == 3
    assert len(pool._crew._queue) <= 6
    gate.open()
    for job in waits:
        await job.wait()
    assert pool.statistics().queued == 0
