# Backoff for all settings.

from hypothesis import given
from hypothesis import strategies as st

from greenroom.supervisor._backoff import Backoff

RANDOM = st.floats(0, 1, exclude_max=True)
ATTEMPTS = st.integers(1, 5000)


@st.composite
def backoffs(draw: st.DrawFn) -> Backoff:
    """Draw settings that do not contradict each other."""
    low, high = sorted([draw(st.floats(0, 1e4)), draw(st.floats(0, 1e4))])
    return Backoff(low, high, draw(st.floats(0, 1)))


@given(backoffs(), ATTEMPTS, RANDOM)
def test_pause_is_bounded(backoff: Backoff, attempt: int, random: float) -> None:
    """
    No pause is negative or more than max_seconds and its jitter.
    """
    longest = backoff.max_seconds * (1 + backoff.jitter)

    assert 0 <= backoff.delay(attempt, random) <= longest * (1 + 1e-9)


@given(backoffs(), ATTEMPTS, RANDOM)
def test_pauses_grow(backoff: Backoff, attempt: int, random: float) -> None:
    """
    With equal luck a later attempt never waits less than an earlier one.
    """
    assert backoff.delay(attempt, random) <= backoff.delay(attempt + 1, random)


@given(backoffs(), st.integers(2, 5000), RANDOM)
def test_jitter_is_a_share(backoff: Backoff, attempt: int, random: float) -> None:
    """
    A pause differs from the plain one by at most the share given as jitter.
    """
    plain = backoff.delay(attempt, 0.5)

    assert abs(backoff.delay(attempt, random) - plain) <= plain * backoff.jitter + 1e-9


@given(backoffs(), st.integers(2, 5000))
def test_plain_pauses_double(backoff: Backoff, attempt: int) -> None:
    """
    Until the cap is met each plain pause is twice the one before.
    """
    pause, following = backoff.delay(attempt, 0.5), backoff.delay(attempt + 1, 0.5)

    assert following == min(2 * pause, backoff.max_seconds)
