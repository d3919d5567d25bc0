from __future__ import annotations

import logging
import math
import os
import sys
import threading
from functools import partial

import pytest
import trio
from thread_bench import LONG, Bench, Gate, begun
from trio.testing import MockClock, wait_all_tasks_blocked

from greenroom.actors._job import JobState, current_job
from greenroom.actors._lowlevel import LoopThread
from greenroom.actors._thread_hooks import ThreadHooks
from greenroom.actors._threads import PoolClosed, ThreadPool


class TestWithdrawal:
    async def test_once(self, bench: Bench) -> None:
        """
        A job withdrawn never begins; a job begun can no longer be withdrawn.
        """
        pool, gate, ran = bench.pool(), bench.gate(), list[str]()
        first = await begun(pool, gate)
        second = pool.submit(lambda: ran.append("second"), label="second")
        third = pool.submit(lambda: ran.append("third"), label="third")

        assert second.withdraw() is True
        assert second.withdraw() is False
        assert first.withdraw() is False
        assert pool.statistics().queued == 1
        gate.open()
        await third.wait()
        assert third.withdraw() is False
        assert ran == ["third"]
        with pytest.raises(RuntimeError, match="it is withdrawn"):
            second.result()

    async def test_whoever_waits_for_a_withdrawn_job_is_woken(self, bench: Bench) -> None:
        """
        Nobody waits for ever for a job that was withdrawn.
        """
        pool, gate = bench.pool(), bench.gate()
        await begun(pool, gate)
        job = pool.submit(int, label="int")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(job.wait)
            await wait_all_tasks_blocked()
            assert job.withdraw()

    async def test_run_cancelled_while_queued_withdraws(self, bench: Bench) -> None:
        """
        A call to run() that is cancelled before a thread had its job never runs it.
        """
        pool, gate, ran = bench.pool(), bench.gate(), list[int]()
        await begun(pool, gate)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(pool.run, lambda: ran.append(1), label="late"))
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        assert pool.statistics().queued == 0
        gate.open()
        await pool.run(int, label="after")

        assert ran == []

    async def test_run_cancelled_beforehand_queues_nothing(self, bench: Bench) -> None:
        """
        run() in a scope that is cancelled already starts no thread.
        """
        pool = bench.pool()
        with trio.CancelScope() as scope:
            scope.cancel()
            await pool.run(int, label="never")

        assert pool.statistics().threads == 0

    async def test_run_cancelled_while_running_waits_for_the_thread(self, bench: Bench) -> None:
        """
        Within its grace a cancelled run() ends when its thread does, and abandons nothing.
        """
        pool, gate = bench.pool(), bench.gate()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(pool.run, gate, label="slow", grace_seconds=LONG))
            await gate.began.wait()
            nursery.cancel_scope.cancel()
            with trio.CancelScope(shield=True):
                await wait_all_tasks_blocked()
                assert len(nursery.child_tasks) == 1
                gate.open()

        assert pool.statistics().abandoned == ()

    async def test_run_cancelled_while_running_abandons_after_its_grace(
        self, bench: Bench, autojump_clock: MockClock
    ) -> None:
        """
        A thread that outlasts the grace is abandoned, listed, and keeps its place.
        """
        pool, gate = bench.pool(), bench.gate()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(pool.run, gate, label="stuck", grace_seconds=7))
            await gate.began.wait()
            started = trio.current_time()
            nursery.cancel_scope.cancel()
        assert trio.current_time() - started == pytest.approx(7)
        behind = pool.submit(int, label="behind")

        now = pool.statistics()
        [(label, thread, seconds)] = now.abandoned
        assert (label, thread) == ("stuck", "pool-1")
        assert seconds >= 0
        assert (now.running, now.queued) == (1, 1)
        assert repr(pool) == (
            "<ThreadPool 'pool' 1 of 1 threads, 1 running, 1 queued, 0 parked, 1 abandoned>"
        )
        gate.open()
        await behind.wait()
        assert pool.statistics().abandoned == ()

    async def test_no_loss_of_an_error_raised_after_cancellation(
        self, bench: Bench, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        What a job raises when nobody can be told is logged, within the grace and after it.
        """
        pool = bench.pool(2)
        gates = [bench.gate(), bench.gate()]

        def fail(gate: Gate) -> None:
            gate()
            raise ValueError("too late")

        async with trio.open_nursery() as nursery:
            for gate, grace in zip(gates, (math.inf, 0), strict=True):
                work = partial(fail, gate)
                nursery.start_soon(partial(pool.run, work, label="x", grace_seconds=grace))
                await gate.began.wait()
            with caplog.at_level(logging.INFO, "greenroom.threads"):
                nursery.cancel_scope.cancel()
                with trio.CancelScope(shield=True):
                    await wait_all_tasks_blocked()
                    gates[0].open()
        with caplog.at_level(logging.INFO, "greenroom.threads"):
            gates[1].open()
            await pool.aclose(timeout=math.inf)

        said = [record.getMessage() for record in caplog.records if record.exc_info]
        assert said[0] == "<Job 'x' done> raised after its caller was cancelled"
        assert said[1].startswith("<Job 'x' done, abandoned>, which nobody waited for, ended after")

    async def test_a_queued_job_that_is_abandoned_is_withdrawn(self, bench: Bench) -> None:
        """
        abandon() on a job that no thread has takes it back; on one that is done, nothing.
        """
        pool, gate = bench.pool(), bench.gate()
        first = await begun(pool, gate)
        second = pool.submit(int, label="int")
        second.abandon()
        gate.open()
        await first.wait()
        first.abandon()

        assert second.state is JobState.WITHDRAWN
        assert (first.abandoned, second.abandoned) == (False, False)

    @pytest.mark.parametrize("cancel_first", [True, False])
    async def test_delivery_and_cancellation_in_one_tick(
        self, bench: Bench, cancel_first: bool
    ) -> None:
        """
        A task whose job ends in the tick it is cancelled hears of one of them, once.
        """
        pool, gate = bench.pool(), bench.gate()
        token, put = trio.lowlevel.current_trio_token(), threading.Event()
        scope, outcome = trio.CancelScope(), list[str]()

        async def call() -> None:
            with scope:
                outcome.append(await pool.run(gate, label="gate"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(call)
            await gate.began.wait()
            pool.submit(put.set, label="put")  # begins when the first has been put down
            gate.open()
            assert put.wait(LONG)  # no other task runs meanwhile: the delivery is due
            # Both are callbacks of the same tick: equal ones in a dict, after the others.
            token.run_sync_soon(scope.cancel, idempotent=not cancel_first)

        assert outcome == ([] if cancel_first else ["pool-1"])
        assert scope.cancelled_caught is cancel_first


class TestClosing:
    async def test_a_closing_pool_refuses_new_work_and_runs_what_is_queued(
        self, bench: Bench
    ) -> None:
        """
        A closing pool lets queued jobs run while there is time, and takes no others.
        """
        pool, gate = bench.pool(1), bench.gate()
        await begun(pool, gate)
        queued = pool.submit(lambda: "ran", label="queued")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(pool.aclose, timeout=math.inf))
            await wait_all_tasks_blocked()
            with pytest.raises(PoolClosed, match="'pool' is closed; 'late' was not run"):
                await pool.run(int, label="late")
            gate.open()

        assert queued.result() == "ran"
        assert pool.statistics().threads == 0
        assert "closed" in repr(pool)

    async def test_whoever_closes_is_woken_where_no_job_came_from_its_loop(
        self, bench: Bench
    ) -> None:
        """
        A pool that another thread has given all its jobs closes as soon as its threads have left.
        """
        leave, ended = threading.Event(), trio.Event()
        pool = bench.pool(1, hooks=ThreadHooks(on_exit=lambda: leave.wait(LONG)))
        loop = LoopThread.current()
        job = pool.new_job(int, loop, label="int")
        job.on_end = lambda: loop.call_soon(ended.set)
        pool.submit_from_thread(job)
        await ended.wait()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(pool.aclose, timeout=math.inf))
            await wait_all_tasks_blocked()
            leave.set()

        assert pool.statistics().threads == 0

    async def test_what_is_still_queued_at_the_timeout_is_withdrawn(
        self,
        bench: Bench,
        autojump_clock: MockClock,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """
        Past its timeout aclose withdraws queued jobs, names running ones and returns.
        """
        pool, gate = bench.pool(1), bench.gate()
        await begun(pool, gate, "stuck")
        started = trio.current_time()
        with pytest.RaisesGroup(PoolClosed):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(partial(pool.run, int, label="queued"))
                await wait_all_tasks_blocked()
                await pool.aclose(timeout=3)

        assert trio.current_time() - started == pytest.approx(3)
        assert "stuck in pool-1" in caplog.text

    async def test_exit(self) -> None:
        """
        A thread that never returns does not keep the process from ending.
        """
        code = (
            "import threading, trio\n"
            "from greenroom.actors._threads import ThreadPool\n"
            "async def main():\n"
            "    pool = ThreadPool('pool', 1)\n"
            "    began = trio.Event()\n"
            "    token = trio.lowlevel.current_trio_token()\n"
            "    def stuck():\n"
            "        token.run_sync_soon(began.set)\n"
            "        threading.Event().wait()\n"
            "    pool.submit(stuck, label='stuck')\n"
            "    await began.wait()\n"
            "    await pool.aclose(timeout=0)\n"
            "trio.run(main)\n"
        )
        done = await trio.run_process(
            [sys.executable, "-c", code], check=False, capture_stderr=True
        )

        assert done.returncode == 0
        assert b"work still running: stuck in pool-1" in done.stderr

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
    async def test_fork(self) -> None:
        """
        In a process that a job has forked no job runs: nobody there would answer it.
        """
        code = (
            "import os, trio, warnings\n"
            "from greenroom.actors import ThreadPool, current_job\n"
            "warnings.simplefilter('ignore')\n"
            "def fork():\n"
            "    child = os.fork()\n"
            "    if not child:\n"
            "        os._exit(current_job() is not None)\n"
            "    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])\n"
            "async def main():\n"
            "    pool = ThreadPool('pool', 1)\n"
            "    exit(await pool.run(fork, label='fork'))\n"
            "trio.run(main)\n"
        )
        done = await trio.run_process([sys.executable, "-c", code], check=False)

        assert done.returncode == 0

    @pytest.mark.parametrize("release_late", [False, True])
    def test_late(self, release_late: bool) -> None:
        """
        A job that ends after its loop did is dropped without a word; the next loop is served.
        """
        release, idle = threading.Event(), threading.Event()
        pool = ThreadPool("pool", 1, hooks=ThreadHooks(on_idle=idle.set), idle_seconds=0.001)

        async def leave_it() -> None:
            pool.submit(partial(release.wait, LONG), label="slow").abandon()

        async def use_it_again() -> str:
            job = pool.submit(lambda: "again", label="again")
            release.set()
            await job.wait()
            await pool.aclose(timeout=math.inf)
            return job.result()

        trio.run(leave_it)
        if not release_late:
            release.set()
            assert idle.wait(LONG)

        assert trio.run(use_it_again) == "again"


class TestRefusals:
    @pytest.mark.parametrize(("size", "idle_seconds"), [(0, 1), (1, 0), (1, math.inf)])
    def test_nonsense_is_refused(self, size: int, idle_seconds: float) -> None:
        """
        A pool without threads, or without an idle time, is refused with what was given.
        """
        with pytest.raises(ValueError, match="Got: "):
            ThreadPool("pool", size, idle_seconds=idle_seconds)

    async def test_work_is_submitted_in_the_loop_only(self, bench: Bench) -> None:
        """
        submit() in a worker thread, or outside of trio, is refused.
        """
        pool = bench.pool()
        with pytest.raises(RuntimeError, match="'inner' was submitted to pool 'pool' outside"):
            await pool.run(lambda: pool.submit(int, label="inner"), label="outer")

    async def test_a_system_out_of_threads_refuses_the_first(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        Without any thread submit() raises and takes nothing; with one the job waits for it.
        """

        def refuse(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        pool, gate = bench.pool(2), bench.gate()
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", refuse)
            with pytest.raises(RuntimeError, match="can't start new thread"):
                pool.submit(int, label="none")
        assert pool.statistics().queued == 0
        await begun(pool, gate)
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", refuse)
            job = pool.submit(int, label="waits")
        gate.open()
        await job.wait()

        assert job.result() == 0
        assert "cannot grow past 1 threads" in caplog.text

    async def test_a_system_out_of_threads_sends_no_stand_in(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        Where nobody can stand in for a parked job the others wait for it, and it is logged.
        """

        def refuse(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        pool, inner = bench.pool(1), bench.gate()

        def park() -> None:
            job = current_job()
            assert job is not None
            with monkeypatch.context() as patched:
                patched.setattr(threading.Thread, "start", refuse)
                with job.parked():
                    inner()

        pool.submit(park, label="parks")
        waits = pool.submit(lambda: "at last", label="waits")
        await inner.began.wait()
        assert waits.state is JobState.QUEUED
        inner.open()
        await waits.wait()

        assert waits.result() == "at last"
        assert "cannot stand in for a parked job" in caplog.text
