from __future__ import annotations

import gc
import logging
import math
import random
import sys
import threading
import weakref
from collections.abc import AsyncIterator
from contextvars import ContextVar
from functools import partial

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from greenroom.actors._job import Job, JobState, ThreadHooks, current_job
from greenroom.actors._threads import PoolClosed, ThreadPool

# How many seconds a thread waits for a test that has gone wrong before it gives up.
LONG = 20.0

colour: ContextVar[str] = ContextVar("colour", default="none")


class Gate:
    """Work that says when it began and returns the name of its thread when it is let go."""

    def __init__(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._open = threading.Event()
        self.began = trio.Event()

    def __call__(self) -> str:
        self._token.run_sync_soon(self.began.set)
        assert self._open.wait(LONG)
        return threading.current_thread().name

    def open(self) -> None:
        self._open.set()


class Bench:
    """Makes pools and gates; whatever a test left behind is let go and closed after it."""

    def __init__(self) -> None:
        self.pools: list[ThreadPool] = []
        self.gates: list[Gate] = []

    def pool(
        self, size: int = 1, *, hooks: ThreadHooks | None = None, idle_seconds: float = 1000.0
    ) -> ThreadPool:
        hooks = hooks or ThreadHooks()
        self.pools.append(ThreadPool("pool", size, hooks=hooks, idle_seconds=idle_seconds))
        return self.pools[-1]

    def gate(self) -> Gate:
        self.gates.append(Gate())
        return self.gates[-1]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """
    Give a bench, and leave no thread behind.
    """
    bench = Bench()
    yield bench
    for gate in bench.gates:
        gate.open()
    for pool in bench.pools:
        await pool.aclose(timeout=math.inf)
        assert pool.statistics().threads == 0


async def begun(pool: ThreadPool, gate: Gate, label: str = "gate") -> Job[str]:
    """Submit *gate* and wait until a thread runs it."""
    job = pool.submit(gate, label=label)
    await gate.began.wait()
    return job


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


class TestHooks:
    async def test_hooks_run_around_the_job_in_its_thread_and_context(self, bench: Bench) -> None:
        """
        before_job and after_job run in the job's thread and see its context and its error.
        """
        seen: list[object] = []
        hooks = ThreadHooks(
            before_job=lambda: seen.append(("before", colour.get(), threading.get_ident())),
            after_job=lambda error: seen.append(("after", colour.get(), repr(error))),
        )
        pool = bench.pool(hooks=hooks)
        colour.set("green")
        ident = await pool.run(threading.get_ident, label="ident")

        def fail() -> None:
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            await pool.run(fail, label="fails")

        assert seen[:2] == [("before", "green", ident), ("after", "green", "None")]
        assert seen[3] == ("after", "green", "ValueError('no')")

    @pytest.mark.parametrize("error", [ValueError("hook"), SystemExit(1)])
    async def test_no_loss_when_hooks_raise(
        self, bench: Bench, caplog: pytest.LogCaptureFixture, error: BaseException
    ) -> None:
        """
        A hook that raises is logged; the job's result arrives and the thread goes on.
        """

        def fail(*_: object) -> None:
            raise error

        hooks = ThreadHooks(before_job=fail, after_job=fail, on_exit=fail)
        pool = bench.pool(hooks=hooks)

        assert await pool.run(lambda: 1, label="one") == 1
        assert await pool.run(lambda: 2, label="two") == 2
        await pool.aclose(timeout=math.inf)
        named = [record.getMessage() for record in caplog.records]
        assert "hook before_job raised in thread pool-1" in named
        assert "hook after_job raised in thread pool-1" in named
        assert "hook on_exit raised in thread pool-1" in named

    async def test_on_idle_runs_once_for_each_time_of_idleness(self, bench: Bench) -> None:
        """
        A thread with nothing to do calls on_idle once, and again only after another job.
        """
        token, idled = trio.lowlevel.current_trio_token(), list[str]()
        idle = trio.Event()

        def on_idle() -> None:
            idled.append(threading.current_thread().name)
            token.run_sync_soon(lambda: idle.set())

        pool = bench.pool(hooks=ThreadHooks(on_idle=on_idle), idle_seconds=0.001)
        for times in (1, 2, 3):
            idle = trio.Event()
            await pool.run(lambda: None, label="work")
            await idle.wait()

            assert idled == ["pool-1"] * times

    async def test_no_loss_when_work_arrives_during_on_idle(self, bench: Bench) -> None:
        """
        A job submitted while the only thread runs its on_idle hook is run after it.
        """
        idling, gate = trio.Event(), bench.gate()
        token = trio.lowlevel.current_trio_token()

        def on_idle() -> None:
            token.run_sync_soon(idling.set)
            gate()

        pool = bench.pool(hooks=ThreadHooks(on_idle=on_idle), idle_seconds=0.001)
        await pool.run(lambda: None, label="first")
        await idling.wait()
        job = pool.submit(lambda: "second", label="second")
        assert job.state is JobState.QUEUED
        gate.open()
        await job.wait()

        assert job.result() == "second"

    async def test_on_exit_runs_in_each_thread(self, bench: Bench) -> None:
        """
        Each thread calls on_exit as it leaves, and aclose waits for that.
        """
        left: list[str] = []
        hooks = ThreadHooks(on_exit=lambda: left.append(threading.current_thread().name))
        pool = bench.pool(3, hooks=hooks)
        gates = [bench.gate() for _ in range(3)]
        for gate in gates:
            await begun(pool, gate)
        for gate in gates:
            gate.open()
        await pool.aclose(timeout=math.inf)

        assert sorted(left) == ["pool-1", "pool-2", "pool-3"]


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

    async def test_surplus_threads_leave(self, bench: Bench) -> None:
        """
        A thread that stood in for a parked job leaves when there are too many, idle or busy.
        """
        left: list[str] = []
        gone = trio.Event()
        token = trio.lowlevel.current_trio_token()

        def on_exit() -> None:
            left.append(threading.current_thread().name)
            token.run_sync_soon(gone.set)

        pool = bench.pool(1, hooks=ThreadHooks(on_exit=on_exit))
        inner = bench.gate()

        def park() -> None:
            job = current_job()
            assert job is not None
            with job.parked():
                inner()

        job = pool.submit(park, label="parks")
        await inner.began.wait()
        await pool.run(int, label="stands in")
        assert pool.statistics().threads == 2
        inner.open()
        await job.wait()
        await gone.wait()

        assert left == ["pool-2"]
        assert await pool.run(lambda: threading.current_thread().name, label="n") == "pool-1"

    async def test_a_job_is_parked_by_its_own_thread_only(self, bench: Bench) -> None:
        """
        parked() anywhere else is refused.
        """
        pool, gate = bench.pool(), bench.gate()
        job = await begun(pool, gate)
        with pytest.raises(RuntimeError, match="only by the thread that runs it"), job.parked():
            pass

        assert pool.statistics().parked == 0


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
        with pytest.RaisesGroup(PoolClosed):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(partial(pool.run, int, label="queued"))
                await wait_all_tasks_blocked()
                started = trio.current_time()
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
    @pytest.mark.parametrize(
        "options",
        [{"size": 0}, {"size": 1, "idle_seconds": 0}, {"size": 1, "idle_seconds": math.inf}],
    )
    def test_nonsense_is_refused(self, options: dict[str, float]) -> None:
        """
        A pool without threads, or without an idle time, is refused with what was given.
        """
        with pytest.raises(ValueError, match="Got: "):
            ThreadPool("pool", **options)

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


@pytest.mark.parametrize("seed", range(4))
async def test_any_mixture_of_events_keeps_the_promises(bench: Bench, seed: int) -> None:
    """
    Under random cancels, withdrawals, parkings and errors each job ends once or never began.
    """
    dice, size = random.Random(seed), 4
    pool = bench.pool(size, idle_seconds=0.001)
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
