# A run of messages for one thread: what was begun, and how it is told to stop.

import threading

import pytest
import trio

from greenroom.actors import Stale, ThreadPool, current_job
from greenroom.actors._batch import Batch, wait_in_thread
from greenroom.actors._context import current_batch


def batch(*steps: object, seconds: float = 60, pause: object = lambda: False) -> Batch:
    return Batch("/c/1", 3, list(steps), seconds=seconds, pause=pause)  # type: ignore[arg-type]


async def in_thread(work: object) -> object:
    """Run *work* in a thread that inherits a context of its own."""
    return await trio.to_thread.run_sync(work)  # type: ignore[arg-type]


async def test_steps_run_in_order_and_are_counted() -> None:
    """
    All steps run in order; `begun` counts them and `value` is the last one's.
    """
    log: list[int] = []
    run = batch(*[lambda n=n: log.append(n) or n for n in range(5)])
    await in_thread(run.work)

    assert (log, run.begun, run.value) == ([0, 1, 2, 3, 4], 5, 4)


async def test_a_step_that_raises_is_the_last() -> None:
    """
    A step that raises was begun; those behind it were not.
    """

    def fail() -> None:
        raise ValueError("boom")

    run = batch(lambda: 1, fail, lambda: 3)
    with pytest.raises(ValueError, match="boom"):
        await in_thread(run.work)

    assert run.begun == 2


async def test_urgent_work_and_time_end_a_run() -> None:
    """
    Behind the first step none begins while something urgent waits, or the time is over.
    """
    urgent: list[int] = []
    run = batch(lambda: urgent.append(1), lambda: 2, pause=lambda: urgent)
    await in_thread(run.work)
    assert run.begun == 1

    long = batch(lambda: 1, lambda: 2, seconds=0)
    await in_thread(long.work)
    assert long.begun == 1


async def test_told_before_it_began() -> None:
    """
    A batch told to stop before its thread came begins nothing.
    """
    run = batch(lambda: 1)
    run.tell()
    await in_thread(run.work)

    assert (run.begun, run.value) == (0, None)


async def test_told_while_it_runs() -> None:
    """
    Told in the middle it finishes the step it is in and begins no other.
    """
    run = batch(lambda: run.tell(), lambda: 2)
    await in_thread(run.work)

    assert run.begun == 1
    assert run.told


async def test_told_while_it_waits() -> None:
    """
    A thread that waits for something is freed with Stale when its batch is told to stop.
    """
    waits = threading.Event()
    stale: list[Stale] = []

    def step() -> None:
        assert current_batch.get() is run
        waits.set()
        try:
            wait_in_thread(threading.Event(), 30)
        except Stale as error:
            stale.append(error)

    def late() -> None:
        with pytest.raises(Stale):
            run.wait(threading.Event(), 30)

    run = batch(step)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(in_thread, run.work)
        await in_thread(waits.wait)
        run.tell()
    await in_thread(late)

    assert [(error.path, error.epoch) for error in stale] == [("/c/1", 3)]


async def test_waiting_in_any_thread() -> None:
    """
    wait_in_thread() says whether the event came, with and without a batch or a job.
    """
    came = threading.Event()
    came.set()
    never = threading.Event()
    found: list[bool] = []

    def step() -> None:
        found.extend([wait_in_thread(came, 30), wait_in_thread(never, 0.001)])

    await in_thread(step)
    await in_thread(batch(step).work)
    pool = ThreadPool("test", 1)
    jobs: list[object] = []
    await pool.run(lambda: (step(), jobs.append(current_job())), label="plain")
    await pool.run(batch(step).work, label="batch")
    await pool.aclose(timeout=5)

    assert found == [True, False] * 4
    assert jobs != [None]
