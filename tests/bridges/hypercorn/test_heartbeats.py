# The heartbeats of many connections, in one task.

from math import inf

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from greenroom.bridges.hypercorn._heartbeats import Heartbeats


class Patient:
    """Notes when it is called; *every* seconds, if it says so."""

    def __init__(self, every: float = inf, *, fails: bool = False) -> None:
        self.times: list[float] = []
        self.errors: list[Exception] = []
        self._every = every
        self._fails = fails

    def beat(self, now: float) -> float:
        self.times.append(now)
        if self._fails:
            raise RuntimeError("boom")
        return now + self._every

    def failed(self, error: Exception) -> None:
        self.errors.append(error)
        raise RuntimeError("boom again") from error


async def test_each_is_called_when_it_is_due(mock_clock: MockClock) -> None:
    """
    A later patient does not wait for an earlier one, nor the other way round.
    """
    beats, slow, quick, once = Heartbeats.current(), Patient(10), Patient(3), Patient()
    start = trio.current_time()
    for when, patient in ((10, slow), (3, quick), (5, once)):
        beats.call_at(start + when, patient)
    for _ in range(20):
        await wait_all_tasks_blocked()
        mock_clock.jump(1)
    await wait_all_tasks_blocked()

    assert [time - start for time in slow.times] == [10, 20]
    assert [time - start for time in quick.times] == [3, 6, 9, 12, 15, 18]
    assert [time - start for time in once.times] == [5]


async def test_who_is_forgotten_is_not_called(mock_clock: MockClock) -> None:
    """
    A connection that has ended is not called, though its time comes.
    """
    beats, patient = Heartbeats.current(), Patient(1)
    beats.call_at(trio.current_time() + 1, patient)
    beats.forget(patient)
    await wait_all_tasks_blocked()
    mock_clock.jump(5)
    await wait_all_tasks_blocked()

    assert patient.times == []


async def test_an_error_ends_one_patient(
    mock_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Who fails is told and called no more; that even this fails is logged, and the others live.
    """
    beats, bad, good = Heartbeats.current(), Patient(1, fails=True), Patient(1)
    for patient in (bad, good):
        beats.call_at(trio.current_time() + 1, patient)
    for _ in range(3):
        await wait_all_tasks_blocked()
        mock_clock.jump(1)
    await wait_all_tasks_blocked()

    assert (len(bad.times), len(bad.errors), len(good.times)) == (1, 1, 3)
    assert "boom again" in caplog.text
