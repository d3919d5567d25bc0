# Pools of tasks: reference scenarios 68 and 80.

import pytest
import trio
from conformance.kit import ChildNotFound, Journal, TooManyChildren, member, pool, tree
from trio.testing import MockClock


async def test_68_one_more_than_there_may_be(clock: MockClock) -> None:
    """
    In a pool of one the second task is refused at once; when the first is done there is room.
    """
    async with tree(Journal(), s=pool("s", max_tasks=1)) as t:
        t.pool.start(trio.sleep, 5)
        began = trio.current_time()
        with pytest.raises(TooManyChildren):
            t.pool.start(trio.sleep, 5)
        with pytest.raises(TooManyChildren):
            await t.pool.run(trio.sleep, 5)
        assert trio.current_time() == began
        await trio.sleep(6)
        await t.pool.run(trio.sleep, 5)


async def test_68_tasks_without_time_to_stop(clock: MockClock) -> None:
    """
    With `shutdown_seconds=0` tasks are cancelled at once when their pool stops.
    """
    cancelled: list[str] = []

    async def work(name: str) -> None:
        try:
            await trio.sleep_forever()
        finally:
            cancelled.append(name)

    async with tree(Journal(), s=pool("s", shutdown_seconds=0)) as t:
        for name in "abc":
            t.pool.start(work, name)
        await trio.sleep(1)
        began = trio.current_time()
        await t.stop_s()
        assert trio.current_time() == began
        assert sorted(cancelled) == ["a", "b", "c"]
        assert t.told("slot.unkillable") == t.told("slot.crashed") == []


async def test_68_a_task_is_stopped_once(clock: MockClock) -> None:
    """
    Stopping a task by its name works once; then there is no such child.
    """
    async with tree(Journal(), s=pool("s")) as t:
        t.pool.start(trio.sleep_forever, name="nap")
        await trio.sleep(1)
        await t.s.stop_child("nap")
        with pytest.raises(ChildNotFound):
            await t.s.stop_child("nap")


async def slow() -> str:
    with trio.CancelScope(shield=True):
        await trio.sleep(3)
    return "late"


async def test_80_a_late_result_reaches_nobody(clock: MockClock, journal: Journal) -> None:
    """
    What a task returns behind its caller's timeout comes to nobody, not as a message either.
    """
    async with tree(journal, s=pool("s"), beside=[member(journal, "asker")]) as t:
        t.tell("../asker", "run", pool=t.pool, function=slow, within=1)
        await trio.sleep(2)
        assert t.counts() == (1, 1)
        await trio.sleep(2)
        assert t.counts() == (0, 0)
        assert journal.lines == ["+asker", "asker heard no answer"]
        assert t.letters() == []
