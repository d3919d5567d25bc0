# The storm breaker's rule, on times of its own. At work it is in test_storms.py.

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.supervisor._storm import StormBreaker

moments = st.lists(st.floats(0, 30, allow_nan=False), max_size=60).map(sorted)


def breaker(restarts: int | None = 3, seconds: float = 1.0, delay: float = 5.0) -> StormBreaker:
    return StormBreaker(restarts, seconds, delay)


def test_exact() -> None:
    """
    EXACT: three within a second are no storm, the fourth is one; so is none at the window's edge.
    """
    storm = breaker()
    assert [storm.admit(now, 0.5) for now in (0.0, 0.4, 0.8)] == [0, 0, 0]
    assert storm.admit(1.0, 0.5) == 0  # the first has left: half open, as a restart window
    assert not storm.open

    assert storm.admit(1.2, 0.5) == 2.5
    assert (storm.open, storm.storms, storm.restarts, storm.put_off) == (True, 1, 4, 1)


@given(moments)
def test_it_opens_as_a_count_says(times: list[float]) -> None:
    """
    EXACT: whatever the restarts are, it is open at each as counting them says.
    """
    storm, until = breaker(), -1.0
    for nth, now in enumerate(times):
        storm.admit(now, 0.0)
        if sum(now - 1.0 < moment for moment in times[: nth + 1]) > 3:
            until = now + 5.0

        assert storm.open == (now < until)


@given(moments, st.floats(0, 1, exclude_max=True))
def test_bounded(times: list[float], random: float) -> None:
    """
    BOUNDED: no pause exceeds the delay, and whatever was put off is due when the storm ends.
    """
    storm, due = breaker(), 0.0
    for now in times:
        put_off = storm.admit(now, random)
        assert 0 <= put_off < 5.0
        if storm.restarts == storm.put_off == 0:
            due = 0.0
        due = max(due, now + put_off)

    storm.look(max(times, default=0.0) + 5.0)
    assert not storm.open
    assert len(storm._moments) <= 4


def test_constant() -> None:
    """
    CONSTANT: a million restarts are remembered as four moments.
    """
    storm = breaker()
    for _ in range(1_000_000):
        storm.admit(1.0, 0.5)

    assert len(storm._moments) == 4
    assert storm.put_off == 1_000_000 - 3


def test_few_restarts_do_not_hold_it_open() -> None:
    """
    One client that goes on crashing is spread with the others, and does not prolong the storm.
    """
    storm = breaker()
    for _ in range(4):
        storm.admit(0.0, 0.5)
    assert [storm.admit(now, 0.9) for now in (1.0, 2.5, 4.9)] == [4.5, 4.5, 4.5]
    assert storm.until == 5.0

    assert storm.admit(5.0, 0.9) == 0
    assert (storm.open, storm.restarts) == (False, 7)


def test_a_storm_that_goes_on_stays_open() -> None:
    """
    Too many restarts again, before it is over, prolong it: it is one storm.
    """
    storm = breaker()
    for now in (0.0, 4.0):
        for _ in range(4):
            storm.admit(now, 0.5)

    storm.look(8.9)
    assert (storm.open, storm.storms, storm.restarts) == (True, 1, 8)
    storm.look(9.0)
    assert not storm.open


def test_the_window_does_not_outlast_the_storm() -> None:
    """
    A delay shorter than the window does not have it open again for what it has seen.
    """
    storm = breaker(seconds=10.0, delay=1.0)
    for _ in range(4):
        storm.admit(0.0, 0.5)

    storm.look(9.9)
    assert storm.open
    assert storm.admit(10.0, 0.5) == 0
    assert storm.storms == 1


def test_without_a_limit_there_is_no_storm() -> None:
    """
    restarts=None never opens, and remembers nothing.
    """
    storm = breaker(None)

    assert {storm.admit(0.0, 0.9) for _ in range(1000)} == {0}
    assert not storm.open
    assert "any number" in repr(storm)


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        ((0, 1.0, 5.0), ValueError, "restarts must be at least 1. Got: 0"),
        (("3", 1.0, 5.0), TypeError, "restarts must be a whole number. Got: '3'"),
        ((3, 0, 5.0), ValueError, "seconds must be finite and more than 0"),
        ((3, 1.0, 0), ValueError, "delay_seconds must be finite and more than 0"),
    ],
)
def test_mistakes_are_refused(
    arguments: tuple[int, float, float], error: type[Exception], told: str
) -> None:
    """
    What makes no sense is refused by name, with what was given.
    """
    with pytest.raises(error, match=told):
        StormBreaker(*arguments)
