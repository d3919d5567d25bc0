# RestartWindow against a model that remembers everything.

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from greenroom.supervisor._intensity import RestartWindow


def in_order(moments: Iterable[float]) -> list[float]:
    """Sort moments, as a clock would hand them out."""
    return sorted(map(float, moments))


MOMENTS = st.lists(st.floats(0, 1e6), min_size=1, max_size=60).map(in_order)
CLOSE_MOMENTS = st.lists(st.integers(0, 30), min_size=1, max_size=60).map(in_order)


@given(MOMENTS | CLOSE_MOMENTS, st.integers(0, 5), st.floats(0.1, 99) | st.just(5.0))
def test_exact(moments: list[float], limit: int, seconds: float) -> None:
    """
    admit() is False exactly when more than *limit* restarts lie in the window.
    """
    window = RestartWindow(limit, seconds)
    for nth, now in enumerate(moments, start=1):
        inside = sum(then > now - seconds for then in moments[:nth])

        assert window.admit(now) == (inside <= limit)
        assert window.left(now) == max(0, limit - inside)
        assert window.count(now) == min(inside, limit + 1)


@given(CLOSE_MOMENTS, st.integers(0, 5), st.floats(0.1, 99), st.floats(0, 200))
def test_asking_changes_nothing(
    moments: list[float], limit: int, seconds: float, later: float
) -> None:
    """
    count() and left() never change what admit() will say.
    """
    asked, unasked = RestartWindow(limit, seconds), RestartWindow(limit, seconds)
    for now in moments:
        asked.count(now)
        asked.left(now)

        assert asked.admit(now) == unasked.admit(now)
    assert asked.left(30 + later) == unasked.left(30 + later)


@given(CLOSE_MOMENTS, st.integers(0, 5), st.floats(0.1, 99))
def test_bounded(moments: list[float], limit: int, seconds: float) -> None:
    """
    Never more than limit + 1 moments are remembered.
    """
    window = RestartWindow(limit, seconds)
    for now in moments:
        window.admit(now)

        assert window.count(now) <= limit + 1


@given(CLOSE_MOMENTS, st.integers(1, 5))
def test_what_is_left_is_admitted(moments: list[float], limit: int) -> None:
    """
    If left() says n, the next n restarts at that moment are admitted and no more.
    """
    window = RestartWindow(limit, 5.0)
    for now in moments:
        window.admit(now)
    left = window.left(moments[-1]) or 0

    assert [window.admit(moments[-1]) for _ in range(left + 1)] == [True] * left + [False]
