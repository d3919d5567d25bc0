from __future__ import annotations

import gc
import math
import random
import threading
import weakref
from contextvars import ContextVar
from functools import partial

import pytest
import trio
from thread_bench import LONG, Bench, begun
from trio.testing import wait_all_tasks_blocked

from greenroom.actors._job import JobState, current_job

colour: ContextVar[str] = ContextVar("colour", default="none")


class TestJobs:
    async def test_fifo(self, bench: Bench) -> None:
        """
        Jobs begin in the order they were submitted.
        """
        pool, gate, seen = bench.pool(1), bench.gate(), list[int]()
        await begun(pool, gate)
        jobs = [pool.submit(partial(seen.append, n), label=f"{n}") for n in range(50)]
        gate.open()
        await jobs[-1].wait()

        assert seen == list(range(50))

    async def test_places(self, bench: Bench) -> None:
        """
        No more than `size` jobs run; the others wait for one of them to end.
        """
        pool = bench.pool(2)
        gates = [bench.gate() for _ in range(3)]
        jobs = [pool.submit(gate, label="gate") for gate in gates]
        await gates[0].began.wait()
        await gates[1].began.wait()

        assert (pool.statistics().running, pool.statistics().queued) == (2, 1)
        assert jobs[2].state is JobState.QUEUED

        gates[1].open()
        await gates[2].began.wait()

        assert jobs[1].state is JobState.DONE
        assert pool.statistics().threads == 2

    async def test_threads_are_started_lazily_and_used_again(self, bench: Bench) -> None:
        """
        A pool has no thread before its first job, and one for jobs that follow each other.
        """
        pool = bench.pool(8)
        assert pool.statistics().threads == 0

        names = {
            await pool.run(lambda: threading.current_thread().name, label="n") for _ in range(20)
        }

        assert names == {"pool-1"}
        assert pool.statistics().threads == 1

    async def test_the_result_is_what_the_work_returned(self, bench: Bench) -> None:
        """
        result() returns the work's value once the job is done, and says so before.
        """
        pool, gate = bench.pool(), bench.gate()
        job = await begun(pool, gate, "slow")
        with pytest.raises(RuntimeError, match="'slow' has no result: it is running"):
            job.result()
        gate.open()
        await job.wait()

        assert job.result() == "pool-1"
        assert job.error is None
        assert repr(job) == "<Job 'slow' done>"

    @pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), KeyboardInterrupt()])
    async def test_what_the_work_raises_is_carried_to_the_caller(
        self, bench: Bench, error: BaseException
    ) -> None:
        """
        An error of the work, SystemExit and KeyboardInterrupt included, is raised by run().
        """
        pool = bench.pool()

        def fail() -> None:
            raise error

        with pytest.raises(type(error)) as caught:
            await pool.run(fail, label="fails")

        assert caught.value is error
        assert await pool.run(lambda: "alive", label="next") == "alive"

    async def test_an_error_leaves_no_reference_cycle(self, bench: Bench) -> None:
        """
        A job and what it raised are freed at once, without the garbage collector.
        """
        pool = bench.pool()

        class Loud(Exception):
            pass

        def fail() -> None:
            raise Loud

        async def attempt() -> weakref.ref[Loud]:
            try:
                await pool.run(fail, label="fails")
            except Loud as raised:
                return weakref.ref(raised)
            raise AssertionError

        gc.disable()
        try:
            gone = await attempt()
            await pool.run(lambda: None, label="next")  # the thread has let go of the first

            assert gone() is None
        finally:
            gc.enable()

    async def test_work_runs_in_a_copy_of_the_context(self, bench: Bench) -> None:
        """
        A job sees its submitter's context variables; what it sets stays with it.
        """
        pool = bench.pool()
        colour.set("red")

        def paint() -> str:
            before = colour.get()
            colour.set("blue")
            return before

        assert await pool.run(paint, label="paint") == "red"
        assert await pool.run(paint, label="paint") == "red"
        assert colour.get() == "red"

    async def test_a_job_knows_itself(self, bench: Bench) -> None:
        """
        current_job() is the running job in a worker thread and None elsewhere.
        """
        pool = bench.pool()
        job = pool.submit(current_job, label="who")
        await job.wait()

        assert job.result() is job
        assert current_job() is None

    async def test_waiting_is_a_checkpoint_even_for_a_job_that_is_done(self, bench: Bench) -> None:
        """
        wait() on a finished job still sees a cancellation.
        """
        pool = bench.pool()
        job = pool.submit(int, label="int")
        await job.wait()
        with trio.CancelScope() as scope:
            scope.cancel()
            await job.wait()

        assert scope.cancelled_caught

    async def test_many_tasks_may_wait_for_one_job(self, bench: Bench) -> None:
        """
        Every task that waits for a job is woken; one that is cancelled changes nothing.
        """
        pool, gate, scope = bench.pool(), bench.gate(), trio.CancelScope()
        job = await begun(pool, gate)

        async def impatient() -> None:
            with scope:
                await job.wait()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(job.wait)
            nursery.start_soon(job.wait)
            nursery.start_soon(impatient)
            await wait_all_tasks_blocked()
            scope.cancel()
            await wait_all_tasks_blocked()
            assert job.state is JobState.RUNNING
            gate.open()

        assert job.state is JobState.DONE


class TestParking:
    async def test_a_parked_job_gives_its_place_away(self, bench: Bench) -> None:
        """
        While a job is parked another runs in its stead; on leaving it goes on at once.
        """
        pool = bench.pool(1)
        inner, outer, other = bench.gate(), bench.gate(), bench.gate()

        def park() -> str:
            job = current_job()
            assert job is not None
            with job.parked():
                inner()
            return outer()

        job = pool.submit(park, label="parks")
        await inner.began.wait()
        assert (pool.statistics().parked, pool.statistics().running) == (1, 0)
        stand_in = await begun(pool, other)
        assert pool.statistics().threads == 2

        inner.open()
        await outer.began.wait()  # though the only place is taken

        assert (pool.statistics().parked, pool.statistics().running) == (0, 2)
        third = pool.submit(int, label="third")
        outer.open()
        await job.wait()
        assert third.state is JobState.QUEUED
        other.open()
        await third.wait()
        assert stand_in.result() == "pool-2"

    async def test_a_job_may_wait_for_another_in_a_pool_of_one(self, bench: Bench) -> None:
        """
        A parked job that waits for a job of the same pool does not wait for ever.
        """
        pool = bench.pool(1)
        inner = bench.gate()
        inner.open()

        def outer() -> str:
            job = current_job()
            assert job is not None
            answered = threading.Event()
            token.run_sync_soon(lambda: pool.submit(answered.set, label="inner"))
            with job.parked(), job.parked():  # nested: counts once
                assert answered.wait(LONG)
            return "answered"

        token = trio.lowlevel.current_trio_token()

        assert await pool.run(outer, label="outer") == "answered"

    async def test_a_job_is_parked_by_its_own_thread_only(self, bench: Bench) -> None:
        """
        parked() anywhere else is refused.
        """
        pool, gate = bench.pool(), bench.gate()
        job = await begun(pool, gate)
        with pytest.raises(RuntimeError, match="only by the thread that runs it"), job.parked():
            pass

        assert pool.statistics().parked == 0


@pytest.mark.parametrize("seed", range(4))
async def test_any_mixture_of_events_keeps_the_promises(bench: Bench, seed: int) -> None:
    """
    Under random cancels, withdrawals, parkings and errors each job ends once or never began.
    """
    dice, size = random.Random(seed), 4
    pool = bench.pool(size, idle_seconds=0.001, spare=1)
    lock, runs, ended = threading.Lock(), dict[int, int](), 0
    fresh = most = 0  # jobs that run and have not parked: each holds a place

    def work(number: int, mood: float) -> int:
        nonlocal fresh, most
        job = current_job()
        assert job is not None
        with lock:
            runs[number] = runs.get(number, 0) + 1
            fresh += 1
            most = max(most, fresh)
        with lock:
            fresh -= 1
        if mood < 0.2:
            with job.parked():
                pass
        if mood > 0.9:
            raise SystemExit(number)
        return number

    async def client(name: int) -> None:
        nonlocal ended
        for step in range(60):
            number, mood = name * 1000 + step, dice.random()
            with trio.move_on_after(dice.choice([0, 0.0001, 0.001, math.inf])) as scope:
                try:
                    grace = dice.choice([0, math.inf])
                    work_of_mine = partial(work, number, mood)
                    got = await pool.run(work_of_mine, label=f"{number}", grace_seconds=grace)
                    assert got == number
                except SystemExit as raised:
                    assert raised.code == number  # noqa: PT017  # the others return
                ended += 1
                assert runs[number] == 1
            assert pool.statistics().threads <= size + 1
            if scope.cancelled_caught and dice.random() < 0.5:
                job = pool.submit(partial(work, number + 500, mood), label="withdrawn")
                if not job.withdraw():
                    await job.wait()
                assert job.state in (JobState.DONE, JobState.WITHDRAWN)
                assert (number + 500 in runs) == (job.state is JobState.DONE)

    async with trio.open_nursery() as nursery:
        for name in range(30):
            nursery.start_soon(client, name)
    await pool.aclose(timeout=math.inf)

    now = pool.statistics()
    assert (now.threads, now.running, now.queued, now.parked) == (0, 0, 0, 0)
    assert now.abandoned == ()
    assert set(runs.values()) == {1}
    assert ended > 0
    assert most <= size
