# What is behind a call of async code by a job's thread: nothing that is held; hooks that are told.

import gc
import weakref
from contextvars import copy_context
from typing import Any

import trio
from serving_bench import ask, here, pool_of

from greenroom.actors import ThreadHooks, current_job
from greenroom.actors._serving import serving_here


async def test_calls_that_have_ended_are_forgotten() -> None:
    """
    A context that calls have left their variables in holds the last, and nothing of its job.
    """
    calls, context = list[weakref.ref[Any]](), copy_context()

    async def inner() -> None:
        calls.append(weakref.ref(serving_here()))

    def many() -> set[str]:
        job = current_job()
        assert job is not None
        for _ in range(5):
            job.run_async(inner, context=context)
        return {"much"}

    async with pool_of(1) as pool:
        result = weakref.ref(await pool.run(many, label="asks"))
        await pool.run(int, label="next")  # the thread has let go of the first
        gc.collect()
        assert result() is None
        assert sum(call() is not None for call in calls) == 1


async def test_hooks_hear_when_a_parked_job_goes_on() -> None:
    """
    Before what its thread is given meanwhile, with another question behind that, and at the end.
    """
    told = list[str]()

    def tell(what: str) -> bool:
        told.append(what)
        return True

    hooks = ThreadHooks(may_park=lambda: tell("may park"), goes_on=lambda: tell("goes on"))

    def inner() -> None:
        tell("inner begins")
        ask(trio.lowlevel.checkpoint)
        tell("inner ends")

    async with pool_of(1, hooks=hooks) as pool:
        await pool.run(lambda: ask(lambda: here(inner)), label="asks")

    around = ["may park", "goes on", "inner begins", "may park", "goes on", "inner ends"]
    assert told == [*around, "may park", "goes on"]
