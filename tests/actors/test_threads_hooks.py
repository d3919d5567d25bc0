from __future__ import annotations

import logging
import math
import threading
from contextvars import ContextVar
from dataclasses import replace

import pytest
import trio
from thread_bench import Bench, begun

from greenroom.actors._job import JobState, current_job
from greenroom.actors._thread_hooks import ThreadHooks

colour: ContextVar[str] = ContextVar("colour", default="none")


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
            token.run_sync_soon(idle.set)

        pool = bench.pool(hooks=ThreadHooks(on_idle=on_idle), idle_seconds=0.001)
        for times in (1, 2, 3):
            idle = trio.Event()
            await pool.run(lambda: None, label="work")
            await idle.wait()

            assert idled == ["pool-1"] * times

    async def test_on_idle_may_ask_to_run_again(self, bench: Bench) -> None:
        """
        An on_idle hook that returns a number runs again, until it returns none.
        """
        pauses: list[float | None] = [None, 0.001, 0.001, 1e12]
        token, asleep = trio.lowlevel.current_trio_token(), trio.Event()

        def on_idle() -> float | None:
            if len(pauses) == 1:
                token.run_sync_soon(asleep.set)
            return pauses.pop()

        pool = bench.pool(hooks=ThreadHooks(on_idle=on_idle), idle_seconds=0.001)
        await pool.run(int, label="first")  # then it rests for a day
        while len(pauses) == 4:  # noqa: ASYNC110 - the hook is another thread's
            await trio.sleep(0.001)
        await pool.run(int, label="second")
        await asleep.wait()

        assert await pool.run(lambda: threading.current_thread().name, label="n") == "pool-1"
        assert pauses == []

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

    @pytest.mark.parametrize("hook", ["before_job", "after_job", "on_idle", "may_park"])
    async def test_no_loss_when_logging_raises(
        self, bench: Bench, capsys: pytest.CaptureFixture[str], hook: str
    ) -> None:
        """
        A filter of the project's that raises, at the report of a hook, costs no thread.
        """

        def fail(*_: object) -> None:
            raise LookupError("from a hook or from a filter")

        hooks = replace(ThreadHooks(), **{hook: fail})
        pool = bench.pool(1, hooks=hooks, idle_seconds=0.001)

        def park() -> str:
            job = current_job()
            assert job is not None
            with job.parked():
                return threading.current_thread().name

        logger = logging.getLogger("greenroom.threads")
        logger.addFilter(fail)
        try:
            assert await pool.run(park, label="first") == "pool-1"
            while hook == "on_idle" and "LookupError" not in capsys.readouterr().err:  # noqa: ASYNC110
                await trio.sleep(0.001)
            assert await pool.run(park, label="second") == "pool-1"
        finally:
            logger.removeFilter(fail)
        assert hook == "on_idle" or "LookupError" in capsys.readouterr().err
