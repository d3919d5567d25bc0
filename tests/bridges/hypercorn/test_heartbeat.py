# When a silent peer is pinged and given up: a pure decision.

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.bridges.hypercorn._heartbeat import Beat, Heartbeat


def test_silence_is_answered_with_a_ping_then_with_the_end() -> None:
    """
    After the interval a ping, after the timeout behind it the end; nothing before.
    """
    beat = Heartbeat(20, 10, now=100)

    assert beat.deadline() == 120
    assert beat.beat(119.9) is Beat.WAIT
    assert beat.beat(120) is Beat.PING
    assert beat.deadline() == 130
    assert beat.beat(129) is Beat.WAIT
    assert beat.beat(130) is Beat.DEAD


def test_any_sign_of_life_counts() -> None:
    """
    Whatever comes behind a ping ends the waiting for it, not only a pong.
    """
    beat = Heartbeat(20, 10, now=0)
    assert beat.beat(20) is Beat.PING
    beat.heard = 25

    assert beat.deadline() == 45
    assert beat.beat(30) is Beat.WAIT
    assert beat.beat(45) is Beat.PING


def test_an_answered_ping_is_followed_by_the_next_after_the_interval() -> None:
    """
    A timeout that is longer than the interval does not put the next ping off.
    """
    beat = Heartbeat(5, 20, now=0)
    assert beat.beat(5) is Beat.PING
    beat.heard = 5.5

    assert beat.next_look(5) == 10
    assert beat.beat(10) is Beat.WAIT
    assert beat.next_look(10) == 10.5
    assert beat.beat(10.5) is Beat.PING


def test_looking_more_often_ends_nobody_sooner() -> None:
    """
    A peer that does not answer is looked at each interval, pinged once, and dead at the timeout.
    """
    beat = Heartbeat(5, 12, now=0)
    seen: list[tuple[float, Beat]] = []
    now = beat.deadline()
    while not seen or seen[-1][1] is not Beat.DEAD:
        seen.append((now, beat.beat(now)))
        now = beat.next_look(now)

    assert seen == [(5, Beat.PING), (10, Beat.WAIT), (15, Beat.WAIT), (17, Beat.DEAD)]


@pytest.mark.parametrize("now", [0, 1e9])
def test_without_an_interval_nobody_is_pinged(now: float) -> None:
    """
    An interval of 0 means never.
    """
    beat = Heartbeat(0, 10, now=0)

    assert beat.deadline() == float("inf")
    assert beat.beat(now) is Beat.WAIT


@given(st.lists(st.floats(0.1, 50), min_size=1, max_size=50))
def test_only_the_silent_die(gaps: list[float]) -> None:
    """
    A peer that says something more often than the interval is never even pinged.
    """
    beat = Heartbeat(51, 10, now=0)
    now = 0.0
    for gap in gaps:
        assert beat.beat(now + gap) is Beat.WAIT
        now += gap
        beat.heard = now
