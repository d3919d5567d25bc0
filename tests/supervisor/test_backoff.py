# The pauses before restarts.

import pytest

from greenroom.supervisor._backoff import Backoff, backoff_of

PLAIN = 0.5


def test_first_restart_is_immediate() -> None:
    """
    The first restart in a row does not wait, whatever the settings.
    """
    assert Backoff(10.0, 30.0, 0.2).delay(1, 0.99) == 0.0


def test_pauses_double_up_to_the_cap() -> None:
    """
    0, 0.1, 0.2, 0.4 ... and never more than 30 seconds.
    """
    backoff = Backoff(0.1, 30.0, 0.2)

    pauses = [round(backoff.delay(attempt, PLAIN), 6) for attempt in range(1, 13)]

    assert pauses == [0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30]


def test_jitter_goes_both_ways() -> None:
    """
    The random number moves a pause from 20 % shorter to 20 % longer.
    """
    backoff = Backoff(10.0, 30.0, 0.2)

    assert [round(backoff.delay(2, random), 6) for random in (0.0, 0.5, 0.75)] == [8, 10, 11]


def test_jitter_applies_beyond_the_cap() -> None:
    """
    Slots that have reached the cap are spread around it, not piled up on it.
    """
    backoff = Backoff(1.0, 30.0, 0.2)

    assert round(backoff.delay(50, 0.75), 6) == 33


def test_no_attempt_is_too_late() -> None:
    """
    After any number of attempts the pause is the cap.
    """
    assert Backoff(1.0, 30.0, 0.0).delay(10**6, PLAIN) == 30.0


def test_zero_switches_pauses_off() -> None:
    """
    With min_seconds 0 there is never a pause.
    """
    assert Backoff(0.0, 30.0, 0.2).delay(20, 0.9) == 0.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((2.0, 1.0, 0.2), "must not exceed max_seconds. Got: min_seconds=2.0, max_seconds=1.0"),
        ((-1.0, 1.0, 0.2), "min_seconds .* Got: -1.0"),
        ((0.1, 1.0, 1.1), "jitter must lie between 0 and 1. Got: 1.1"),
    ],
)
def test_wrong_settings_are_refused(arguments: tuple[float, float, float], message: str) -> None:
    """
    Settings that contradict each other or make no sense are refused.
    """
    with pytest.raises(ValueError, match=message):
        Backoff(*arguments)


def test_attempts_count_from_one() -> None:
    """
    Attempt 0 is a mistake of the caller.
    """
    with pytest.raises(ValueError, match=r"attempt must be at least 1\. Got: 0"):
        Backoff(0.1, 30.0, 0.2).delay(0, PLAIN)


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({}, (0.1, 30.0, 0.2)),
        ({"backoff_jitter": 0}, (0.1, 30.0, 0)),
        ({"backoff_min_seconds": 1}, (1, 30.0, 0.2)),
        ({"backoff_min_seconds": 60}, (60, 60, 0.2)),
        ({"backoff_max_seconds": 0.05}, (0.05, 0.05, 0.2)),
        ({"backoff_min_seconds": 2, "backoff_max_seconds": 3, "backoff_jitter": 1}, (2, 3, 1)),
    ],
)
def test_a_class_overrides_each_by_itself(
    own: dict[str, float], expected: tuple[float, float, float]
) -> None:
    """
    What a class does not say is the tree's; where the two contradict each other, the class's.
    """
    usual = Backoff(0.1, 30.0, 0.2)
    found = backoff_of(type("Actor", (), own), usual)

    assert (found.min_seconds, found.max_seconds, found.jitter) == expected
    assert (found is usual) == (not own)
