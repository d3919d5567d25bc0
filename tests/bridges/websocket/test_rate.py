# How fast a peer may send: the buckets, and the patience with who sends more.

from hypothesis import given
from hypothesis import strategies as st

from greenroom.bridges.websocket._rate import Rate


def test_burst() -> None:
    """
    What two seconds of the rate amount to comes at once; two messages always do.
    """
    rate = Rate(10, None, 2, 60, 0.0)
    assert rate.room(0.0) == 20
    assert rate.took(0.0, 20, 0)
    assert rate.room(0.0) == 0
    assert rate.until == 0.1

    slow = Rate(0.1, None, 2, 60, 0.0)
    assert slow.room(0.0) == 2


def test_bytes_make_a_debt() -> None:
    """
    A large message is let in; nothing is read until what it took is there again.
    """
    rate = Rate(None, 100, 1, 60, 0.0)
    assert rate.took(0.0, 1, 350)
    assert rate.until == 2.5
    assert rate.room(2.4) == 0
    assert rate.room(2.5) > 1000


def test_no_limit() -> None:
    """
    Without a rate there is always room.
    """
    rate = Rate(None, None, 2, 0, 0.0)
    assert rate.took(0.0, 10**6, 10**9)
    assert rate.room(0.0) > 1000


@given(
    per_second=st.floats(0.5, 1000),
    burst=st.floats(0.1, 10),
    gaps=st.lists(st.floats(0, 5), min_size=1, max_size=200),
)
def test_rate(per_second: float, burst: float, gaps: list[float]) -> None:
    """
    RATE: who reads only when there is room gets no more than the burst and the rate through.
    """
    rate, now, through = Rate(per_second, None, burst, 1e9, 0.0), 0.0, 0
    for gap in gaps:
        now += gap
        room = rate.room(now)
        if room:
            assert rate.took(now, room, 0)
            through += room
            assert through <= max(2.0, per_second * burst) + per_second * now + 1.001


def test_patience() -> None:
    """
    PATIENCE: sending more than the rate for longer than the patience is too long; one burst is
    not, and after a pause all is forgiven.
    """
    rate, now = Rate(10, None, 1, 5, 0.0), 0.0
    assert rate.took(now, 40, 0)  # four seconds' worth: three of debt, and a bit
    now = rate.until
    while now < 4.9:
        assert rate.took(now, 1, 0)
        now = rate.until
    while rate.took(now, 1, 0):
        now = rate.until
        assert now < 6
    assert now >= 4.9

    calm = Rate(10, None, 1, 5, 0.0)
    for second in (0.0, 4.0, 8.0, 12.0, 16.0):
        assert calm.took(second, 20, 0)


def test_late() -> None:
    """
    LATE: who always sends is told to go although each read comes late; who paused is not.
    """
    rate, now = Rate(50, None, 0.1, 1.0, 0.0), 0.0
    assert rate.took(now, 5, 0)
    told = False
    while now < 5 and not told:
        now = rate.until + 0.06  # three messages' worth: the burst is nearly there again
        rate.resumed(now)
        told = not rate.took(now, rate.room(now), 0)
    assert 1.0 <= now < 1.2

    calm = Rate(50, None, 0.1, 1.0, 0.0)
    for number in range(100):
        assert calm.took(number * 0.3, 5, 0)
        calm.resumed(calm.until)


def test_no_patience() -> None:
    """
    With a patience of 0 the first message too many is one too many.
    """
    rate = Rate(1, None, 3, 0, 0.0)
    assert rate.took(0.0, 2, 0)
    assert not rate.took(0.0, 1, 0)


def test_who_keeps_the_rate_is_never_too_fast() -> None:
    """
    A peer that sends exactly as fast as it may is put up with for ever, however small the rate.
    """
    for per_second in (0.5, 1.0, 7.0, 100.0):
        rate = Rate(per_second, None, 1, 0, 0.0)
        for number in range(200):
            assert rate.took(number / per_second, 1, 0)
